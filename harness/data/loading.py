"""Turns data sets of any usual shape into samples, and samples back into rows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.config import DataSpec
from harness.data.rows import HUB, SourceRow, read_rows
from harness.errors import DataError
from harness.records import Message, Sample
from harness.util.digest import derived_rng, digest, file_digest
from harness.util.resources import resolve
from harness.util.suggestions import did_you_mean

MAX_PROMPT_CHARS = 200_000
"""Longer prompts fit no context window and are treated as a mistake in the data."""

PROMPT_FIELDS = ("prompt", "question", "instruction", "Context", "query")
REFERENCE_FIELDS = ("response", "reference", "answer", "output", "completion", "Response")

_MADE_ID = re.compile(r"[0-9a-f]{16}(?:-\d+)?")


def load(spec: DataSpec | str | Path) -> list[Sample]:
    """Load every row of a data set as a sample, before ``limit``, ``only`` and ``duplicates``.

    Raises:
        DataError: One line that names file, line and field: an unreadable row, a missing or
            non-string field, an empty or overlong prompt, a duplicate id.
    """
    if not isinstance(spec, DataSpec):
        spec = DataSpec(path=str(spec))
    source = spec.path if spec.path.startswith(HUB) else resolve(spec.path)
    samples: list[Sample] = []
    seen: dict[str, str] = {}
    copies: dict[str, int] = {}
    for row in read_rows(source, split=spec.split, revision=spec.revision):
        sample, given = _sample(row, spec)
        if given and sample.id in seen:
            raise DataError(
                f"{row.where}: duplicate id {sample.id!r} (first at {seen[sample.id]});"
                " make ids unique or leave them out"
            )
        if sample.id in seen:
            copies[sample.id] = copies.get(sample.id, 1) + 1
            sample = sample.model_copy(update={"id": f"{sample.id}-{copies[sample.id]}"})
        seen[sample.id] = row.where
        samples.append(sample)
    return samples


def as_row(sample: Sample) -> dict[str, Any]:
    """Build a row that ``load`` reads back: ``prompt`` and ``response``, or ``messages``.

    A conversation of several turns has no single prompt. An id made by ``load`` is left out. Other
    columns stay as they are; one with a name that is written here becomes ``NAME_in_source``.
    """
    content_id = _content_id(_content(sample.messages, sample.reference))
    made = _MADE_ID.fullmatch(sample.id) and sample.id.startswith(content_id)
    row: dict[str, Any] = {} if made else {"id": sample.id}
    if len(sample.messages) == 1:
        row |= {"prompt": sample.prompt, "response": sample.reference or ""}
    else:
        turns = [message.model_dump() for message in sample.messages]
        if sample.reference is not None:
            turns.append({"role": "assistant", "content": sample.reference})
        row["messages"] = turns
    others = {f"{k}_in_source" if k in row else k: value for k, value in sample.metadata.items()}
    return {**others, **row}


def jsonl(samples: Iterable[Sample]) -> str:
    """Write samples as the text of a JSONL file, one ``as_row`` a line."""
    return "".join(json.dumps(as_row(sample), ensure_ascii=False) + "\n" for sample in samples)


class Selection(NamedTuple):
    """The prompts to ask, and the number left out by each rule."""

    samples: list[Sample]
    left_out: dict[str, int]


def select(samples: Sequence[Sample], spec: DataSpec, seed: int) -> Selection:
    """Apply ``duplicates``, ``only`` and ``limit``, in this order, and count what each leaves out.

    The draw for ``limit`` keeps the order of the data, and a greater limit keeps the prompts of a
    smaller one: a run can grow.
    """
    left_out: dict[str, int] = {}
    chosen = list(samples)
    if spec.duplicates == "first":
        chosen = list(first_per_prompt(chosen))
        left_out["same_prompt_again"] = len(samples) - len(chosen)
    if spec.only == "clean":
        clean = [sample for sample in chosen if sample.audit == "clean"]
        left_out["leaked"] = sum(sample.audit == "leaked" for sample in chosen)
        left_out["unchecked"] = len(chosen) - len(clean) - left_out["leaked"]
        chosen = clean
    if spec.limit is not None and spec.limit < len(chosen):
        left_out["beyond_limit"] = len(chosen) - spec.limit
        drawn = derived_rng(seed, "limit").sample(range(len(chosen)), len(chosen))
        chosen = [chosen[index] for index in sorted(drawn[: spec.limit])]
    return Selection(chosen, {rule: count for rule, count in left_out.items() if count})


def first_per_prompt(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Yield the first sample of every distinct conversation."""
    seen: set[tuple[Message, ...]] = set()
    for sample in samples:
        if sample.messages not in seen:
            seen.add(sample.messages)
            yield sample


def data_digest(spec: DataSpec, samples: Sequence[Sample]) -> dict[str, Any]:
    """Describe a data set for the manifest: path, rows, digests of the file and of the content."""
    described: dict[str, Any] = {
        "path": spec.path,
        "rows": len(samples),
        "content_sha256": digest([sample.made_from for sample in samples]),
    }
    if not spec.path.startswith(HUB):
        described["file_sha256"] = file_digest(resolve(spec.path))
    return described


