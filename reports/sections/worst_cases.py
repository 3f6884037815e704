"""Worst cases: curves, the identity floor, and the answers that fell most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.analysis.summary_schema import MeasureScale, Summary
from harness.records import IDENTITY
from reports.display import clipped, highlighted, interval_text, mean_text, score_text, visible
from reports.rows import label_of, leading_measure
from reports.sample_views import AnswerDrop, SampleView, drops
from reports.sections.section import PageData, PageSection

EXAMPLES = 6
EXAMPLE_CHARACTERS = 1500


@dataclass(frozen=True)
class DropExample:
    """One answer to a rewording that scored below the answer to the original.

    Attributes:
        subject: The subject.
        kind: The kind of rewording.
        severity: Its severity.
        before: Score of the answer to the original.
        after: Score of the answer to the rewording.
        prompt_before: The original with removed text marked.
        prompt_after: The rewording with added text marked.
        answer_before: The answer to the original, clipped.
        answer_after: The answer to the rewording, clipped.
    """

    subject: str
    kind: str
    severity: str
    before: str
    after: str
    prompt_before: Markup
    prompt_after: Markup
    answer_before: str
    answer_after: str


def examples(
    views: Sequence[SampleView], measure: MeasureScale | None, baseline: str
) -> list[DropExample]:
    """Return the largest drops of compared subjects, one a prompt, with the edits marked."""
    if measure is None:
        return []
    candidates = [d for d in drops(views, measure) if d.drop > 0 and d.answered.variant.edits]
    compared = [d for d in candidates if d.subject != baseline] or candidates
    compared.sort(
        key=lambda d: (-d.drop, d.view.sample.id, d.answered.variant.variant_key, d.subject)
    )
    by_prompt: dict[str, AnswerDrop] = {}
    for drop in compared:
        by_prompt.setdefault(drop.view.sample.id, drop)
    rows = []
    for drop in list(by_prompt.values())[:EXAMPLES]:
        original, variant = drop.view.original, drop.answered.variant
        assert original is not None
        before, after = highlighted(drop.view.sample.prompt, variant.edits)
        rows.append(
            DropExample(
                subject=drop.subject,
                kind=variant.perturbation,
                severity=variant.severity,
                before=score_text(drop.before),
                after=score_text(drop.after),
                prompt_before=before,
                prompt_after=after,
                answer_before=_first_text(original.answers[drop.subject].texts),
                answer_after=_first_text(drop.answered.answers[drop.subject].texts),
            )
        )
    return rows


def _first_text(texts: Sequence[str | None]) -> str:
    text = next((t for t in texts if t is not None), None)
    return "No answer." if text is None else clipped(visible(text), EXAMPLE_CHARACTERS)


def identity_floors(summary: Summary) -> list[str]:
    """Return the worst case of unchanged prompts, the floor of the curves, a line a subject."""
    return [
        f"Identity floor, {cell.subject}, {label_of(summary, cell.measure)}: worst of"
        f" {cell.worst.k} unchanged repeats {mean_text(cell.worst)} {interval_text(cell.worst)}."
        for cell in summary.cells
        if cell.kind == IDENTITY and cell.measure in summary.headline.measures
        if cell.worst and cell.worst.k > 1
    ]


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    measure = leading_measure(page.summary)
    return {
        "floors": identity_floors(page.summary),
        "examples": examples(page.views, measure, page.summary.baseline),
        "ranked_by": measure.label if measure else "",
    }


SECTION = PageSection("worst", "Worst cases", "worst_cases", context)
