"""The second gate: alignment, features, the model, and how the gate uses it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.records import Edit, Variant
from harness.text.edits import find_edits
from harness.text.embedding import TokenStates, contextualise
from harness.text.parse import Text, nlp
from harness.variants import acceptability as second_gate
from harness.variants.acceptability import AcceptabilityModel, TreeNode, accept, shipped
from harness.variants.alignment import Alignment, align
from harness.variants.checks import Passage
from harness.variants.context_features import context_features, windows
from harness.variants.edit_features import features
from harness.variants.gate import Gate
from tests.support import fit_acceptability as fitting


def passage(before: str, after: str) -> Passage:
    return Passage(Text(before), find_edits(before, after))


def aligned(before: str, after: str) -> Alignment:
    changed = passage(before, after)
    return align(changed, nlp()(changed.after))


def values(before: str, after: str) -> dict[str, float]:
    changed = passage(before, after)
    return features(changed, align(changed, nlp()(changed.after)))


def test_words_are_kept_moved_removed_and_added() -> None:
    swapped = aligned("I like tea and coffee.", "I like coffee and tea.")
    moved = [swapped.before[b].lower for b, _ in swapped.moved]
    assert sorted(moved) == ["coffee", "tea"]
    assert [swapped.before[b].lower for b, _ in swapped.kept] == ["i", "like", "and", "."]
    replaced = aligned("I am sad today.", "I am very unhappy today.")
    assert [replaced.before[b].lower for b in replaced.removed] == ["sad"]
    assert [replaced.after[a].lower for a in replaced.added] == ["very", "unhappy"]


def test_what_moves_from_one_sentence_to_another_is_found_again() -> None:
    text = "I feel low. The days are long. What can I do?"
    moved = aligned(text, "What can I do? I feel low. The days are long.")
    assert not moved.removed
    assert not moved.added
    assert len(moved.kept) + len(moved.moved) == len(moved.before) == len(moved.after)


def test_a_swapped_pair_under_a_negation_is_seen() -> None:
    under = values("I will never call her and hang up.", "I will never hang up and call her.")
    free = values("I will call her and hang up.", "I will hang up and call her.")
    assert under["negation_over_edit"] == 1.0
    assert free["negation_over_edit"] == 0.0


def test_thanks_without_a_request_are_seen() -> None:
    bare = values("My cat died on Sunday.", "My cat died on Sunday. Thanks.")
    asked = values("My cat died. What can I do?", "My cat died. What can I do? Thanks.")
    assert bare["insert_at_end_unasked"] == 1.0
    assert asked["insert_at_end_unasked"] == 0.0


def model(thresholds: dict[str, float]) -> AcceptabilityModel:
    """A model that gives .88 to what keeps its negations alone, and .12 to what does not."""
    tree = (
        TreeNode(0, 0.5, 1, 2, 0.0),
        TreeNode(-1, 0.0, -1, -1, 2.0),
        TreeNode(-1, 0.0, -1, -1, -2.0),
    )
    return AcceptabilityModel(
        features=("negation_over_edit",),
        kinds=("one", "two"),
        thresholds=thresholds,
        intercept=0.0,
        trees=(tree,),
        pairs=2,
    )


GOOD = passage("I like tea and coffee.", "I like coffee and tea.")
BAD = passage("I will never call her and hang up.", "I will never hang up and call her.")


def blank_states(texts: Sequence[str]) -> list[TokenStates]:
    """One token a text, with a state that says nothing."""
    return [TokenStates(np.ones((1, 4), np.float32), np.array([[0, len(t)]])) for t in texts]


_TEXTS = [text for changed in (GOOD, BAD) for pair in windows(changed) for text in pair]
STATES = dict(zip(_TEXTS, blank_states(_TEXTS), strict=True))


def test_a_score_below_the_threshold_of_its_kind_is_rejected_with_its_reason() -> None:
    held = accept([(GOOD, "one"), (BAD, "one"), (BAD, "two")], STATES, model({"one": 0.5}))
    assert [outcome.reason for outcome in held] == [
        None,
        "acceptability: 0.12 is below 0.50",
        None,
    ]
    # The gate does not pay for the other kind, which costs no time then.
    assert [outcome.score for outcome in held] == [0.8808, 0.1192, None]


def test_kinds_that_nobody_read_get_no_score() -> None:
    (outcome,) = accept([(BAD, "foreign")], {}, model({"one": 0.5}))
    assert outcome == (None, None)


def test_compositions_are_one_kind() -> None:
    read = model({"+": 0.5}).model_copy(update={"kinds": ("+", "one")})
    (outcome,) = accept([(BAD, "foreign+one")], STATES, read)
    assert outcome.reason == "acceptability: 0.12 is below 0.50"


def test_the_gate_keeps_the_score_and_can_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = "one"
    monkeypatch.setattr(second_gate, "shipped", lambda: model({kind: 0.5}))

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.ones((len(texts), 1), np.float32)

    (verdict,) = Gate(embed=embed, contextualise=blank_states).judge([(GOOD, kind, None)])
    assert verdict.acceptability is not None
    (alone,) = Gate(embed=embed).judge([(GOOD, kind, None)])
    assert (alone.similarity, alone.acceptability) == (1.0, None)
    assert Gate().fingerprint != Gate(acceptability=False).fingerprint
    assert not Gate(similarity=False).acceptability


def test_variants_of_older_runs_are_read_without_a_score() -> None:
    variant = Variant.model_validate_json('{"sample_id": "a", "perturbation": "k"}')
    assert variant.acceptability is None


def test_an_edit_in_a_very_long_prompt_is_scored() -> None:
    text = Text("I am sad. " * 300)
    changed = Passage(text, [Edit(start=5, end=8, text="low")])
    kind = shipped().kinds[0]
    paying = shipped().model_copy(update={"thresholds": {kind: 0.1}})
    needed = second_gate.texts([(changed, kind)], paying)
    states = dict(zip(needed, blank_states(needed), strict=True))
    (outcome,) = accept([(changed, kind)], states, paying)
    assert outcome.score is not None


def test_a_word_beyond_the_window_of_the_model_counts_as_unchanged() -> None:
    values_beyond = context_features(GOOD, aligned("I like tea.", "I like ale."), STATES)
    assert values_beyond["context_site_least"] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.model
def test_a_word_of_another_sense_is_farther_off_in_context() -> None:
    def closeness(before: str, after: str) -> float:
        changed = passage(before, after)
        texts = [text for pair in windows(changed) for text in pair]
        states = dict(zip(texts, contextualise(texts), strict=True))
        return second_gate.numbers(changed, nlp()(changed.after), states)["context_site_least"]

    phones = closeness("When were smart phones invented?", "When were clever phones invented?")
    child = closeness("My son is a smart boy.", "My son is a clever boy.")
    assert phones < child


@pytest.mark.model
def test_the_numbers_kept_are_those_that_the_texts_give() -> None:
    rows = fitting._lines(fitting.PAIRS)[::20]
    stored = {row["key"]: row for row in fitting._lines(fitting.NUMBERS)}
    for row, pair in zip(rows, fitting.measured(rows), strict=True):
        values = stored[fitting._key(row)]["values"]
        for name, value in pair.values.items():
            assert values.get(name, 0.0) == pytest.approx(value, abs=2e-3), name


def test_good_pairs_score_above_bad_ones_of_their_kind(
    pairs: list[fitting.Pair], refitted: AcceptabilityModel
) -> None:
    for kind in ("reorder", "role", "synonym"):
        scores: dict[bool, list[float]] = {True: [], False: []}
        for pair in pairs:
            if pair.kind == kind:
                scores[pair.good].append(refitted.score(pair.values, kind))
        assert np.mean(scores[True]) > np.mean(scores[False]) + 0.15


@pytest.fixture(scope="module")
def pairs() -> list[fitting.Pair]:
    return fitting.load()


@pytest.fixture(scope="module")
def refitted(pairs: list[fitting.Pair]) -> AcceptabilityModel:
    kinds = sorted({p.kind for p in pairs})
    x = fitting.matrix(pairs, kinds)
    return fitting.exported(fitting.fit_trees(x, np.array([p.good for p in pairs])), pairs, kinds)


def test_the_shipped_weights_are_those_that_the_script_makes(
    pairs: list[fitting.Pair], refitted: AcceptabilityModel
) -> None:
    assert shipped().features == refitted.features
    assert shipped().pairs == len(pairs)
    for pair in pairs[::10]:
        old, new = (m.score(pair.values, pair.kind) for m in (shipped(), refitted))
        assert old == pytest.approx(new, abs=0.02)


def test_a_threshold_that_lets_most_bad_ones_through_does_not_pay() -> None:
    good = np.array([True] * 80 + [False] * 20)
    apart = np.where(good, 0.9, 0.1)
    assert fitting.threshold(apart, good) == 0.9
    one_caught = np.where(np.arange(100) == 99, 0.1, 0.9)
    assert fitting.threshold(one_caught, good) is None


def test_texts_that_may_not_be_shipped_are_not_in_the_repository() -> None:
    rows = [json.loads(line) for line in Path(fitting.PAIRS).read_text().splitlines()]
    assert {row["source"] for row in rows} <= set(fitting.OURS)
    numbers = [json.loads(line) for line in Path(fitting.NUMBERS).read_text().splitlines()]
    assert all(
        row.keys() == {"key", "kind", "source", "good", "loose", "values"} for row in numbers
    )
