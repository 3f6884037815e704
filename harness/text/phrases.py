"""Lists of phrases with gaps and alternatives, and where in an answer they are looked for.

A line of a list stands at the beginning of a clause. ``(a|b)`` is one of several, ``?`` after a
group makes it optional, ``...`` stands for up to four words and a trailing ``*`` for any ending. A
line that begins with ``!`` is an exception: what it finds is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.errors import DataError
from harness.util.resources import resolve

SENTENCES = 4
"""How many sentences of an answer are looked at: some sympathy may come first."""

LONGEST = 2000
"""Characters of an answer in which its first sentences are looked for."""

_QUOTED = re.compile(r"[\"“][^\"“”]{20,}(?:[\"”]|\Z)")
"""Words that an answer puts into somebody's mouth are not its own."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_CLAUSE = re.compile(
    r"\s*(?:[;:—–]|\s-\s|,\s*(?:but|so|and|or|though|although|yet)\b|,(?=\s*(?:i|it|this|that|there)\b)"
    r"|\b(?:and|but|so|since|because|that|if|as)\s+(?=i\b))\s*"
)
_LEAD = re.compile(
    r"^(?:(?:(?:(?:i'm|i am|we're|so|very|really|truly|terribly) )*(?:sorry|afraid)(?: (?:to say|to hear"
    r" (?:that|this)|about that|for the confusion))?|unfortunately|regrettably|sadly|however|hmm+"
    r"|well|hi|hello|hey|oh|ah|okay|ok|yes|no|sure|honestly|frankly|actually|currently|perhaps|maybe"
    r"|still|then|also|again|that said|in fact|truthfully|to be (?:honest|clear|fair|frank)|as far as"
    r" i (?:know|can tell|am aware|'m aware)|to (?:the best of )?my knowledge|from what i know"
    r"|i (?:apologi[sz]e|regret)(?: (?:that|to say))?(?: but)?|i(?:'m| am) (?:so )?sorry for (?:the|any)"
    r" \w+|i (?:have to|must|should|need to|will) (?:say|admit|confess|be (?:honest|frank|clear))"
    r"(?: with you)?|my (?:apologies|mistake)|as an? (?:[\w-]+ ){1,4}?(?=,)|at the moment|right now|for"
    r" now|but|and|so|though|that|because|since|if)\b[\s,.!:;-]*)+"
)


_ADVERB = re.compile(
    r"\b(?:honestly|simply|genuinely|really|just|personally|currently|certainly|also|still|actually"
    r"|quite|very|particularly|specifically|unfortunately|regrettably|sadly) "
)
_UNMARKED = re.compile(r"\b(don|can|won|didn|doesn|isn|wasn|couldn|haven|hasn)t\b")


def plain(text: str) -> str:
    """Lower case, apostrophes straight and in place, no emphasis marks or adverbs, single spaces."""
    bare = re.sub(r"[*`\"“”]", "", text.lower().replace("’", "'"))
    return _ADVERB.sub("", " ".join(_UNMARKED.sub(r"\1't", bare).split()))


def sentences(text: str) -> list[str]:
    """The first sentences of a text, as :func:`plain` has them."""
    own = _QUOTED.sub(" ", text[:LONGEST])
    found = [plain(part) for part in _SENTENCE.split(own.strip())]
    return [part for part in found if part][:SENTENCES]


def clauses(sentence: str) -> Iterator[str]:
    """Where a phrase may begin: the sentence, and what follows its commas, each also without leads."""
    for part in dict.fromkeys([sentence, *_CLAUSE.split(sentence)]):
        yield part
        bare = _LEAD.sub("", part)
        if bare != part:
            yield bare


class Phrases:
    """The phrases of a list.

    Args:
        lines: As they stand in the file, comments left out.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(lines)
        self._wanted = _any(line for line in lines if not line.startswith("!"))
        self._exceptions = _any(line[1:] for line in lines if line.startswith("!"))

    @classmethod
    def read(cls, path: str | Path, words: Mapping[str, str] | None = None) -> Phrases:
        """The phrases of a file; blank lines and lines that start with # are left out.

        Args:
            path: The file.
            words: What stands for other words in the list.

        Raises:
            DataError: The file cannot be read, holds no phrase, or one of them is malformed.
        """
        try:
            text = resolve(str(path)).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"refusal list {path} cannot be read: {error}") from error
        kept = [
            (number, plain_line(line))
            for number, line in enumerate(text.split("\n"), start=1)
            if line.strip() and not line.startswith("#")
        ]
        if not kept:
            raise DataError(f"refusal list {path} holds no phrase; write one a line")
        for number, line in kept:
            try:
                re.compile(_expression(line.removeprefix("!")))
            except re.error as error:
                raise DataError(f"{path}:{number}: {line!r} is no phrase: {error}") from None
        lines = [line for _, line in kept]
        for word, other in (words or {}).items():
            lines = [line.replace(word, other) for line in lines]
        return cls(lines)

    def match(self, sentence: str) -> str | None:
        """The clause of a plain sentence that a phrase begins, up to the end of that phrase."""
        for clause in clauses(sentence):
            match = self._wanted.match(clause)
            if match is not None and self._exceptions.match(clause) is None:
                return match[0]
        return None


def plain_line(line: str) -> str:
    """A line of a list: as :func:`plain`, but a star stays."""
    return " ".join(line.lower().replace("’", "'").split())


def _any(lines: Iterable[str]) -> re.Pattern[str]:
    """Whatever one of the lines finds; nothing where there is none."""
    return re.compile("|".join(f"(?:{_expression(line)})" for line in lines) or r"(?!)")


def _expression(line: str) -> str:
    """A line of a list as a regular expression that matches from a clause's beginning."""
    parts: list[str] = []
    for piece in re.split(r"(\s*\.\.\.\s*|[()|?*]|\s+)", line.strip()):
        if not piece:
            continue
        if piece.strip() == "...":
            parts.append(r"(?:\S+\s+){1,4}?" if not parts else r"(?:\s+\S+){0,4}?\s+")
        elif piece == "(":
            parts.append("(?:(?:")
        elif piece == ")":
            parts.append("))")
        elif piece in "|?":
            parts.append(piece)
        elif piece == "*":
            parts.append(r"\w*")
        elif piece.isspace():
            parts.append(r"\s+")
        else:
            parts.append(re.escape(piece))
    # An optional group takes the space behind it along.
    text = "".join(parts).replace(r"))?\s+", r")\s+)?")
    return text + r"(?!\w)"
