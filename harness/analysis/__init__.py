"""Statistics of a run: records in, the typed summary out."""

from harness.analysis.run_comparison import ComparedRun, MergedRuns, merge
from harness.analysis.summary import AnalysisSettings, summarise
from harness.analysis.summary_schema import SUMMARY_VERSION, Summary
from harness.analysis.table import ALL, RunRecords
from harness.analysis.test_family import BootstrapSettings

__all__ = [
    "ALL",
    "SUMMARY_VERSION",
    "AnalysisSettings",
    "BootstrapSettings",
    "ComparedRun",
    "MergedRuns",
    "RunRecords",
    "Summary",
    "merge",
    "summarise",
]
