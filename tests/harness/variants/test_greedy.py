"""The greedy search without a model: whatever the scores, the worst is the worst of all asked."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.edits import apply_edits
from harness.text.parse import parse
from harness.variants.edit_units import EditUnits
from harness.variants.gate import Gate
from harness.variants.greedy import LEAST_HARM, GreedySearch, passed
from harness.variants.kinds import Kind

RAW = "The tall man sat on the old chair near the green door and read the long book."
(TEXT,) = parse([RAW])
WORDS = {
    "tall": "big",
    "old": "worn",
    "green": "leafy",
    "long": "thick",
    "near": "by",
    "sat": "rested",
}
EDITS = [
    Edit(start=RAW.index(old), end=RAW.index(old) + len(old), text=new)
    for old, new in WORDS.items()
]
GATE = Gate(similarity=False)


class Wordy:
    traits = PerturbationTraits(
        limits=Limits(words={"medium": 1.0}, exempt=frozenset({"terms", "roles"}))
    )

    def __call__(self, text: object, rng: object) -> None:
        return None


def searched(value_of: dict[str, float], budget: int, sign: float = 1.0) -> GreedySearch:
    """Search with a score that falls by these values for each word; unknown words cost nothing."""
    kind = Kind("wordy", "medium", Wordy(), "x")
    proposals = [*((edit,) for edit in EDITS), tuple(sorted(EDITS, key=lambda e: e.start))]
    greedy = GreedySearch(TEXT, kind, EditUnits(TEXT, kind, proposals), budget, 0.0, sign)
    while ready := passed([greedy], GATE):
        for search, batch in ready:
            for candidate in batch:
                words = apply_edits(RAW, candidate.edits).replace(".", "").split()
                search.tell(candidate, -sign * sum(value_of.get(w, 0.0) for w in words), "answer")
            search.close_round()
    return greedy


@settings(max_examples=60, deadline=None)
@given(
    values=st.dictionaries(st.sampled_from(sorted(WORDS.values())), st.floats(-1, 1)),
    budget=st.integers(1, 60),
    sign=st.sampled_from([1.0, -1.0]),
)
def test_the_worst_is_never_less_than_any_trial(
    values: dict[str, float], budget: int, sign: float
) -> None:
    greedy = searched(values, budget, sign)
    assert greedy.ended in ("settled", "budget")
    assert len(greedy.trials) <= budget
    harms = [trial.harm or 0.0 for trial in greedy.trials]
    worst = 0.0 if greedy.worst is None else greedy.worst.harm
    assert worst is not None
    assert worst == max([0.0, *harms]) or max(harms) <= LEAST_HARM


def test_harms_that_add_up_are_all_taken_in() -> None:
    greedy = searched(dict.fromkeys(WORDS.values(), 1.0), 60)
    assert greedy.worst is not None
    assert greedy.worst.harm == len(WORDS)
    assert greedy.ended == "settled"


def test_nothing_that_hurts_ends_settled_without_a_worst() -> None:
    greedy = searched({}, 60)
    assert (greedy.worst, greedy.ended, len(greedy.trials)) == (None, "settled", len(WORDS))


def test_a_round_leaves_half_of_the_budget() -> None:
    greedy = searched({"big": 1.0}, 4)
    assert len(greedy.trials) == 4
    assert greedy.ended == "budget"
    tried = [len(trial.edits) for trial in greedy.trials]
    assert tried[:2] == [1, 1]
    assert tried[2] == 2  # on top of what hurt
