"""Comments and reporting clauses moved to the other end of their sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import capitalised, end_of, token_edit, word_set
from perturbations.reordering.clauses import back, coordinated, front
from perturbations.reordering.evidence import denied
from perturbations.reordering.moves import (
    Move,
    Sentence,
    lowered,
    prose,
)


@lru_cache(maxsize=1)
def _comment() -> re.Pattern[str]:
    """Return the pattern of comments that stand at either end of a sentence, with a comma."""
    listed = "|".join(re.escape(p) for p in sorted(word_set("comments.txt"), key=len, reverse=True))
    return re.compile(rf"(?:{listed})(?!\w)", re.IGNORECASE)


def comments(text: Text) -> Iterator[Move]:
    """Yield moves like "Unfortunately, I failed." ↔ "I failed, unfortunately."."""
    for sentence in prose(text, ".!"):
        raw = text.raw[sentence.start : sentence.stop]
        words = [t for t in sentence.tokens if not t.is_punct]
        if raw.count(",") != 1 or not 4 <= len(words) <= 12 or _joined(sentence):
            continue
        match = _comment().match(raw)
        if match and raw[match.end() : match.end() + 2] == ", ":
            end = sentence.start + match.end()
            inside = [t for t in sentence.tokens if t.idx < end]
            rest = [t for t in sentence.tokens if t.idx > end and not t.is_punct]
            if rest[0].pos_ in ("PRON", "DET", "NOUN", "PROPN") and rest[0].dep_ != "dobj":
                opening, closing = back(text, sentence, inside[0], inside[-1], rest[0]).edits
                closing = closing.model_copy(update={"text": f",{closing.text}"})
                yield sentence.move(opening, closing, moved=inside)
            continue
        start = raw.rindex(",") + 2
        match = _comment().fullmatch(raw, start)
        if match:
            inside = [t for t in sentence.tokens if t.idx >= sentence.start + start]
            move = front(text, sentence, sentence.start + start, sentence.tokens[0])
            yield sentence.move(*move.edits, moved=inside)


_TYING = frozenset({"however", "therefore", "for example", "for instance"})
_LONGEST_SUBJECT = 4  # words


def parentheses(text: Text) -> Iterator[Move]:
    """Yield moves like "However, the dog barked." ↔ "The dog, however, barked."."""
    for sentence in prose(text, ".!"):
        root = sentence.root
        subject = next((c for c in root.children if c.dep_ in ("nsubj", "nsubjpass")), None)
        if subject is None or subject.pos_ != "NOUN" or subject.right_edge.i != subject.i:
            continue
        words = [t for t in sentence.tokens if subject.left_edge.i <= t.i <= subject.i]
        if subject.i >= sentence.tokens[-1].i:
            continue
        after = sentence.root.doc[subject.i + 1]
        if len(words) > _LONGEST_SUBJECT or (
            after.head.i not in (after.i, root.i) and not after.is_punct
        ):
            continue
        raw = text.raw[sentence.start : words[0].idx]
        if raw[-2:] == ", " and raw[:-2].lower() in _TYING and not after.is_punct:
            opening = words[0].text
            opening = capitalised(opening) if raw[0].isupper() else opening
            place = end_of(subject)
            yield sentence.move(
                Edit(start=sentence.start, end=end_of(words[0]), text=opening),
                Edit(start=place, end=place, text=f", {raw[:-2].lower()},"),
                moved=[t for t in sentence.tokens if t.i < words[0].i],
            )
        elif words[0].i == sentence.tokens[0].i and after.text == ",":
            yield from _out_of_commas(text, sentence, subject)


def _out_of_commas(text: Text, sentence: Sentence, subject: Any) -> Iterator[Move]:
    """Yield the move of a "however" between commas behind the subject to the front."""
    start = end_of(subject)
    tail = text.raw[start : sentence.stop].lower()
    tie = next((t for t in _TYING if tail.startswith(f", {t}, ")), None)
    first = sentence.tokens[0]
    if tie is None:
        return
    end = start + len(f", {tie},")
    opening = capitalised(tie) if first.text[0].isupper() else tie
    yield sentence.move(
        token_edit(first, f"{opening}, {lowered(text, first, first.text)}"),
        Edit(start=start, end=end, text=""),
        moved=[t for t in sentence.tokens if start <= t.idx < end],
    )


def _joined(sentence: Sentence) -> bool:
    """Return whether a sentence has several main clauses, or links to the one before."""
    root = sentence.root
    return (
        any(c.dep_ in ("conj", "parataxis") and c.pos_ in ("VERB", "AUX") for c in root.children)
        or sentence.tokens[0].pos_ == "CCONJ"
        or any(t.dep_ in ("advcl", "relcl") for t in sentence.tokens)
    )


def reporting_clauses(text: Text) -> Iterator[Move]:
    """Yield moves like "I think it is time to go." → "It is time to go, I think."."""
    for sentence in prose(text, "."):
        if coordinated(sentence) or len(sentence.tokens) < 5:
            continue
        subject, verb, *rest = sentence.tokens
        words = [t for t in rest if not t.is_punct]
        if (
            verb.i != sentence.root.i
            or subject.lower_ not in ("i", "we")  # "it is, he says" may pass for the writer's word
            or verb.lower_ not in word_set("reporting_verbs.txt")
            or not 4 <= len(words) <= 14
            or denied(words)
            or any(t.text == "," for t in sentence.tokens)
            or words[0].head.i == verb.i
            or words[0].dep_ == "mark"
            or (words[0].text == "I" and subject.text != "I")
            or words[0].tag_ not in ("PRP", "PRP$", "DT", "EX")
            or [c.dep_ for c in verb.rights if not c.is_punct] != ["ccomp"]
            or any(t.dep_ in ("conj", "advcl", "cc") and t.pos_ in ("VERB", "AUX") for t in words)
        ):
            continue
        clause = lowered(text, subject, text.raw[subject.idx : end_of(verb)])
        opening = words[0].text
        if text.raw[sentence.start].isupper():
            opening = capitalised(opening)
        yield sentence.move(
            Edit(start=subject.idx, end=end_of(words[0]), text=opening),
            Edit(start=sentence.stop, end=sentence.stop, text=f", {clause}"),
        )
