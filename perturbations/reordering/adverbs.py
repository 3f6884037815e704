"""Adverbials and short phrases moved to the other end of their sentence, or to its verb."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import capitalised, end_of, lexicon_lines, token_edit, word_set
from perturbations.reordering.clauses import EMBEDDED, back, coordinated, front, last_main
from perturbations.reordering.evidence import denied, surely_noun
from perturbations.reordering.moves import (
    SUBJECTS,
    Move,
    Sentence,
    lowered,
    prose,
    third_person,
)

_DOSE = re.compile(
    r"\b\d[\d.,/]*\s?(?:mgs?|mcgs?|µg|ug|g|grams?|milligrams?|micrograms?|ml|mls|cc|iu|units?|tablets?|tabs?"
    r"|pills?|capsules?|drops?|puffs?|doses?)\b|\b(?:dos(?:e|age)|times) (?:a|per|every|each)\b",
    re.IGNORECASE,
)
"""How much of something, with which the time after it says how often."""

_MOST_PHRASES = 2
"""With more phrases behind the verb, a time at the end may be taken for the last one's."""

_STAYING = frozenset({"in", "at", "within"})
"""Openings of phrases, of place and of habit, that sound stiff in front: "In the morning, I ..."."""

_AGAINST = frozenset(("but", "while"))
_PLACING = frozenset(
    {"in", "at", "on", "during", "over", "after", "before", "throughout", "around"}
)


@lru_cache(maxsize=1)
def _adverbial() -> re.Pattern[str]:
    """Return the pattern of adverbials of time that may stand at either end of a sentence."""
    return re.compile("|".join(f"(?:{p})" for p in lexicon_lines("adverbials.txt")), re.IGNORECASE)


def adverbials(text: Text) -> Iterator[Move]:
    """Yield moves like "I lost my job last month." ↔ "Last month, I lost my job."."""
    for sentence in prose(text, ".!"):
        move = (
            _final_adverbial(text, sentence)
            or _initial_adverbial(text, sentence)
            or _opening_phrase(text, sentence)
        )
        if move is not None:
            yield move


def adverb_shifts(text: Text) -> Iterator[Move]:
    """Yield moves like "I recently found out ..." ↔ "Recently, I found out ..."."""
    for sentence in prose(text, ".!"):
        yield from _shift_to_front(text, sentence)
        yield from _shift_to_verb(text, sentence)


def _shift_to_front(text: Text, sentence: Sentence) -> Iterator[Move]:
    first = sentence.tokens[0]
    subject = _subject(sentence, first)
    if subject is None:
        return
    rest = [t for t in sentence.tokens if t.i > subject.i]
    if len(rest) < 4:
        return
    adverb = rest[0] if rest[0].pos_ == "ADV" else rest[1]
    before_verb = rest[0].i == adverb.i or rest[0].lemma_ in ("be", "have")
    if (
        adverb.lower_ not in word_set("movable_adverbs.txt")
        or not before_verb
        or adverb.head.i != sentence.root.i
        or any(c.i != adverb.i and not c.is_space for c in adverb.subtree)
        or _contrasts(sentence, adverb)
        or text.raw[adverb.idx - 1] != " "
        or text.raw[end_of(adverb)] != " "
    ):
        return
    moved = capitalised(adverb.text) if text.raw[first.idx].isupper() else adverb.text
    yield sentence.move(
        token_edit(first, f"{moved}, {lowered(text, first, first.text)}"),
        Edit(start=adverb.idx, end=end_of(adverb) + 1, text=""),
    )


