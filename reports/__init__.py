"""Charts and pages, made from ``summary.json`` and the run's JSONL; never from a model."""
