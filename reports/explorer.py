"""The sample explorer's data: an index of every answer, and the texts in compressed chunks."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from harness.analysis.estimates import Measure
from harness.analysis.summary_schema import MeasureScale, Summary
from harness.records import ORIGINAL
from reports.display import clipped, visible
from reports.sample_views import AnsweredVariant, JudgedAnswer, SampleView

CHUNK_BYTES = 600_000
SNIPPET = 110
DIGITS = 4
COLUMNS = ("sample", "variant", "kind", "subject", "value", "drop", "problem")


def pack(data: Any) -> str:
    """Pack as JSON, deflated, in base64: no character means anything to HTML."""
    return _pack_text(_dumps(data))


def _dumps(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _pack_text(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode("ascii")


def build(
    views: Sequence[SampleView], summary: Summary, scale: MeasureScale | None
) -> tuple[str, list[str]]:
    """Pack a run's samples into an index, which says in which chunk a sample lies, and the chunks.

    Answers are listed and sorted by the measure of ``scale``.
    """
    subjects = summary.subjects
    measures = [known.measure for known in summary.measures]
    kinds = [kind.name for kind in summary.kinds if kind.name != ORIGINAL]
    rows: list[tuple[Any, ...]] = []
    samples: list[dict[str, Any]] = []
    chunks: list[str] = []
    pending: list[str] = []
    size = 0
    for number, view in enumerate(views):
        packed = _dumps(_sample(view, subjects, measures))
        text = clipped(visible(view.sample.prompt).replace("\n", " "), SNIPPET)
        name = clipped(visible(view.sample.id), 80)
        samples.append({"id": name, "text": text, "chunk": len(chunks), "at": len(pending)})
        rows += [(number, *row) for row in _rows(view, subjects, kinds, scale)]
        pending.append(packed)
        size += len(packed)
        if size >= CHUNK_BYTES:
            chunks.append(_pack_text(f"[{','.join(pending)}]"))
            pending, size = [], 0
    if pending:
        chunks.append(_pack_text(f"[{','.join(pending)}]"))
    index = {
        "subjects": [visible(s) for s in subjects],
        "baseline": visible(summary.baseline),
        "kinds": [visible(k) for k in kinds],
        "measures": [
            {"label": visible(known.label), "low": known.low, "high": known.high}
            for known in summary.measures
        ],
        "listed": visible(scale.label) if scale else None,
        "samples": samples,
        "rows": {name: [row[place] for row in rows] for place, name in enumerate(COLUMNS)},
    }
    return pack(index), chunks


def _rows(
    view: SampleView, subjects: Sequence[str], kinds: Sequence[str], scale: MeasureScale | None
) -> Iterator[tuple[Any, ...]]:
    """Yield one row for each answer to a variant: ``COLUMNS`` without the sample."""
    original, better = view.original, scale.higher_is_better if scale else None
    for place, answered in enumerate(view.variants):
        if answered.variant.perturbation == ORIGINAL:
            continue
        kind = kinds.index(answered.variant.perturbation)
        for column, subject in enumerate(subjects):
            answer = answered.answers[subject]
            value = before = drop = None
            if scale is not None:
                value = answer.value(scale)
                before = original.answers[subject].value(scale) if original else None
                if value is not None and before is not None and better is not None:
                    drop = before - value if better else value - before
            yield place, kind, column, _round(value), _round(drop), _problem(answer)


def _problem(answer: JudgedAnswer) -> int:
    """Return 0 for a judged answer, 1 for no answer, 2 where a judgement is missing."""
    if not answer.texts or None in answer.texts:
        return 1
    return 2 if any(s.status != "scored" for s in answer.scores) else 0


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _sample(
    view: SampleView, subjects: Sequence[str], measures: Sequence[Measure]
) -> dict[str, Any]:
    sample = view.sample
    return {
        "id": visible(sample.id),
        "turns": [[m.role, visible(m.content)] for m in sample.messages[:-1]],
        "prompt": visible(sample.prompt),
        "reference": None if sample.reference is None else visible(sample.reference),
        "metadata": {visible(str(k)): visible(str(v)) for k, v in sample.metadata.items()},
        "audit": sample.audit,
        "variants": [_variant(answered, subjects, measures) for answered in view.variants],
        "notMade": [
            [visible(v.perturbation), v.severity, v.status, visible(v.reason or "")]
            for v in view.not_made
        ],
    }


def _variant(
    answered: AnsweredVariant, subjects: Sequence[str], measures: Sequence[Measure]
) -> dict[str, Any]:
    variant = answered.variant
    return {
        "kind": visible(variant.perturbation),
        "severity": variant.severity,
        "replicate": variant.replicate,
        "filler": variant.filler,
        "similarity": variant.similarity,
        "text": visible(variant.prompt),
        "turns": {i: visible(variant.messages[i].content) for i in variant.earlier_edits},
        "answers": [_answer(answered.answers[s], measures) for s in subjects],
    }


def _answer(answer: JudgedAnswer, measures: Sequence[Measure]) -> dict[str, Any]:
    place = {measure: i for i, measure in enumerate(measures)}
    return {
        "texts": [None if t is None else visible(t) for t in answer.texts],
        "problems": [visible(p) for p in answer.problems],
        "truncated": answer.truncated,
        "scores": [
            [
                place.get(Measure(s.judge, s.dimension), -1),
                _round(s.value),
                "" if s.status == "scored" else s.status,
                visible(s.reason or ""),
            ]
            for s in answer.scores
        ],
    }
