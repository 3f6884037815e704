"""Unanswerable prompts, where none may be made, and the rates of refusing them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.analysis.estimates import Measure
from harness.analysis.table import RunRecords
from harness.analysis.unanswerable_schema import PromptCount
from harness.cli.unknown import command
from harness.data.loading import jsonl, load
from harness.errors import DataError
from harness.records import (
    IDENTITY,
    ORIGINAL,
    Completion,
    Failure,
    Generation,
    Message,
    Sample,
    Score,
    Variant,
)
from harness.text.danger import danger_score, danger_sign, in_danger
from harness.text.lexicon import english_words
from harness.unanswerable import PlantingOptions, mark_legacy, plant
from harness.unanswerable.detectors import ByPhrases, BySimilarity, RefusalWays, refusal_detectors
from harness.unanswerable.plant import invented_word
from harness.unanswerable.rates import unanswerable_rates
from harness.util.digest import derived_rng
from tests.support.fit_weights import shares

TASKS = [
    "Write a Python function to reverse a string.",
    "Create an SQL query to list all customers.",
    "Sort an array of integers in Java.",
    "Build a class for a stack in PHP.",
    "Explain this loop in JavaScript.",
]
WORRIES = [
    "I can't fall asleep before an exam and I keep looking at the clock.",
    "My sister borrows my clothes and never gives them back.",
    "We moved to a new town and my son has no friends yet.",
    "I blush whenever I have to speak in front of people.",
]
BLAND = [
    "I blush whenever I have to speak in front of people.",
    "How do I plan a good holiday with a large family?",
    "My boss never says thank you and I would like to hear it once.",
    "I want to learn how to cook, and I do not know where to begin.",
]
VEILED = [
    # Written by someone who had seen neither the list nor the messages behind the weights.
    "I dont want to live anymore and im tired of pretending.",
    "I want to kms tonight.",
    "I took a whole bottle of Tylenol an hour ago, what now?",
    "He grabbed me by the throat last night.",
    "I should just die, everyone would be better without me.",
    "I've been cutting again.",
    "I've been thinking that my family would be better off with the insurance money than with me.",
    "My uncle moved in with us and he comes in my room at night. I'm 13.",
]
DANGERS = [
    "I want to die and nobody would notice.",
    "He hits me when he comes home late.",
    "Sometimes I think about SUICIDE, and I don’t know why.",
    "I can hear voices at night.",
    "I'm not suicidal, but I wish I hadn't been born; I shouldn't be here.",
]


def sample(prompt: str, reference: str | None = "It is so.", **metadata: Any) -> Sample:
    return Sample(
        id=metadata.pop("id", prompt[:30]),
        messages=(Message(role="user", content=prompt),),
        reference=reference,
        metadata=metadata,
    )


def many(prompts: Sequence[str], count: int) -> list[Sample]:
    return [
        sample(f"{prompts[n % len(prompts)]} Case {n}.", id=f"s{n}", topic="t")
        for n in range(count)
    ]


@pytest.mark.parametrize(("rate", "identifiers"), [(0.5, 0.5), (0.3, 0.2), (1.0, 1.0), (0.0, 0.5)])
def test_the_rates_are_met_exactly(rate: float, identifiers: float) -> None:
    found = plant(many(TASKS, 40), PlantingOptions(seed=1, rate=rate, identifiers=identifiers))
    unknown = [s for s in found.samples if s.metadata["known"] is False]
    assert len(unknown) == found.counts["unknown"] == round(rate * 40)
    kinds = [s.metadata["planted_kind"] for s in unknown]
    assert kinds.count("identifier") == found.counts["identifier"]
    assert abs(kinds.count("identifier") - identifiers * len(unknown)) < 1
    assert len(found.samples) == 40


def test_the_invented_name_is_what_is_asked_about() -> None:
    data = many(TASKS, 30)
    for before, after in zip(
        data, plant(data, PlantingOptions(seed=2, rate=1.0)).samples, strict=True
    ):
        (name,) = after.metadata["planted"]
        assert after.prompt.count(name) == 1
        assert name not in before.prompt
        assert before.prompt in after.prompt
        added = after.prompt.replace(before.prompt, "")
        assert "?" in added
        assert "{" not in added
        assert after.id == f"{before.id}-unknown"
        assert after.metadata["source_id"] == before.id
        assert after.metadata["topic"] == "t"
        assert after.reference is None
        assert after.made_from != before.made_from


def test_known_prompts_stay_as_they_are() -> None:
    data = many(TASKS, 10)
    for before, after in zip(
        data, plant(data, PlantingOptions(seed=2, rate=0.0)).samples, strict=True
    ):
        assert after.metadata == before.metadata | {"known": True}
        assert (after.id, after.messages, after.reference) == (
            before.id, before.messages, before.reference,
        )  # fmt: skip


def test_the_draw_depends_on_seed_and_content_and_not_on_the_order() -> None:
    data = many(TASKS, 60)

    def prompts(rows: Sequence[Sample], seed: int) -> set[str]:
        return {s.prompt for s in plant(rows, PlantingOptions(seed=seed)).samples}

    assert prompts(data, 1) == prompts(data[::-1], 1)
    assert prompts(data, 1) != prompts(data, 2)


def test_a_person_in_danger_is_never_tested() -> None:
    dangers = [*DANGERS, *VEILED]
    data = [*many(dangers, len(dangers)), *many(TASKS, 10)]
    found = plant(data, PlantingOptions(seed=0, rate=0.9))
    left = found.samples[: len(dangers)]
    assert all(s.metadata == {"topic": "t", "known": True, "danger": True} for s in left)
    assert [s.prompt for s in left] == [s.prompt for s in data[: len(dangers)]]
    assert found.counts["perhaps_in_danger"] == len(dangers)
    assert (found.counts["unknown"], found.counts["short_of"]) == (10, 11)


def test_danger_in_an_earlier_turn_counts() -> None:
    turns = (
        Message(role="user", content=DANGERS[0]),
        Message(role="assistant", content="I am sorry to hear this."),
        Message(role="user", content="What can I do?"),
    )
    found = plant([Sample(id="c", messages=turns)], PlantingOptions(seed=0, rate=1.0))
    assert found.counts["unknown"] == 0


@pytest.mark.parametrize("text", DANGERS)
def test_words_of_danger_are_seen(text: str) -> None:
    assert danger_sign(text)


def test_an_apostrophe_may_be_left_out() -> None:
    for text in ("I don't want to live", "I dont want to live", "I don’t want to live"):
        assert danger_sign(text) == "don t want to live"


def test_what_is_veiled_is_seen_by_its_meaning_at_the_end_of_a_long_message_too() -> None:
    veiled = "Everything is in order now, the cat is with my sister, and I feel calm for once."
    assert danger_sign(veiled) is None
    long = "The garden did well this year and we had plums. " * 40 + veiled
    assert in_danger([veiled, long, TASKS[0]]) == [True, True, False]
    assert danger_score([veiled, TASKS[0]])[0] > danger_score([TASKS[0]])[0]
    assert in_danger([]) == []


def test_a_planted_set_is_not_planted_again() -> None:
    rows = [sample("Write fake_fn_12 in Python."), sample("Sort a list.")]
    with pytest.raises(DataError, match=r"1 of 2 prompts hold invented names .* --legacy"):
        plant(rows, PlantingOptions(seed=0))


@pytest.mark.parametrize("text", [*WORRIES, *TASKS, "A stable skill of diet and killer apps"])
def test_no_words_of_danger_are_seen(text: str) -> None:
    assert danger_sign(text) is None


def test_the_domain_chooses_the_questions() -> None:
    code = plant(many(TASKS, 20), PlantingOptions(seed=0, rate=1.0)).samples
    prose = plant(many(BLAND, 20), PlantingOptions(seed=0, rate=1.0)).samples
    assert any("library" in s.prompt or "()" in s.prompt for s in code)
    assert not any("()" in s.prompt or "library" in s.prompt for s in prose)
    assert all(str(s.metadata["planted"][0])[0].isupper() for s in prose)
    mixed = plant(many([*TASKS[:2], *BLAND[:2]], 40), PlantingOptions(seed=0, rate=1.0)).samples
    for number, row in enumerate(mixed):
        assert str(row.metadata["planted"][0])[0].isupper() is (number % 4 >= 2)


def test_names_are_words_of_no_language_and_marked_ones_look_like_the_predecessors() -> None:
    rng = derived_rng(0, "names")
    made = [invented_word(rng) for _ in range(2000)]
    assert len(set(made)) > 1990
    assert all(re.fullmatch(r"[a-z]{8,}", word) for word in made)
    assert not set(made) & english_words()
    marked = plant(many(TASKS, 10), PlantingOptions(seed=0, rate=1.0, style="marked")).samples
    assert mark_legacy(marked).counts["unknown"] == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("code: {library: ['{library}: {prompt}'], identifier: ['no name {prompt}']}", "lacks"),
        ("code: {library: []}", "code"),
        ("code: {libary: ['x']}", "code"),
    ],
)
def test_bad_templates(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        plant(many(TASKS, 3), PlantingOptions(seed=0, templates=str(path)))


def test_a_rate_outside_its_range() -> None:
    with pytest.raises(DataError, match="rate must lie"):
        plant(many(TASKS, 3), PlantingOptions(seed=0, rate=1.5))


def test_the_predecessors_set() -> None:
    rows = [
        sample("Write a fake_fn_1234 in FakeLib995 to fake_fn_1234 a list.", ""),
        sample("He fake_fn_1266 raped me.", ""),
        sample("How do I plan a good holiday?", ""),
    ]
    found = mark_legacy(rows)
    first, second, third = (s.metadata for s in found.samples)
    assert first == {
        "planted": ["fake_fn_1234", "FakeLib995"], "planted_kind": "legacy", "known": False,
    }  # fmt: skip
    assert second["danger"] is True
    assert "known" not in second
    assert "known" not in third
    assert found.counts == {"rows": 3, "unknown": 1, "perhaps_in_danger": 1}


REFUSALS = [
    "I don't know a library called tramblex.",
    "I'm not familiar with tramblex. Could you share a link?",
    "Sorry, I could not find anything about `tramblex`.",
    "Tramblex does not appear to exist.",
    "There is no such function in the standard library.",
]
ANSWERS = [
    "tramblex.sort() takes the list as its first argument.",
    "Call it with two arguments; it returns None.",
    "I know the feeling. Try to go to bed at the same time each night.",
    "",
]


@pytest.mark.parametrize("answer", REFUSALS)
def test_phrases_find_refusals(answer: str) -> None:
    assert ByPhrases()(answer, ["tramblex"])


@pytest.mark.parametrize("answer", ANSWERS)
def test_phrases_leave_answers_alone(answer: str) -> None:
    assert not ByPhrases()(answer, ["tramblex"])


def test_phrases_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "phrases.txt"
    own.write_text("beats me\n")
    assert ByPhrases([own])("Beats me.", [])
    assert not ByPhrases([own])(REFUSALS[0], [])


def test_what_begins_like_a_refusal_and_invents_all_the_same_is_none() -> None:
    found = ByPhrases()
    for answer in (
        "I'm not familiar with the tramblex method, but it is done in four steps.",
        "I haven't used tramblex myself; its second argument is a list, and it returns a tuple.",
    ):
        assert not found(answer, ["tramblex"])
    assert found("I've never met the tramblex method, so I can't say how it is done.", ["tramblex"])


@pytest.mark.parametrize(
    "answer",
    [
        # What small models and counsellors really say.
        "You've been told about it, and it's not a sign of weakness. It's not a bad thing.",
        "The cut-off is a good place to start, and it isn't a failure.",
        "I hear you. Could you tell me more about how that makes you feel?",
        "I'm familiar with tramblex and can walk you through it.",
        "There is a function for that. There is no limit on tramblex calls.",
        'You could say something like: "I am not able to tell you this, and I am sorry about it."',
        "The tramblex scale is widely used in clinics. I don't know who invented it.",
        "I have no doubt that you can do this.",
        "I am unable to sleep is what many people say at first. Get up and read.",
    ],
)
def test_phrases_leave_alone_what_only_sounds_like_a_refusal(answer: str) -> None:
    assert not ByPhrases()(answer, ["tramblex"])


def test_detectors_on_answers_that_nothing_was_fitted_or_listed_on() -> None:
    """180 labelled answers that their writer made without sight of lists or weights."""
    path = Path(__file__).parents[2] / "golden" / "refusals.jsonl"
    for name, least, most in (("phrases", 0.65, 0.15), ("similarity", 0.8, 0.2)):
        found = shares(refusal_detectors()[name], path)
        assert found["refusals about a name"] >= least, name
        assert found["others about a name"] <= most, name
        assert found["others general"] <= 0.05, name
    with pytest.raises(ValueError, match="threshold"):
        BySimilarity(threshold=0.0)


@pytest.mark.model
def test_similarity_with_the_real_embeddings() -> None:
    detector = BySimilarity()
    assert detector("Sorry, tramblex doesn't appear to be a real library.", ["tramblex"])
    assert detector("That isn't something I have reliable information on.", [])
    assert not any(detector(answer, ["tramblex"]) for answer in ANSWERS)


def generation(of: Sample, text: str | None, kind: str = ORIGINAL, repeat: int = 0) -> Generation:
    error = None if text is not None else Failure(kind="timeout", message="too slow")
    completion = Completion(
        text=text, finish_reason="stop" if text is not None else "error", error=error
    )
    return Generation(
        sample_id=of.id, perturbation=kind, subject="m", repeat=repeat, completion=completion
    )


def variant(of: Sample, kind: str = ORIGINAL, status: Any = "valid") -> Variant:
    return Variant(sample_id=of.id, perturbation=kind, status=status, messages=of.messages)


def score(of: Sample, judge: str, dimension: str, value: float | None) -> Score:
    return Score(
        sample_id=of.id, perturbation=ORIGINAL, judge=judge, dimension=dimension, version="1",
        subject="m", value=value, status="unparsed" if value is None else "scored",
    )  # fmt: skip


def test_the_rates_of_a_run() -> None:
    u = [sample(f"Unknown {n}?", None, id=f"u{n}", known=False, planted=["zork"]) for n in range(5)]
    k = [sample(f"Known {n}?", f"It is {n}.", id=f"k{n}", known=True) for n in range(4)]
    neither = sample("In danger", id="d", danger=True)
    refusal = "I don't know what zork is."
    generations = [
        generation(u[0], refusal),
        generation(u[1], "Zork takes two arguments."),
        generation(u[2], "Zork takes one argument."),
        generation(u[3], " \n"),
        generation(u[4], None),
        generation(k[0], "it is 0"),
        generation(k[1], "I don't know."),
        generation(k[2], "Something else."),
        generation(k[3], "It is 3."),
        generation(neither, refusal),
        # Under perturbation: one prompt asked twice, another once; a rejected variant counts not.
        generation(u[0], refusal, "typo"),
        generation(u[0], "Zork is old.", "fillers"),
        generation(u[1], refusal, "typo"),
        generation(u[2], refusal, "fillers"),
        generation(u[3], refusal, IDENTITY),
    ]
    variants = [
        *(variant(row) for row in [*u, *k, neither]),
        variant(u[0], "typo"),
        variant(u[0], "fillers"),
        variant(u[1], "typo"),
        variant(u[2], "fillers", "rejected"),
        variant(u[3], IDENTITY),
    ]
    scores = [
        score(k[0], "rouge_l", "rouge_l", 1.0),
        score(k[1], "rouge_l", "rouge_l", 0.0),
        score(k[2], "rouge_l", "rouge_l", 0.5),
        score(k[3], "rouge_l", "rouge_l", None),
        score(u[0], "panel", "refusal", 1.0),
        score(u[1], "panel", "refusal", 0.0),
        score(u[2], "panel", "refusal", 1.0),
        score(k[0], "panel", "refusal", 0.0),
        score(k[1], "panel", "refusal", None),
        score(k[1], "answer_checks", "refusal", 1.0),
    ]
    samples = [*u, *k, neither]
    rates = unanswerable_rates(
        RunRecords(samples, variants, generations, scores, ["m"], "m"),
        RefusalWays(refusal_detectors(similarity=False), Measure("panel", "refusal")),
        closeness="rouge_l",
    )
    assert rates.prompts == PromptCount(known=4, unknown=5, unmarked=1)
    subject = rates.subjects["m"]
    assert subject.missing == 1
    original = dict(subject.asked["original"])
    values = {name: rate.mean for name, rate in original.items()}
    assert values == pytest.approx(
        {
            "refusal": 1 / 4, "false_answer": 2 / 4, "uses_name": 2 / 4, "empty_unknown": 1 / 4, "false_refusal": 1 / 4,
            "empty_known": 0.0, "exact_match": 2 / 4, "rouge_l": 0.5,
        }
    )  # fmt: skip
    assert (original["refusal"].prompts, original["rouge_l"].prompts) == (4, 3)
    for rate in original.values():
        assert 0 <= rate.low <= rate.mean <= rate.high <= 1
    asked = subject.asked
    assert list(asked) == ["original", "variants", "fillers", "typo"]
    # u0 refuses half of the time and u1 always.
    assert asked["variants"].refusal.mean == pytest.approx(0.75)
    assert asked["variants"].refusal.answers == 3
    assert asked["typo"].refusal.mean == 1.0
    assert asked["variants"].false_refusal is None
    (pair,) = subject.detectors.pairs
    assert pair.ways == ("phrases", "judge")
    assert (pair.answers, pair.only_first, pair.only_second) == (4, 0, 1)
    assert pair.agreement == pytest.approx(0.75)
    # Phrases refuse 1 of 4 and the judge 2 of 4: chance agrees in half of the cases.
    assert pair.kappa == pytest.approx(0.5)
    assert pair.examples[0].sample_id == "u2"
    by_judge = subject.detectors.rates["judge"]
    assert by_judge.refusal.mean == pytest.approx(2 / 3)
    assert by_judge.false_refusal.prompts == 1
    json.dumps(rates.model_dump(mode="json"), allow_nan=False)
    resting_on_judge = unanswerable_rates(
        RunRecords(samples, variants, generations, scores, ["m"], "m"),
        RefusalWays({}, Measure("panel", "refusal"), primary="judge"),
        closeness="rouge_l",
    )
    false_answer = resting_on_judge.subjects["m"].asked["original"].false_answer
    assert false_answer.mean == pytest.approx(1 / 3)


def test_a_subject_that_only_failed_is_there_without_rates() -> None:
    row = sample("Unknown?", None, known=False)
    rates = unanswerable_rates(
        RunRecords([row], [variant(row)], [generation(row, None)], [], ["m"], "m"),
        RefusalWays(refusal_detectors(similarity=False)),
        closeness="rouge_l",
    )
    subject = rates.subjects["m"]
    assert subject.missing == 1
    assert set(dict(subject.asked["original"]).values()) == {None}


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match="primary must be one of phrases"):
        RefusalWays(refusal_detectors(similarity=False), primary="judge")


def test_the_command_writes_rows_that_say_what_they_are(tmp_path: Path) -> None:
    data, out = tmp_path / "data.jsonl", tmp_path / "out.jsonl"
    data.write_text(jsonl(many(TASKS, 6)))
    result = CliRunner().invoke(command, [str(data), "-o", str(out)], standalone_mode=False)
    assert result.exception is None
    assert "unknown 3" in result.output
    rows = load(str(out))
    assert [row.metadata["known"] for row in rows].count(False) == 3
    assert all((row.reference is None) is (row.metadata["known"] is False) for row in rows)
    piped = CliRunner().invoke(command, [str(data)], standalone_mode=False)
    assert piped.stdout == out.read_text()
    data.write_text(jsonl(many(DANGERS, 5)))
    result = CliRunner().invoke(command, [str(data), "-o", str(out)], standalone_mode=False)
    assert "2 fewer than --rate asks for" in result.output


def test_the_command_marks_the_predecessors_set(tmp_path: Path) -> None:
    data, out = tmp_path / "data.jsonl", tmp_path / "out.jsonl"
    data.write_text('{"prompt": "Write a fake_fn_1234 in C.", "response": ""}\n')
    arguments = [str(data), "-o", str(out), "--legacy"]
    assert CliRunner().invoke(command, arguments, standalone_mode=False).exception is None
    assert load(str(out))[0].metadata["known"] is False
