"""Whole sentences moved: the closing question to the front, neighbours swapped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import capitalised, end_of, word_set
from perturbations.reordering.evidence import denied, technical
from perturbations.reordering.moves import (
    Move,
    Sentence,
    Spans,
    exchange,
    lowered,
    pair,
    parsed_sentences,
    plain,
    refers_back,
)

_LONGEST_QUESTION = 25
_LONGEST_STORY = 20
_HANGING = re.compile(
    r"\b(?:stop|quit|start|handle|cope|continue|do so|am|is|are|do|does|did|can|should|would|have)\?$",
    re.IGNORECASE,
)
_ANSWERS = frozenset((
    "that", "this", "those", "these", "it", "yes", "no", "yeah", "ok", "okay", "well", "sure",
    "thanks", "and", "but", "so",
))  # fmt: skip
_GREETING = re.compile(
    r"(?:hi|hello|hey|dear|good (?:morning|evening|afternoon))(?: there| all| everyone)?(?!\w)",
    re.IGNORECASE,
)


def question_first(text: Text) -> Iterator[Move]:
    """Move the last question to the front, where it can be understood there."""
    sentences = parsed_sentences(text)
    if sentences and _GREETING.fullmatch(text.raw[sentences[0].start : sentences[0].stop]):
        sentences = sentences[1:]  # the question then follows "Hello."
    if not 2 <= len(sentences) <= _LONGEST_STORY:
        return
    if _GREETING.match(text.raw[sentences[0].start :]):
        return
    at = max((i for i, s in enumerate(sentences) if _seeks(text, s)), default=0)
    first, question, before = sentences[0], sentences[at], sentences[at - 1]
    raw = text.raw
    gap = raw[before.end : question.start]
    if (
        at == 0
        or at + 2 < len(sentences)
        or gap.strip()
        or ("\n" in gap and at + 1 < len(sentences))
        or not gap
        or not all(_is_story(text, s) for s in sentences[:at])
        or first.closes_with(text) == "?"
        or before.closes_with(text) == "?"
        or first.tokens[0].lower_ in _ANSWERS
        or not _is_personal(sentences[:at])
        or _plain_words(text, question) in _plain_words(text, first)
        or not _stands_alone(text, question)
        or _shares_the(sentences[:at], question)
        or any(refers_back(s.tokens) for s in sentences[at + 1 :])
    ):
        return
    edits = (
        Edit(start=first.start, end=first.start, text=raw[question.start : question.end] + gap),
        Edit(start=before.end, end=question.end, text=""),
    )
    regions = (first.start, first.start + 1), (before.end - 1, question.end)
    yield Move(edits, regions, whole_sentences=True)


def _seeks(text: Text, sentence: Sentence) -> bool:
    """Return whether a sentence asks for something: a question, or "I need some advice."."""
    return sentence.closes_with(text) == "?" or _plain_words(text, sentence) in word_set(
        "appeals.txt"
    )


def _plain_words(text: Text, sentence: Sentence) -> str:
    """Return the words of a sentence in small letters, as the lists have them."""
    return text.raw[sentence.start : sentence.stop].lower().replace("’", "'")


def _is_personal(story: Sequence[Sentence]) -> bool:
    """Return whether somebody tells of themselves, rather than sets a task about a text."""
    words = {t.lower_ for s in story for t in s.tokens}
    return not words.isdisjoint(("i", "my", "we", "our")) and words.isdisjoint(
        ("following", "below", "above", "question", "article", "passage")
    )


def _is_story(text: Text, sentence: Sentence) -> bool:
    """Return whether this is a statement with a verb, as a story has it."""
    return (
        sentence.closes_with(text)[:1] in (".", "!", "?", "…", ")")
        and not any(c in text.raw[sentence.start : sentence.end] for c in "{}[]|=<>")
        and any(t.tag_ in ("VBP", "VBZ", "VBD", "MD", "VB", "VBN", "VBG") for t in sentence.tokens)
    )


def _stands_alone(text: Text, question: Sentence) -> bool:
    raw = text.raw[question.start : question.end]
    if not (
        plain(text, question) and raw[0].isupper() and len(question.tokens) <= _LONGEST_QUESTION
    ):
        return False
    if _plain_words(text, question) in word_set("open_questions.txt") | word_set("appeals.txt"):
        return True
    words = [t for t in question.tokens if not t.is_punct]
    return (
        len(words) >= 5
        and not raw.lower().startswith(("how about", "what about", "what if", "why not"))
        and not refers_back(words)
        and not any(t.lower_ in word_set("needs_story.txt") for t in words)
        and words[0].lower_ not in word_set("connectives.txt")
        and not any(t.lower_ == "that" and t.dep_ != "mark" for t in words)
        and _asks(question)
        and _has_content(words)
        and not _HANGING.search(raw)
    )


def _has_content(words: Sequence[Any]) -> bool:
    """Return whether a question names what it is about: a verb with its object, or two nouns."""
    nouns = [t for t in words if t.pos_ in ("NOUN", "PROPN") and t.dep_ != "npadvmod"]
    return (
        len(nouns) >= 2
        or any(t.dep_ in ("dobj", "pobj") for t in nouns)
        or any(t.dep_ in ("acomp", "xcomp", "pcomp") for t in words if t.pos_ in ("ADJ", "VERB"))
    )


def _shares_the(before: Sequence[Sentence], question: Sentence) -> bool:
    """Return whether "the" in a question, or a bare plural, rests on what the story says."""
    mentioned = {t.lemma_.lower() for s in before for t in s.tokens}
    for token in question.tokens:
        if token.lower_ != "the":
            continue
        noun = token.head
        explained = any(c.dep_ in ("prep", "relcl", "acl") for c in noun.children) or any(
            c.tag_ in ("JJS", "RBS") for c in noun.subtree
        )
        general = noun.lemma_.lower() in word_set("general_nouns.txt")
        if noun.lemma_.lower() in mentioned or not (explained or general):
            return True
    return False


def _asks(sentence: Sentence) -> bool:
    """Return whether a sentence is worded as a question: "How ...", "Is it ...", "Any ..."."""
    first = sentence.tokens[0]
    return (
        first.tag_ in ("WRB", "WP", "WDT", "MD")
        or first.lower_ == "any"
        or first.lemma_.lower() in ("be", "do", "have")
    )


def sentence_swaps(text: Text) -> Iterator[Move]:
    """Swap two states of the speaker that say nothing about each other: "I am shy. I live alone."."""
    sentences = parsed_sentences(text)
    for i, (one, two) in enumerate(pairwise(sentences)):
        gap = text.raw[one.end : two.start]
        after = sentences[i + 2 : i + 3]
        if (
            gap
            and not gap.strip(" ")
            and all(_states(text, s) for s in (one, two))
            and not _share_words(one, two)
            and not any(_depends(text, s) for s in after)
        ):
            edits = exchange(text, ((one.start, one.end), (two.start, two.end)))
            yield Move(edits, ((one.start, two.end),), whole_sentences=True)


def _states(text: Text, sentence: Sentence) -> bool:
    """Return whether a sentence is a short, plain statement "I ..." about a lasting state."""
    first, words = sentence.tokens[0], [t for t in sentence.tokens if not t.is_punct]
    return (
        plain(text, sentence)
        and sentence.closes_with(text) == "."
        and text.raw[sentence.start].isupper()
        and 3 <= len(words) <= 14
        and first.lower_ in ("i", "my")
        and _is_state(sentence.root)
        and not refers_back(words)
        and not any(t.lower_ in word_set("ties.txt") for t in words)
        and not any(t.lower_ == "the" for t in words)
        and not any(
            t.dep_ in ("ccomp", "advcl", "relcl", "conj") and t.pos_ in ("VERB", "AUX")
            for t in words
        )
    )


def _share_words(one: Sentence, two: Sentence) -> bool:
    """Return whether two sentences name one thing, so that the second goes on from the first."""
    named = [
        {t.lemma_.lower() for t in s.tokens if t.pos_ in ("NOUN", "PROPN", "ADJ")}
        for s in (one, two)
    ]
    return not named[0].isdisjoint(named[1])


def _depends(text: Text, following: Sentence) -> bool:
    """Return whether the sentence after a pair may refer to the second of the two."""
    words = [t for t in following.tokens if not t.is_punct]
    return (
        not any(t.pos_ in ("VERB", "AUX") for t in words)
        or refers_back(words)
        or any(t.lower_ in word_set("ties.txt") for t in words[:2])
        or words[0].lower_ in word_set("connectives.txt")
    )


def clause_swaps(text: Text) -> Iterator[Move]:
    """Swap two states joined by "and": "I am shy and I have no friends."."""
    sentences = parsed_sentences(text)
    for i, sentence in enumerate(sentences):
        if not plain(text, sentence) or sentence.closes_with(text) != ".":
            continue
        spans = _joined_states(sentence)
        if spans is None or any(refers_back(s.tokens) for s in sentences[i : i + 2]):
            continue
        (a, b), (c, d) = spans
        first, second = lowered(text, sentence.tokens[0], text.raw[a:b]), text.raw[c:d]
        if text.raw[a].isupper():
            second = capitalised(second)
        if not technical(text.raw[sentence.start : sentence.end]):
            yield sentence.move(*exchange(text, spans, first, second))


def _joined_states(sentence: Sentence) -> Spans | None:
    """Return the spans of two main clauses in the present tense that both describe a state."""
    root = sentence.root
    second, link = pair(root)
    if second is None or link.lower_ != "and":
        return None
    two = [t for t in second.subtree if not t.is_space]
    one = [t for t in sentence.tokens if t.i < link.i and not t.is_punct]
    if (
        not one
        or not two
        or two[0].i != link.i + 1
        or two[-1].i < max(t.i for t in sentence.tokens if not t.is_punct)
        or sentence.tokens[0].lower_ in word_set("connectives.txt")
        or not all(_is_state(v) for v in (root, second))
        or one[0].lower_ not in ("i", "my")
        or two[0].lower_ not in ("i", "my")
        or denied((*one, *two))
        or any(t.lower_ in word_set("ties.txt") for t in (*one, *two))
        or any(t.text == "," or t.dep_ in ("advcl", "relcl") for t in (*one, *two))
        or max(len(one), len(two)) > 16
    ):
        return None
    return (sentence.start, end_of(one[-1])), (two[0].idx, sentence.stop)


def _is_state(verb: Any) -> bool:
    tensed = [verb, *(c for c in verb.children if c.dep_ in ("aux", "auxpass"))]
    return (
        verb.lemma_.lower() in word_set("stative_verbs.txt")
        and any(c.dep_ == "nsubj" for c in verb.children)
        and any(t.tag_ in ("VBP", "VBZ") for t in tensed)
    )
