"""The same request as a question, as an order, or as a statement of what is wanted."""

from __future__ import annotations

import random
from collections.abc import Sequence

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.edits import find_edits
from harness.text.parse import Text
from perturbations.layout import is_english
from perturbations.requests.forms import Rewording, confirmed, rewordings
from perturbations.requests.request_sentences import request_sentences, stands_out

_TRIES = 6


class QuestionForm:
    """Statement ↔ request ↔ direct question: "What should I do?" ↔ "Tell me what I should do.".

    One sentence changes, the one that asks; nothing that stands around it. Rhetorical questions,
    tags, quotations and questions that are material of a task stay.
    """

    traits = PerturbationTraits(
        description="a question, an order or a statement of what is wanted",
        version="1",
        # A prompt may be one short question, and the frame is longer than it: "Why?" has no frame,
        # "Define recursion." has one of five words. The frame is what brings "you", "me" and "I".
        limits=Limits(floor=0.65, words={"medium": 3.0}, exempt=frozenset({"pronouns"})),
        severities=("medium",),
    )

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where nothing is asked for in a form that can be changed."""
        if not is_english(text.raw):
            return None
        by_sentence = [forms for s in request_sentences(text) if (forms := rewordings(text, s))]
        rng.shuffle(by_sentence)
        tries = 0
        for forms in by_sentence:
            rng.shuffle(forms)
            for form in forms[:3]:
                if stands_out(text, form.sentence, form.words):
                    continue
                tries += 1
                edits = _edits(text, form)
                if edits and confirmed(form.sentence, form.words):
                    return edits
                if tries >= _TRIES:
                    return None
        return None


def _edits(text: Text, form: Rewording) -> list[Edit] | None:
    """Return the smallest edits that write the new form, or None if one is protected."""
    start, end = form.sentence.start, form.sentence.end
    edits = [
        Edit(start=start + e.start, end=start + e.end, text=e.text)
        for e in find_edits(text.raw[start:end], form.words)
    ]
    if any(text.is_protected(e.start, e.end) for e in edits):
        return None
    return edits
