"""Whole sentences moved: the closing question to the front, neighbours swapped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import word_set
from perturbations.reordering.moves import (
    SUBJECTS,
    Move,
    Sentence,
    parsed_sentences,
    plain,
    refers_back,
    refers_to_nothing,
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
_SHORTEST_QUESTION = 6
_EMPTY = frozenset((
    "advice", "advise", "help", "do", "offer", "suggest", "suggestion", "think", "recommend", "give",
    "have", "be", "get", "possibility", "idea", "tip", "way", "example", "option", "some", "concise",
    "short", "good", "any", "list", "please", "simple", "detailed", "tell", "provide", "show", "explain",
    "share", "make", "answer", "solution", "thought", "opinion", "feedback", "input", "insight",
))  # fmt: skip
_GIVING = frozenset(("give", "write", "suggest", "recommend", "list", "provide", "create", "help"))
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
        or not all(_is_story(text, s) for s in (first, before))
        or any(c in raw[first.start : question.end] for c in "{}[]|=<>")
        or first.closes_with(text) == "?"
        or before.closes_with(text) == "?"
        or first.tokens[0].lower_ in _ANSWERS
        or not _is_personal(sentences[:at])
        or any(_sets_scene(s) for s in sentences[:at])
        or _counts(question)
        or _plain_words(text, question) in _plain_words(text, first)
        or not _stands_alone(text, question)
        or _is_thin(text, question)
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


def question_last(text: Text) -> Iterator[Move]:
    """Move an opening question behind the story: "Is it safe? I take aspirin."."""
    sentences = parsed_sentences(text)
    if not 2 <= len(sentences) <= _LONGEST_STORY:
        return
    question, *story = sentences
    raw = text.raw
    gap = raw[question.end : story[0].start]
    if (
        question.closes_with(text) != "?"
        or not gap
        or "\n" in gap
        or gap.strip()
        or "\n" in raw[story[0].start : story[-1].end]
        or raw[story[-1].end :].strip()
        or any(_seeks(text, s) or not _is_story(text, s) for s in story)
        or any(_sets_scene(s) or s.tokens[0].lower_ in _ANSWERS for s in story)
        or any(c in raw for c in "{}[]|=<>")
        or story[0].tokens[0].text not in ("I", "My", "We", "I'm")
        or not raw[question.start].isupper()
        or not _stands_alone(text, question)
        or any(refers_back(s.tokens) for s in story[:1])
        or _shares_the([question], story[0])
        or _counts(question)
        or {"thanks", "thank", "hi", "hello"} & {t.lower_ for s in sentences for t in s.tokens}
        or any(t.lower_ == "the" for t in question.tokens)
    ):
        return
    edits = (
        Edit(start=question.start, end=story[0].start, text=""),
        Edit(start=story[-1].end, end=story[-1].end, text=gap + raw[question.start : question.end]),
    )
    regions = (question.start, question.end), (story[-1].end - 1, story[-1].end)
    yield Move(edits, regions, whole_sentences=True)


def _seeks(text: Text, sentence: Sentence) -> bool:
    """Return whether a sentence asks for something: a question, or "I need some advice."."""
    return (
        sentence.closes_with(text) == "?"
        or _plain_words(text, sentence) in word_set("appeals.txt")
        or (sentence.closes_with(text) == "." and _orders(sentence))
    )


def _orders(sentence: Sentence) -> bool:
    """Return whether a sentence tells what to give or write: "Give me some tips for it."."""
    first = sentence.tokens[1 if sentence.tokens[0].lower_ == "please" else 0]
    return (
        first.i == sentence.root.i
        and first.tag_ in ("VB", "VBP")
        and first.lower_ in word_set("telling_verbs.txt") | _GIVING
        and any(c.dep_ in ("dobj", "dative", "ccomp") for c in first.children)
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


def _sets_scene(sentence: Sentence) -> bool:
    """Return whether a sentence sets the scene of a question: "Suppose I have ...", "You are ..."."""
    root, first = sentence.root, sentence.tokens[0]
    return (
        first.lower_ in word_set("scene_setters.txt")
        or (root.tag_ == "VB" and SUBJECTS.isdisjoint(c.dep_ for c in root.children))
        or (first.lower_ == "you" and first.head.i == root.i)
    )


def _counts(question: Sentence) -> bool:
    """Return whether a question asks for a number that its story gives."""
    words = [t.lower_ for t in question.tokens]
    return any(
        one == "how" and two in ("many", "much", "far", "fast", "old")
        for one, two in pairwise(words)
    )


def _is_story(text: Text, sentence: Sentence) -> bool:
    """Return whether this is a statement with a verb, as a story has it."""
    return sentence.closes_with(text)[:1] in (".", "!", "?", "…", ")") and any(
        t.tag_ in ("VBP", "VBZ", "VBD", "MD", "VB", "VBN", "VBG") for t in sentence.tokens
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
        len(words) >= 4
        and not raw.lower().startswith(("how about", "what about", "what if", "why not"))
        and not refers_back(words)
        and not any(
            t.lower_ in word_set("needs_story.txt") and not refers_to_nothing(t) for t in words
        )
        and words[0].lower_ not in word_set("connectives.txt")
        and not any(t.lower_ == "that" and t.dep_ != "mark" for t in words)
        and (_asks(question) or _orders(question))
        and _has_content(words)
        and not _HANGING.search(raw)
    )


def _is_thin(text: Text, question: Sentence) -> bool:
    """Return whether a question says too little to open with: "What advice might you offer?"."""
    opening = _plain_words(text, question)
    if opening in word_set("open_questions.txt") | word_set("appeals.txt"):
        return opening.startswith("any ")  # "Any ideas?" asks for ideas on what stands before
    words = [t for t in question.tokens if not t.is_punct]
    content = {t.lemma_.lower() for t in words if t.pos_ in ("NOUN", "PROPN", "VERB", "ADJ")}
    return len(words) < _SHORTEST_QUESTION or content <= _EMPTY


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
