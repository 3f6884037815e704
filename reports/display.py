"""Values as a reader sees them: figures with the digits their interval carries, texts made safe."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

from harness.analysis.estimates import Estimate, Interval, MissingScores
from harness.records import Dimension, Edit, Sample, Variant
from harness.util.formatting import MINUS, decimals, figure

MISSING_SHOWN = 0.10

# C0 but tab and newline, C1, bidirectional controls, line and paragraph separators, zero-width
# spaces, surrogates. The zero-width joiner stays: emoji are made with it.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def visible(text: str) -> str:
    """Write out every character that hides or reorders others, as ``⟨U+202E⟩``."""
    return _INVISIBLE.sub(lambda m: f"⟨U+{ord(m.group()):04X}⟩", text.replace("\r\n", "\n"))


def clipped(text: str, most: int) -> str:
    """Cut to at most ``most`` characters, with a mark where something was left out."""
    return text if len(text) <= most else text[: most - 1].rstrip() + " …"


def highlighted(original: str, edits: Sequence[Edit]) -> tuple[Markup, Markup]:
    """Return the original and the variant as HTML, with removed and added text marked.

    Edits that lie outside the text are skipped: the record is shown, not trusted.
    """
    before, after, at = Markup(), Markup(), 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        if edit.start < at or edit.end < edit.start or edit.end > len(original):
            continue
        same = escape(visible(original[at : edit.start]))
        removed, added = original[edit.start : edit.end], edit.text
        before += same + (_tag("del", removed) if removed else Markup())
        after += same + (_tag("ins", added) if added else Markup())
        at = edit.end
    rest = escape(visible(original[at:]))
    return before + rest, after + rest


def highlighted_conversation(sample: Sample, variant: Variant) -> tuple[Markup, Markup]:
    """Return the changed turns before and after, as HTML; several stand below each other."""
    changed = variant.edits_by_turn or {len(sample.messages) - 1: ()}
    pairs = [highlighted(sample.messages[i].content, e) for i, e in sorted(changed.items())]
    gap = Markup("\n\n⋯\n\n")
    return gap.join(before for before, _ in pairs), gap.join(after for _, after in pairs)


def _tag(name: str, text: str) -> Markup:
    return Markup("<{0}>{1}</{0}>").format(Markup(name), visible(text))


def mean_text(estimate: Interval, sign: bool = False) -> str:
    """Format a mean with the digits that its interval carries."""
    return figure(estimate.mean, _digits(estimate), sign=sign)


def interval_text(estimate: Interval) -> str:
    """Format an interval as ``[0.25, 0.60]``; empty where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    digits = _digits(estimate)
    return f"[{figure(estimate.low, digits)}, {figure(estimate.high, digits)}]"


def _digits(estimate: Interval) -> int:
    low, high = estimate.low, estimate.high
    return 2 if low is None or high is None else decimals(high - low)


def p_value(estimate: Estimate | None) -> str:
    """Format an adjusted p-value as ``0.03`` or ``< 0.001``."""
    p = estimate.p_holm if estimate else None
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def detectable(estimate: Estimate | None) -> str:
    """Format the smallest detectable effect as ``±0.06``."""
    effect = estimate.mde if estimate else None
    return "–" if effect is None else f"±{figure(effect, decimals(2 * effect))}"


def missing_note(variants: MissingScores, originals: MissingScores) -> str:
    """Return `` (12% missing)`` where enough scores are missing to matter."""
    share = max(variants.share or 0, originals.share or 0)
    return f" ({figure(100 * share, 0)}% missing)" if share > MISSING_SHOWN else ""


def sort_key(value: float | None) -> str:
    """Return what a table sorts a figure by; empty where there is none."""
    return "" if value is None else repr(value)


def scale_text(dimension: Dimension) -> str:
    """Format a scale as ``1 to 5``."""
    low, high = (f"{end:g}".replace("-", MINUS) for end in (dimension.low, dimension.high))
    return f"{low} to {high}"


def percent_text(share: float | None, digits: int = 0) -> str:
    """Format a share as ``60%``."""
    return "–" if share is None else f"{figure(100 * share, digits)}%"


def count_text(count: int) -> str:
    """Format a count as ``1,024``."""
    return f"{count:,}"


def score_text(value: float) -> str:
    """Format one score as it was given: ``4``, ``0.713``."""
    return figure(value, 0) if value == round(value) else figure(value, 3)


HELPERS: dict[str, Callable[..., str]] = {
    helper.__name__: helper
    for helper in (
        *(mean_text, interval_text, p_value, detectable, missing_note, sort_key),
        *(scale_text, percent_text, count_text, score_text, figure),
    )
}
"""Functions that every template may call."""
