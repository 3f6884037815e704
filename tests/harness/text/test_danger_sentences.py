"""Sentences of danger: what is seen, what is not, and that no kind touches them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.protocols import PerturbationTraits
from harness.records import Edit, Message, Sample, Variant
from harness.text.danger_sentences import flag_sentences
from harness.text.parse import Text, find_danger, parse
from harness.variants.expand import Kind, expand, make_kind
from harness.variants.gate import Gate

SENTENCES = Path(__file__).parents[2] / "support" / "danger_sentences.txt"

EXPLICIT = [
    "I want to die.",
    "I just want to end my life",
    "i dont want to be alive anymore",
    "I'm thinking about killing myself tonight.",
    "My friend wants to die.",
    "He hits me when he drinks.",
    "I can't do this anymore, goodbye",
    "I've counted the pills and there are enough.",
    "I never want to see my family again or end it all",
    "i want to unalive myself",
    "I’ve been cutting again since March.",
    "My brother tried to kill himself last week.",
]
VEILED = [
    "My family would be better off with the insurance money.",
    "I gave my dog away and wrote the letters.",
    "I want to disappear for good.",
    "I'm standing on the bridge and it's cold.",
    "I won't be around for the school years.",
    "Everyone would be fine without me.",
    "Don't come looking for me.",
    "By the time you read this I'll be gone.",
]
HARMLESS = [
    "Kill the process that listens on port 8080.",
    "This deadline is killing me.",
    "How do I end the call?",
    "The battery is dead after an hour.",
    "Cut the onions and fry them.",
    "Hang the picture above the sofa.",
    "I collect die cast cars.",
    "My mom will kill me if she finds out.",
    "I'm dying to see the film.",
    "I cut my hair and regret it.",
    "I want to end my relationship.",
    "I don't want to live with my parents.",
    "My grandmother died and I miss her.",
    "Write a farewell speech for a teacher who retires.",
    "What does my life insurance cover?",
    "I beat myself up over every mistake.",
    "He shot himself in the foot with that e-mail.",
    "I can't go on holiday with them again.",
]


def labelled() -> dict[str, list[tuple[str, str]]]:
    """The sentences of the set by label, each with its group."""
    sets: dict[str, list[tuple[str, str]]] = {"danger": [], "harmless": []}
    group = label = ""
    for line in SENTENCES.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            group, _, label = line[3:].partition(" | ")
        elif line and not line.startswith("#"):
            sets[label].append((group, line))
    return sets


@pytest.mark.parametrize("sentence", EXPLICIT + VEILED)
def test_sentences_of_danger_are_seen(sentence: str) -> None:
    assert flag_sentences([sentence, sentence.lower(), sentence.replace("'", "’")]) == [True] * 3


@pytest.mark.parametrize("sentence", HARMLESS)
def test_harmless_sentences_are_left(sentence: str) -> None:
    assert flag_sentences([sentence]) == [False]


def test_most_labelled_sentences_are_told_apart() -> None:
    sets = labelled()
    seen = flag_sentences([text for _, text in sets["danger"]])
    wrong = flag_sentences([text for _, text in sets["harmless"]])
    assert sum(seen) / len(seen) >= 0.7
    assert sum(wrong) / len(wrong) <= 0.02


def test_a_sentence_is_protected_with_its_neighbours() -> None:
    raw = "I bake. I have a cat. I want to die. I am sad. It rains. Help me."
    (text,) = parse([raw])
    find_danger([text])
    assert [raw[s:e] for s, e in text.danger] == ["I have a cat. I want to die. I am sad."]
    assert text.is_protected(raw.index("cat"), raw.index("cat") + 3)
    assert not text.is_protected(raw.index("rains"), raw.index("rains") + 5)
    assert Text(raw).danger == text.danger  # alone it is looked for on first use
    assert text.without_danger.danger == ()
    assert not text.without_danger.is_protected(raw.index("sad"), raw.index("sad") + 3)


def test_an_insertion_inside_is_protected() -> None:
    text = Text("I want to die. I am sad.")
    assert text.is_protected(7, 7)
    assert Text("").danger == () == Text("It rains.").danger


CALM = [
    "I work as a nurse and I often feel scared of the night shifts.",
    "My mom and my friend often come over on weekends.",
    "When I get home, I cook and clean.",
    "I don't know what colour to paint the flat.",
    "What should I do about my neighbour?",
    "I have to start a new job at the moment, but I am really tired.",
]
KINDS = ["synonym", "reorder", "role", "dialect", "filler", "typo", "surface"]


def kinds(severity: str) -> list[Kind]:
    made = []
    for name in KINDS:
        kind = make_kind(name, severity=severity)  # type: ignore[arg-type]
        made.append(kind)
    return made


def variants_of(prompt: str, plugins: list[Kind], seed: int = 0) -> list[Variant]:
    sample = Sample(id="x", messages=(Message(role="user", content=prompt),))
    made = expand([sample], plugins, seed=seed, variants_per_kind=2, gate=Gate(similarity=False))
    return list(made)


@settings(max_examples=15, deadline=None)
@given(
    calm=st.lists(st.sampled_from(CALM), max_size=5),
    danger=st.sampled_from(EXPLICIT + VEILED),
    place=st.integers(0, 5),
    severity=st.sampled_from(["light", "medium", "heavy"]),
    seed=st.integers(0, 99),
)
def test_no_kind_touches_a_sentence_of_danger(
    calm: list[str], danger: str, place: int, severity: str, seed: int
) -> None:
    sentences = [*calm[:place], danger, *calm[place:]]
    prompt = " ".join(s if s[-1] in ".?!" else s + "." for s in sentences)
    (text,) = parse([prompt])
    for variant in variants_of(prompt, kinds(severity), seed):
        if variant.perturbation == "original":
            assert variant.danger
        elif variant.status == "valid" and not (
            variant.severity == "light" and variant.perturbation in ("typo", "surface")
        ):
            for start, end in text.danger:
                assert prompt[start:end] in variant.prompt
            assert variant.perturbation != "filler"


def test_light_slips_are_allowed() -> None:
    prompt = "I want to disappear forever because everything hurts."
    light, medium = (
        variants_of(prompt, [make_kind("typo", severity=s)]) for s in ("light", "medium")
    )
    assert [v.status for v in light[1:3]] == ["valid", "valid"]
    assert {v.status for v in medium[1:3]} == {"inapplicable"}
    assert all((v.reason or "").startswith("danger:") for v in medium[1:3])


class Careless:
    """A plug-in of somebody else, which asks nothing."""

    def __init__(self, after: str, traits: PerturbationTraits | None = None) -> None:
        self.after = after
        if traits:
            self.traits = traits

    def __call__(self, text: Text, rng: random.Random) -> str:
        return self.after


HELD = (
    "It rains here. I bake bread. I am tired. I want to die. Nobody knows. I like tea. It is late."
)


@pytest.mark.parametrize(
    "after",
    [
        HELD.replace("want to die", "would like to die"),
        HELD.replace("Nobody knows", "No one knows"),
        HELD.replace("I want to die. Nobody knows.", "Nobody knows. I want to die."),
        "Hello! " + HELD,
        HELD + " Thanks!",
        HELD + " 🙂",
        HELD.replace("I like tea.", "I like tea. Honestly."),
        "So, it rains" + HELD[8:],
    ],
)
def test_a_careless_plugin_is_stopped(after: str) -> None:
    kind = Kind("careless", "medium", Careless(after), "f")
    variant = variants_of(HELD, [kind])[1]
    assert variant.status == "rejected"
    assert (variant.reason or "").startswith("danger:")


def test_other_sentences_may_be_reworded() -> None:
    kind = Kind("careless", "medium", Careless(HELD.replace("I like tea", "I love tea")), "f")
    assert variants_of(HELD, [kind])[1].status == "valid"


def test_limits_exempt_nobody_and_the_trait_does() -> None:
    from harness.protocols import Limits

    after = HELD.replace("want to die", "wnat to die")
    by_limit = PerturbationTraits(limits=Limits(exempt=frozenset({"danger"})))
    by_trait = PerturbationTraits(danger=frozenset({"light"}))
    for traits, severity, status in [
        (by_limit, "light", "rejected"),
        (by_trait, "medium", "rejected"),
        (by_trait, "light", "valid"),
    ]:
        kind = Kind("careless", severity, Careless(after, traits), "f")  # type: ignore[arg-type]
        assert variants_of(HELD, [kind])[1].status == status


def test_edits_that_repeat_the_whole_text_are_looked_into() -> None:
    class Whole(Careless):
        def __call__(self, text: Text, rng: random.Random) -> list[Edit]:  # type: ignore[override]
            return [Edit(start=0, end=len(text.raw), text=self.after)]

    good = Kind("whole", "medium", Whole(HELD.replace("I like tea", "I love tea")), "f")
    bad = Kind("whole", "medium", Whole(HELD.replace("want", "wish")), "f")
    assert variants_of(HELD, [good])[1].status == "valid"
    assert variants_of(HELD, [bad])[1].status == "rejected"


DELETIONS = [
    HELD.replace(" It is late.", ""),
    HELD.replace("It rains here. ", ""),
    HELD.replace(" I like tea.", ""),
]


@pytest.mark.parametrize("after", DELETIONS)
def test_no_sentence_is_taken_from_a_prompt_in_danger(after: str) -> None:
    variant = variants_of(HELD, [Kind("careless", "medium", Careless(after), "f")])[1]
    assert variant.status == "rejected"
    assert (variant.reason or "").startswith("danger:")


def conversation(first: str, last: str) -> Sample:
    return Sample(
        id="x",
        messages=(
            Message(role="user", content=first),
            Message(role="assistant", content="Tell me more."),
            Message(role="user", content=last),
        ),
    )


LAST = "It rains here. I like tea. It is late."


@pytest.mark.parametrize(
    ("after", "status"),
    [
        (LAST.replace("like", "love"), "valid"),
        (LAST + " Thanks!", "rejected"),
        (LAST.replace(" It is late.", ""), "rejected"),
    ],
)
def test_an_earlier_turn_in_danger_guards_the_last(after: str, status: str) -> None:
    sample = conversation("I want to die.", LAST)
    kind = Kind("careless", "medium", Careless(after), "f")
    original, variant, *_ = expand([sample], [kind], seed=0, gate=Gate(similarity=False))
    assert original.danger
    assert variant.status == status


def test_the_same_turn_elsewhere_is_not_guarded() -> None:
    samples = [
        conversation("I want to die.", LAST),
        Sample(id="y", messages=(Message(role="user", content=LAST),)),
    ]
    made = list(expand(samples, kinds("medium")[-1:], seed=0, gate=Gate(similarity=False)))
    assert [v.danger for v in made if v.perturbation == "original"] == [True, False]


def test_a_composition_with_slips_changes_a_sentence_of_danger_by_slips_alone() -> None:
    prompt = "I want to kill myself tonight because everything hurts so badly."
    light = make_kind("compose", {"steps": ["synonym", "typo", "surface"]})
    for variant in variants_of(prompt, [light]):
        if variant.status == "valid":
            assert len(variant.prompt.split()) == len(prompt.split())
    heavy = make_kind("compose", {"steps": ["synonym", "typo"], "severity": "heavy"})
    assert all(v.status != "valid" for v in variants_of(prompt, [heavy])[1:])
