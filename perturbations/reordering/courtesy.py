"""The word "please" at the other end of a short request."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import capitalised, end_of
from perturbations.reordering.moves import Move, Sentence, lowered, requests

_LONGEST = 10
_LONGEST_QUESTION = 14
_ASKING = re.compile(r"(?:can|could|would|will) you please ", re.IGNORECASE)
_ASKED = re.compile(r"(?:can|could|would|will) you ", re.IGNORECASE)


def please_moves(text: Text) -> Iterator[Move]:
    """Yield moves like "Please tell me more." ↔ "Tell me more, please."."""
    for sentence in requests(text):
        words = [t for t in sentence.tokens if not t.is_punct]
        asks = words and words[0].tag_ == "MD"
        if (
            not 3 <= len(words) <= (_LONGEST_QUESTION if asks else _LONGEST)
            or sum(t.lower_ == "please" for t in words) != 1
        ):
            continue
        move = _to_end(text, sentence) or _to_start(text, sentence)
        if move is not None:
            yield move


def _to_end(text: Text, sentence: Sentence) -> Move | None:
    """Return the move of an opening "please" to the end."""
    raw = text.raw[sentence.start : sentence.stop]
    if "," in raw or ":" in raw or text.raw[sentence.stop : sentence.end] == ":":
        return None
    first, second = sentence.tokens[:2]
    asked = _ASKING.match(raw)
    closing = Edit(start=sentence.stop, end=sentence.stop, text=", please")
    if asked and text.raw[sentence.stop : sentence.end] in ("?", ""):
        please = sentence.start + raw.lower().index("please")
        return sentence.move(Edit(start=please, end=please + len("please "), text=""), closing)
    if first.lower_ != "please" or second.tag_ not in ("VB", "VBP") or second.lower_ == "help":
        return None
    if text.raw[end_of(first) : second.idx] != " ":
        return None
    verb = capitalised(second.text) if first.text[0].isupper() else second.text
    return sentence.move(Edit(start=first.idx, end=end_of(second), text=verb), closing)


def _to_start(text: Text, sentence: Sentence) -> Move | None:
    """Return the move of a closing "please" to the start, or behind "could you"."""
    raw = text.raw[sentence.start : sentence.stop]
    first = sentence.tokens[0]
    asked = _ASKED.match(raw)
    closing = next((c for c in (", please", " please") if raw.endswith(c)), None)
    if closing is None or "," in raw[: -len(closing)] or (closing == " please" and not asked):
        return None
    gone = Edit(start=sentence.stop - len(closing), end=sentence.stop, text="")
    if asked:
        at = sentence.start + asked.end()
        return sentence.move(Edit(start=at, end=at, text="please "), gone)
    if first.tag_ != "VB" or first.i != sentence.root.i:
        return None
    please = "Please" if first.text[0].isupper() else "please"
    opening = f"{please} {lowered(text, first, first.text)}"
    return sentence.move(Edit(start=first.idx, end=end_of(first), text=opening), gone)
