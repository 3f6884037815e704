"""What the audit says of one data set, and the command that prints it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from harness.audit import audit, quality
from harness.audit.corpus import Corpus
from harness.audit.personal import personal_data
from harness.cli.audit import command
from harness.errors import StoreError
from harness.records import Message, Sample
from harness.text import embedding


@pytest.fixture(autouse=True)
def nothing_means_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embeddings at right angles: the letters decide."""

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.eye(len(texts), dtype=np.float32)

    monkeypatch.setattr(embedding, "embed", embed)


def sample(number: str, prompt: str, reference: str | None = None) -> Sample:
    return Sample(id=number, messages=(Message(role="user", content=prompt),), reference=reference)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to jane.doe+x@mail.org, please", [("email", "j…@mail.org")]),
        ("Use user@example.com or me@some.test here", []),
        ("Call (415) 555-2671.", [("phone", "(41…71")]),
        ("Call 415-555-2671 or +44 20 7946 0958", [("phone", "415…71"), ("phone", "+44…58")]),
        ("my number is 4155552671, or 4155550123", [("phone", "415…71")]),
        ("n < 2147483647, x = 4294967295, y=4155552671, 41555526710 and 1155552671", []),
        ("Helpline 1-800-273-8255, any time", []),
        ("In films it is 415-555-0123", []),
        ("from 2023-10-10 to 2024-01-15 it was 3.14159265358979", []),
        ("ISBN 978-3-16-148410-0 and version 10.0.19045.3803", []),
        ("127.0.0.1 - - [10/Oct/2023:13:55:36] 404 209", []),
        ("arr = [123, 456, 7890, 1234567890]", []),
        ("decorated with @app.route and x@y", []),
    ],
)
def test_personal_data(text: str, found: list[tuple[str, str]]) -> None:
    assert [tuple(finding) for finding in personal_data(text)] == found


LONG = "It takes a while to get used to being alone again after so many years together "


@pytest.mark.parametrize(
    ("response", "cut"),
    [
        (LONG + "and then you will", True),
        (LONG + "and, then,", True),
        (LONG + "and then you will.", False),
        (LONG + "and then you will see!” ", False),
        (LONG + "and so on. Warmly, Denise", False),
        (LONG + "more.\nall the best", False),
        (LONG + "more at www.somewhere.org", False),
        ("Just so", False),
        ("```python\nprint(1)\n", True),
        ("```python\nprint(1)\n```", False),
        ("for a in range(3): b = [a, a + 1]; print(b) and c = {a: b}; d = (a, b); e = f(a) + g(b); end",
         False),
    ],
)  # fmt: skip
def test_cut_off(response: str, cut: bool) -> None:
    assert (quality.cut_off(response) is not None) is cut


def test_responses_that_end_at_one_length_were_cut_there() -> None:
    texts = [letter * 120 for letter in "abc"]
    assert quality.cut_at_length([*texts, "short"]) == (120, 3)
    assert quality.cut_at_length([*texts[:2], *texts[:2]]) == (120, 0)
    assert quality.cut_at_length(["yes", "not", "may"]) == (3, 0)
    assert quality.cut_at_length([]) == (0, 0)


@pytest.mark.parametrize(
    ("a", "b", "clash"),
    [
        ("positive", "negative feeling", True),
        ("42", "17", True),
        ("sad", "unhappy", False),
        ("happy", "unhappy", True),
        ("It felt good", "It feels good", False),
        ("Positive", "positive!", False),
        ("Yes, you can, and here is how to do it with a little patience", "No. It cannot.", True),
        ("No one knows " + LONG, "Yes, " + LONG, False),
        (LONG, "Something else altogether " + LONG[::-1], False),
    ],
)
def test_contradictions(a: str, b: str, clash: bool) -> None:
    assert quality.contradict(a, b) is clash
    assert quality.contradict(b, a) is clash


def test_different_answers_to_one_prompt() -> None:
    rows = [
        sample("1", "Is it spam?", "spam"),
        sample("2", "is it SPAM", "no spam at all, ham"),
        sample("3", "What helps?", "Sleep."),
        sample("4", "What helps?", "sleep"),
        sample("5", "What helps?"),
        sample("6", "Who are you?", LONG),
        sample("7", "Who are you?", "Quite another thing: " + LONG),
    ]
    found = quality.different_answers(rows, Corpus([row.prompt for row in rows]))
    assert found == [([0, 1], True), ([5, 6], False)]


