"""Statistics of a run: records in, the JSON-able summary out."""

from harness.analysis.run_comparison import Merged, RunRecords, merge
from harness.analysis.summary import LLM_JUDGES, SUMMARY_VERSION, Options, summarise
from harness.analysis.table import ALL

__all__ = [
    "ALL",
    "LLM_JUDGES",
    "SUMMARY_VERSION",
    "Merged",
    "Options",
    "RunRecords",
    "merge",
    "summarise",
]
