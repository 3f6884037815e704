"""Normal forms: of prompts, so that two texts with one form are the same prompt; of Unicode."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_SYMBOLS = "+-*/<>=#%&|^!~$"
_OPERATORS = str.maketrans({"≥": ">=", "≤": "<=", "≠": "!=", "×": "*", "÷": "/"})
_THOUSANDS = re.compile(r"(?<![\w.,\[({])\d{1,3}(?:,\d{3})+(?!,?\d)")
_TOKENS = re.compile(rf"\n|[^\S\n]+|[{re.escape(_SYMBOLS)}]+|[^\s{re.escape(_SYMBOLS)}]+")
_MARKDOWN = re.compile(r"[-*+]|>+|#{1,6}")
_RULE = re.compile(r"([-=*#~+|/])\1{2,}|~~")
_OPERAND = re.compile(r".*\d.*|.", re.DOTALL)


class _Classes(dict[int, int | str | None]):
    """The replacement of each character, for ``str.translate``; filled in as characters are met."""

    def __missing__(self, code: int) -> int | str | None:
        character = chr(code)
        category = unicodedata.category(character)
        replacement: int | str | None = code
        if (
            category == "Cf"
            or category == "Me"
            or "VARIATION SELECTOR" in unicodedata.name(character, "")
        ):
            replacement = None
        elif category == "Pd" or character == "\u2212":  # the minus sign
            replacement = "-"
        elif character == "\u2044":  # the fraction slash, into which NFKC turns the one of ½
            replacement = "/"
        elif character in _SYMBOLS or character.isspace():
            pass
        elif category in ("Sm", "Sc"):
            replacement = f" {character} "
        elif category[0] not in "LNM":
            replacement = " "
        self[code] = replacement
        return replacement


_CLASSES = _Classes()


def normalise_prompt(text: str) -> str:
    """Return a prompt without the differences that do not make it another prompt.

    Unicode NFKC, case folded, format characters and punctuation dropped, white space collapsed.
    Combining marks stay, and so do symbols that carry meaning (``C++`` is not ``C#``, ``x > 5`` not
    ``x < 5``): operators between operands, signs before and after a word. Operators and numbers get
    one spelling (``≥`` is ``>=``, ``1,000`` is ``1000``). Markdown, emphasis, and hyphens and slashes
    between words are dropped. A text of nothing else stays as it is.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    folded = _THOUSANDS.sub(lambda number: number[0].replace(",", ""), folded.translate(_OPERATORS))
    plain = folded.translate(_CLASSES)
    if any(symbol in plain for symbol in _SYMBOLS):
        plain = "".join(_meaningful(_TOKENS.findall(plain)))
    words = unicodedata.normalize("NFKC", plain).split()
    return " ".join(words) or folded.strip()


def valid_unicode(text: str) -> str:
    """Return ``text`` as valid Unicode: pairs of surrogates joined, lone ones replaced.

    JSON can carry half an emoji as an escape, and no file can.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _meaningful(tokens: Sequence[str]) -> Iterator[str]:
    """Yield the tokens of a text, without the symbols that only decorate it."""
    at_line_start = True
    for index, token in enumerate(tokens):
        if token.isspace() or token[0] not in _SYMBOLS:
            at_line_start = token == "\n" or (at_line_start and token.isspace())
            yield token
            continue
        before, after = _neighbour(tokens, index, -1), _neighbour(tokens, index, 1)
        rest = _remainder(token, before, after, at_line_start=at_line_start)
        at_line_start = at_line_start and rest.isspace()
        yield rest


class _Neighbour(NamedTuple):
    """The word beside a symbol on its line, or None, and whether the two touch."""

    word: str | None
    touching: bool


def _neighbour(tokens: Sequence[str], index: int, step: int) -> _Neighbour:
    at = index + step
    gap = 0 <= at < len(tokens) and tokens[at].isspace() and tokens[at] != "\n"
    at += step * gap
    if not 0 <= at < len(tokens) or tokens[at] == "\n" or tokens[at][0] in _SYMBOLS:
        return _Neighbour(None, False)
    return _Neighbour(tokens[at], not gap)


def _remainder(symbol: str, before: _Neighbour, after: _Neighbour, *, at_line_start: bool) -> str:
    """Return what remains of a symbol: itself where it carries meaning, else a space."""
    operator = f" {symbol} "
    between = before.word is not None and after.word is not None
    even = between and before.touching == after.touching
    prefix, suffix = after.touching and not before.touching, before.touching and not after.touching
    if at_line_start and (symbol[0] == ">" or not after.touching) and _MARKDOWN.fullmatch(symbol):
        return " "  # a heading, a bullet, a quotation
    if _RULE.fullmatch(symbol) and not (symbol == "===" and between):
        return " "
    if symbol in ("-", "/", "//"):
        if even and _OPERAND.fullmatch(f"{before.word}") and _OPERAND.fullmatch(f"{after.word}"):
            # In "covid-19" and "5-year" only one side could be a number, and "x-ray" is a word.
            return operator
        return " -" if symbol == "-" and prefix and f"{after.word}"[0].isdigit() else " "
    if symbol == "--":
        return " "
    if symbol in ("*", "**"):
        return operator if even else " "  # on one side alone it is emphasis
    if set(symbol) == {"!"}:
        return f" {symbol}" if symbol == "!" and prefix else " "
    if len(set(symbol)) == 1 and symbol[0] in "+#$%&":
        if suffix or (before.touching and symbol[0] == "#"):
            return f"{symbol} "
        if prefix:
            return f" {symbol}"
        return operator if between else " "
    return operator if before.word is not None or after.word is not None else " "
