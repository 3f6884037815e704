"""People's labels: pointwise scores or pairwise preferences, each with its annotator, as JSONL.

One row a label. Pointwise::

    {"id": "17", "question": "...", "answer": "...", "annotator": "ann", "labels": {"empathy": 4}}

Pairwise (``preferred`` is ``a``, ``b`` or ``tie``)::

    {"id": "17", "question": "...", "answer_a": "...", "answer_b": "...", "annotator": "ann",
     "preferred": "a"}

Rows with the same id are labels of the same item by further annotators. Optional: ``split``
(``fit`` or ``check``), ``reference``, ``original_question``, ``original_answer``, ``reason``, and
``kind``, a word for the sort of answer it is, tricks that must not pay included (``warm_words``,
``copies_question``); ``draw``, the draw of a run's own answers that a filled sheet of ``jostle labels
draw`` belongs to; and ``source``, where question and answer come from in words that a report can show
(``forum posts``): agreement is shown with it, and a judge is fitted with whole sources left out. An
annotator whose name begins with ``author`` is one of those who made the labelled set, and one whose
name begins with ``reader`` is a language model; everybody else counts as an independent person.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import DataError
from harness.records import JudgeItem
from harness.util.digest import digest
from harness.util.resources import resolve
from harness.util.secrets import first_fault

Split = Literal["fit", "check"]
Basis = Literal["people", "readers", "authors"]
AUTHOR, READER = "author", "reader"
"""Begin the names of annotators who made the labelled set, and of those that are language models."""

MIN_ITEMS = 10
"""Labelled items that say anything at all about a judge."""


class Origin(NamedTuple):
    """Tells whose labels an agreement rests on.

    Attributes:
        basis: ``people`` where there are enough labels of independent people, else ``readers``
            where there are enough of language models, and only those are compared with;
            ``authors`` where there are too few of both, and all labels are.
        annotators: How many annotators those labels come from.
        independent_labels: Labels by independent people in the file (None: not known).
        author_labels: Labels by those who made the set.
        reader_labels: Labels by language models.
    """

    basis: Basis
    annotators: int
    independent_labels: int | None
    author_labels: int | None
    reader_labels: int | None


def annotator_basis(annotator: str) -> Basis:
    """Return what an annotator is, by the beginning of the name."""
    if annotator.startswith(AUTHOR):
        return "authors"
    return "readers" if annotator.startswith(READER) else "people"


class Label(BaseModel):
    """One row of a file of labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    question: str
    annotator: str = Field(min_length=1)
    split: Split | None = None
    answer: str | None = None
    labels: dict[str, Annotated[float, Field(allow_inf_nan=False)]] | None = None
    answer_a: str | None = None
    answer_b: str | None = None
    preferred: Literal["a", "b", "tie"] | None = None
    reference: str | None = None
    original_question: str | None = None
    original_answer: str | None = None
    kind: str | None = None
    reason: dict[str, str] | str | None = None
    topic: str | None = None
    draw: str | None = None
    source: str | None = Field(default=None, min_length=1)

    @property
    def basis(self) -> Basis:
        """Return what its annotator is."""
        return annotator_basis(self.annotator)

    @model_validator(mode="after")
    def _one_kind(self) -> Label:
        pointwise = self.answer is not None and bool(self.labels)
        pairwise = None not in (self.answer_a, self.answer_b, self.preferred)
        if pointwise == pairwise:
            raise ValueError("needs either answer and labels, or answer_a, answer_b and preferred")
        return self


class LabelledItem(BaseModel):
    """An item with the labels that its annotators gave it."""

    model_config = ConfigDict(frozen=True)

    rows: tuple[Label, ...]

    @property
    def first(self) -> Label:
        """Return the row whose texts represent the item."""
        return self.rows[0]

    @property
    def pairwise(self) -> bool:
        """Return whether its label is a preference."""
        return self.first.preferred is not None

    def of(self, basis: Basis) -> LabelledItem | None:
        """Return the item with the labels that count for this basis alone; None without any."""
        rows = tuple(row for row in self.rows if row.basis == basis or basis == "authors")
        return LabelledItem(rows=rows) if rows else None

    def score(self, dimension: str) -> float | None:
        """Average the annotators' scores; None where nobody gave one."""
        given = [
            row.labels[dimension] for row in self.rows if row.labels and dimension in row.labels
        ]
        return sum(given) / len(given) if given else None

    def preference(self) -> float:
        """Return 1 where the annotators prefer answer a, 0 for b, 0.5 for a tie."""
        balance = sum({"a": 1, "b": -1, "tie": 0}[str(row.preferred)] for row in self.rows)
        return 1.0 if balance > 0 else 0.0 if balance < 0 else 0.5

    def judge_item(self, answer: str, opponent: str | None = None) -> JudgeItem:
        """Return the item as a judge is shown it."""
        row = self.first
        return JudgeItem(
            question=row.question,
            answer=answer,
            reference=row.reference,
            original_question=row.original_question,
            original_answer=row.original_answer,
            opponent_answer=opponent,
            seed=int(digest([row.id, answer])[:8], 16),
        )


