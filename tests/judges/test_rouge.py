"""ROUGE-L equals rouge-score to the last digit."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from harness.records import JudgeItem
from judges import rouge
from judges.rouge import RougeL

JUDGES = {True: RougeL(), False: RougeL(stemmer=False)}
PEERS = {stem: RougeScorer(["rougeL"], use_stemmer=stem) for stem in (True, False)}

WORD_LIST = """running runs ran happily happiness studies study the a of dying died skies İstanbul
K9 naïve don't can't 3.14 x_1 generalisation generalization ﬁne Straße ǅ İ ŉ"""
WORDS = st.sampled_from(WORD_LIST.split())
TEXTS = st.one_of(
    st.text(max_size=80),
    st.lists(WORDS, max_size=30).map(" ".join),
    st.text(alphabet="aåbcİıK ßﬁ-_'\n\t\u2028\u00a0é0１", max_size=60),
)


@pytest.mark.parametrize("stem", [True, False])
@given(reference=TEXTS, answer=TEXTS)
@settings(max_examples=400, deadline=None)
def test_same_as_rouge_score(stem: bool, reference: str, answer: str) -> None:
    expected = PEERS[stem].score(reference, answer)["rougeL"].fmeasure
    assert JUDGES[stem].score(reference, answer) == expected


def test_same_on_long_texts() -> None:
    rng = random.Random(5)
    vocabulary = [
        "walking",
        "walked",
        "tree",
        "sadness",
        "sad",
        "therapies",
        "to",
        "it",
        "listening",
    ]
    for length in (10, 150, 400):
        a, b = (" ".join(rng.choices(vocabulary, k=length)) for _ in range(2))
        assert JUDGES[True].score(a, b) == PEERS[True].score(a, b)["rougeL"].fmeasure


def test_same_on_bundled_answers(bundled_answers: list[tuple[str, str]]) -> None:
    for reference, answer in bundled_answers:
        expected = PEERS[True].score(reference, answer)["rougeL"].fmeasure
        assert JUDGES[True].score(reference, answer) == expected


def test_caches_are_bounded_and_exact_when_they_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rouge, "TEXTS_KEPT", 3)
    monkeypatch.setattr(rouge, "WORDS_KEPT", 10)
    judge = RougeL()
    rng = random.Random(1)
    for _ in range(200):
        a, b = (" ".join(f"words{rng.randrange(20)}s" for _ in range(8)) for _ in range(2))
        assert judge.score(a, b) == PEERS[True].score(a, b)["rougeL"].fmeasure
    assert judge._tokens._encode.cache_info().currsize <= 3


def test_items_without_a_reference_are_not_graded() -> None:
    items = [
        JudgeItem(question="q", answer="the cat sat"),
        JudgeItem(question="q", answer="the cats sat", reference="the cat sat"),
        JudgeItem(question="q", answer="", reference="the cat sat"),
    ]
    got = [(j.item, j.dimension, j.value, j.status) for j in RougeL().grade(items)]
    assert got == [(1, "rouge_l", 1.0, "scored"), (2, "rouge_l", 0.0, "scored")]
