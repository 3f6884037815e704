"""A preview of variants: a table by kind, and a page with the differences highlighted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup, escape

from harness.records import IDENTITY, ORIGINAL, Edit, Sample, Variant
from harness.util.formatting import plural
from harness.variants.slots import SHORTFALL

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


_HEADER = ("kind", "tried", "applicable", "accepted", "edits", "cosine", "5th %", "rejected by")
_PAGE_HEADER = (*_HEADER[:4], "mean edits", "mean cosine", "5th percentile", _HEADER[-1])


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
        check
        for v in group
        if (check := (v.reason or "").partition(":")[0])
        and (v.status in ("rejected", "unchanged") or check == "danger")
    )
    return KindRow(
        name=name,
        tried=len(group),
        applicable=sum(v.status != "inapplicable" for v in group),
        accepted=len(accepted),
        reasons=tuple(reasons.most_common()),
        edits=sum(map(_edit_count, accepted)) / len(accepted) if accepted else 0.0,
        similarity=sum(cosines) / len(cosines) if cosines else None,
        lowest=cosines[int(0.05 * (len(cosines) - 1))] if cosines else None,
    )


def _edit_count(variant: Variant) -> int:
    return sum(map(len, variant.edits_by_turn.values()))


def format_table(rows: Sequence[KindRow]) -> str:
    """Return the table as aligned text."""
    cells = [_HEADER, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
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


def highlighted(raw: str, edits: Sequence[Edit]) -> Markup:
    """Return ``raw`` with edits as ``<del>`` and ``<ins>``, as HTML."""
    page, at = Markup(), 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        page += escape(raw[at : edit.start])
        if edit.end > edit.start:
            page += Markup("<del>{}</del>").format(raw[edit.start : edit.end])
        if edit.text:
            page += Markup("<ins>{}</ins>").format(edit.text)
        at = edit.end
    return page + escape(raw[at:])


def highlighted_turns(sample: Sample, variant: Variant) -> list[tuple[str, Markup]]:
    """Return the turns that a variant changed, each with its name and its edits marked.

    The last turn alone has no name; where nothing changed it is shown as it stands.
    """
    last = len(sample.messages) - 1
    changed = variant.edits_by_turn or {last: ()}
    return [
        (
            "" if set(changed) == {last} else turn_name(sample, i),
            highlighted(sample.messages[i].content, edits),
        )
        for i, edits in sorted(changed.items())
    ]


def turn_name(sample: Sample, index: int) -> str:
    """Return ``user, turn 2``, counted over the turns of that role."""
    role = sample.messages[index].role
    number = sum(message.role == role for message in sample.messages[: index + 1])
    return f"{role}, turn {number}"


def write_page(path: Path, samples: Sequence[Sample], variants: Sequence[Variant]) -> Path:
    """Write one self-contained HTML page: the table, then every prompt with its variants.

    Returns:
        ``path``, whose folder must exist.
    """
    source = files("harness.variants").joinpath("preview.html.j2").read_text(encoding="utf-8")
    by_sample: dict[str, list[Variant]] = {sample.id: [] for sample in samples}
    for variant in variants:
        if variant.perturbation != ORIGINAL:
            by_sample[variant.sample_id].append(variant)
    page = Environment(autoescape=True, keep_trailing_newline=True).from_string(source)
    html = page.render(
        samples=[(sample, by_sample[sample.id]) for sample in samples],
        kinds=sorted({v.perturbation for v in variants} - {*_NOT_KINDS}),
        header=_PAGE_HEADER,
        rows=[_cells(row) for row in table(variants)],
        notes=_notes,
        highlighted_turns=highlighted_turns,
        turn_name=turn_name,
    )
    path.write_text(html, encoding="utf-8")
    return path


def _notes(variant: Variant) -> str:
    if variant.perturbation == IDENTITY:
        return "asked again unchanged"
    notes = [variant.severity, f"replicate {variant.replicate}"]
    if variant.filler:
        notes.append("fills up")
    if variant.similarity is not None:
        notes.append(f"cosine {variant.similarity:.2f}")
    if variant.untouched:
        notes.append(f"{plural(len(variant.untouched), 'turn')} left as before")
    return ", ".join(notes)
