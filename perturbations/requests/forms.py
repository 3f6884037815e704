"""The forms of one request: imperative, direct question, statement of what is wanted.

Each construct is recognised in the parse and written anew; what the prompt says is taken over
letter for letter. ``confirmed`` parses the result and compares it with the original.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness.text.parse import Text, nlp
from perturbations.common import capitalised, end_of, lexicon_lines
from perturbations.reordering.moves import SUBJECTS, Sentence
from perturbations.requests.indirect import indirect, opens_embedded
from perturbations.requests.request_sentences import (
    is_rhetorical,
    names_anybody,
    plain_words,
    request_verb,
)

_POLITE = re.compile(
    r"(?P<modal>can|could|would|will) (?P<you>you|u)(?P<please>,? (?:please|kindly))? ",
    re.IGNORECASE,
)
_WANTED = re.compile(
    r"(?:i (?:want|need)|(?:i would|i['’]d) like) you to (?:please )?", re.IGNORECASE
)
_ASKED = re.compile(
    r"(?:(?:please |kindly )?(?:tell|show) (?:me|us)|(?:(?:can|could|would) you (?:please )?(?:tell|show) (?:me|us))"
    r"|(?:i want|i need|i would like|i['’]d like|i would love|i['’]d love|i wish)(?: you to tell me| to know| to find out)"
    r"|(?:i am|i['’]m|i was|i have been|i've been) (?:just )?(?:wondering|curious)|i (?:just )?wonder"
    r"|does anyone know|"
    r"what i (?:want|would like|need) to know is) ",
    re.IGNORECASE,
)
_PERSONAL = re.compile(
    r"(?:explain|tell|give|help|show|describe|suggest|recommend|provide|clarify|summari[sz]e|list|advise"
    r"|walk|teach|elaborate|point out|let me know|rephrase|rewrite|paraphrase|translate)\b"
)
_FOR_ME = re.compile(r"\b(?:me|us|for me|my|our)\b", re.IGNORECASE)
_HELP = re.compile(
    r"i (?:really |just |also )?need (?:some |your |a little )?help (?=with |\w+ing )",
    re.IGNORECASE,
)
_ADVICE = re.compile(
    r"i (?:really |just )?need (?=(?:some |your )?(?:advice|guidance|suggestions))", re.IGNORECASE
)
_MANNER = re.compile(r"\w+ (?:like|as|in|with|to)\b")
"""What follows "Can you write", so that it asks whether somebody is able to."""
_SAID_TWICE = re.compile(r"(know|me|ask) (?:\w+ ){1,4}?(?:\1)\b")
_LEAD = frozenset({"so", "and", "but", "also", "now"})


@dataclass(frozen=True)
class Rewording:
    """Another form of one sentence.

    Attributes:
        sentence: The sentence.
        words: The whole sentence after the change.
    """

    sentence: Sentence
    words: str


@cache
def frames(part: str) -> tuple[str, ...]:
    """Return the frames of one part of ``request_frames.tsv``."""
    entries = (line.split("\t") for line in lexicon_lines("request_frames.tsv"))
    return tuple(frame for name, frame in entries if name == part)


def rewordings(text: Text, sentence: Sentence) -> list[Rewording]:
    """Return the other forms that a sentence may take; none if it is no request."""
    raw = text.raw[sentence.start : sentence.stop]
    lead = ""
    tokens = sentence.tokens
    if tokens[0].lower_ in _LEAD and len(tokens) > 2:
        skip = 2 if tokens[1].text == "," else 1
        lead = text.raw[sentence.start : tokens[skip].idx]
        raw, tokens = text.raw[tokens[skip].idx : sentence.stop], tokens[skip:]
    closing = sentence.closes_with(text)
    forms = list(_forms(text, tokens, raw, closing))
    return [
        Rewording(sentence, _written(lead, raw, form, closing)) for form in dict.fromkeys(forms)
    ]


def _forms(text: Text, tokens: tuple[Any, ...], raw: str, closing: str) -> Iterator[str]:
    """Yield other forms, with their closing sign."""
    lowered_words = raw.lower()
    if match := _POLITE.match(raw):
        yield from _from_polite(match, raw[match.end() :], closing)
    if (match := _WANTED.match(raw)) and closing in ("", "."):
        body = raw[match.end() :]
        if _plain_body(body) and body.split(" ", 1)[0].islower():
            yield from (frame.format(body) for frame in (*frames("plea")[:2], "Please {}."))
    if (match := _ASKED.match(raw)) and opens_embedded(raw[match.end() :]):
        yield from _reframed(text, tokens, match, raw)
        return
    if match := _HELP.match(raw):
        yield from _with_body("Could you help me {}?", "Please help me {}.", raw[match.end() :])
    if match := _ADVICE.match(raw):
        yield from _with_body("Could you give me {}?", "Please give me {}.", raw[match.end() :])
    if closing in ("", ".", "!") and (order := _imperative(tokens, raw)):
        pleading = lowered_words.startswith(("please", "kindly"))
        able = bool(_MANNER.match(order))
        for frame in frames("polite" if pleading else "plea"):
            if not (able and frame.startswith("Can you {")):
                yield frame.format(order)
    asks = closing == "?" or (not closing and lowered_words.count(" ") >= 2)
    if asks and not is_rhetorical(lowered_words + "?") and _prose(text, tokens):
        for clause in indirect(text, tokens):
            yield from _framed(clause)


def _from_polite(match: re.Match[str], body: str, closing: str) -> Iterator[str]:
    """Yield what "Could you …?" asks for, where "you" is who answers and not anybody."""
    lowered_words = body.lower()
    if closing not in ("", "?", ".") or not _plain_body(body):
        return
    sure = match["please"] or match["modal"].lower() in ("could", "would")
    if request_verb(lowered_words) is None or not (sure or _PERSONAL.match(lowered_words)):
        return
    if (
        match["modal"].lower() == "would"
        and not match["please"]
        and not _FOR_ME.search(lowered_words)
    ):
        return  # "How would you …" aside, "Would you choose A?" asks for an opinion
    if re.search(r"\bplease$|^\w+ (?:me |us )?any\b", lowered_words):
        return  # "Can you give any tips?" also asks whether there are some
    short = len(body.split()) < 3  # "Help me." is curt
    yield from (f.format(body) for f in frames("bare") if not (short and f.startswith("{")))


def _plain_body(body: str) -> bool:
    """Return whether the rest of a request is one clause that may close with any sign."""
    return not re.search(r"[;:?!]|\b(?:or|and) (?:is|are|do|does|can|what|how|why|if)\b", body)


def _with_body(question: str, order: str, body: str) -> Iterator[str]:
    if _plain_body(body) and not re.search(
        r"\b(?:and|but|because|so) (?:i|he|she|they|we|it)\b", body, re.IGNORECASE
    ):
        yield question.format(body)
        yield order.format(body)


def _framed(clause: str) -> Iterator[str]:
    whether = clause.startswith(("whether ", "if "))
    for frame in frames("whether" if whether else "asked"):
        if clause.startswith("if ") and frame.startswith(("Tell", "Please")):
            continue  # "Tell me if …" may also mean: in that case
        if names_anybody(clause) and not frame.startswith("I "):
            continue
        if _SAID_TWICE.match(f"{frame.partition(' {')[0].rpartition(' ')[2]} {clause}"):
            continue  # "I want to know how to know"
        if clause.startswith("some ") and frame.startswith("I "):
            continue  # one does not want to know some toys
        yield frame.format(clause)


def _reframed(text: Text, tokens: tuple[Any, ...], match: re.Match[str], raw: str) -> Iterator[str]:
    """Yield other frames for an embedded question."""
    body = raw[match.end() :]
    if not _plain_body(body) or not _prose(text, tokens) or re.search(r"[,]", body):
        return
    if re.match(
        r"(?:if|whether) (?:you|u|anyone|anybody|someone|there is anyone)\b", body, re.IGNORECASE
    ):
        return
    if re.match(r"(?:if|whether)\b", body, re.IGNORECASE):
        body = re.sub(r"^if", "whether", body, flags=re.IGNORECASE)
        body = re.sub(r"^whether or not\b", "whether", body, flags=re.IGNORECASE)
    used = match.group().lower().strip()
    for form in _framed(body[:1].lower() + body[1:]):
        if not form.lower().startswith(used):
            yield form


def _imperative(tokens: tuple[Any, ...], raw: str) -> str | None:
    """Return the verb of an imperative with all that follows it, or None if it is none.

    A second clause with a subject of its own, or a prohibition, cannot follow "Could you".
    """
    skip = 1 if tokens[0].lower_ in ("please", "kindly") else 0
    if skip + 1 >= len(tokens) and skip == 0:
        return None
    verb = tokens[skip]
    body = raw[verb.idx - tokens[0].idx :]
    if request_verb(body.lower()) is None or (
        verb.lower_ in ("do", "let") and "let me know" not in body.lower()
    ):
        return None
    if re.search(
        r"[;:]|\be\.g|\bi\.e|\betc|\bplease\b|\bthen\b|\bthanks?\b|\band (?:do not|don['’]t|never|make sure|the|it|you)\b",
        body,
        re.IGNORECASE,
    ):
        return None
    if re.search(r"[.?!]\s", body) or re.search(
        r", (?:and |but |so )?(?:i|he|she|it|you|we|they|the|do|don['’]t|make sure|not|if)\b",
        body,
        re.IGNORECASE,
    ):
        return None
    if tokens[skip + 1 : skip + 2] and tokens[skip + 1].lower_ in (
        "is",
        "are",
        "was",
        "of",
        ":",
        "-",
        "s",
        "'s",
        ",",
    ):
        return None
    if verb.tag_ in ("VB", "VBP"):
        if any(t.dep_ in SUBJECTS and t.head == verb for t in tokens):
            return None
    elif not re.match(
        r"\w+ (?:an?|the|me|us|some|two|three|all|this|that|my|your|how|what|why|out|each|whether|if|any)\b",
        body.lower(),
    ):
        return None
    first = body.split(" ", 1)[0]
    if not (first.islower() or first.istitle()):
        return None
    return body[:1].lower() + body[1:]


def _prose(text: Text, tokens: tuple[Any, ...]) -> bool:
    return plain_words(
        text, Sentence(tokens[0].idx, end_of(tokens[-1]), end_of(tokens[-1]), tokens)
    )


def _written(lead: str, raw: str, form: str, closing: str) -> str:
    """Return the whole sentence: capitals and closing sign as the writer sets them."""
    if not closing:
        form = form.removesuffix(".")
    if closing == "!":
        form = form.removesuffix(".") + "!" if form.endswith(".") else form
    small = raw[:1].islower() and not lead
    if lead:
        return lead + (form if form.startswith("I ") else form[:1].lower() + form[1:])
    if small and not form.startswith("I "):
        return form[:1].lower() + form[1:]
    if small:
        return "i " + form[2:]
    return capitalised(form)


def confirmed(before: Sentence, words: str) -> bool:
    """Return whether the new sentence is parsed as the old one was, word by word.

    What was a noun, a verb or an adjective must still be one; the first verb of an imperative that
    was taken for a noun is left out of the comparison.
    """
    after = [t for t in nlp()(words) if not t.is_space]
    if sum(t.dep_ == "ROOT" for t in after) != 1 or after[0].sent.end != after[-1].i + 1:
        return False
    old = Counter(_shape(t) for t in before.tokens[1:] if t.pos_ in _CONTENT)
    new = Counter(_shape(t) for t in after if t.pos_ in _CONTENT)
    lost = Counter({key: n for key, n in (old - new).items() if key[0] not in _FREE})
    return not lost


_CONTENT = {"NOUN": "N", "PROPN": "N", "VERB": "V", "ADJ": "J"}
_FREE = frozenset(
    {"want", "need", "like", "know", "tell", "wonder", "help", "please", "have", "do"}
)


def _shape(token: Any) -> tuple[str, str]:
    return str(token.lemma_.lower()), _CONTENT[token.pos_]


def plain_order(text: Text, sentence: Sentence) -> str | None:
    """Return a polite or stated request as a plain order, or None if it is neither."""
    raw = text.raw[sentence.start : sentence.stop]
    closing = sentence.closes_with(text)
    orders = []
    if match := _POLITE.match(raw):
        orders = [f for f in _from_polite(match, raw[match.end() :], closing) if f.endswith(".")][
            :1
        ]
    elif (match := _WANTED.match(raw)) and closing in ("", "."):
        body = raw[match.end() :]
        orders = [f"{body}."] if _plain_body(body) and request_verb(body.lower()) else []
    return _written("", raw, orders[0], closing) if orders else None


def imperative_body(sentence: Sentence, raw: str, closing: str) -> str | None:
    """Return what an imperative asks for, from its verb on, or None if the sentence is none."""
    return _imperative(sentence.tokens, raw) if closing in ("", ".", "!") else None


def question_clauses(text: Text, sentence: Sentence) -> list[str]:
    """Return the embedded forms of a direct question that wants an answer."""
    raw = text.raw[sentence.start : sentence.stop]
    if sentence.closes_with(text) != "?" or is_rhetorical(raw.lower() + "?"):
        return []
    if not _prose(text, sentence.tokens):
        return []
    return [c for c in indirect(text, sentence.tokens) if not c.startswith("if ")]


def written(text: Text, sentence: Sentence, form: str) -> str:
    """Return a form as the writer of this sentence would set its capitals and its closing sign."""
    raw = text.raw[sentence.start : sentence.stop]
    return _written("", raw, form, sentence.closes_with(text))