def test_languages_are_named_and_drawn_from_a_large_set(monkeypatch: pytest.MonkeyPatch) -> None:
    german = "Ich weiß nicht mehr, wie ich nachts schlafen soll, und bin den ganzen Tag müde."
    english = "I do not know how to sleep at night any more, and I am tired all day long."
    assert quality.languages([german, english, english, "x = 1"]) == {
        "en": 2,
        "de": 1,
        "unknown": 1,
    }
    monkeypatch.setattr(quality, "LANGUAGE_ROWS", 3)
    assert quality.languages([english] * 10) == {"en": 3}


def test_the_report_counts_rows() -> None:
    night = "What can I do when I lie awake for hours every night and feel tired in the morning?"
    training = [
        sample("1", night, "Get up at the same time each day."),
        sample("2", night, "Get up at the same time each day."),
        sample("3", night.upper(), "get up at the same time each day"),
        sample("4", night.replace("lie", "am lying"), None),
        sample("5", "Who are you?", "I'm at me@mail.org and +44 20 7946 0958, or me@mail.org."),
    ]
    report = audit(training, [*training[:1], sample("n", "New?", "I see.")])
    mine = report.training
    assert mine.prompts.model_dump() == {
        "texts": 5, "distinct": 4, "exact": 1, "normalised": 1, "near": 1, "different": 2,
    }  # fmt: skip
    assert mine.responses.model_dump() == {
        "texts": 4, "distinct": 3, "exact": 1, "normalised": 1, "near": 0, "different": 2,
    }  # fmt: skip
    assert mine.empty_responses == 1
    assert mine.personal_data == {"email": 1, "phone": 1}
    assert mine.examples["near_prompts"][0]["rows"] == [1, 4]
    assert mine.examples["repeated_responses"][0]["rows"] == [1, 2, 3]
    assert "me@mail.org" not in json.dumps(mine.examples["personal_data"])
    assert mine.prompt_words.most == 19
    between = report.between
    assert between is not None
    assert between.prompts == {
        "exact": 1, "normalised": 0, "near": 0, "response": 0, "unchecked": 0, "clean": 1,
    }  # fmt: skip
    assert between.responses == {"exact": 1, "normalised": 0, "near": 0, "clean": 1, "none": 0}
    assert between.pairs == {"exact": 1, "normalised": 0, "near": 0}
    assert between.matches[0]["training_row"] == 1
    assert audit(training).between is None


def test_near_responses_are_named_by_their_rows() -> None:
    long = "sleep is a skill that can be learned by anyone who gives it a little time and patience"
    rows = [sample("1", "Why?"), sample("2", "How?", long), sample("3", "When?")]
    rows.append(sample("4", "Where?", long.replace("little", "bit of")))
    (example,) = audit(rows).training.examples["near_responses"]
    assert example["rows"] == [2, 4]


def test_a_data_set_without_responses() -> None:
    report = audit([sample("1", "Why?"), sample("2", "How?")])
    assert report.training.response_words is None
    assert report.training.empty_responses == 2


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    rows = [{"prompt": f"What is the number {n}?", "response": f"It is {n}."} for n in range(4)]
    train, evaluation = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    train.write_text("".join(json.dumps(row) + "\n" for row in rows))
    evaluation.write_text(
        json.dumps(rows[2]) + "\n" + '{"prompt": "New [bold]?", "response": ""}\n'
    )
    return str(train), str(evaluation)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, standalone_mode=False)


def test_the_command_says_how_much_leaked(files: tuple[str, str], tmp_path: Path) -> None:
    result = run(*files, "--out", str(tmp_path / "out"))
    assert result.exception is None
    assert result.output.startswith(
        "1 of 2 evaluation rows have a prompt that is in the training data; 1 whole pairs are."
    )
    assert "evaluation row 1, training row 3" in result.output
    assert result.return_value == 0
    stored = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert stored["between"]["prompts"]["exact"] == 1
    assert json.loads(run(*files, "--json").output) == stored


