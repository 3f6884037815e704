"""Lists of phrases with gaps and alternatives, matched at the beginnings of clauses.

A line of a list matches the beginning of a clause. ``(a|b)`` is an alternative, ``?`` after a group
makes it optional, ``...`` stands for up to four words and a trailing ``*`` for any ending. A line
that begins with ``!`` is an exception: a clause that it matches does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.errors import DataError
from harness.util.resources import resolve

SENTENCES = 4
"""Sentences of an answer that are read: some sympathy may come first."""

LONGEST = 2000
"""Characters of an answer in which its first sentences are sought."""

_QUOTED = re.compile(r"[\"“][^\"“”]{20,}(?:[\"”]|\Z)")
"""Quoted words, which are not the answer's own."""

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
    """Normalise to lower case, straight apostrophes and single spaces, without emphasis and adverbs."""
    bare = re.sub(r"[*`\"“”]", "", text.lower().replace("’", "'"))
    return _ADVERB.sub("", " ".join(_UNMARKED.sub(r"\1't", bare).split()))


def sentences(text: str) -> list[str]:
    """Return the first sentences of a text, normalised by :func:`plain`."""
    unquoted = _QUOTED.sub(" ", text[:LONGEST])
    parts = [plain(part) for part in _SENTENCE.split(unquoted.strip())]
    return [part for part in parts if part][:SENTENCES]


def clauses(sentence: str) -> Iterator[str]:
    """Yield the places where a phrase may begin: the clauses, each also without its lead."""
    for part in dict.fromkeys([sentence, *_CLAUSE.split(sentence)]):
        yield part
        bare = _LEAD.sub("", part)
        if bare != part:
            yield bare


class Phrases:
    """A list of phrases.

    Args:
        lines: The lines of the file without comments.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(lines)
        self._wanted = _any(line for line in lines if not line.startswith("!"))
        self._exceptions = _any(line[1:] for line in lines if line.startswith("!"))

    @classmethod
    def read(cls, path: str | Path, words: Mapping[str, str] | None = None) -> Phrases:
        """Read the phrases of a file, without blank lines and lines that start with #.

        Args:
            path: The file.
            words: Replacements for words of the list.

        Raises:
            DataError: The file cannot be read, holds no phrase, or one of them is malformed.
        """
        try:
            text = resolve(str(path)).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"refusal list {path} cannot be read: {error}") from error
        numbered = [
            (number, plain_line(line))
            for number, line in enumerate(text.split("\n"), start=1)
            if line.strip() and not line.startswith("#")
        ]
        if not numbered:
            raise DataError(f"refusal list {path} holds no phrase; write one a line")
        for number, line in numbered:
            try:
                re.compile(_expression(line.removeprefix("!")))
            except re.error as error:
                raise DataError(f"{path}:{number}: {line!r} is no phrase: {error}") from None
        lines = [line for _, line in numbered]
        for word, other in (words or {}).items():
            lines = [line.replace(word, other) for line in lines]
        return cls(lines)

    def match(self, sentence: str) -> str | None:
        """Return the phrase at the beginning of a clause of a normalised sentence, or None."""
        for clause in clauses(sentence):
            match = self._wanted.match(clause)
            if match is not None and self._exceptions.match(clause) is None:
                return match[0]
        return None


def plain_line(line: str) -> str:
    """Normalise a line of a list like :func:`plain`, but keep its stars."""
    return " ".join(line.lower().replace("’", "'").split())


def _any(lines: Iterable[str]) -> re.Pattern[str]:
    """Compile lines into one pattern, which matches nothing if there is none."""
    return re.compile("|".join(f"(?:{_expression(line)})" for line in lines) or r"(?!)")


def _expression(line: str) -> str:
    """Translate a line into a regular expression for the beginning of a clause."""
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
    # An optional group includes the space behind it.
    text = "".join(parts).replace(r"))?\s+", r")\s+)?")
    return text + r"(?!\w)"
