"""How far words mean the same in their context before and after an edit, by MiniLM's token states.

The state of a word depends on the words around it: "smart" in "smart phones" is not the "clever" of
"clever phones", and a clause that hangs on another word after a move changes its states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.text.embedding import TokenStates
from harness.variants.alignment import Alignment, Word
from harness.variants.checks import Passage

# About as much as MiniLM's window of 256 tokens holds.
_WINDOW_CHARACTERS = 1000
_NEAR = 4

Vector = NDArray[np.float32]


def windows(passage: Passage) -> Iterator[tuple[str, str]]:
    """Yield passages before and after, joined up to about what the embedding model reads."""
    before: list[str] = []
    after: list[str] = []
    for old, new in passage.pairs:
        if before and sum(map(len, before)) + len(old) > _WINDOW_CHARACTERS:
            yield " ".join(before), " ".join(after)
            before, after = [], []
        before.append(old)
        after.append(new)
    yield " ".join(before), " ".join(after)


def context_features(
    passage: Passage, alignment: Alignment, states: Mapping[str, TokenStates]
) -> dict[str, float]:
    """Compare the states of words that stay, move and replace each other.

    Args:
        passage: The passage that the alignment is of.
        alignment: Its words before and after.
        states: Of every text of ``windows(passage)``.
    """
    texts = list(windows(passage))
    before = _vectors(alignment.before, [text for text, _ in texts], states)
    after = _vectors(alignment.after, [text for _, text in texts], states)
    edited = {b for b, _ in alignment.moved} | set(alignment.removed)
    near = {b + step for b in edited for step in range(-_NEAR, _NEAR + 1)}
    kept = [(b, _cosine(before[b], after[a])) for b, a in alignment.kept]
    moved = [_cosine(before[b], after[a]) for b, a in alignment.moved]
    groups = {
        "site": _site_cosines(alignment, before, after),
        "kept": [cosine for _, cosine in kept],
        "near": [cosine for b, cosine in kept if b in near],
        "moved": moved,
    }
    values: dict[str, float] = {}
    for name, cosines in groups.items():
        known = [cosine for cosine in cosines if cosine is not None]
        values[f"context_{name}_least"] = min(known, default=1.0)
        values[f"context_{name}_mean"] = sum(known) / len(known) if known else 1.0
    return values


def _site_cosines(
    alignment: Alignment, before: Sequence[Vector | None], after: Sequence[Vector | None]
) -> Iterable[float | None]:
    """Compare what each edit removes with what it adds."""
    removed, added = set(alignment.removed), set(alignment.added)
    for olds, news in alignment.sites:
        one = [v for at in olds if at in removed and (v := before[at]) is not None]
        two = [v for at in news if at in added and (v := after[at]) is not None]
        if one and two:
            yield _cosine(np.mean(one, axis=0), np.mean(two, axis=0))


def _vectors(
    words: Sequence[Word], texts: Sequence[str], states: Mapping[str, TokenStates]
) -> list[Vector | None]:
    """Return the mean state of each word's tokens; None for words beyond the model's window."""
    starts, ends, vectors, offset = [], [], [], 0
    for text in texts:
        spans, layer = states[text].spans, states[text].vectors
        real = spans[:, 1] > spans[:, 0]
        starts.append(spans[real, 0] + offset)
        ends.append(spans[real, 1] + offset)
        vectors.append(layer[real])
        offset += len(text) + 1
    start, end, layer = np.concatenate(starts), np.concatenate(ends), np.concatenate(vectors)
    means: list[Vector | None] = []
    for word in words:
        first = int(np.searchsorted(end, word.start, side="right"))
        last = int(np.searchsorted(start, word.end, side="left"))
        means.append(layer[first:last].mean(axis=0) if first < last else None)
    return means


def _cosine(one: Vector | None, two: Vector | None) -> float | None:
    if one is None or two is None:
        return None
    return float(one @ two / (np.linalg.norm(one) * np.linalg.norm(two) + 1e-9))
