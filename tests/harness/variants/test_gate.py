"""The gate: every check on a case that must pass and cases that must not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.protocols import Limits
from harness.records import Edit
from harness.text import danger_meaning
from harness.text.edits import find_edits
from harness.text.parse import Text
from harness.variants.gate import Gate, Passage
from perturbations.role import Role
from perturbations.surface import Surface
from perturbations.typo import Typo

GENEROUS = Limits(words={"light": 1.0, "medium": 1.0, "heavy": 1.0})


def verdict(before: str, after: str, limits: Limits = GENEROUS, severity: str = "medium") -> str:
    """The gate's reason, or "" where the explicit checks pass."""
    found = Gate(similarity=False).check(
        Text(before), find_edits(before, after), severity=severity, limits=limits
    )
    return found if isinstance(found, str) else ""


@pytest.mark.parametrize(
    ("before", "after", "check"),
    [
        ("I slept 3 hours.", "I slept 4 hours.", "numbers"),
        ("I have two sons.", "I have three sons.", "numbers"),
        ("I paid $25.00 then.", "I paid $2.500 then.", "numbers"),
        ("I did not go.", "I did go.", "negations"),
        ("I can't sleep.", "I can sleep.", "negations"),
        ("I can’t sleep.", "I can sleep.", "negations"),
        ("I sleep badly.", "I never sleep.", "negations"),
        ("My boss Paul left.", "My boss Peter left.", "names"),
        ("Write it in Java please.", "Write it in Python please.", "names"),
        ("She called him late.", "He called her late.", "pronouns"),
        ("I told her so.", "You told her so.", "pronouns"),
        ("My cousin left me.", "My friend left me.", "roles"),
        ("My therapist is kind.", "My healer is kind.", "terms"),
        ("I have depression now.", "I have sadness now.", "terms"),
        ('He said "go away" then.', 'He said "get away" then.', "protected"),
        ("Use `len(x)` for it.", "Use `size(x)` for it.", "protected"),
        ("See https://a.org/x for it.", "See https://a.org/y for it.", "protected"),
        ("One line.\nAnother line.", "One line. Another line.", "lines"),
        ("One line.\r\nAnother line.", "One line.\nAnother line.", "lines"),
        ("Same.", "Same.", "unchanged"),
    ],
)
def test_what_is_rejected(before: str, after: str, check: str) -> None:
    assert verdict(before, after).partition(":")[0] == check


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("I am sad about it.", "I am unhappy about it."),
        ("I don't go out.", "I do not go out."),
        ("My mom is here.", "My mum is here."),
        ("My mom is here.", "My mother is here."),
        ("My counselor left.", "My counsellor left."),
        ("I can't eat, content or not.", "I can't eat, happy or not."),
        ("It is constant.", "It is continual."),
        ("Is it C or C++ code?", "Was it C or C++ code?"),
    ],
)
def test_what_passes(before: str, after: str) -> None:
    assert verdict(before, after) == ""


def test_only_touched_sentences_are_looked_at() -> None:
    before = "I have 3 cats. I am sad. He can't help."
    passage = Gate(similarity=False).check(
        Text(before), find_edits(before, before.replace("sad", "down")), severity="light"
    )
    assert isinstance(passage, Passage)
    assert (passage.before, passage.after) == ("I am sad.", "I am down.")


def test_what_moves_between_sentences_is_found() -> None:
    before = "I have 3 cats. They like me."
    after = "They like me. I have 3 cats."
    assert verdict(before, after, Limits(same_words=True)) == ""
    lost = verdict(before, "They like me. I have cats.", Limits(same_words=True))
    assert lost.startswith("numbers")


def test_same_words_means_same_words() -> None:
    limits = Limits(same_words=True)
    assert verdict("I cry when I drink.", "When I drink, I cry.", limits) == ""
    assert verdict("I cry when I drink.", "When I drink, I weep.", limits).startswith("words")


@pytest.mark.parametrize(("severity", "passes"), [("light", False), ("heavy", True)])
def test_no_more_edits_than_the_severity_allows(severity: str, passes: bool) -> None:
    words = [
        "I",
        "went",
        "home",
        "early",
        "today",
        "and",
        "then",
        "slept",
        "badly",
        "all",
        "night",
        "long",
        "in",
        "the",
        "old",
        "bed",
        "upstairs",
        "again",
    ]
    before = " ".join(words) + "."
    words[1::3] = ["other"] * len(words[1::3])
    limits = Limits(words={"light": 0.1, "medium": 0.2, "heavy": 0.6})
    reason = verdict(before, " ".join(words), limits, severity)
    assert (reason == "") is passes
    if not passes:
        assert reason.startswith("edits: 6 of 18 words changed")


def test_three_words_are_always_allowed() -> None:
    limits = Limits(words={"light": 0.0, "medium": 0.0, "heavy": 0.0})
    assert verdict("I feel so down.", "I am feeling so low.", limits) == ""


