"""A preview of variants: a table by kind, and a page with the differences highlighted."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.records import IDENTITY, ORIGINAL, Sample, Variant
from harness.variants.expand import SHORTFALL

_NOT_KINDS = (ORIGINAL, SHORTFALL)


@dataclass(frozen=True)
class KindRow:
    """Counts of one kind over all prompts.

    Attributes:
        name: The kind, with its severity.
        tried: Variants asked for.
        applicable: Those where the kind had something to propose.
        accepted: Those that passed the gate.
        reasons: Why the others did not, by the gate's check (``numbers``, ``similarity``), with counts.
        edits: Mean number of edits of an accepted variant.
        similarity: Mean cosine of the changed passages; None where it was not measured.
        lowest: The 5th percentile of that cosine.
    """

    name: str
    tried: int
    applicable: int
    accepted: int
    reasons: tuple[tuple[str, int], ...]
    edits: float
    similarity: float | None
    lowest: float | None


def table(variants: Sequence[Variant]) -> list[KindRow]:
    """Count variants by kind and severity, in order of first appearance."""
    groups: dict[tuple[str, str], list[Variant]] = {}
    for variant in variants:
        if variant.perturbation not in _NOT_KINDS:
            groups.setdefault((variant.perturbation, variant.severity), []).append(variant)
    return [_row(f"{name} ({severity})", group) for (name, severity), group in groups.items()]


def _row(name: str, group: Sequence[Variant]) -> KindRow:
    accepted = [v for v in group if v.status == "valid"]
    cosines = sorted(v.similarity for v in accepted if v.similarity is not None)
    reasons = Counter(
        (v.reason or "").partition(":")[0] for v in group if v.status in ("rejected", "unchanged")
    )
    return KindRow(
        name=name,
        tried=len(group),
        applicable=sum(v.status != "inapplicable" for v in group),
        accepted=len(accepted),
        reasons=tuple(reasons.most_common()),
        edits=sum(len(v.edits) for v in accepted) / len(accepted) if accepted else 0.0,
        similarity=sum(cosines) / len(cosines) if cosines else None,
        lowest=cosines[int(0.05 * (len(cosines) - 1))] if cosines else None,
    )


def format_table(rows: Sequence[KindRow]) -> str:
    """Return the table as aligned text."""
    header = ("kind", "tried", "applicable", "accepted", "edits", "cosine", "5th %", "rejected by")
    cells = [header] + [_cells(row) for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
    lines = []
    for line in cells:
        first, *numbers = line[:-1]
        padded = [first.ljust(widths[0])]
        padded += [n.rjust(w) for n, w in zip(numbers, widths[1:-1], strict=True)]
        lines.append("  ".join([*padded, line[-1]]).rstrip())
    return "\n".join(lines)


def _cells(row: KindRow) -> tuple[str, ...]:
    share = f"{row.applicable} ({row.applicable / row.tried:.0%})" if row.tried else "0"
    return (
        row.name,
        str(row.tried),
        share,
        str(row.accepted),
        f"{row.edits:.1f}",
        "" if row.similarity is None else f"{row.similarity:.2f}",
        "" if row.lowest is None else f"{row.lowest:.2f}",
        ", ".join(f"{reason} {count}" for reason, count in row.reasons),
    )


def highlighted(raw: str, variant: Variant) -> str:
    """Return ``raw`` with the variant's edits as ``<del>`` and ``<ins>``, as HTML."""
    parts: list[str] = []
    at = 0
    for edit in sorted(variant.edits, key=lambda e: (e.start, e.end)):
        parts.append(html.escape(raw[at : edit.start]))
        if edit.end > edit.start:
            parts.append(f"<del>{html.escape(raw[edit.start : edit.end])}</del>")
        if edit.text:
            parts.append(f"<ins>{html.escape(edit.text)}</ins>")
        at = edit.end
    parts.append(html.escape(raw[at:]))
    return "".join(parts)


