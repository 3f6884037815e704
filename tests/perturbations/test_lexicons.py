"""The lexicons: readable, sourced, and free of what they must not hold."""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import files
from importlib.resources.abc import Traversable

import pytest

from harness.text.edits import apply_edits
from harness.text.lexicon import (
    SHARED,
    english_words,
    lexicon_lines,
    parse_substitution,
    substitutions,
    word_set,
)
from harness.text.parse import Text
from harness.text.roles import role_graph
from perturbations import typo
from perturbations.common import LEXICONS, takes_an
from perturbations.dialect import Dialect
from perturbations.dialect_spelling import other_spelling
from tests.perturbations.kinds import made, reworded

FILES = sorted(
    (p for folder in (SHARED, LEXICONS) for p in files(folder).iterdir()), key=lambda p: p.name
)
TABLES = [p for p in FILES if p.name.endswith((".txt", ".tsv", ".lexicon", ".yaml"))]
DICTIONARIES = [p.name for p in FILES if p.name.endswith(".lexicon")]


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_every_lexicon_says_its_source_and_licence(path: Traversable) -> None:
    head = path.read_text(encoding="utf-8")[:600].lower()
    assert "source" in head or "written by hand" in head
    assert "licence" in head


def test_the_word_list_has_its_notice() -> None:
    notice = files(SHARED).joinpath("words.LICENCE.txt").read_text(encoding="utf-8")
    assert "Kevin Atkinson" in notice
    assert "Permission to use, copy, modify" in notice


def test_a_few_hundred_entries_for_two_vocabularies() -> None:
    entries = [e for group in substitutions("synonyms.lexicon").values() for e in group]
    assert len(entries) >= 400
    keys = {e.key for e in entries}
    assert {"glad ADJ", "scared ADJ", "create VERB", "calculate VERB"} <= keys


@pytest.mark.parametrize("name", DICTIONARIES)
def test_no_entry_touches_a_negation_a_term_or_a_number(name: str) -> None:
    guarded = word_set("negations.txt") | word_set("numbers.txt") | word_set("pronouns.txt")
    guarded |= {w for line in lexicon_lines("frozen.txt") for w in line.split()}
    for group in substitutions(name).values():
        for entry in group:
            kept = Counter(w for w in entry.words if w in guarded)
            for option in entry.options:
                plain = (re.sub(r"'(?:ve|s)$", "", w.lower()) for w in option.words)
                words = Counter(w for w in plain if w in guarded)
                same_denial = set(kept) | set(words) <= {"rarely", "seldom"}
                assert words == kept or same_denial, entry.key


@pytest.mark.parametrize("name", DICTIONARIES)
def test_no_entry_leads_to_itself(name: str) -> None:
    for group in substitutions(name).values():
        for entry in group:
            assert all(option.words != entry.words for option in entry.options), entry.key


def test_a_broken_line_is_named() -> None:
    with pytest.raises(ValueError, match="lexicon line 'sad = down'"):
        parse_substitution("sad = down")
    with pytest.raises(ValueError, match="condition 'nearby:x' is none of"):
        parse_substitution("sad ADJ {nearby:x} = down")


def test_misspellings_are_no_words_and_keep_the_first_letter() -> None:
    known = english_words()
    assert len(typo.misspellings()) >= 500
    for right, wrong in typo.misspellings().items():
        assert len(right) >= 4
        for slip in wrong:
            assert slip[0] == right[0], slip
            assert slip not in known, slip


@pytest.mark.parametrize("word", ["teh", "alot", "wich", "becuase"])
def test_the_word_list_knows_no_slips(word: str) -> None:
    assert word not in english_words()


def test_exchanges_lead_to_known_roles_and_keep_the_gender_unless_pronouns_turn() -> None:
    roles = role_graph().roles
    for role in roles.values():
        for target in role.to:
            assert {role.gender, roles[target].gender} != {"f", "m"}, (role.name, target)
        if role.other_sex:
            other = roles[role.other_sex]
            assert other.other_sex == role.name
            assert {role.gender, other.gender} == {"f", "m"}
            assert role.kin, role.name


def test_every_form_of_a_role_is_found_again() -> None:
    for word, (role, _, _) in role_graph().forms.items():
        assert [m.role for m in role_graph().mentions(f"my {word} said")] == [role]


