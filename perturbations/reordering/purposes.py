"""Purposes of what somebody should do, moved to the front."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.text.parse import Text
from perturbations.reordering.clauses import front
from perturbations.reordering.evidence import denied
from perturbations.reordering.moves import Move, lowered, requests, third_person

_LONGEST = 18


def purpose_questions(text: Text) -> Iterator[Move]:
    """Yield moves like "What should I do to lose weight?" → "To lose weight, what should I do?"."""
    for sentence in requests(text):
        first, root = sentence.tokens[0], sentence.root
        words = [t for t in sentence.tokens if not t.is_punct]
        if first.tag_ not in ("WP", "WRB", "WDT") or len(words) > _LONGEST:
            continue
        to = next((t for t in words if t.tag_ == "TO"), None)
        if (
            to is None
            or root.lemma_.lower() not in ("do", "use", "take", "eat", "buy")
            or to.head.tag_ != "VB"
            or to.head.head.i != root.i
            or to.i != root.i + 1
            or words[-1].i - to.i < 2
            or not {t.i for t in words if t.i >= to.i} <= {t.i for t in to.head.subtree}
            or third_person(words)
            or denied(words)
            or any(t.text == "," for t in sentence.tokens)
            or lowered(text, first, first.text)[0].isupper()
        ):
            continue
        move = front(text, sentence, to.idx, first)
        yield replace(move, moved=frozenset({to.lower_, to.head.lower_}))
