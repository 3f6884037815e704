"""Units of a search: what belongs together stays together, and only proven company is combined."""

from __future__ import annotations

from harness.protocols import PerturbationTraits
from harness.records import Edit, Message, Sample
from harness.text import Text
from harness.text.parse import parse
from harness.variants.edit_units import Edits, EditUnits, sorted_edits
from harness.variants.kinds import Kind, make_kind

RAW = "I ate a pear. Then I rang my friend up and he was glad."


def at(old: str, new: str) -> Edit:
    start = RAW.index(old)
    return Edit(start=start, end=start + len(old), text=new)


ARTICLE, APPLE, PLUM = at("a pear", "an pear"), at("pear", "apple"), at("pear", "plum")
CALLED, NO_UP, HAPPY = at("rang", "called"), at(" up", ""), at("glad", "happy")


def units(*proposals: Edits, one_story: bool = False) -> EditUnits:
    plugin = Listed()
    plugin.traits = PerturbationTraits(one_story=one_story)
    return EditUnits(Text(RAW), Kind("listed", "medium", plugin, "x"), proposals)


class Listed:
    traits = PerturbationTraits()

    def __call__(self, text: Text, rng: object) -> None:
        return None


def test_edits_that_always_come_together_are_one_unit() -> None:
    made = units((CALLED, NO_UP), (CALLED, NO_UP, HAPPY), (HAPPY,), (PLUM, HAPPY), (PLUM,))
    assert made.units == [(CALLED, NO_UP), (HAPPY,), (PLUM,)]


def test_what_only_serves_another_edit_never_stands_alone() -> None:
    article = at("a ", "an ")
    orange = at("pear", "orange")
    made = units((article, APPLE), (article, orange), (PLUM,))
    assert made.units == [(article, APPLE), (article, orange), (PLUM,)]


def test_edits_of_one_sentence_are_combined_only_where_the_kind_did_so() -> None:
    made = units((CALLED, NO_UP), (HAPPY,), (PLUM,))
    assert made.combined((), (HAPPY,)) == (HAPPY,)
    assert made.combined((CALLED, NO_UP), (HAPPY,)) is None
    assert made.combined((PLUM,), (HAPPY,)) == (PLUM, HAPPY)  # another sentence
    both = units((CALLED, NO_UP), (HAPPY,), (CALLED, NO_UP, HAPPY))
    assert both.combined((CALLED, NO_UP), (HAPPY,)) == (CALLED, NO_UP, HAPPY)


def test_edits_that_touch_or_tell_another_story_are_not_combined() -> None:
    made = units((APPLE,), (PLUM,), (HAPPY,))
    assert made.combined((APPLE,), (PLUM,)) is None
    assert made.combined((APPLE,), (APPLE,)) is None
    assert units((PLUM,), (HAPPY,), one_story=True).combined((PLUM,), (HAPPY,)) is None


def test_a_kind_is_taken_apart_the_same_way_every_time() -> None:
    raw = "I began to worry about my exam. However, my teacher often helps me, and I still feel scared."
    sample = Sample(id="s", messages=(Message(role="user", content=raw),))
    kinds = [make_kind("synonym", severity="heavy"), make_kind("synonym", severity="light")]
    first, second = (EditUnits.of(kinds, sample, parse([raw])[0], 1).units for _ in range(2))
    assert first == second
    assert any(len(unit) == 1 for unit in first)
    assert all(unit == sorted_edits(unit) for unit in first)
    assert {raw[e.start : e.end] for unit in first for e in unit} >= {"often"}
