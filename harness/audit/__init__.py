"""Leakage and quality of a data set: what stands in two splits at once, and what looks wrong."""

from harness.audit.leakage import leakage, mark_leaked

__all__ = ["leakage", "mark_leaked"]