def test_a_leak_fails_only_where_asked(files: tuple[str, str]) -> None:
    train, evaluation = files
    assert run(train, evaluation, "--fail-on-leak").return_value == 1
    result = run(train)
    assert result.return_value == 0
    assert "training data" not in result.output


def test_planting_replaces_nothing_but_what_was_planted(
    files: tuple[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    assert run(files[0], "--plant", str(folder)).exception is None
    planted = (folder / "train.jsonl").read_text()
    key = (folder / "canaries.json").read_text()
    result = run(files[0], "--plant", str(folder), "--seed", "1")
    assert isinstance(result.exception, StoreError)
    assert "the key of other canaries" in str(result.exception)
    assert (folder / "train.jsonl").read_text() == planted
    assert (folder / "canaries.json").read_text() == key
    assert run(files[1], "--plant", str(folder)).exception is None  # the same canaries, other rows
    assert (folder / "train.jsonl").read_text() != planted
    assert (folder / "canaries.json").read_text() == key
    (folder / "canaries.json").unlink()
    (folder / "train.jsonl").write_text("mine")
    result = run(files[0], "--plant", str(folder))
    assert "was not planted" in str(result.exception)
    assert (folder / "train.jsonl").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["EVALUATION", "--plant", "DIR"], "leave out EVALUATION"),
        (["--plant", "DIR", "--json"], "leave out --json"),
        (["--plant", "DIR", "--out", "DIR", "--fail-on-leak"], "leave out --out, --fail-on-leak"),
        (["--fail-on-leak"], "--fail-on-leak needs EVALUATION"),
        (["EVALUATION", "--show", "-3"], "-3 is not in the range"),
    ],
)
def test_options_without_effect_are_refused(
    files: tuple[str, str], tmp_path: Path, options: list[str], line: str
) -> None:
    named = {"EVALUATION": files[1], "DIR": str(tmp_path / "out")}
    result = run(files[0], *(named.get(option, option) for option in options))
    assert isinstance(result.exception, click.UsageError)
    assert line in result.exception.format_message()
    assert not (tmp_path / "out").exists()


def test_an_audit_never_writes_over_its_input(tmp_path: Path) -> None:
    for name, option in (
        ("train.jsonl", "--plant"),
        ("canaries.json", "--plant"),
        ("audit.json", "--out"),
    ):
        source = tmp_path / name
        row = {"prompt": "How do I sleep?", "response": "Go to bed."}
        source.write_text(json.dumps([row] if name.endswith(".json") else row) + "\n")
        before = source.read_bytes()
        result = run(str(source), option, str(tmp_path))
        assert isinstance(result.exception, StoreError)
        assert [path.name for path in tmp_path.iterdir()] == [name]
        assert source.read_bytes() == before
        source.unlink()


def test_the_command_says_what_was_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.audit.similar.MOST_EMBEDDED", 0)
    monkeypatch.setattr("harness.audit.minhash.CROWDED", 0)
    texts = ["How can I best thank the night nurse", "How can I best thank the night nurse today",
             "Find the highest salary of all", "Find the lowest salary of all"]  # fmt: skip
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
    output = run(str(path)).output
    assert "groups of texts share so much wording" in output
    monkeypatch.setattr("harness.audit.minhash.CROWDED", 100)
    output = run(str(path), str(path)).output
    assert "2 alike pairs were too many to decide" in output
    assert "2 alike pairs of short texts differ in a word that makes them ask different" in output
    assert "groups of texts" not in output
    other = tmp_path / "b.jsonl"
    other.write_text(json.dumps({"prompt": texts[1]}) + "\n")
    path.write_text(json.dumps({"prompt": texts[0]}) + "\n")
    result = run(str(path), str(other), "--fail-on-leak")
    assert "1 evaluation rows could not be checked" in result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert ["in", "the", "training", "data", "word", "for", "word", "normalised", "nearly",
            "unchecked", "not"] in lines  # fmt: skip
    assert ["prompts", "0", "0", "0", "1", "0"] in lines
    assert "unchecked" not in output
    assert result.return_value == 1  # nobody knows whether it leaked


def test_no_line_of_the_tables_wraps_at_80_columns(files: tuple[str, str]) -> None:
    output = run(*files).output
    for label in ("word for word", "normalised", "nearly"):
        assert sum(line.startswith(f"  again, {label}") for line in output.splitlines()) == 2
