"""The two lines of a judged difference: by the judge, and corrected by people's labels."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.estimates import Contrast, CorrectedEstimate, Estimate
from harness.util.formatting import figure, plural, with_interval

WEAK_JUDGE = 0.3
"""Correlation with people's differences under which a judge is called of little use here."""


def corrected_label(label: str, contrast: Contrast) -> str:
    """Return a measure's name with the number of labels that correct it, where any do."""
    first = contrast.corrected_gain_originals
    return label if first is None else f"{label} corrected by {human_labels(first)}"


def human_labels(estimate: CorrectedEstimate) -> str:
    """Return ``human labels of 30 prompts``."""
    return f"human labels of {plural(estimate.labelled, 'prompt')}"


def correction_lines(label: str, contrast: Contrast) -> Iterator[str]:
    """Yield each corrected difference of a contrast beside the judge's own, a line each."""
    rows: tuple[tuple[str, Estimate | None, CorrectedEstimate | None], ...] = (
        ("on the original prompts", contrast.gain_originals, contrast.corrected_gain_originals),
        ("on reworded ones", contrast.gain_variants, contrast.corrected_gain_variants),
        ("what rewording costs (difference)", contrast.did, contrast.corrected_did),
    )
    for where, judge, people in rows:
        if people is not None:
            yield (
                f"{label} {where}: by the judge {with_interval(judge, sign=True)}; corrected by"
                f" {human_labels(people)} {with_interval(people, sign=True)}"
                f" (those labels alone {with_interval(people.alone, sign=True)})."
            )
    first = contrast.corrected_gain_originals
    if first is not None:
        yield worth_of_judge(first)


def worth_of_judge(estimate: CorrectedEstimate) -> str:
    """Say how far the judge sees the difference that people see, and how many labels it saves."""
    r = estimate.correlation
    if r is None:
        return "Judge and people could not be compared on single prompts: one of them did not vary."
    text = f"Prompt by prompt the judge's difference correlates with people's by {figure(r, 2)}"
    if r < WEAK_JUDGE:
        return f"{text}: it adds next to nothing to the labels, and its own line misleads."
    saved = labels_worth(estimate)
    return f"{text}: the labels are worth {plural(saved, 'label')} without it."


def labels_worth(estimate: CorrectedEstimate) -> int:
    """Return how many labels alone would give the same error: ``n / (1 - r^2 (1 - n/N))``.

    From the variance of double sampling, see :func:`harness.stats.prediction_powered.half_width`.
    """
    r, n = estimate.correlation or 0.0, estimate.labelled
    return round(n / (1 - min(r * r, 0.99) * (1 - n / max(estimate.n, n))))
