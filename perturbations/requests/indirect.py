"""Direct questions as embedded ones: "Why does he lie?" is "why he lies"."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from harness.text.parse import Text
from perturbations.common import end_of
from perturbations.requests.request_sentences import piece

_SUBJECTS = frozenset({"nsubj", "nsubjpass", "expl"})
_WH = frozenset({"what", "why", "how", "when", "where", "who", "which", "whose"})
_BE = frozenset({"is", "are", "was", "were", "am"})
_SHORT = {"'s": "is", "’s": "is", "'re": "are", "’re": "are", "'m": "am", "’m": "am"}
_MODALS = frozenset(
    {"can", "ca", "could", "should", "would", "will", "wo", "may", "might", "must"}
    | {"has", "have", "had"}
)
_MOST_WH = 6
_MOST_NAMED = 6
"""Tokens of the longest phrase that "is" may follow: "what the capital of France is"."""

# "What do I say?" asks what to say; "What do I need?" asks what I need.
_DELIBERATED = frozenset(
    {"do", "say", "tell", "go", "call", "start", "ask", "choose", "use", "wear"}
)
_STATIVE = frozenset(
    {"look", "sound", "seem", "feel", "smell", "appear", "differ", "compare", "rank"}
)
_DEFINITE = frozenset({"the", "some", "my", "your", "his", "her", "their", "our"})
_NO_OBJECT = frozenset(
    {"point", "matter", "use", "deal", "chance", "chances", "odds", "hell", "heck", "best"}
)


def indirect(text: Text, tokens: tuple[Any, ...]) -> Iterator[str]:
    """Yield the embedded forms of a direct question, given without its closing sign.

    Nothing is yielded where the parse leaves a doubt about subject, verb or their order.
    """
    tokens = tuple(t for t in tokens if not (t.is_punct and t == tokens[-1]))
    if len(tokens) < 2 or _another_question(tokens):
        return
    first = tokens[0].lower_
    if len(first) > 1 and tokens[0].text.isupper():
        return  # "WHAT" has no small letter to take
    if first in _WH:
        yield from _wh_question(text, tokens)
    elif (verb := _auxiliary(tokens[0])) is not None:
        clause = _uninverted(text, tokens, 0, verb)
        if clause is not None:
            for word in ("whether", "if"):
                yield f"{word} {clause}"


def _another_question(tokens: tuple[Any, ...]) -> bool:
    """Return whether a second question hangs on the first, or a tag."""
    for before, token in itertools.pairwise(tokens):
        if before.text == "," and token.lower_ in (
            "right",
            "correct",
            "or",
            "and",
            "but",
            "please",
        ):
            return True
        asks = token.lower_ in _WH or token.lower_ in _BE | _MODALS | {"do", "does", "did"}
        if before.lower_ in ("and", "or", "but", "so", ",", "-") and asks:
            return True
    return tokens[-1].lower_ in ("right", "please", "then", "though", "anyway", "too", "thanks")


def _auxiliary(token: Any) -> str | None:
    """Return the full form of a verb that may stand before its subject, or None."""
    word = str(token.lower_)
    if word in _SHORT:
        return _SHORT[word] if token.lemma_ in ("be", "'s", "’s") else None
    return word if word in _BE | _MODALS | {"do", "does", "did"} else None


def _wh_question(text: Text, tokens: tuple[Any, ...]) -> Iterator[str]:
    at = next((i for i, t in enumerate(tokens[: _MOST_WH + 1]) if i and _finite(t)), None)
    if at is None or any(t.pos_ == "VERB" for t in tokens[1:at]):
        return
    asked = _lower(piece(text, tokens[0], tokens[at - 1]))
    verb = _auxiliary(tokens[at])
    if _is_subject(tokens, at):
        if verb is not None and tokens[at].lower_ in _SHORT:
            return
        if tokens[0].lower_ != "which" or at > 1:
            yield f"{asked} {piece(text, tokens[at], tokens[-1])}"
        return
    if verb is None or at + 1 >= len(tokens):
        return
    if verb in _BE and tokens[0].lower_ == "which" and at == 1:
        return  # "Which is a fruit?": subject or complement
    if verb in _BE and at == 1 and tokens[0].lower_ in ("what", "who", "where"):
        named = _named(text, tokens, verb)
        yield from named
        # "What is it like?" has its subject apart; after "what is" any other is one with the rest.
        if named or (tokens[0].lower_ in ("what", "who") and tokens[2].pos_ != "PRON"):
            return
    if verb == "do" and tokens[at + 1].lower_ in ("i", "we"):
        yield from _deliberated(text, tokens, at)
        return
    if verb in ("do", "does") and tokens[at + 1].lower_ in ("you", "u"):
        return  # to whom it is addressed decides what it means
    clause = _uninverted(text, tokens, at, verb)
    if clause is not None:
        yield f"{asked} {clause}"


def _finite(token: Any) -> bool:
    return bool(token.tag_ in ("VBZ", "VBP", "VBD", "MD")) or token.lower_ in _SHORT


def _is_subject(tokens: tuple[Any, ...], at: int) -> bool:
    """Return whether the wh-phrase is the subject of the verb at this place."""
    asked = tokens[:at]
    verb = tokens[at]
    heads = {verb, verb.head} if verb.dep_ in ("aux", "auxpass") else {verb}
    if any(_inside(t.lower_) for t in tokens[at + 1 : at + 2]):
        return False
    if verb.lower_ in ("do", "does", "did"):
        return False
    subject = any(t.dep_ in _SUBJECTS and t.head in heads for t in asked)
    if not subject or (
        verb.lower_ in _BE and len(asked) == 1 and verb.dep_ not in ("aux", "auxpass")
    ):
        return False
    later = [t for t in tokens[at + 1 :] if t.dep_ in _SUBJECTS and t.head in heads]
    return not later


def _inside(word: str) -> bool:
    """Return whether a word can only be the subject after its verb."""
    return word in ("i", "he", "she", "we", "they", "there")


def _named(text: Text, tokens: tuple[Any, ...], verb: str) -> list[str]:
    """Return "what X is" and, where X is definite, X itself."""
    rest = tokens[2:]
    head = rest[0]
    while head.head in rest and head.head != head:
        head = head.head
    within = all(t == head or head.is_ancestor(t) for t in rest)
    if not within or head.pos_ not in ("NOUN", "PROPN") or head.dep_ not in (*_SUBJECTS, "attr"):
        return []
    if not _agree(verb, head, rest):
        return []
    phrase = piece(text, rest[0], rest[-1])
    clauses = any(t.dep_ in ("relcl", "acl", "advcl", "ccomp") or t.tag_ == "MD" for t in rest)
    asked = tokens[0].lower_
    forms = []
    if len(rest) <= _MOST_NAMED and not clauses and rest[0].lower_ not in ("some", "any"):
        exclaims = rest[0].lower_ in ("a", "an") and len(rest) > 2  # "what a scary idea is"
        bare = exclaims or (rest[0].pos_ not in ("DET", "PRON") and len(rest) > 3)
        if not bare:
            forms.append(f"{asked} {phrase} {verb}")
    definite = rest[0].lower_ in _DEFINITE and head.i - rest[0].i <= 4
    if asked == "what" and definite and head.lower_ not in _NO_OBJECT and verb in ("is", "are"):
        forms.append(phrase)
    return forms


def _agree(verb: str, head: Any, rest: tuple[Any, ...]) -> bool:
    """Return whether number of verb and noun agree, as a check of the parse."""
    joined = any(t.dep_ == "conj" and t.head == head for t in rest)
    plural = head.tag_ in ("NNS", "NNPS") or joined
    return plural == (verb in ("are", "were"))


def _deliberated(text: Text, tokens: tuple[Any, ...], at: int) -> Iterator[str]:
    """Embed what one asks oneself: "How do I stop?" is "how to stop", "What do I need?" is not."""
    asked = _lower(piece(text, tokens[0], tokens[at - 1]))
    if at + 2 >= len(tokens):
        return
    verb = tokens[at + 2]
    if verb.tag_ not in ("VB", "VBP") or verb.dep_ not in ("ROOT", "ccomp"):
        return
    rest = piece(text, verb, tokens[-1])
    if asked == "how":
        if verb.lemma_ not in _STATIVE:
            yield f"how to {rest}"
    elif verb.lemma_ in _DELIBERATED and at <= 2 and tokens[0].lower_ not in ("why", "when", "how"):
        yield f"{asked} to {rest}"
    elif verb.lemma_ in ("need", "have", "feel", "want") or tokens[0].lower_ == "why":
        yield f"{asked} {piece(text, tokens[at + 1], tokens[-1])}"


def _uninverted(text: Text, tokens: tuple[Any, ...], at: int, verb: str) -> str | None:
    """Return the clause from the verb at this place on, subject first, or None in doubt."""
    after = at + 1
    if after < len(tokens) and tokens[after].lower_ in ("n't", "n’t", "not"):
        negated: Any = tokens[after]
        after += 1
    else:
        negated = None
    if after >= len(tokens):
        return None
    subject = _subject_from(tokens, at, after)
    if subject is None:
        return None
    rest = tokens[subject + 1 :]
    subject_words = piece(text, tokens[after], tokens[subject])
    if subject_words.lower() == "i":
        subject_words = "I" if tokens[after].text == "I" else "i"
    if not rest:
        return None
    main = _main_verb(tokens[at], rest)
    if verb in ("do", "does", "did"):
        if main is None or main.tag_ not in ("VB", "VBP"):
            return None
        if verb == "does" and tokens[subject].tag_ in ("NNS", "NNPS"):
            return None  # "Does the dogs bark?" is no sentence to build on
        if any(t.dep_ == "conj" and t.head == main for t in rest) and verb != "do":
            return None
        if negated is not None:
            return f"{subject_words} {piece(text, tokens[at], negated)} {piece(text, rest[0], rest[-1])}"
        return _without_do(text, subject_words, verb, main, rest)
    if verb in _BE:
        if main is None and not _complement(rest[0], tokens[at]):
            return None
    elif main is None or (verb in ("has", "have", "had") and main.tag_ not in ("VBN", "VBD")):
        return None
    shown = piece(text, tokens[at], negated) if negated is not None else verb
    if negated is not None and shown.lower().split()[0] in _SHORT:
        return None
    return f"{subject_words} {_lower(shown)} {piece(text, rest[0], rest[-1])}"


def _subject_from(tokens: tuple[Any, ...], at: int, after: int) -> int | None:
    """Return the place of the last token of the subject that starts at ``after``, or None."""
    verb = tokens[at]
    heads = {verb, verb.head} if verb.dep_ in ("aux", "auxpass") else {verb}
    if tokens[after].pos_ == "PRON" and tokens[after].lower_ not in (
        "my", "your", "his", "her", "its", "our", "their", "all", "some", "any", "most", "each",
        "both", "these", "those", "one", "another", "many", "such",
    ):  # fmt: skip
        if tokens[after].dep_ in _SUBJECTS and after + 1 < len(tokens):
            return after if tokens[after].lower_ not in ("that", "who", "what") else None
        return None
    subject = next((t for t in tokens[after:] if t.dep_ in _SUBJECTS and t.head in heads), None)
    if subject is None:
        return None
    first, last = subject.left_edge.i, subject.right_edge.i
    places = {t.i: k for k, t in enumerate(tokens)}
    if first != tokens[after].i or last not in places:
        return None
    if any(t.dep_ in ("relcl", "advcl", "acl") for t in tokens[after : places[last] + 1]):
        return None
    return places[last] if places[last] - after < 8 else None


def _main_verb(auxiliary: Any, rest: tuple[Any, ...]) -> Any | None:
    """Return the verb of an auxiliary if it follows at once, adverbs aside."""
    for token in rest[:4]:
        if token.pos_ == "VERB" or token.tag_ in ("VB", "VBN", "VBG"):
            ok = auxiliary.head == token or auxiliary == token or token.head == auxiliary
            return token if ok or auxiliary.head == token.head else None
        if token.dep_ not in ("advmod", "neg", "aux", "auxpass"):
            return None
    return None


def _complement(token: Any, verb: Any) -> bool:
    """Return whether a token opens what is subject_words of the subject of "be"."""
    top = token
    while top.head not in (top, verb):
        top = top.head
    if top.head != verb or token.tag_ in ("VBZ", "VBP", "VBD", "MD"):
        return False
    return top.dep_ in ("acomp", "attr", "prep", "advmod", "neg", "nsubj", "xcomp", "npadvmod")


def _without_do(
    text: Text, subject_words: str, verb: str, main: Any, rest: tuple[Any, ...]
) -> str | None:
    """Return the clause with the tense and the number of "do" on its verb."""
    from lemminflect import getInflection

    if any(t.dep_ == "neg" and t.head == main for t in rest):
        return f"{subject_words} {verb} {piece(text, rest[0], rest[-1])}"
    if main.lower_ in ("be", "do") and verb == "did":
        form: str | None = "did" if main.lower_ == "do" else None
    elif verb == "do":
        form = str(main.text)
    else:
        forms = getInflection(main.lower_, "VBZ" if verb == "does" else "VBD")
        form = forms[0] if forms else None
        if form and main.lower_ in ("lie", "hang", "bid", "wind", "found"):
            form = form if verb == "does" else None
    if form is None:
        return None
    start, end = rest[0].idx, end_of(rest[-1])
    return f"{subject_words} {text.raw[start : main.idx]}{form}{text.raw[end_of(main) : end]}"


def _lower(words: str) -> str:
    """Write the first letter small: a question word or an auxiliary."""
    return words[:1].lower() + words[1:]


_EMBEDDED = re.compile(r"(?:what|why|how|when|where|who|which|whose|if|whether)\b", re.IGNORECASE)


def opens_embedded(words: str) -> bool:
    """Return whether ``words`` open an embedded question."""
    return bool(_EMBEDDED.match(words))
