"""Data sets of every shape, and one clear line for every kind of bad one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.config import DataSpec
from harness.data.loading import as_row, load, select
from harness.errors import DataError
from harness.text.normalise import normalise_prompt
from harness.util.resources import configs_root


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


ROW = {"prompt": "Why?", "response": "Because.", "topic": "life"}


def test_jsonl(tmp_path: Path) -> None:
    (sample,) = load(lines(tmp_path / "a.jsonl", ROW))
    assert sample.prompt == "Why?"
    assert sample.reference == "Because."
    assert sample.metadata == {"topic": "life"}


def test_the_same_rows_in_every_format_are_the_same_samples(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [ROW, {"prompt": 'A "quoted", one\nwith a line', "response": "Yes", "topic": "é"}]
    lines(tmp_path / "a.jsonl", *rows)
    (tmp_path / "a.json").write_text(json.dumps(rows))
    import csv

    for name, delimiter in (("a.csv", ","), ("a.tsv", "\t")):
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(ROW), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    first = load(tmp_path / "a.jsonl")
    for name in ("a.json", "a.csv", "a.tsv", "a.parquet"):
        assert load(tmp_path / name) == first, name


@pytest.mark.parametrize(
    ("row", "prompt", "reference"),
    [
        ({"Context": "Help", "Response": "Sure"}, "Help", "Sure"),
        ({"instruction": "Add", "input": "1 2", "output": "3"}, "Add\n\n1 2", "3"),
        ({"instruction": "Add", "input": "", "output": "3"}, "Add", "3"),
        ({"question": "Q", "answer": "A"}, "Q", "A"),
        ({"prompt": "Q", "response": ""}, "Q", None),
        ({"prompt": "Q"}, "Q", None),
    ],
)
def test_usual_field_names(
    tmp_path: Path, row: dict[str, str], prompt: str, reference: str | None
) -> None:
    (sample,) = load(lines(tmp_path / "a.jsonl", row))
    assert (sample.prompt, sample.reference) == (prompt, reference)


def test_chat_messages_keep_the_conversation_and_give_the_reference(tmp_path: Path) -> None:
    turns = [
        {"role": "system", "content": "Be kind"},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Help me"},
        {"role": "assistant", "content": "Gladly"},
    ]
    (sample,) = load(lines(tmp_path / "a.jsonl", {"messages": turns}))
    assert [m.role for m in sample.messages] == ["system", "user", "assistant", "user"]
    assert sample.prompt == "Help me"
    assert sample.reference == "Gladly"


def test_field_mapping(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"frage": "Wie?", "antwort": "So.", "nr": 7})
    spec = DataSpec(path=str(path), prompt="frage", reference="antwort", id="nr")
    (sample,) = load(spec)
    assert (sample.id, sample.prompt, sample.reference) == ("7", "Wie?", "So.")


BAD = [
    ("a.jsonl", b"", "empty"),
    ("a.jsonl", b"\n \n", "no rows"),
    ("a.jsonl", b'{"prompt": "a"}\n' * 6 + b'{"prompt": \n', "a.jsonl:7: broken JSON"),
    ("a.jsonl", b'["a"]\n', "a.jsonl:1: expected a JSON object"),
    ("a.jsonl", b'{"promt": "a"}\n', "a.jsonl:1: no field with the prompt"),
    ("a.jsonl", b'{"prompt": 5}\n', "a.jsonl:1: prompt: expected text, found int"),
    ("a.jsonl", b'{"prompt": null}\n', "a.jsonl:1: prompt: expected text, found NoneType"),
    ("a.jsonl", b'{"prompt": "a", "response": 5}\n', "a.jsonl:1: response: expected text"),
    ("a.jsonl", b'{"prompt": "  "}\n', "a.jsonl:1: prompt: the prompt is empty"),
    ("a.jsonl", b'{"prompt": "\xff"}\n', "a.jsonl:1: invalid UTF-8"),
    ("a.jsonl", b'{"prompt": "a\\u0000b"}\n', "a.jsonl:1: prompt: holds a NUL"),
    ("a.jsonl", b'{"prompt": "a\x00b"}\n', "a.jsonl:1: holds a NUL byte"),
    ("a.jsonl", b'{"prompt": "a\\ud800"}\n', "a.jsonl:1: prompt: holds a lone surrogate"),
    ("a.jsonl", b'{"prompt": "' + b"x" * 2_000_000 + b'"}\n', "a.jsonl:1: prompt: the prompt has"),
    (
        "a.jsonl",
        b'{"id": "q", "prompt": "a"}\n{"id": "q", "prompt": "b"}\n',
        "a.jsonl:2: duplicate id 'q'",
    ),
    ("a.jsonl", b'{"messages": []}\n', "a.jsonl:1: messages: expected a list"),
    ("a.jsonl", b'{"messages": [{"role": "bot", "content": "x"}]}\n', "role must be"),
    ("a.jsonl", b'{"messages": [{"role": "assistant", "content": "x"}]}\n', "needs a user turn"),
    ("a.json", b'{"prompt": "a"}', "expected a JSON list"),
    ("a.csv", b'prompt,response\n"a,b\n', "broken CSV"),
    ("a.csv", b"prompt,response\na,b,c\n", "a.csv:2: 3 cells"),
    ("a.csv", b"prompt,prompt\na,b\n", "a.csv:1: duplicate column name"),
    ("a.parquet", b"not parquet", "not a readable Parquet"),
    ("a.txt", b"hello", "unknown kind of data"),
]


@pytest.mark.parametrize(("name", "content", "fragment"), BAD, ids=[b[2][:40] for b in BAD])
def test_bad_data_gives_one_line(tmp_path: Path, name: str, content: bytes, fragment: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load(path)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_missing_bundled_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load(tmp_path / "absent.jsonl")
    with pytest.raises(DataError, match="no such bundled file"):
        load("bundled:data/absent.jsonl")


def test_a_wrong_field_name_is_answered_with_a_guess(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", ROW)
    with pytest.raises(DataError, match=r"'promtp' \(data\.prompt\).*Did you mean 'prompt'"):
        load(DataSpec(path=str(path), prompt="promtp"))


def test_ids_follow_content_not_position(tmp_path: Path) -> None:
    other = {"prompt": "How?", "response": "So."}
    forward = load(lines(tmp_path / "a.jsonl", ROW, other))
    backward = load(lines(tmp_path / "b.jsonl", other, ROW))
    assert {s.id for s in forward} == {s.id for s in backward}


def test_identical_rows_get_distinct_ids_and_are_asked_once(tmp_path: Path) -> None:
    samples = load(lines(tmp_path / "a.jsonl", ROW, ROW, {"prompt": "Other"}))
    assert len({sample.id for sample in samples}) == 3
    spec = DataSpec(path="x")
    chosen = select(samples, spec, seed=0)
    assert [s.prompt for s in chosen.samples] == ["Why?", "Other"]
    assert chosen.left_out == {"same_prompt_again": 1}
    assert len(select(samples, DataSpec(path="x", duplicates="keep"), 0).samples) == 3


def test_limit_is_seeded_counted_and_keeps_the_order(tmp_path: Path) -> None:
    samples = load(lines(tmp_path / "a.jsonl", *({"prompt": f"p{i}"} for i in range(50))))
    spec = DataSpec(path="x", limit=10)
    chosen = select(samples, spec, seed=4)
    assert chosen == select(samples, spec, seed=4)
    assert chosen.samples != select(samples, spec, seed=5).samples
    assert chosen.left_out == {"beyond_limit": 40}
    positions = [samples.index(sample) for sample in chosen.samples]
    assert positions == sorted(positions)


def test_only_clean_prompts_are_kept_and_others_told_by_their_label(tmp_path: Path) -> None:
    samples = load(lines(tmp_path / "a.jsonl", *({"prompt": f"p{i}"} for i in range(6))))
    labels = ("clean", "leaked", "unchecked", "clean", "leaked", "leaked")
    marked = [s.model_copy(update={"audit": a}) for s, a in zip(samples, labels, strict=True)]
    chosen = select(marked, DataSpec(path="x", only="clean"), 0)
    assert [s.prompt for s in chosen.samples] == ["p0", "p3"]
    assert chosen.left_out == {"leaked": 3, "unchecked": 1}


@pytest.mark.parametrize("domain", ["counseling", "code"])
def test_bundled_data_is_large_enough_and_its_splits_share_no_prompt(domain: str) -> None:
    folder = configs_root() / "data" / domain
    splits = {name: load(folder / f"{name}.jsonl") for name in ("train", "valid", "heldout")}
    assert len(splits["train"]) >= 120
    assert len(splits["valid"]) >= 30
    assert len(splits["heldout"]) >= 30
    every = [normalise_prompt(s.prompt) for rows in splits.values() for s in rows]
    assert len(set(every)) == len(every)
    assert all(sample.reference for rows in splits.values() for sample in rows)


def test_what_is_written_loses_no_column_and_no_given_id(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    row = {
        "question": "What is tea?", "answer": "A drink.", "prompt": "system text",
        "response": "an old reply", "id": "0000000000000000",
    }  # fmt: skip
    path.write_text(json.dumps(row) + "\n")
    [sample] = load(DataSpec(path=str(path), prompt="question", reference="answer"))
    assert as_row(sample) == {
        "id": "0000000000000000", "prompt": "What is tea?", "response": "A drink.",
        "prompt_in_source": "system text", "response_in_source": "an old reply",
    }  # fmt: skip
    path.write_text('{"prompt": "What is tea?", "response": "A drink."}\n' * 2)
    again = [as_row(sample) for sample in load(str(path))]
    assert again == [{"prompt": "What is tea?", "response": "A drink."}] * 2


def test_the_field_that_groups_prompts_is_there_in_every_row(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {**ROW, "case": 7}, {**ROW, "prompt": "How?", "case": " b "})
    spec = DataSpec(path=str(path), group_by="case")
    assert [sample.group for sample in load(spec)] == ["7", "b"]
    assert load(spec)[0].metadata["case"] == 7
    assert [sample.group for sample in load(path)] == [None, None]
    with pytest.raises(DataError, match=r"a\.jsonl:1: field 'cas' \(data\.group_by\).*'case'"):
        load(DataSpec(path=str(path), group_by="cas"))
    for value in (None, "", ["x"]):
        lines(path, ROW | {"case": "a"}, ROW | {"case": value})
        with pytest.raises(DataError, match=r"a\.jsonl:2: field 'case' .* every row"):
            load(spec)
