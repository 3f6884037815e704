"""Text tools: parsing, normal forms, edits, code spans, embeddings, language, phrases, refusals."""

from harness.text.parse import Text

__all__ = ["Text"]
