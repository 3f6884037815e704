"""Data and noise: the audit, the variants that were made, and the noise floor."""

from __future__ import annotations

from harness.analysis import ALL
from harness.analysis.summary_schema import SubjectNoise, Summary
from harness.records import IDENTITY, ORIGINAL
from harness.util.formatting import figure, listing
from reports.display import interval_text, mean_text
from reports.rows import label_of
from reports.sections.section import PageData, PageSection


def noise_lines(summary: Summary) -> list[str]:
    """Say what repeating the same prompt changed, a line a subject."""
    if summary.noise is None:
        return [
            f"Not measured: the suite does not have the kind “{IDENTITY}”, which repeats the"
            " unchanged prompt."
        ]
    return [_noise_line(summary, noise) for noise in summary.noise.subjects]


def _noise_line(summary: Summary, noise: SubjectNoise) -> str:
    if noise.zero_by_construction:
        return (
            f"{noise.subject}: zero by construction; it answers greedily in fp32, so the same"
            " prompt gives the same answer."
        )
    if not noise.repeated:
        return f"{noise.subject}: no prompt was answered twice."
    changes = [
        f"{label_of(summary, change.measure)} by {mean_text(change, sign=True)}"
        f" {interval_text(change)}"
        for change in noise.changes
    ]
    share = figure(100 * (noise.identical or 0), 0)
    return (
        f"{noise.subject}: of {noise.repeated} prompts repeated unchanged, {share}% got an"
        f" identical answer; repeating changed {listing(changes or ['no measure'])}."
    )


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    summary = page.summary
    measures = summary.headline.measures
    leaked = (row for row in summary.contrasts if row.scope != "all" and row.kind == ALL)
    gaps = (row for row in summary.leak_gaps if row.kind in (ORIGINAL, ALL))
    return {
        "leak_rows": [row for row in leaked if row.measure in measures],
        "leak_gaps": [row for row in gaps if row.measure in measures],
        "noise_lines": noise_lines(summary),
    }


SECTION = PageSection("audit", "Data and noise", "data_and_noise", context)
