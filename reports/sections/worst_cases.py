"""Worst cases: curves, the identity floor, and the answers that fell most."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from harness.analysis import ALL
from harness.analysis.summary_schema import MeasureScale, Summary
from harness.records import IDENTITY
from harness.util.formatting import plural
from reports.display import clipped, highlighted_conversation, interval_text, mean_text, visible
from reports.rows import label_of, leading_measure
from reports.sample_views import AnswerDrop, AnsweredVariant, SampleView, drops
from reports.sections.section import PageData, PageSection

EXAMPLES = 6
EXAMPLE_CHARACTERS = 1500


def examples(
    views: Sequence[SampleView], scale: MeasureScale | None, baseline: str
) -> list[tuple[AnswerDrop, Markup, Markup]]:
    """Return the largest drops of compared subjects, one a prompt, with both prompts marked."""
    if scale is None:
        return []
    candidates = [d for d in drops(views, scale) if d.drop > 0 and d.answered.variant.edits_by_turn]
    compared = [d for d in candidates if d.subject != baseline] or candidates
    compared.sort(
        key=lambda d: (-d.drop, d.view.sample.id, d.answered.variant.variant_key, d.subject)
    )
    by_prompt: dict[str, AnswerDrop] = {}
    for drop in compared:
        by_prompt.setdefault(drop.view.sample.id, drop)
    return [
        (drop, *highlighted_conversation(drop.view.sample, drop.answered.variant))
        for drop in list(by_prompt.values())[:EXAMPLES]
    ]


def first_answer(answered: AnsweredVariant, subject: str) -> str:
    """Return the beginning of a subject's first answer to a variant."""
    texts = answered.answers[subject].texts
    text = next((text for text in texts if text is not None), None)
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


def left_out(summary: Summary) -> str:
    """Say how many prompts the longest curve of a headline measure leaves out; empty where none."""
    points = [
        point
        for point in summary.worst
        if point.kind == ALL and point.measure in summary.headline.measures
    ]
    if not points:
        return ""
    longest = max(points, key=lambda point: (point.k, point.left_out))
    if not longest.left_out:
        return ""
    return (
        f"Only variants that every subject was scored on count, so that k and the kinds are the same"
        f" for all; {plural(longest.left_out, 'prompt')} with fewer than {longest.k} of them"
        f" {'is' if longest.left_out == 1 else 'are'} left out at k = {longest.k}."
    )


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    scale = leading_measure(page.summary)
    return {
        "floors": identity_floors(page.summary),
        "left_out": left_out(page.summary),
        "examples": examples(page.views, scale, page.summary.baseline),
        "first_answer": first_answer,
        "ranked_by": scale.label if scale else "",
        "oriented": scale is not None and scale.higher_is_better is not None,
    }


SECTION = PageSection("worst", "Worst cases", "worst_cases", context)