@pytest.mark.parametrize(
    ("word", "an"),
    [("apple", True), ("hour", True), ("honest", True), ("user", False), ("university", False),
     ("uncle", True), ("one", False), ("unhappy", True), ("European", False), ("house", False)],
)  # fmt: skip
def test_articles(word: str, an: bool) -> None:
    assert takes_an(word) is an


@pytest.mark.parametrize(
    ("us", "uk"),
    [
        ("edema", "oedema"),
        ("esophagus", "oesophagus"),
        ("tachypnea", "tachypnoea"),
        ("heme", "haem"),
        ("hyperglycemia", "hyperglycaemia"),
        ("pediatrician", "paediatrician"),
        ("anesthetized", "anaesthetised"),
        ("decolonization", "decolonisation"),
        ("analyzing", "analysing"),
        ("installment", "instalment"),
        ("colorblind", "colourblind"),
    ],
)
def test_spelling_goes_there_and_back_again(us: str, uk: str) -> None:
    assert other_spelling(us, "us-uk") == uk
    assert other_spelling(uk, "uk-us") == us


@pytest.mark.parametrize("word", ["analyses", "glamour", "omelette", "archaeology"])
def test_what_americans_write_too_stays(word: str) -> None:
    assert other_spelling(word, "uk-us") is None


def test_no_british_spelling_is_an_american_one() -> None:
    british = {w: other_spelling(w, "us-uk") for w in english_words()}
    turned = {uk for uk in british.values() if uk}
    assert len(turned) > 3000
    assert not [uk for uk in turned if other_spelling(uk, "us-uk")]


@pytest.mark.parametrize(
    "word",
    [
        "connection",
        "ton",
        "filter",
        "draft",
        "dialog",
        "install",
        "gram",
        "meter",
        "disk",
        "check",
        "prize",
        "size",
        "seize",
        "capsize",
        "maize",
        "advertise",
        "exercise",
        "surprise",
        "academia",
        "bohemia",
        "hemiplegia",
        "hemp",
    ],
)
def test_false_friends_are_left_alone(word: str) -> None:
    assert other_spelling(word, "us-uk") is None
    assert other_spelling(word, "uk-us") is None


def _both_ways() -> list[str]:
    """A sentence for each vocabulary entry that is exchanged both ways."""
    lines = [line for line in lexicon_lines("us_uk.lexicon") if " VERB " not in line]
    words = (re.split(r"\s+(?:NOUN|ADJ|ADV|PHRASE)\b", line)[0] for line in lines)
    return [w for w in words if w not in ("math", "license", "toward") and not w.startswith("on ")]


@pytest.mark.parametrize("words", _both_ways())
def test_vocabulary_goes_there_and_back_again(words: str) -> None:
    american = f"We saw the old {words.replace(' ’', '’')} there.".replace(" 's", "'s")
    british = reworded(Dialect(direction="us-uk"), american)
    assert british is not None
    assert british != american
    back = reworded(Dialect(direction="uk-us"), british)
    assert back == american


@pytest.mark.parametrize(
    ("us", "uk"),
    [
        ("I practice every day.", "I practise every day."),
        ("My driver's license expired.", "My driving licence expired."),
        ("My mom's behavior hurts.", "My mum's behaviour hurts."),
        ("The apartments looked gray.", "The flats looked grey."),
        ("Counseling did not help.", "Counselling did not help."),
    ],
)
def test_dialect_by_part_of_speech_case_and_inflection(us: str, uk: str) -> None:
    assert reworded(made("dialect"), us) == uk
    assert reworded(made("dialect"), uk) == us


@pytest.mark.parametrize(
    "raw",
    [
        "The practice is closed today.",
        "Fix this program so that the function runs.",
        "Our connection is gone.",
        "Filter the list first.",
    ],
)
def test_dialect_leaves_false_friends(raw: str) -> None:
    assert reworded(made("dialect"), raw) is None


def test_dialect_never_mixes() -> None:
    raw = "My mum's favorite color is gray, and my behavior is my flat's problem."
    found = made("dialect")(Text(raw), None)
    after = apply_edits(raw, found)
    assert "favourite colour is grey" in after
    assert "mum" in after
    assert "flat" in after
