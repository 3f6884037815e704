"""Leakage and quality of a data set: rows that two splits share, duplicates, and faults."""

from harness.audit.clusters import mark_families
from harness.audit.examine import audit
from harness.audit.leakage import leakage, mark_leaked
from harness.audit.report import AuditReport

__all__ = ["AuditReport", "audit", "leakage", "mark_families", "mark_leaked"]
