"""Blind sheets for people to label, and reading them back into the run.

A sheet has a row an answer: an id, what was asked, the answer, and an empty cell for each scale. No
subject, no score, no kind of rewording stands in it. The prompts come in the order of the draw, so that
whoever stops early has labelled a random draw, too; within a prompt each annotator has an order of
their own. ``.csv`` opens in any spreadsheet; ``.jsonl`` holds the rows that ``jostle calibrate`` reads.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.pipeline.label_draw import AnsweredPrompts, Item, drawn_answers
from harness.records import AnswerLabel, LabelDraw, LabelScale, Message
from harness.util.digest import digest
from harness.util.files import readable_os_errors

FIXED = ("id", "draw", "annotator", "question", "answer")
"""Columns of a sheet before those of the scales."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins with one of these for a formula."""


def items_of(draw: LabelDraw, answered: AnsweredPrompts, annotator: str) -> list[Item]:
    """Return what an annotator reads, in their own order within each prompt; each item once."""
    items: dict[str, Item] = {}
    for answers in drawn_answers(draw, answered.subjects):
        shown = (answered.item(key, draw.id) for key in answers)
        placed = [
            (
                # Answers to one question stay together.
                digest([draw.id, annotator, spoken(item.conversation)]),
                digest([draw.id, annotator, item.id]),
                item,
            )
            for item in shown
            if item is not None
        ]
        for *_, item in sorted(placed, key=lambda row: row[:2]):
            items.setdefault(item.id, item)
    return list(items.values())


def sheet_text(draw: LabelDraw, items: Sequence[Item], annotator: str, suffix: str) -> str:
    """Write an annotator's empty sheet as CSV or JSONL."""
    rows = [
        {
            "id": item.id,
            "draw": draw.id,
            "annotator": annotator,
            "question": spoken(item.conversation),
            "answer": item.answer,
        }
        for item in items
    ]
    names = [scale.name for scale in draw.scales]
    if suffix == ".jsonl":
        empty = dict.fromkeys(names)
        return "".join(
            json.dumps({**row, "labels": empty}, ensure_ascii=False) + "\n" for row in rows
        )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*FIXED, *names])
    for row in rows:
        writer.writerow([*(_harmless(row[name]) for name in FIXED), *("" for _ in names)])
    return out.getvalue()


def spoken(conversation: Sequence[Message]) -> str:
    """Write what was asked: the question alone, or a conversation turn by turn."""
    if len(conversation) == 1:
        return conversation[0].content
    return "\n\n".join(f"{message.role}: {message.content}" for message in conversation)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


@dataclass(frozen=True)
class SheetRow:
    """A row of a filled sheet, with the line on which it stands."""

    line: int
    id: str
    draw: str
    annotator: str
    values: Mapping[str, Any]


def read_sheet(
    path: Path, draw: LabelDraw, known: Mapping[str, Item], annotator: str | None
) -> list[AnswerLabel]:
    """Read a filled sheet; empty cells are answers that were not labelled.

    Args:
        path: The sheet, CSV or JSONL.
        draw: The run's draw.
        known: Its items by id.
        annotator: Whose labels they are; None takes the name in the sheet.

    Raises:
        DataError: The sheet belongs to no draw of this run, or a row or value is wrong; one line with
            file and line.
    """
    rows = list(_jsonl_rows(path) if path.suffix == ".jsonl" else _csv_rows(path))
    if not any(row.id in known and row.draw in ("", draw.id) for row in rows):
        raise DataError(
            f"{path}: its rows are no random draw of this run's own prompts (jostle labels draw): such"
            " labels can check a judge (jostle calibrate), but cannot correct this run's differences"
        )
    labels: dict[tuple[str, ...], AnswerLabel] = {}
    for row in rows:
        where = f"{path}:{row.line}"
        if row.id not in known or row.draw not in ("", draw.id):
            raise DataError(f"{where}: {row.id!r} is no answer of this run's draw")
        name = annotator or row.annotator.strip()
        if not name:
            raise DataError(f"{where}: field 'annotator' is empty; fill it in or give --annotator")
        for scale in draw.scales:
            value = _value(row.values.get(scale.name), scale, where)
            if value is None:
                continue
            label = AnswerLabel(
                draw=draw.id, item=row.id, annotator=name, dimension=scale.name, value=value
            )
            if labels.setdefault(label.key, label).value != value:
                raise DataError(f"{where}: {name!r} gave {row.id!r} another {scale.name} before")
    return list(labels.values())


def _value(cell: Any, scale: LabelScale, where: str) -> float | None:
    """Read one value; None where the cell is empty."""
    text = "" if cell is None else str(cell).strip().replace(",", ".")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not scale.low <= value <= scale.high:
        raise DataError(
            f"{where}: field {scale.name!r}: a number from {scale.low:g} to {scale.high:g} or nothing,"
            f" not {cell!r}"
        )
    return value


def _csv_rows(path: Path) -> Iterator[SheetRow]:
    text = _text(path)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)  # a spreadsheet may save it with its own
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    if "id" not in (reader.fieldnames or ()):
        raise DataError(f"{path}:1: no column 'id'; use the sheet as it was written")
    try:
        for row in reader:
            yield SheetRow(
                reader.line_num,
                (row.get("id") or "").strip(),
                (row.get("draw") or "").strip(),
                row.get("annotator") or "",
                row,
            )
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not valid CSV: {error}") from None


def _jsonl_rows(path: Path) -> Iterator[SheetRow]:
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}:{number}: not valid JSON: {error}") from None
        values = row.get("labels") if isinstance(row, dict) else None
        if not isinstance(values, dict):
            raise DataError(f"{path}:{number}: needs id and labels, a value for each scale")
        yield SheetRow(
            number,
            str(row.get("id", "")),
            str(row.get("draw") or ""),
            str(row.get("annotator") or ""),
            values,
        )


def _text(path: Path) -> str:
    with readable_os_errors(path, "be read"):
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: is not UTF-8: {error}; save the sheet as UTF-8") from None
