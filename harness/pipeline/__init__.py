"""A run from data to report: store, cache, session, the stages and the runner."""
