"""The same relative of the other sex: what a text must not hold, and its pronouns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.records import Edit
from harness.text.parse import Text
from harness.text.roles import Mention, role_graph
from perturbations.common import end_of, match_case, word_set

_PRONOUN = re.compile(
    r"(?<!\w)(?:he|hes|him|his|himself|she|shes|her|hers|herself)(?!\w)", re.IGNORECASE
)
# "Her" and "his" have two forms each in the other sex, by what they stand before.
_OTHER = {
    "he": "she", "hes": "shes", "him": "her", "himself": "herself",
    "she": "he", "shes": "hes", "hers": "his", "herself": "himself",
}  # fmt: skip


def turns(text: Text, role: str, mentions: Sequence[Mention]) -> bool:
    """Return whether this relative can be of the other sex without anything else changing.

    Nothing in the text may be bound to a sex. Where it has pronouns, the relative must be the only
    person they could stand for: one of that sex, no name, no other person.
    """
    if role_graph().sexed.search(text.raw) or _named(text, role, mentions):
        return False
    pronouns = list(_PRONOUN.finditer(text.raw))
    if not pronouns:
        return True
    words = {m.group().lower() for m in pronouns}
    masculine = {w for w in words if w.startswith(("he", "hi")) and not w.startswith("her")}
    wrong = masculine if role_graph().roles[role].gender == "f" else words - masculine
    first = min(m.start for m in mentions if m.role == role)
    others = any(m.plural if m.role == role else not m.plural for m in mentions)
    return not (
        wrong
        or others
        # "Me and my sister, and then she": somebody named earlier in the conversation.
        or pronouns[0].start() < first
        or _coordinated(text, first)
        or text.names
        or any(text.raw[s:e].lower() in word_set("people.txt") for s, e in text.words)
        or any(text.is_protected(*m.span()) for m in pronouns)
        or len(pronoun_edits(text)) != len(pronouns)
    )


def _coordinated(text: Text, start: int) -> bool:
    """Return whether the person at ``start`` is named together with another."""
    return any(
        token.dep_ == "conj" or any(c.dep_ == "conj" and c.pos_ != "VERB" for c in token.children)
        for token in text.doc
        if token.idx == start
    )


def _named(text: Text, role: str, mentions: Sequence[Mention]) -> bool:
    """Return whether a name stands beside a mention: "my sister Anna", "Tom, my brother"."""
    names = {token.i for token in text.doc if text.is_protected(token.idx, end_of(token))}
    starts = {m.start for m in mentions if m.role == role}
    return any(
        {token.i - 3, token.i - 2, token.i + 1, token.i + 2} & names
        for token in text.doc
        if token.idx in starts
    )


def pronoun_edits(text: Text) -> list[Edit]:
    """Return the edits that turn every "he" into "she" and the reverse, case kept."""
    tokens = {token.idx: token for token in text.doc}
    edits = []
    for match in _PRONOUN.finditer(text.raw):
        word = match.group().lower()
        token = tokens.get(match.start())
        if token is None:
            continue
        if word in ("her", "his"):
            possessive = token.dep_ == "poss"
            if word == "her":
                other = "his" if possessive else "him"
            else:
                other = "her" if possessive else "hers"
        else:
            other = _OTHER[word]
        edits.append(
            Edit(start=match.start(), end=match.end(), text=match_case(match.group(), other))
        )
    return edits