def _sample(row: SourceRow, spec: DataSpec) -> tuple[Sample, bool]:
    fields = row.fields
    used: set[str] = set()

    def pick(given: str | None, usual: tuple[str, ...], option: str) -> str | None:
        name = given or next((candidate for candidate in usual if candidate in fields), None)
        if name is not None and name not in fields:
            raise DataError(
                f"{row.where}: field {name!r} (data.{option}) is missing."
                f"{did_you_mean(name, [str(f) for f in fields])}"
            )
        if name is not None:
            used.add(name)
        return name

    id_field = pick(spec.id, ("id",), "id")
    messages_field = pick(spec.messages, ("messages",), "messages") if spec.prompt is None else None
    if messages_field is not None:
        place = f"{row.where}: {messages_field}"
        messages, reference = _conversation(fields[messages_field], place)
    else:
        messages, reference = _prompt(row, spec, pick), None
    reference_field = pick(spec.reference, REFERENCE_FIELDS, "reference")
    if reference is None and reference_field is not None and fields[reference_field] is not None:
        reference = _text(fields[reference_field], f"{row.where}: {reference_field}")
    reference = reference if reference and reference.strip() else None
    content = _content(messages, reference)
    given_id = None if id_field is None or fields[id_field] in (None, "") else str(fields[id_field])
    metadata = {str(k): _jsonable(v) for k, v in fields.items() if k not in used}
    group = None if spec.group_by is None else _group(fields, spec.group_by, row.where)
    sample = Sample(
        id=given_id or _content_id(content),
        messages=messages,
        reference=reference,
        metadata=metadata,
        group=group,
        made_from=digest({**content, "metadata": metadata}),
    )
    return sample, given_id is not None


def _group(fields: Mapping[str, Any], name: str, where: str) -> str:
    """Return the value of the field that says which rows belong together."""
    if name not in fields:
        raise DataError(
            f"{where}: field {name!r} (data.group_by) is missing."
            f"{did_you_mean(name, [str(f) for f in fields])}"
        )
    value = fields[name]
    if value is None or not isinstance(value, str | int | float) or not str(value).strip():
        raise DataError(
            f"{where}: field {name!r} (data.group_by) must be a text or a number in every row, not"
            f" {value!r}; give each row the name of its group"
        )
    return str(value).strip()


def _content(messages: Sequence[Message], reference: str | None) -> dict[str, Any]:
    return {"messages": [m.model_dump() for m in messages], "reference": reference}


def _content_id(content: dict[str, Any]) -> str:
    """Return the id of a sample without one: by its content, so that runs can be compared."""
    return digest(content)[:16]


def _prompt(
    row: SourceRow, spec: DataSpec, pick: Callable[[str | None, tuple[str, ...], str], str | None]
) -> tuple[Message, ...]:
    prompt_field = pick(spec.prompt, PROMPT_FIELDS, "prompt")
    if prompt_field is None:
        raise DataError(
            f"{row.where}: no field with the prompt (looked for {', '.join(PROMPT_FIELDS)});"
            f" this row has {', '.join(map(str, row.fields)) or 'no fields'}; name it with data.prompt"
        )
    text = _text(row.fields[prompt_field], f"{row.where}: {prompt_field}")
    usual_context = ("input",) if prompt_field == "instruction" else ()
    context_field = pick(spec.context, usual_context, "context")
    if context_field is not None and row.fields[context_field]:
        text += "\n\n" + _text(row.fields[context_field], f"{row.where}: {context_field}")
    return (_user_turn(text, f"{row.where}: {prompt_field}"),)


def _conversation(value: Any, where: str) -> tuple[tuple[Message, ...], str | None]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            raise DataError(f"{where}: expected a list of messages, found text") from None
    if not isinstance(value, list) or not value:
        raise DataError(f"{where}: expected a list of {{role, content}} messages")
    messages: list[Message] = []
    for number, turn in enumerate(value, 1):
        place = f"{where}, message {number}"
        if not isinstance(turn, dict) or "role" not in turn or "content" not in turn:
            raise DataError(f"{place}: expected an object with role and content")
        if turn["role"] not in ("system", "user", "assistant"):
            raise DataError(
                f"{place}: role must be system, user or assistant, not {turn['role']!r}"
            )
        messages.append(Message(role=turn["role"], content=_text(turn["content"], place)))
    reference = messages.pop().content if messages[-1].role == "assistant" else None
    if not messages or messages[-1].role != "user":
        raise DataError(f"{where}: the conversation needs a user turn before the answer")
    messages[-1] = _user_turn(messages[-1].content, where)
    return tuple(messages), reference


def _user_turn(text: str, where: str) -> Message:
    if not text.strip():
        raise DataError(f"{where}: the prompt is empty; fill it in or remove the row")
    if len(text) > MAX_PROMPT_CHARS:
        raise DataError(
            f"{where}: the prompt has {len(text):,} characters, more than {MAX_PROMPT_CHARS:,};"
            " shorten it or remove the row"
        )
    return Message(role="user", content=text)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"{where}: expected text, found {type(value).__name__}")
    if "\x00" in value:
        raise DataError(f"{where}: holds a NUL byte; remove it")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise DataError(f"{where}: holds a lone surrogate, which is not valid Unicode") from None
    return value


def _jsonable(value: Any) -> Any:
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    return str(value)