class Labels(BaseModel):
    """A file of labels, by item, or one split of it; ``digest`` is of the whole file."""

    model_config = ConfigDict(frozen=True)

    items: tuple[LabelledItem, ...]
    digest: str
    source: str
    split: Split | None = None

    @property
    def rows(self) -> list[Label]:
        """Return the rows of all items."""
        return [row for item in self.items for row in item.rows]

    @property
    def annotators(self) -> list[str]:
        """Return all annotators, sorted."""
        return sorted({row.annotator for row in self.rows})

    @property
    def authors_only(self) -> bool:
        """Return whether all labels come from those who made the set."""
        return all(row.basis == "authors" for row in self.rows)

    @property
    def sources(self) -> list[str]:
        """Return where the items come from, sorted; without those that do not say it."""
        return sorted({item.first.source for item in self.items if item.first.source})

    def described(self, items: Sequence[LabelledItem]) -> str:
        """Say what items are: their sources, else the name of the file."""
        return said_sources([item.first.source for item in items], self.source)

    def origin(self, dimensions: Sequence[str] | None = None) -> Origin:
        """Return whose labels count on these dimensions (together); on preferences where None."""
        rows = [
            row
            for row in self.rows
            if dimensions is None or not (row.labels or {}).keys().isdisjoint(dimensions)
        ]
        counts = Counter(row.basis for row in rows)
        apart: tuple[Basis, ...] = ("people", "readers")
        enough = [one for one in apart if self._enough(one, dimensions)]
        basis: Basis = enough[0] if enough else "authors"
        counted = [row for row in rows if row.basis == basis or basis == "authors"]
        return Origin(
            basis=basis,
            annotators=len({row.annotator for row in counted}),
            independent_labels=counts["people"],
            author_labels=counts["authors"],
            reader_labels=counts["readers"],
        )

    def _enough(self, basis: Basis, dimensions: Sequence[str] | None) -> bool:
        items = [item for whole in self.items if (item := whole.of(basis)) is not None]
        scored = (all(item.score(name) is not None for name in dimensions or ()) for item in items)
        return sum(scored) >= MIN_ITEMS

    @property
    def dimensions(self) -> list[str]:
        """Return the dimensions that pointwise labels name, sorted."""
        return sorted({name for row in self.rows for name in row.labels or {}})

    def part(self, split: Split | None) -> Labels:
        """Return the items of one split; all for None."""
        if split is None:
            return self
        items = tuple(item for item in self.items if item.first.split == split)
        return self.model_copy(update={"items": items, "split": split})


def said_sources(sources: Sequence[str | None], file: str) -> str:
    """Name the sources of items, most frequent first; the file stands for those that are not named."""
    counts = Counter(source or Path(file).name for source in sources)
    return ", ".join(name for name, _ in sorted(counts.items(), key=lambda c: (-c[1], c[0])))


def read_labels(path: str) -> Labels:
    """Read a file of labels.

    Raises:
        DataError: Unreadable, not JSONL, a field is wrong, one item with different texts, or a
            question that is in both splits; one line with file and line.
    """
    try:
        # Not splitlines(): U+2028 and U+0085 may stand in a JSON string as they are.
        lines = Path(resolve(path)).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    items: dict[str, list[Label]] = {}
    splits: dict[str, tuple[Split | None, int]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _row(line, f"{path}:{number}")
        known = items.setdefault(row.id, [])
        if known and _texts(known[0]) != _texts(row):
            raise DataError(f"{path}:{number}: id {row.id!r} stands for other texts before")
        if any(row.annotator == other.annotator for other in known):
            raise DataError(f"{path}:{number}: {row.annotator!r} labelled {row.id!r} before")
        split, first = splits.setdefault(_plain(row.question), (row.split, number))
        if split != row.split:
            raise DataError(
                f"{path}:{number}: this question is in split {split} on line {first} and in"
                f" {row.split} here; split by question"
            )
        known.append(row)
    if not items:
        raise DataError(f"{path}: holds no label; write one JSON object a line")
    labelled = tuple(LabelledItem(rows=tuple(rows)) for rows in items.values())
    if len({item.pairwise for item in labelled}) > 1:
        raise DataError(f"{path}: mixes pointwise and pairwise labels; use two files")
    return Labels(
        items=labelled,
        digest=digest([row.model_dump(mode="json") for rows in items.values() for row in rows]),
        source=path,
    )


def _row(line: str, where: str) -> Label:
    try:
        value: Any = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: not valid JSON: {error}") from None
    for field, text in _texts_in(value):
        if any("\ud800" <= character <= "\udfff" for character in text):
            problem = "holds half of a surrogate pair, which is no text"
            raise DataError(f"{where}: field {field!r}: {problem}")
    try:
        return Label.model_validate(value)
    except ValidationError as error:
        message = first_fault(error, Label.model_fields, "field")
        raise DataError(f"{where}: {message}") from None


def _texts_in(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of a row, names of fields included, with its field."""
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield field, name
            yield from _texts_in(inner, f"{field}.{name}".removeprefix("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts_in(inner, field)


def _texts(row: Label) -> tuple[str | None, ...]:
    return row.question, row.answer, row.answer_a, row.answer_b


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
