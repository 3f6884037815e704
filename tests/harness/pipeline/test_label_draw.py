"""Labels of a run's own prompts: a random draw that can be checked, blind sheets, and reading back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from harness.errors import DataError, StoreError
from harness.pipeline.label_draw import (
    AnsweredPrompts,
    DrawRequest,
    draw_prompts,
    drawn_answers,
    fault_of_draw,
)
from harness.pipeline.label_sheets import items_of, read_sheet, sheet_text
from harness.pipeline.run_labels import (
    DRAW_FILE,
    people_labels,
    read_draw,
    store_labels,
    write_draw,
)
from harness.pipeline.store import Run
from harness.records import AnswerLabel, LabelDraw, LabelScale
from harness.stats.agreement import alpha
from tests.synthetic import Synthetic, make_run

SCALE = LabelScale(name="empathy", low=1, high=5)


def _run(**options: object) -> tuple[Synthetic, AnsweredPrompts]:
    made = make_run(60, kinds=("typo", "synonym", "dialect", "identity"), **options)  # type: ignore[arg-type]
    return made, AnsweredPrompts(made.records())


def _draw(answered: AnsweredPrompts, prompts: int = 30, seed: int = 7) -> LabelDraw:
    return draw_prompts(answered, DrawRequest(prompts, seed, None, [SCALE]))


def test_a_draw_can_be_made_again_in_whatever_order_the_files_are() -> None:
    made, answered = _run()
    draw = _draw(answered)
    made.samples.reverse()
    made.variants.reverse()
    made.generations.reverse()
    assert _draw(AnsweredPrompts(made.records())) == draw
    assert fault_of_draw(draw, AnsweredPrompts(made.records())) is None
    assert _draw(answered, seed=8).prompts != draw.prompts


def test_a_larger_draw_goes_on_where_the_smaller_one_ended(tmp_path: Path) -> None:
    _, answered = _run()
    small, large = _draw(answered, 20), _draw(answered, 40)
    assert large.prompts[:20] == small.prompts
    assert large.id == small.id
    write_draw(tmp_path, small)
    write_draw(tmp_path, large)
    write_draw(tmp_path, small)
    assert read_draw(tmp_path) == large
    with pytest.raises(StoreError, match="has another draw"):
        write_draw(tmp_path, _draw(answered, 20, seed=8))


def test_every_prompt_is_drawn_with_equal_chances() -> None:
    # 60 prompts, 20 drawn, 300 seeds: each prompt is expected 100 times, standard deviation 8.2.
    _, answered = _run()
    counts = dict.fromkeys(answered.clusters, 0)
    for seed in range(300):
        for cluster in answered.order(seed)[:20]:
            counts[cluster] += 1
    assert min(counts.values()) >= 65
    assert max(counts.values()) <= 135


def test_kinds_are_drawn_alike_however_many_variants_they_have() -> None:
    # typo has three severities, synonym two: the estimand averages kinds, not variants.
    _, answered = _run()
    kinds = [
        prompt.variant.perturbation
        for seed in range(30)
        for prompt in _draw(answered, 60, seed).prompts
        if prompt.variant is not None
    ]
    assert 0.30 < kinds.count("typo") / len(kinds) < 0.39
    assert 0.30 < kinds.count("synonym") / len(kinds) < 0.39


def test_a_draw_that_was_tampered_with_corrects_nothing(tmp_path: Path) -> None:
    made, answered = _run()
    draw = _draw(answered)
    better = draw.model_copy(update={"prompts": tuple(reversed(draw.prompts))})
    assert fault_of_draw(better, answered) == "its prompts are not those that its seed draws"
    run = Run.open(made.write(tmp_path / "run"))
    write_draw(run.root, better)
    label = AnswerLabel(draw=draw.id, item="x", annotator="ann", dimension="empathy", value=3)
    store_labels(run, [label])
    people, lines = people_labels(run, made.records())
    assert people is None
    assert "do not count: its prompts are not those" in lines[0]


def test_other_answers_make_a_draw_stale() -> None:
    made, answered = _run()
    draw = _draw(answered)
    fewer = made.records()
    kept = AnsweredPrompts(
        type(fewer)(
            fewer.samples[1:],
            fewer.variants,
            fewer.generations,
            (),
            fewer.subjects,
            fewer.baseline,
        )
    )
    assert "others than when it was drawn" in (fault_of_draw(draw, kept) or "")


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (DrawRequest(61, 1, None, [SCALE]), "60 prompts of this run were answered"),
        (DrawRequest(5, 1, None, [SCALE]), "a draw takes 10 prompts or more, not 5"),
        (DrawRequest(20, 1, ["tpyo"], [SCALE]), "no answers to kind 'tpyo'.*Did you mean 'typo'"),
        (DrawRequest(20, 1, None, [SCALE, SCALE]), "a scale is named twice"),
    ],
)
def test_a_draw_that_cannot_be_is_one_line(request_: DrawRequest, line: str) -> None:
    _, answered = _run()
    with pytest.raises(DataError, match=line):
        draw_prompts(answered, request_)


def test_failed_answers_are_not_drawn() -> None:
    made, answered = _run(failing=0.2)
    failed = {(g.variant_key, g.subject) for g in made.generations if g.completion.text is None}
    assert failed
    draw = _draw(answered, 20)
    keys = [key for answers in drawn_answers(draw, answered.subjects) for key in answers]
    assert not failed & {(key.variant, key.subject) for key in keys}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_sheet_is_blind_and_comes_back(tmp_path: Path, suffix: str) -> None:
    _, answered = _run(hostile=True)
    draw = _draw(answered, 20)
    items = items_of(draw, answered, "ann")
    text = sheet_text(draw, items, "ann", suffix)
    path = tmp_path / f"sheet{suffix}"
    if suffix == ".csv":
        rows = list(csv.DictReader(text.splitlines(keepends=True)))
        assert not [row for row in rows if row["answer"].startswith(("=", "+", "@"))]
        assert set(rows[0]) == {"id", "draw", "annotator", "question", "answer", "empathy"}
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
            writer.writeheader()
            writer.writerows({**r, "empathy": "3,5" if i % 2 else ""} for i, r in enumerate(rows))
    else:
        lines = [json.loads(line) for line in text.split("\n") if line]
        for i, line in enumerate(lines):
            line["labels"]["empathy"] = 3.5 if i % 2 else None
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    known = {item.id: item for item in items}
    labels = read_sheet(path, draw, known, None)
    assert {label.value for label in labels} == {3.5}
    assert [label.item for label in labels] == [item.id for item in items][1::2]


def test_each_annotator_has_an_order_of_their_own_within_the_same_prompts() -> None:
    _, answered = _run()
    draw = _draw(answered, 20)
    one, two = items_of(draw, answered, "ann"), items_of(draw, answered, "bob")
    assert one != two
    assert set(one) == set(two)
    first = {
        answered.item(key, draw.id) for key in next(iter(drawn_answers(draw, ["base", "tuned"])))
    }
    assert set(one[: len(first)]) == set(two[: len(first)]) == first


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("id,empathy\nabc,3\n", "no random draw of this run's own prompts"),
        ("item,empathy\nabc,3\n", "sheet.csv:1: no column 'id'"),
        ("id,empathy\n{id},9\n", "sheet.csv:2: field 'empathy': a number from 1 to 5 or nothing"),
        ("id,empathy\n{id},good\n", "sheet.csv:2: field 'empathy': a number from 1 to 5"),
        ("id,empathy\n{id},nan\n", "sheet.csv:2: field 'empathy': a number from 1 to 5"),
        ("id,empathy\n{id},3\nabc,3\n", "sheet.csv:3: 'abc' is no answer of this run's draw"),
        ("id,empathy\n{id},3\n{id},4\n", "sheet.csv:3: 'ann' gave .* another empathy before"),
    ],
)
def test_a_sheet_of_something_else_is_one_line(tmp_path: Path, content: str, line: str) -> None:
    _, answered = _run()
    draw = _draw(answered)
    known = {item.id: item for item in items_of(draw, answered, "ann")}
    path = tmp_path / "sheet.csv"
    path.write_text(content.replace("{id}", next(iter(known))), encoding="utf-8")
    with pytest.raises(DataError, match=line):
        read_sheet(path, draw, known, "ann")
    if "{id},3" in content:
        path.write_text(f"id,empathy\n{next(iter(known))},3\n", encoding="utf-8")
        with pytest.raises(DataError, match="field 'annotator' is empty"):
            read_sheet(path, draw, known, None)


def test_annotators_are_averaged_and_what_was_passed_over_is_said(tmp_path: Path) -> None:
    made, answered = _run()
    run = Run.open(made.write(tmp_path / "run"))
    draw = _draw(answered, 20)
    write_draw(run.root, draw)
    items = items_of(draw, answered, "ann")
    skipped = {answered.item(key, draw.id) for key in list(drawn_answers(draw, ["base"]))[3]}
    labels = [
        AnswerLabel(draw=draw.id, item=item.id, annotator=who, dimension="empathy", value=value)
        for number, item in enumerate(items)
        for who, value in (("ann", 2 + number % 3), ("bob", 3 + number % 3))
        if item not in skipped
    ]
    store_labels(run, labels)
    store_labels(run, labels[:2])  # again: nothing counts twice
    people, lines = people_labels(run, made.records())
    assert people is not None
    assert people.annotators == 2
    assert set(people.values.values()) == {2.5, 3.5, 4.5}
    read = [label.value for label in labels]
    assert people.agreement["empathy"] == pytest.approx(alpha([read[::2], read[1::2]]))
    assert lines == [
        "people passed over 1 of the first 20 prompts drawn for labelling: if those are unlike the"
        " others, the corrected figures are off"
    ]
    assert "19 of 20 drawn prompts; 2 people agree" in people.summary_lines()[0]
    (run.root / DRAW_FILE).write_text("{}")
    with pytest.raises(StoreError, match=r"label_draw.json: damaged .* delete it and draw again"):
        people_labels(run, made.records())
