"""Words that keep their place, changes that keep apart, and severities that differ."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import pytest

from harness.text.edits import apply_edits
from harness.text.lexicon import parse_substitution
from harness.text.parse import Text
from perturbations.synonym import Synonym

CASES = Path(__file__).parents[1] / "golden" / "perturbations" / "synonym.json"

LONG = (
    "Hello, I found out that my mom is often worried about her garden. She decided to ask me for"
    " some advice, and I guess I am happy to help. Maybe we can start to work on it every week."
    " However, it is hard to find somebody who sells cheap tools, for example a good spade."
    " How do I find a quick solution? I would like to buy a book too."
)


def changed(severity: str, raw: str, seed: int) -> int:
    """Return how many words of ``raw`` differ at a severity."""
    edits = Synonym(severity)(Text(raw), random.Random(seed)) or []  # type: ignore[arg-type]
    return sum(max(len(raw[e.start : e.end].split()), 1) for e in edits)


def test_each_severity_changes_more_words_than_the_one_before() -> None:
    prompts = [LONG, *(case["prompt"] for case in json.loads(CASES.read_text(encoding="utf-8")))]
    light, medium, heavy = (
        sum(changed(severity, raw, seed) for raw in prompts[:6] for seed in range(3))
        for severity in ("light", "medium", "heavy")
    )
    assert 0 < light < medium < heavy


def test_no_two_changes_stand_side_by_side() -> None:
    for seed in range(10):
        edits = Synonym("heavy")(Text(LONG), random.Random(seed)) or []
        for before, after in itertools.pairwise(edits):
            gap = LONG[before.end : after.start]
            assert len(gap.split()) >= 2 or gap.strip() == "", gap


@pytest.mark.parametrize(
    ("condition", "fits", "does_not"),
    [
        ("next2:milk", "We often drink milk.", "We often drink tea."),
        ("next2tag:NN", "We often drink milk.", "We often see her."),
        ("prevtag:PRP", "We often drink milk.", "Cats often drink milk."),
        ("nextdep:ROOT", "We often drink milk.", "We drink often, she said."),
        ("before:never", "She never came, and we often ate.", "We often ate; she never came."),
        ("ends:?", "Do they often drink milk?", "They often drink milk."),
        ("initial", "Often she sings.", "She often sings."),
        ("subj:they", "They often drink milk.", "We often drink milk."),
    ],
)
def test_conditions_on_the_company_of_a_word(condition: str, fits: str, does_not: str) -> None:
    entry = parse_substitution(f"often ADV {{{condition}}} = frequently")

    def holds(raw: str) -> bool:
        token = next(t for t in Text(raw).doc if t.lower_ == "often")
        return all(test((token,)) for test in entry.when)

    assert holds(fits)
    assert not holds(does_not)


def test_a_bare_adjective_has_no_complement_and_no_partner() -> None:
    (bare,) = parse_substitution("happy ADJ {bare} = glad").when

    def holds(raw: str) -> bool:
        return bare((next(t for t in Text(raw).doc if t.lower_ == "happy"),))

    assert holds("We are happy.")
    assert not holds("We are happy about it.")
    assert not holds("We are tired and happy.")


def test_the_pronoun_of_a_phrase_is_written_as_its_source() -> None:
    raw = "and how do i fix the printer"
    edits = Synonym("heavy")(Text(raw), random.Random(1))
    assert edits is not None
    assert apply_edits(raw, edits) == "and how can i fix the printer"
