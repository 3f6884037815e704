"""Conversations: every turn through the gate by itself, the last one as if it stood alone."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.protocols import PerturbationTraits
from harness.records import Edit, Message, Sample, Turns, Variant
from harness.text import Text
from harness.text.edits import apply_edits
from harness.variants.expand import Expansion, Kind, make_kind
from harness.variants.gate import Gate

OPEN = Gate(similarity=False)
TURNS = (
    "I am sad because my boyfriend doesn't want to talk anymore.",
    "It began 3 months ago, when I moved to a bigger apartment.",
    "I feel alone in the evening, and my friends live far away.",
)


def conversation(*user: str, id: str = "s") -> Sample:
    messages = [Message(role="system", content="Be kind.")]
    for number, text in enumerate(user):
        messages.append(Message(role="user", content=text))
        messages.append(Message(role="assistant", content=f"I see, my friend ({number})."))
    return Sample(id=id, messages=tuple(messages[:-1]))


def made(
    sample: Sample, *kinds: Kind, turns: Turns = "all", per_prompt: int = 0, seed: int = 3
) -> list[Variant]:
    expansion = Expansion(seed, 2, per_prompt, turns)
    return [v for v in expansion.variants([sample], kinds, OPEN) if v.perturbation != "original"]


def test_the_edits_of_every_turn_rebuild_it_and_nothing_else_changes() -> None:
    sample = conversation(*TURNS)
    kinds = [make_kind(name) for name in ("typo", "surface", "synonym", "filler")]
    variants = made(sample, *kinds)
    assert any(len(v.edits_by_turn) == 3 for v in variants)
    for variant in (v for v in variants if v.status == "valid"):
        assert variant.edits_by_turn
        for i, (before, after) in enumerate(zip(sample.messages, variant.messages, strict=True)):
            edits = variant.edits_by_turn.get(i, ())
            assert apply_edits(before.content, edits) == after.content
            assert not edits or before.role == "user"
        assert set(variant.edits_by_turn) | set(variant.untouched) == {1, 3, 5}
        assert "3" in variant.messages[3].content


def test_the_last_turn_changes_as_it_does_alone() -> None:
    kinds = [make_kind(name) for name in ("typo", "surface", "synonym", "dialect")]
    sample = conversation(*TURNS)
    by_key = {v.key: v for v in made(sample, *kinds)}
    last = made(sample, *kinds, turns="last")
    assert last
    for variant in last:
        if variant.status == "valid":
            assert by_key[variant.key].edits == variant.edits
            assert variant.messages[:-1] == sample.messages[:-1]
            assert not variant.earlier_edits


def test_turns_are_independent_of_each_other() -> None:
    kind = make_kind("typo")
    one = made(conversation(*TURNS), kind)
    other = made(conversation(TURNS[0], "Something else entirely happened then.", TURNS[2]), kind)
    assert [v.earlier_edits[1] for v in one] == [v.earlier_edits[1] for v in other]
    assert [v.edits for v in one] == [v.edits for v in other]
    same = made(conversation(TURNS[0], TURNS[0], TURNS[0]), kind)[0]
    assert len({e for edits in same.edits_by_turn.values() for e in edits}) > len(same.edits)


def test_one_changed_turn_is_enough_and_the_others_say_why_they_stay() -> None:
    (variant, _) = made(conversation("42", TURNS[0]), make_kind("typo"))
    assert variant.status == "valid"
    assert variant.reason is None
    assert variant.messages[1].content == "42"
    assert variant.untouched == {1: "does not apply to this prompt"}


def test_without_any_changed_turn_there_is_no_variant() -> None:
    variants = made(conversation("42", "43"), make_kind("typo"), per_prompt=1)
    assert [v.status for v in variants] == ["inapplicable", "inapplicable", "rejected"]
    assert all(v.messages == () and not v.edits_by_turn for v in variants)


def test_identity_leaves_every_turn_and_fillers_count_whole_conversations() -> None:
    sample = conversation(*TURNS)
    variants = made(sample, make_kind("identity"), make_kind("typo"), per_prompt=4)
    assert variants[0].messages == sample.messages
    assert not variants[0].edits_by_turn
    assert sum(v.filler for v in variants) == 2
    texts = [v.messages for v in variants if v.perturbation == "typo"]
    assert len(set(texts)) == len(texts)


class Shouting:
    """Asked for many at once; counts how often."""

    traits = PerturbationTraits(version="1")
    calls: int = 0

    def __call__(self, text: Text, rng: random.Random) -> str:
        raise AssertionError("it is asked for many")

    def many(self, items: Iterable[tuple[Text, random.Random]]) -> Sequence[str | None]:
        self.calls += 1
        return [
            None if text.raw == "42" else f"{text.raw} Well{'!' * rng.randint(1, 900)}"
            for text, rng in items
        ]


def test_a_kind_asked_for_many_gets_all_turns_in_one_call() -> None:
    plugin = Shouting()
    sample = conversation("42", TURNS[0], TURNS[2])
    variants = made(sample, Kind("shouting", "medium", plugin, "x"))
    assert plugin.calls == 1
    assert all(v.messages[i].content.endswith("!") for v in variants for i in (3, 5))
    assert all(set(v.untouched) == {1} for v in variants)


def test_compose_works_on_every_turn() -> None:
    kind = make_kind("compose", {"steps": ["surface", "typo"]})
    (variant, _) = made(conversation(*TURNS), kind)
    assert len(variant.edits_by_turn) == 3


def test_a_kind_that_changes_the_story_leaves_conversations_alone() -> None:
    sample = conversation("My brother is ill.", "I want to help my brother. What can I do?")
    together = make_kind("compose", {"steps": ["role", "typo"]})
    for kind in (make_kind("role"), together):
        assert {v.status for v in made(sample, kind)} == {"inapplicable"}
    assert "every turn alike" in (made(sample, make_kind("role"))[0].reason or "")
    assert "valid" in {v.status for v in made(conversation(TURNS[0]), make_kind("role"))}


def test_variants_of_older_runs_are_read() -> None:
    old = '{"sample_id": "s", "perturbation": "typo", "severity": "light", "messages":'
    old += ' [{"role": "user", "content": "helo"}], "edits": [{"start": 3, "end": 4, "text": ""}]}'
    variant = Variant.model_validate_json(old)
    assert variant.edits_by_turn == {0: (Edit(start=3, end=4, text=""),)}
    (new, _) = made(conversation(*TURNS), make_kind("typo"))
    assert Variant.model_validate_json(new.model_dump_json()) == new


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.sampled_from([*TURNS, "42", "", "ok", "😀"]), min_size=1, max_size=4))
@pytest.mark.parametrize("turns", ["last", "all"])
def test_any_conversation_gives_valid_variants_or_reasons(turns: Turns, texts: list[str]) -> None:
    sample = conversation(*texts)
    for variant in made(sample, make_kind("typo"), make_kind("surface"), turns=turns):
        if variant.status == "valid":
            assert variant.messages != sample.messages
            assert [m.role for m in variant.messages] == [m.role for m in sample.messages]
        else:
            assert variant.reason