def test_impossible_edits_are_rejected_not_raised() -> None:
    text = Text("I am sad.")
    edits = [Edit(start=0, end=5, text="x"), Edit(start=3, end=6, text="y")]
    found = Gate(similarity=False).check(text, edits, severity="light")
    assert isinstance(found, str)
    assert found.startswith("edits:")


@pytest.mark.parametrize(
    ("before", "after", "passes"),
    [
        ("My mom met my dad.", "My aunt met my uncle.", True),
        ("My cousin left. My cousin cried.", "My friend left. My friend cried.", True),
        ("My cousin left. My cousin cried.", "My friend left. My cousin cried.", False),
        ("My friend met my boss.", "My boss met my boss.", False),
        ("My boyfriend left.", "My fiancée left.", False),
        ("My cousin left.", "My friends left.", False),
        ("My friend left.", "My neighbor dog left.", True),
    ],
)
def test_roles_are_exchanged_one_for_one(before: str, after: str, passes: bool) -> None:
    limits = Limits(
        words=GENEROUS.words, exempt=Role.traits.limits.exempt | {"roles", "exchange", "words"}
    )
    assert (verdict(before, after, limits) == "") is passes


def test_typos_may_hit_terms_and_roles_but_not_numbers() -> None:
    assert verdict("My depression is back.", "My depresion is back.", Typo.traits.limits) == ""
    assert verdict("My friend is back.", "My freind is back.", Typo.traits.limits) == ""
    assert verdict("All three are back.", "All thre are back.", Typo.traits.limits).startswith(
        "numbers"
    )


def test_surface_may_change_the_case_of_names() -> None:
    assert verdict("My boss Paul left.", "my boss Paul left", Surface.traits.limits) == ""


class Fake:
    """Embeds by table, and remembers what it was asked."""

    def __init__(self, cosine: float) -> None:
        self.cosine = cosine
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Any:
        self.asked += texts
        other = np.sqrt(1 - self.cosine**2)
        rows = [[1.0, 0.0] if "sad" in t else [self.cosine, other] for t in texts]
        return np.array(rows, dtype=np.float32)


@pytest.mark.parametrize(("cosine", "passes"), [(0.8, True), (0.6, False)])
def test_the_floor(cosine: float, passes: bool) -> None:
    embedder = Fake(cosine)
    gate = Gate(embed=embedder.embed)
    text = Text("I have 3 cats. I am sad.")
    passage = gate.check(
        text, [Edit(start=20, end=23, text="down")], severity="light", limits=Limits(0.7)
    )
    assert isinstance(passage, Passage)
    (found,) = gate.judge([(passage, "k", Limits(0.7))])
    assert (found.reason is None) is passes
    assert found.similarity == pytest.approx(cosine, abs=1e-4)
    assert embedder.asked == ["I am sad.", "I am down."]
    if not passes:
        assert found.reason == "similarity: 0.60 is below 0.70"


def test_floors_of_the_suite_replace_the_kinds_own() -> None:
    gate = Gate(embed=Fake(0.6).embed, floors={"k": 0.5})
    text = Text("I am sad.")
    passage = gate.check(text, [Edit(start=5, end=8, text="low")], severity="light")
    assert isinstance(passage, Passage)
    assert gate.judge([(passage, "k", Limits(0.7))])[0].reason is None
    assert gate.judge([(passage, "other", Limits(0.7))])[0].reason is not None


def test_what_decides_is_in_the_fingerprint() -> None:
    prints = {
        Gate().fingerprint,
        Gate(similarity=False).fingerprint,
        Gate(floors={"typo": 0.9}).fingerprint,
    }
    assert len(prints) == 3
    # Its own embedding says nothing of single words: the second gate is off.
    assert Gate(acceptability=False).fingerprint == Gate(embed=Fake(1.0).embed).fingerprint


@pytest.mark.model
def test_the_real_model_tells_a_paraphrase_from_another_matter() -> None:
    gate = Gate()
    before = "I am sad because my friend left me."
    text = Text(before)
    cosines = []
    for after in (
        "I am unhappy because my friend left me.",
        "I sell boats since my friend left me.",
    ):
        passage = gate.check(text, find_edits(before, after), severity="heavy")
        assert isinstance(passage, Passage)
        cosines.append(gate.judge([(passage, "k", None)])[0].similarity or 0.0)
    assert cosines[0] > cosines[1] + 0.1


def test_other_signs_or_weights_of_danger_make_another_gate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = Gate(similarity=False).fingerprint
    assert Gate(similarity=False).fingerprint == before
    for name in ("SIGNS", "WEIGHTS"):
        with monkeypatch.context() as patch:
            changed = tmp_path / name
            changed.write_text(getattr(danger_meaning, name).read_text(encoding="utf-8") + "\n")
            patch.setattr(danger_meaning, name, changed)
            assert Gate(similarity=False).fingerprint != before
