"""Adverbial clauses and adverbials moved to the other end of their sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from harness.records import Edit
from perturbations.common import capitalised, lexicon_lines, word_set
from perturbations.moves import (
    Move,
    Sentence,
    contiguous,
    has_noun,
    lowered,
    parsed_sentences,
    plain,
    refers_back,
    third_person,
)

if TYPE_CHECKING:
    from harness.text import Text

_MARKS = frozenset(
    {
        "because",
        "since",
        "although",
        "though",
        "when",
        "whenever",
        "if",
        "after",
        "before",
        "while",
        "once",
    }
)
_EMBEDDED = frozenset({"ccomp", "advcl", "relcl", "acl", "conj", "parataxis", "csubj"})


def clause_moves(text: Text) -> Iterator[Move]:
    """Moves like "Y because X." ↔ "Because X, Y."."""
    for sentence in parsed_sentences(text):
        if not plain(text, sentence):
            continue
        for clause in (t for t in sentence.tokens if t.dep_ == "advcl"):
            move = _clause_move(text, sentence, clause)
            if move is not None:
                yield move


def _clause_move(text: Text, sentence: Sentence, clause: Any) -> Move | None:
    """The move of one clause, within the sentence or within its last main clause."""
    tokens = [t for t in clause.subtree if not t.is_space]
    head = clause.head
    if not contiguous(tokens) or not _marked(tokens) or any(t.text == "," for t in tokens):
        return None
    main = _main_clause(sentence, head)
    rest = [t for t in main if t not in tokens and not t.is_punct]
    if not rest or any(t.dep_ in _EMBEDDED for t in rest if t is not clause and t.i != head.i):
        return None
    if tokens[0].i > rest[-1].i:
        return _to_front(text, sentence, tokens, rest, head)
    if tokens[-1].i < rest[0].i and tokens[0].i == sentence.tokens[0].i:
        return _to_end(text, sentence, tokens, rest)
    return None


def _main_clause(sentence: Sentence, head: Any) -> list[Any]:
    """The tokens that ``head`` governs if it heads the sentence, or its last main clause."""
    subject = any(c.dep_ in ("nsubj", "nsubjpass", "expl") for c in head.children)
    if head.pos_ not in ("VERB", "AUX") or not subject:
        return []
    if head.dep_ == "ROOT":
        return [] if _coordinated(sentence) else list(sentence.tokens)
    joined = head.dep_ == "conj" and head.head.dep_ == "ROOT"
    if not joined or any(c.dep_ in ("conj", "cc") for c in head.children):
        return []
    own = [t for t in head.subtree if not t.is_space]
    before = own[0].nbor(-1) if own[0].i else own[0]
    ends = own[-1].i >= max(t.i for t in sentence.tokens if not t.is_punct)
    return own if ends and before.dep_ == "cc" and contiguous(own) else []


def _coordinated(sentence: Sentence) -> bool:
    root = sentence.root
    opens = sentence.tokens[0]
    return (
        any(c.dep_ in ("conj", "cc") for c in root.children)
        or opens.pos_ == "CCONJ"
        or opens.lower_ in word_set("connectives.txt") - _MARKS
        or root.pos_ not in ("VERB", "AUX")
        or not any(c.dep_ in ("nsubj", "nsubjpass", "expl") for c in root.children)
    )


def _marked(tokens: list[Any]) -> bool:
    """Starts with a conjunction that may stand at either end, and has its own subject and verb."""
    first = tokens[0]
    if first.lower_ == "even":
        first = tokens[1] if len(tokens) > 1 and tokens[1].lower_ == "though" else first
    elif first.lower_ == "ever":
        first = tokens[1] if len(tokens) > 1 and tokens[1].lower_ == "since" else first
    return (
        first.lower_ in _MARKS
        and len(tokens) >= 3
        and any(t.dep_ in ("nsubj", "nsubjpass", "expl") for t in tokens)
    )


def _to_front(
    text: Text, sentence: Sentence, clause: list[Any], rest: list[Any], head: Any
) -> Move | None:
    mark = clause[0].lower_
    causal = mark in ("because", "since")
    negated = any(t.dep_ == "neg" for t in rest)
    if (
        rest[-1].lower_ in word_set("focus.txt")
        or any(t.lower_ in ("only", "just") for t in rest)
        or head.lemma_.lower() in word_set("clause_takers.txt")
        or (causal and (negated or sentence.closes_with(text) == "?"))
        or (third_person(clause) and has_noun(rest))
        or (head.lemma_ == "be" and not any(c.dep_ in ("acomp", "attr") for c in head.children))
        or (rest[0].tag_ in ("WDT", "WP", "WRB") and (causal or mark in ("although", "though")))
        or clause[-1].tag_ == "TO"
    ):
        return None
    return _front(text, sentence, clause[0].idx, rest[0])


def _to_end(text: Text, sentence: Sentence, clause: list[Any], rest: list[Any]) -> Move | None:
    gap = text.raw[clause[-1].idx + len(clause[-1].text) : rest[0].idx]
    negated = any(t.dep_ == "neg" for t in rest)
    mark = clause[0].lower_
    unmarked = gap == " " and rest[0].tag_ in ("PRP", "PRP$", "WRB", "WP", "MD")
    if (
        (gap.strip() != "," and not unmarked)
        or (third_person(rest) and has_noun(clause))
        or rest[0].lower_ in ("then", "so")
        or (mark in ("because", "since") and negated)
        or (mark in ("although", "though", "even") and sentence.closes_with(text) == "?")
    ):
        return None
    return _back(text, sentence, clause[0], clause[-1], rest[0])


def _front(text: Text, sentence: Sentence, at: int, first: Any) -> Move:
    """What runs from ``at`` to the closing punctuation goes before ``first``, with a comma."""
    raw = text.raw
    main_end = len(raw[:at].rstrip().rstrip(",").rstrip())
    moved, opening = raw[at : sentence.stop], first.text
    if first.idx == sentence.start:
        moved = capitalised(moved) if raw[first.idx].isupper() else moved
        opening = lowered(text, first, first.text)
    edits = (
        Edit(start=first.idx, end=first.idx + len(first.text), text=f"{moved}, {opening}"),
        Edit(start=main_end, end=sentence.stop, text=""),
    )
    return Move(edits, ((sentence.start, sentence.end),))


def _back(text: Text, sentence: Sentence, first: Any, last: Any, main: Any) -> Move:
    """What runs from ``first`` to ``last`` goes to the end, without the comma after it."""
    raw = text.raw
    moved = lowered(text, first, raw[first.idx : last.idx + len(last.text)])
    opening = main.text if not raw[sentence.start].isupper() else capitalised(main.text)
    edits = (
        Edit(start=sentence.start, end=main.idx + len(main.text), text=opening),
        Edit(start=sentence.stop, end=sentence.stop, text=f" {moved}"),
    )
    return Move(edits, ((sentence.start, sentence.end),))


@lru_cache(maxsize=1)
def _adverbial() -> re.Pattern[str]:
    """Adverbials of time that may stand at either end, one pattern a line of the lexicon."""
    return re.compile("|".join(f"(?:{p})" for p in lexicon_lines("adverbials.txt")), re.IGNORECASE)


def adverbials(text: Text) -> Iterator[Move]:
    """Moves like "I lost my job last month." ↔ "Last month, I lost my job."."""
    for sentence in parsed_sentences(text):
        if not plain(text, sentence) or sentence.closes_with(text) == "?":
            continue
        move = _final_adverbial(text, sentence) or _initial_adverbial(text, sentence)
        if move is not None:
            yield move


def adverb_shifts(text: Text) -> Iterator[Move]:
    """Moves like "I recently found out ..." ↔ "Recently, I found out ..."."""
    for sentence in parsed_sentences(text):
        if sentence.closes_with(text) in (".", "!") and plain(text, sentence):
            yield from _shift_to_front(text, sentence)
            yield from _shift_to_verb(text, sentence)


def _shift_to_front(text: Text, sentence: Sentence) -> Iterator[Move]:
    first, *rest = sentence.tokens
    if first.dep_ not in ("nsubj", "nsubjpass") or first.tag_ != "PRP" or len(rest) < 3:
        return
    adverb = rest[0] if rest[0].pos_ == "ADV" else rest[1]
    before_verb = rest[0].i == adverb.i or rest[0].lemma_ in ("be", "have")
    if (
        adverb.lower_ not in word_set("movable_adverbs.txt")
        or not before_verb
        or adverb.head.i != sentence.root.i
        or any(c.i != adverb.i and not c.is_space for c in adverb.subtree)
        or text.raw[adverb.idx - 1] != " "
        or text.raw[adverb.idx + len(adverb.text)] != " "
    ):
        return
    moved = capitalised(adverb.text) if text.raw[first.idx].isupper() else adverb.text
    opening = lowered(text, first, first.text)
    edits = (
        Edit(start=first.idx, end=first.idx + len(first.text), text=f"{moved}, {opening}"),
        Edit(start=adverb.idx, end=adverb.idx + len(adverb.text) + 1, text=""),
    )
    yield Move(edits, ((sentence.start, sentence.end),))


def _shift_to_verb(text: Text, sentence: Sentence) -> Iterator[Move]:
    adverb, *rest = sentence.tokens
    if adverb.lower_ not in word_set("movable_adverbs.txt") or adverb.lower_ == "honestly":
        return
    if rest and rest[0].text == ",":
        rest = rest[1:]
    if len(rest) < 4 or rest[0].tag_ != "PRP" or rest[0].head.i != sentence.root.i:
        return
    subject, verb, after = rest[0], rest[1], rest[2]
    if verb.tag_ not in ("VBP", "VBZ", "VBD") or after.lower_ in (
        "not",
        "n't",
        "n’t",
        "to",
        "just",
    ):
        return
    auxiliary = verb.lemma_ in ("be", "have") or verb.dep_ in ("aux", "auxpass")
    if not auxiliary and (verb.lemma_ == "do" or verb.i != sentence.root.i):
        return
    at = after.idx if auxiliary else verb.idx
    if text.raw[at - 1] != " " or (verb.lemma_ == "have" and verb.dep_ != "aux"):
        return
    opening = capitalised(subject.text) if text.raw[adverb.idx].isupper() else subject.text
    edits = (
        Edit(start=adverb.idx, end=subject.idx + len(subject.text), text=opening),
        Edit(start=at, end=at, text=adverb.text.lower() + " "),
    )
    yield Move(edits, ((sentence.start, sentence.end),))


def opening_phrases(text: Text) -> Iterator[Move]:
    """Moves like "Without trust, I cannot stay." → "I cannot stay without trust."."""
    for sentence in parsed_sentences(text):
        if not plain(text, sentence) or _coordinated(sentence):
            continue
        first = sentence.tokens[0]
        phrase = [t for t in first.subtree if not t.is_space]
        rest = [t for t in sentence.tokens if t.i > phrase[-1].i and not t.is_punct]
        opening = text.raw[first.idx : first.idx + 30].lower()
        if (
            first.dep_ != "prep"
            or first.head.i != sentence.root.i
            or not contiguous(phrase)
            or not 2 <= len(phrase) <= 6
            or not 3 <= len(rest) <= 15
            or any(opening.startswith(p) for p in word_set("set_phrases.txt"))
            or any(t.dep_ in _EMBEDDED or t.dep_ == "xcomp" for t in sentence.tokens)
            or (third_person(rest) and has_noun(phrase))
            or refers_back(phrase)
        ):
            continue
        if text.raw[phrase[-1].idx + len(phrase[-1].text) : rest[0].idx] == ", ":
            yield _back(text, sentence, first, phrase[-1], rest[0])


def closing_adverbs(text: Text) -> Iterator[Move]:
    """Moves like "However, I tried." → "I tried, however."."""
    for sentence in parsed_sentences(text):
        if not plain(text, sentence) or sentence.closes_with(text) == "?":
            continue
        if len(sentence.tokens) < 4:
            continue
        adverb, comma, *rest = sentence.tokens
        words = [t for t in rest if not t.is_punct]
        if comma.text != "," or not 3 <= len(words) <= 14:
            continue
        if adverb.lower_ not in word_set("closing_adverbs.txt"):
            continue
        if adverb.head.i != sentence.root.i or any(t.dep_ in _EMBEDDED for t in words):
            continue
        moved = _back(text, sentence, adverb, adverb, words[0])
        opening, closing = moved.edits
        with_comma = Edit(start=closing.start, end=closing.end, text=f",{closing.text}")
        yield Move((opening, with_comma), moved.regions)


def _final_adverbial(text: Text, sentence: Sentence) -> Move | None:
    raw = text.raw[sentence.start : sentence.stop]
    found = next((m for m in _adverbial().finditer(raw) if m.end() == len(raw)), None)
    if found is None or not raw[: found.start()].endswith(" "):
        return None
    at = sentence.start + found.start()
    inside = [t for t in sentence.tokens if at <= t.idx < sentence.stop]
    heads = {t.head.i: t.head for t in inside if t.head not in inside}
    if len(heads) != 1:
        return None
    head = next(iter(heads.values()))
    main = [t for t in _main_clause(sentence, head) if t.idx < at]
    if (
        len(main) < 3
        or main[-1].lower_ in word_set("focus.txt")
        or main[-1].is_punct
        or _embeds(main, head)
    ):
        return None
    return _front(text, sentence, at, main[0])


def _initial_adverbial(text: Text, sentence: Sentence) -> Move | None:
    raw = text.raw[sentence.start : sentence.stop]
    found = _adverbial().match(raw)
    if not found or raw[found.end() : found.end() + 2] != ", " or _coordinated(sentence):
        return None
    inside = [t for t in sentence.tokens if t.idx < sentence.start + found.end()]
    rest = [t for t in sentence.tokens if t.idx > sentence.start + found.end() and not t.is_punct]
    if len(rest) < 3 or rest[0].pos_ == "CCONJ" or len(raw) > 160 or _embeds(rest, sentence.root):
        return None
    return _back(text, sentence, inside[0], inside[-1], rest[0])


def _embeds(tokens: list[Any], head: Any) -> bool:
    """Whether a further clause among ``tokens`` might claim what is moved past it."""
    return any(t.dep_ in _EMBEDDED or t.dep_ == "xcomp" for t in tokens if t.i != head.i)


def said_afterwards(text: Text) -> Iterator[Move]:
    """Moves like "I think it is time to go." → "It is time to go, I think."."""
    for sentence in parsed_sentences(text):
        if not plain(text, sentence) or sentence.closes_with(text) != "." or _coordinated(sentence):
            continue
        if len(sentence.tokens) < 5:
            continue
        subject, verb, *rest = sentence.tokens
        words = [t for t in rest if not t.is_punct]
        if (
            verb.i != sentence.root.i
            or subject.tag_ != "PRP"
            or verb.lower_ not in word_set("reporting_verbs.txt")
            or not 4 <= len(words) <= 18
            or words[0].head.i == verb.i
            or words[0].dep_ == "mark"
            or words[0].text == "I" != subject.text
            or words[0].tag_ not in ("PRP", "PRP$", "DT", "EX")
            or [c.dep_ for c in verb.rights if not c.is_punct] != ["ccomp"]
            or any(t.dep_ in ("conj", "advcl", "cc") and t.pos_ in ("VERB", "AUX") for t in words)
        ):
            continue
        said = lowered(text, subject, text.raw[subject.idx : verb.idx + len(verb.text)])
        opening = words[0].text
        if text.raw[sentence.start].isupper():
            opening = capitalised(opening)
        edits = (
            Edit(start=subject.idx, end=words[0].idx + len(words[0].text), text=opening),
            Edit(start=sentence.stop, end=sentence.stop, text=f", {said}"),
        )
        yield Move(edits, ((sentence.start, sentence.end),))
