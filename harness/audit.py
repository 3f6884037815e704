"""Whether the prompts under test stand in the training data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harness.data import normalise_prompt
from harness.records import Sample


def mark_leaked(
    samples: Sequence[Sample], training: Iterable[Sample]
) -> tuple[list[Sample], dict[str, Any]]:
    """Mark every sample ``leaked`` whose prompt stands in the training data, else ``clean``.

    Prompts are compared word for word and after normalisation (case, white space, punctuation,
    Unicode forms).

    Returns:
        The marked samples in order, and the counts: ``samples``, ``exact`` (prompt word for word),
        ``normalised`` (only after normalisation), ``pairs`` (prompt and answer, word for word),
        ``clean``, ``training_rows``.
    """
    exact: set[str] = set()
    normalised: set[str] = set()
    pairs: set[tuple[str, str | None]] = set()
    rows = 0
    for example in training:
        rows += 1
        exact.add(example.prompt)
        normalised.add(normalise_prompt(example.prompt))
        pairs.add((example.prompt, example.reference))
    counts = {"samples": len(samples), "exact": 0, "normalised": 0, "pairs": 0, "clean": 0}
    marked: list[Sample] = []
    for sample in samples:
        if sample.prompt in exact:
            verdict = "exact"
        elif normalise_prompt(sample.prompt) in normalised:
            verdict = "normalised"
        else:
            verdict = "clean"
        counts[verdict] += 1
        if sample.reference is not None and (sample.prompt, sample.reference) in pairs:
            counts["pairs"] += 1
        marked.append(
            sample.model_copy(update={"audit": "clean" if verdict == "clean" else "leaked"})
        )
    return marked, {**counts, "training_rows": rows}
