"""The stages of a run: each reads the file of the stage before and appends to its own."""
