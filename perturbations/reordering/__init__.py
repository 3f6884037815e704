"""The parts of ``reorder``: each proposes moves of one sort."""
