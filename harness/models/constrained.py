"""JSON from a local model: only tokens that a schema allows can be written (llguidance).

A text that the token limit cuts off is incomplete, so verdicts are validated afterwards too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import MissingPackage, ModelError


class Grammar:
    """A JSON schema compiled for a tokenizer; makes a constraint for every batch.

    Args:
        tokenizer: A fast Hugging Face tokenizer.
        schema: JSON schema. White space between tokens is fixed, because a weak model might
            write nothing else.
        stops: Ids of tokens that end an answer.

    Raises:
        MissingPackage: llguidance is not installed.
        ModelError: The schema or the tokenizer is not usable.
    """

    def __init__(self, tokenizer: Any, schema: Mapping[str, Any], stops: Sequence[int]) -> None:
        try:
            import llguidance
            import llguidance.hf
        except ImportError as error:
            raise MissingPackage(
                "JSON from a local model needs llguidance: pip install llguidance"
            ) from error
        self._new = llguidance.LLMatcher
        self._stops = frozenset(stops)
        try:
            self._tokens = llguidance.hf.from_tokenizer(tokenizer, eos_token=list(stops))
            self._grammar = llguidance.LLMatcher.grammar_from_json_schema(
                json.dumps(schema), {"whitespace_flexible": False}
            )
        except ValueError as error:
            raise ModelError(f"cannot restrict this model to JSON: {error}") from error
        message = llguidance.LLMatcher.validate_grammar(self._grammar, self._tokens)
        if message and not message.startswith("WARNING"):
            raise ModelError(f"cannot restrict a model to this JSON schema: {message}")

    def constraint(self, rows: int, width: int) -> Constraint:
        """Make the constraint of one batch of ``rows`` prompts padded to ``width`` tokens."""
        matchers = [self._new(self._tokens, self._grammar) for _ in range(rows)]
        return Constraint(matchers, width, self._stops)


class Constraint:
    """Logits processor that forbids, row by row, what the grammar does not allow next."""

    def __init__(self, matchers: Sequence[Any], width: int, stops: frozenset[int]) -> None:
        self._matchers = matchers
        self._stops = stops
        self._read = width
        self._ended = [False] * len(matchers)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Mask the logits; ``generate`` gives (rows, length) ids and (rows, vocabulary) logits."""
        import numpy as np
        import torch

        for column in range(self._read, input_ids.shape[1]):
            for row, token in enumerate(input_ids[:, column].tolist()):
                self._ended[row] |= token in self._stops
                if not self._ended[row]:
                    self._matchers[row].consume_token(token)
        self._read = input_ids.shape[1]
        scores = scores.clone()
        for row, matcher in enumerate(self._matchers):
            if self._ended[row]:
                continue
            bits = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
            allowed = np.unpackbits(bits, bitorder="little")[: scores.shape[1]].astype(bool)
            mask = torch.zeros(scores.shape[1], dtype=torch.bool)
            mask[: len(allowed)] = torch.from_numpy(allowed)
            scores[row, ~mask.to(scores.device)] = float("-inf")
        return scores