def _shift_to_verb(text: Text, sentence: Sentence) -> Iterator[Move]:
    adverb, *rest = sentence.tokens
    if adverb.lower_ not in word_set("movable_adverbs.txt") or adverb.lower_ == "honestly":
        return
    if _contrasts(sentence, adverb):
        return
    if rest and rest[0].text == ",":
        rest = rest[1:]
    subject = _subject(sentence, rest[0]) if rest else None
    if subject is None or len(rest) < 4 + subject.i - rest[0].i:
        return
    verb, after = (t for t in rest if subject.i < t.i <= subject.i + 2)
    if verb.tag_ not in ("VBP", "VBZ", "VBD") or (verb.tag_ == "VBD" and adverb.lower_ == "now"):
        return
    if after.lower_ in ("not", "n't", "n’t", "to", "just"):
        return
    auxiliary = verb.lemma_ in ("be", "have") or verb.dep_ in ("aux", "auxpass")
    if not auxiliary and (verb.lemma_ == "do" or verb.i != sentence.root.i):
        return
    if after.pos_ in ("SCONJ", "CCONJ", "PUNCT") or after.lower_ in ("because", "and", "or"):
        return
    at = after.idx if auxiliary else verb.idx
    if text.raw[at - 1] != " " or (verb.lemma_ == "have" and verb.dep_ != "aux"):
        return
    opening = rest[0].text
    opening = capitalised(opening) if text.raw[adverb.idx].isupper() else opening
    yield sentence.move(
        Edit(start=adverb.idx, end=end_of(rest[0]), text=opening),
        Edit(start=at, end=at, text=adverb.text.lower() + " "),
    )


def _subject(sentence: Sentence, first: Any) -> Any | None:
    """Return the head of the subject that starts with a token: "I", "My best friend"."""
    subject = next(
        (c for c in sentence.root.children if c.dep_ in ("nsubj", "nsubjpass")),
        None,
    )
    if subject is None or subject.left_edge.i != first.i or subject.right_edge.i != subject.i:
        return None
    short = subject.tag_ == "PRP" or (first.tag_ in ("PRP$", "DT") and subject.i - first.i <= 2)
    return subject if short else None