def write_page(path: Path, samples: Sequence[Sample], variants: Sequence[Variant]) -> Path:
    """Write one self-contained HTML page: the table, then every prompt with its variants.

    Args:
        path: Where to; its folder must exist.
        samples: The prompts.
        variants: Their variants, as ``expand`` yields them.

    Returns:
        ``path``.
    """
    path.write_text("".join(_page(samples, variants)), encoding="utf-8")
    return path


def _page(samples: Sequence[Sample], variants: Sequence[Variant]) -> Iterator[str]:
    rows = table(variants)
    kinds = sorted({v.perturbation for v in variants if v.perturbation not in _NOT_KINDS})
    yield _HEAD
    yield f"<h1>Variants of {len(samples)} prompts</h1>\n"
    yield _html_table(rows)
    yield '<p class="filter">Show: '
    for kind in kinds:
        name = html.escape(kind)
        yield f'<label><input type="checkbox" checked value="{name}"> {name}</label> '
    yield '<label><input type="checkbox" checked value=":missing"> not made</label></p>\n'
    grouped: dict[str, list[Variant]] = {}
    for variant in variants:
        grouped.setdefault(variant.sample_id, []).append(variant)
    for sample in samples:
        yield from _prompt(sample, grouped.get(sample.id, []))
    yield _SCRIPT


def _html_table(rows: Sequence[KindRow]) -> str:
    header = "".join(
        f"<th>{name}</th>"
        for name in (
            "kind",
            "tried",
            "applicable",
            "accepted",
            "mean edits",
            "mean cosine",
            "5th percentile",
            "rejected by",
        )
    )
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(row)) + "</tr>\n"
        for row in rows
    )
    return f"<table><thead><tr>{header}</tr></thead><tbody>\n{body}</tbody></table>\n"


def _prompt(sample: Sample, variants: Sequence[Variant]) -> Iterator[str]:
    yield f'<section><h2>{html.escape(sample.id)}</h2><p class="text">'
    yield html.escape(sample.prompt) + "</p>\n"
    for variant in variants:
        if variant.perturbation == ORIGINAL:
            continue
        name = html.escape(variant.perturbation)
        if variant.status != "valid":
            reason = html.escape(f"{variant.status}: {variant.reason}")
            yield f'<p class="missing" data-kind=":missing"><b>{name}</b> {reason}</p>\n'
            continue
        notes = [variant.severity, f"replicate {variant.replicate}"]
        if variant.filler:
            notes.append("fills up")
        if variant.similarity is not None:
            notes.append(f"cosine {variant.similarity:.2f}")
        if variant.perturbation == IDENTITY:
            notes = ["asked again unchanged"]
        yield (
            f'<div data-kind="{name}"><p class="kind"><b>{name}</b> {", ".join(notes)}</p>'
            f'<p class="text">{highlighted(sample.prompt, variant)}</p></div>\n'
        )
    yield "</section>\n"


_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Variants</title>
<style>
:root { color-scheme: light dark; --line: #8884; --old: #c2410c; --new: #15803d; }
@media (prefers-color-scheme: dark) { :root { --old: #fdba74; --new: #86efac; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-size: .9rem; display: block; overflow-x: auto; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child, th:last-child, td:last-child { text-align: left; }
section { border-top: 1px solid var(--line); margin-top: 2rem; }
h2 { font-size: 1rem; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0; }
.kind, .missing { font-size: .85rem; margin: 1rem 0 0; opacity: .8; }
div[data-kind] .text { border-left: 3px solid var(--line); padding-left: .8rem; }
del { color: var(--old); background: #fb923c22; }
ins { color: var(--new); background: #4ade8033; text-decoration: none; font-weight: 600; }
.filter label { margin-right: 1rem; white-space: nowrap; }
</style></head><body>
"""

_SCRIPT = """<script>
for (const box of document.querySelectorAll(".filter input")) {
  box.addEventListener("change", () => {
    for (const item of document.querySelectorAll(`[data-kind="${CSS.escape(box.value)}"]`)) {
      item.hidden = !box.checked;
    }
  });
}
</script></body></html>
"""
