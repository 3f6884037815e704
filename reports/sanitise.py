"""Text from models and data sets, made safe to look at."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup, escape

from harness.records import Edit

# C0 but tab and newline, C1, bidirectional controls, line and paragraph separators, zero-width
# spaces, surrogates. The zero-width joiner stays: emoji are made with it.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def visible(text: str) -> str:
    """``text`` with every character that hides or reorders others written out as ``⟨U+202E⟩``."""
    return _INVISIBLE.sub(lambda m: f"⟨U+{ord(m.group()):04X}⟩", text.replace("\r\n", "\n"))


def clipped(text: str, most: int) -> str:
    """At most ``most`` characters, with a mark where something was left out."""
    return text if len(text) <= most else text[: most - 1].rstrip() + " …"


def highlighted(original: str, edits: Sequence[Edit]) -> tuple[Markup, Markup]:
    """The original and the variant as HTML, what was taken out and put in marked.

    Edits that lie outside the text are passed over: the record is shown, not trusted.
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


def _tag(name: str, text: str) -> Markup:
    return Markup("<{0}>{1}</{0}>").format(Markup(name), visible(text))