def _contrasts(sentence: Sentence, adverb: Any) -> bool:
    """Return whether an adverb at the front may reach over, or stand against, a further clause."""
    joined = [c for c in sentence.root.children if c.dep_ in ("conj", "parataxis")]
    point = adverb.lower_ == "now" or adverb.lower_ in word_set("point_adverbs.txt")
    shared = all(SUBJECTS.isdisjoint(c.dep_ for c in verb.children) for verb in joined)
    apart = point or (shared and not any(verb.dep_ == "parataxis" for verb in joined))
    against = frozenset(("then", "other", "others", "just")) | (frozenset() if point else _AGAINST)
    return (
        (bool(joined) and not apart)
        or denied([t for t in sentence.tokens if not joined or t.i < joined[0].left_edge.i])
        or not against.isdisjoint(t.lower_ for t in sentence.tokens)
        or sum(t.lower_ in word_set("movable_adverbs.txt") for t in sentence.tokens) > 1
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


def _joined(sentence: Sentence) -> bool:
    """Return whether a sentence has several main clauses, or links to the one before."""
    root = sentence.root
    return (
        any(c.dep_ in ("conj", "parataxis") and c.pos_ in ("VERB", "AUX") for c in root.children)
        or sentence.tokens[0].pos_ == "CCONJ"
        or any(t.dep_ in ("advcl", "relcl") for t in sentence.tokens)
    )


def _final_adverbial(text: Text, sentence: Sentence) -> Move | None:
    raw = text.raw[sentence.start : sentence.stop]
    match = next((m for m in _adverbial().finditer(raw) if m.end() == len(raw)), None)
    if match is None or not raw[: match.start()].endswith(" "):
        return None
    at = sentence.start + match.start()
    inside = [t for t in sentence.tokens if at <= t.idx < sentence.stop]
    heads = {t.head for t in inside if t.head not in inside}
    if len(heads) != 1:
        return None
    (head,) = heads
    if head.i == sentence.root.i and not coordinated(sentence):
        main = [t for t in sentence.tokens if t.idx < at]
    else:
        main = [t for t in last_main(sentence, head) if t.idx < at]
    if (
        len(main) < (8 if inside[0].lower_ == "for" else 3)
        or inside[0].lower_ in _STAYING
        or not text.raw[sentence.start].isalpha()
        or main[0].tag_ in ("WRB", "WP", "WDT", "MD", "VB")
        or main[-1].lower_ in word_set("focus.txt")
        or main[-1].pos_ in ("ADV", "ADP", "AUX")
        or denied(sentence.tokens)
        or _DOSE.search(raw)
        or third_person(t for t in inside if t.dep_ != "det")
        or any(t.text == "," for t in main)
        or _adverbial().search(text.raw[main[0].idx : at]) is not None
        or main[-1].is_punct
        or any(t.lower_ == "just" for t in main)  # "I just met him a month ago": only a month ago
        or _embeds(main, head)
    ):
        return None
    return replace(front(text, sentence, at, main[0]), moved=_words(inside))


def _initial_adverbial(text: Text, sentence: Sentence) -> Move | None:
    raw = text.raw[sentence.start : sentence.stop]
    match = _adverbial().match(raw)
    if not match or coordinated(sentence):
        return None
    if raw[match.end() : match.end() + 2] != ", " and not _subject_follows(sentence, match.end()):
        return None
    end = sentence.start + match.end()
    inside = [t for t in sentence.tokens if t.idx < end]
    rest = [t for t in sentence.tokens if t.idx > end and not t.is_punct]
    if sum(t.dep_ == "prep" for t in rest) > _MOST_PHRASES:
        return None
    if len(rest) < 3 or rest[0].pos_ == "CCONJ" or len(raw) > 160 or _embeds(rest, sentence.root):
        return None
    if denied(rest) or raw.count(",") > 1 or rest[-1].pos_ in ("ADV", "ADP", "AUX", "PRON"):
        return None
    if rest[0].dep_ not in ("nsubj", "nsubjpass", "det", "poss") or third_person(
        t for t in inside if t.dep_ != "det"
    ):
        return None
    if _adverbial().search(text.raw[end : sentence.stop]) is not None:
        return None
    return replace(back(text, sentence, inside[0], inside[-1], rest[0]), moved=_words(inside))


def _opening_phrase(text: Text, sentence: Sentence) -> Move | None:
    """Return the move to the end of a phrase of place or time: "In crowds, I get nervous."."""
    prep = sentence.tokens[0]
    inside = [t for t in prep.subtree if not t.is_space]
    rest = [t for t in sentence.tokens if t.i > inside[-1].i and not t.is_punct]
    things = [t for t in inside if t.dep_ == "pobj"]
    if (
        prep.lower_ not in _PLACING
        or prep.dep_ != "prep"
        or prep.head.i != sentence.root.i
        or coordinated_beyond(sentence, prep)
        or not 2 <= len(inside) <= 7
        or len(things) != 1
        or not surely_noun(things[0])
        or things[0].lower_ in word_set("discourse_nouns.txt")
        or text.raw[end_of(inside[-1]) : end_of(inside[-1]) + 2] != ", "
        or not 3 <= len(rest) <= 14
        or rest[0].dep_ not in ("nsubj", "nsubjpass", "det", "poss")
        or any(t.text == "," for t in sentence.tokens if t.i > rest[0].i)
        or _embeds(rest, sentence.root)
        or denied(sentence.tokens)
        or third_person(sentence.tokens)
        or rest[-1].pos_ in ("ADV", "ADP", "AUX", "PRON")
        or any(t.dep_ in ("prep", "npadvmod") and t.head.i == sentence.root.i for t in rest)
    ):
        return None
    return replace(back(text, sentence, prep, inside[-1], rest[0]), moved=_words(inside))


def coordinated_beyond(sentence: Sentence, prep: Any) -> bool:
    """Return whether several main clauses forbid moves, whatever links the first word may make."""
    root = sentence.root
    return (
        any(c.dep_ in ("conj", "cc") for c in root.children)
        or root.pos_ not in ("VERB", "AUX")
        or prep.i != sentence.tokens[0].i
    )


def _words(tokens: list[Any]) -> frozenset[str]:
    return frozenset(t.lower_ for t in tokens)


def _subject_follows(sentence: Sentence, length: int) -> bool:
    """Return whether the subject, a pronoun, comes right behind: "Yesterday I lost it"."""
    following = next((t for t in sentence.tokens if t.idx == sentence.start + length + 1), None)
    return (
        following is not None
        and following.tag_ == "PRP"
        and following.dep_ in ("nsubj", "nsubjpass")
        and following.head.i == sentence.root.i
    )


def _embeds(tokens: list[Any], head: Any) -> bool:
    """Return whether a further clause among ``tokens`` might claim what is moved past it."""
    return any(t.dep_ in EMBEDDED or t.dep_ == "xcomp" for t in tokens if t.i != head.i)


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
