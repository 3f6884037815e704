"""People's labels of a run: its recorded draw, the labels read back, and what they are worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from harness.analysis.people import PeopleLabels
from harness.analysis.table import RunRecords
from harness.errors import StoreError
from harness.pipeline.label_draw import AnsweredPrompts, drawn_answers, fault_of_draw
from harness.pipeline.store import Run
from harness.records import AnswerLabel, LabelDraw, VariantKey
from harness.stats.agreement import alpha
from harness.util.files import readable_os_errors, write_atomically
from harness.util.formatting import plural
from harness.util.secrets import first_fault

DRAW_FILE = "label_draw.json"


def read_draw(root: Path) -> LabelDraw | None:
    """Read the draw of a run folder; None where nothing was drawn.

    Raises:
        StoreError: The file is damaged or of another version.
    """
    path = root / DRAW_FILE
    if not path.exists():
        return None
    with readable_os_errors(path, "be read"):
        text = path.read_text(encoding="utf-8")
    try:
        return LabelDraw.model_validate_json(text)
    except ValidationError as error:
        raise StoreError(
            f"{path}: damaged ({first_fault(error, LabelDraw.model_fields, 'field')}); delete it and"
            " draw again"
        ) from None


def write_draw(root: Path, draw: LabelDraw) -> None:
    """Record a draw in its run; a larger one of the same seed takes the place of a smaller one.

    Raises:
        StoreError: The run has another draw, which may be labelled already.
    """
    known = read_draw(root)
    if known is not None and known.id != draw.id:
        raise StoreError(
            f"{root / DRAW_FILE}: this run has another draw (seed {known.seed}); choosing again after"
            " seeing labels would bias them: use its seed, kinds and scales, or delete the file"
        )
    if known is not None and len(known.prompts) > len(draw.prompts):
        return
    write_atomically(root / DRAW_FILE, draw.model_dump_json(indent=1) + "\n")


def store_labels(run: Run, labels: Iterable[AnswerLabel]) -> int:
    """Add labels to a run; a later one by the same person takes the place of an earlier. Count all."""
    with run, closing(run.file(AnswerLabel)) as file:
        file.keep(lambda _: True)
        file.append(*labels)
    return len(run.read(AnswerLabel))


def people_labels(run: Run, records: RunRecords) -> tuple[PeopleLabels | None, list[str]]:
    """Return what people said of a run's answers, and lines about labels that do not count.

    The draw is made again from the run's records: what is not the random draw that it claims to be
    corrects nothing.
    """
    draw, labels = read_draw(run.root), run.read(AnswerLabel)
    if draw is None or not labels:
        return None, []
    answered = AnsweredPrompts(records)
    fault = fault_of_draw(draw, answered)
    if fault is not None:
        return None, [f"people's labels of this run do not count: {fault}"]
    items = {
        key: item.id
        for answers in drawn_answers(draw, answered.subjects)
        for key in answers
        if (item := answered.item(key, draw.id)) is not None
    }
    given: defaultdict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for label in labels:
        if label.draw == draw.id:
            given[label.item, label.dimension][label.annotator] = label.value
    values: dict[tuple[VariantKey, str, str], float] = {}
    for key, item_id in items.items():
        for scale in draw.scales:
            if by := given.get((item_id, scale.name)):
                values[key.variant, key.subject, scale.name] = sum(by.values()) / len(by)
    people = PeopleLabels(
        scales={scale.name: scale for scale in draw.scales},
        values=values,
        prompts=draw.prompts,
        eligible=frozenset(answered.clusters),
        reworded=answered.reworded(draw.kinds),
        scope=draw.scope,
        kinds=draw.kinds,
        annotators=len({name for by in given.values() for name in by}),
        agreement={scale.name: _agreement(given, scale.name) for scale in draw.scales},
    )
    return people, _gaps(draw, values, answered.subjects)


def _agreement(given: Mapping[tuple[str, str], Mapping[str, float]], name: str) -> float | None:
    """Return Krippendorff's alpha of the annotators on one scale."""
    rows = [by for (_, dimension), by in given.items() if dimension == name]
    annotators = sorted({annotator for by in rows for annotator in by})
    return alpha([[by.get(annotator) for by in rows] for annotator in annotators])


def _gaps(
    draw: LabelDraw,
    values: Mapping[tuple[VariantKey, str, str], float],
    subjects: Sequence[str],
) -> list[str]:
    """Say how many drawn prompts were passed over: the end of a draw may be missing, its middle not."""
    names = [scale.name for scale in draw.scales]
    whole = [
        all((p.original, subject, name) in values for subject in subjects for name in names)
        for p in draw.prompts
    ]
    last = max((i for i, labelled in enumerate(whole) if labelled), default=-1)
    skipped = whole[: last + 1].count(False)
    if not skipped:
        return []
    return [
        f"people passed over {skipped} of the first {plural(last + 1, 'prompt')} drawn for labelling:"
        " if those are unlike the others, the corrected figures are off"
    ]
