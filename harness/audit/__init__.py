"""Leakage and quality of a data set: what stands in two splits at once, and what looks wrong."""

from harness.audit.examine import AuditReport, audit
from harness.audit.leakage import leakage, mark_leaked

__all__ = ["AuditReport", "audit", "leakage", "mark_leaked"]
