"""The words in which two alike texts differ, and whether these make them ask different things.

"Sum the even numbers" and "sum the odd numbers" share nearly all letters, and their embeddings lie as
close as those of a paraphrase. In a text of fewer than ``ONE_WORD_COUNTS`` words one word can make
another question; in a longer one most of what was learned is the same, whatever one word says.

Two short texts are told apart where they differ in how often they deny, in opposites, or where each has
a number, or a content word or operator, that the other lacks and that is neither an inflection, a
misspelling nor a synonym of one there. Words and numbers put in or left out on one side alone, function
words and the order of words tell nothing apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import NamedTuple

from harness.text.lexicon import english_words, lexicon_lines, word_set
from harness.text.wordlists import FUNCTION_WORDS, OPPOSITES

ONE_WORD_COUNTS = 40
SAME_MEANING = 0.80
"""Cosine of two words' embeddings from which they are synonyms. Of pairs that are, about half reach
it (scared, afraid: 0.85); of those that are not only opposites do (husband, wife: 0.87; France,
Germany: 0.75), and these are listed."""

_COUNTING = (
    "zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty"  # "one" is a function word more often than a number
)
_NUMBER_WORDS = {word: str(number + bool(number)) for number, word in enumerate(_COUNTING.split())}
_NUMBER = re.compile(r"\D?\d+\D?")
_DENIALS = frozenset({"t", "non"})
"""Beyond the lexicon's: the normalised "don't" is "don t"."""

_PREFIXES = ("un", "in", "im", "ir", "non", "dis", "de", "mis")


class Difference(NamedTuple):
    """Content words of each text that the other lacks, without those that agree."""

    left: tuple[str, ...]
    right: tuple[str, ...]

    @property
    def open(self) -> bool:
        """Return whether meaning must decide."""
        return bool(self.left and self.right)


def short(left: str, right: str) -> bool:
    """Return whether one word can make two (normalised) texts ask different things.

    Never in a script without spaces, whose words are not seen here.
    """
    return all(
        text.count(" ") + 1 < ONE_WORD_COUNTS and not spaceless(text) for text in (left, right)
    )


def spaceless(text: str) -> bool:
    """Return whether a text is written without spaces between its words."""
    return len(text) > 20 * (text.count(" ") + 1)


def difference(left: str, right: str) -> Difference | None:
    """Return the content words in which two short texts differ; None if these tell them apart."""
    left, right = _read(left), _read(right)
    if _closed(left) == _closed(right):
        return Difference((), ())
    gone, come = _lacking(left, right), _lacking(right, left)
    if gone and come:
        left, right = _joined(left, come), _joined(right, gone)
        gone, come = _lacking(left, right), _lacking(right, left)
    if any(opposite(a, b) for a in gone for b in come):
        return None
    first, second = _sorted(gone), _sorted(come)
    fewer, more = first.numbers - second.numbers, second.numbers - first.numbers
    if (fewer and more) or first.denials != second.denials:
        return None
    # A number on one side alone is a year, a list's or put in with a sentence; or in a word's place.
    left_over = (*first.content, *fewer.elements()), (*second.content, *more.elements())
    return _unmatched(Difference(*left_over), same_word)


@lru_cache(maxsize=1 << 17)
def _read(text: str) -> str:
    """Write units as words: "$5", "5%" and "5kg" become a number and a unit."""
    for written, read in _UNITS:
        text = written.sub(read, text)
    return text


_UNITS = [
    (re.compile(r"(?<!\S)\$(?=\d)"), "dollars "),
    (re.compile(r"(?<!\S)€(?!\S)"), "euros"),
    (re.compile(r"(?<!\S)£(?!\S)"), "pounds"),
    (re.compile(r"(?<=\d)%(?!\S)"), " percent"),
    # Of one letter it is as often a name ("3d", "4k"), and these letters are function words.
    (re.compile(r"(?<!\S)(\d+)(?=[a-z]{2,}(?!\S))"), r"\1 "),
]
_BETWEEN = re.compile(r"(?<!\d) | (?!\d)")


@lru_cache(maxsize=1 << 17)
def _closed(text: str) -> str:
    """Remove the spaces of a text, except those between two numbers."""
    return _BETWEEN.sub("", text)


def _lacking(left: str, right: str) -> Counter[str]:
    """Count the words of one text that the other lacks."""
    return _counted(left) - _counted(right)


@lru_cache(maxsize=1 << 17)
def _counted(text: str) -> Counter[str]:
    return Counter(text.split())


def _joined(text: str, words: Iterable[str]) -> str:
    """Join these words of another text, as "coworker", where they are written apart."""
    closed = _closed(text)
    for word in words:
        if len(word) > 2 and word in closed:
            text = _written_apart(word).sub(lambda match: match[0].replace(" ", ""), text)
    return text


@lru_cache(maxsize=1 << 12)
def _written_apart(word: str) -> re.Pattern[str]:
    between = (
        "" if a.isdigit() and b.isdigit() else " ?"
        for a, b in zip(word, f"{word[1:]} ", strict=True)
    )
    letters = "".join(re.escape(letter) + gap for letter, gap in zip(word, between, strict=True))
    return re.compile(rf"(?<!\S){letters.removesuffix(' ?')}(?!\S)")


def apart(difference: Difference | None, cosine: Callable[[str, str], float]) -> bool:
    """Return whether a difference tells two texts apart, by the cosine of its words' embeddings."""
    if difference is None:
        return True

    def alike(a: str, b: str) -> bool:
        return not (_name(a) or _name(b)) and cosine(a, b) >= SAME_MEANING

    return _unmatched(difference, alike).open


def opposite(a: str, b: str) -> bool:
    """Return whether two words are opposites."""
    if frozenset((a, b)) in OPPOSITES:
        return True
    less, more = sorted((a, b), key=len)
    return len(less) > 3 and any(more == prefix + less for prefix in _PREFIXES)


@lru_cache(maxsize=100_000)
def same_word(a: str, b: str) -> bool:
    """Return whether two words are forms, spellings or listed synonyms of one word."""
    if _name(a) or _name(b):
        return False
    left, right = _lemmas(a), _lemmas(b)
    if (
        left & right
        or _american(a) == _american(b)
        or any(frozenset((x, y)) in _synonyms() for x in left for y in right)
    ):
        return True
    from rapidfuzz.distance import OSA

    # Of two dictionary words neither is misspelt (weight, height); two names are sooner two than one.
    real = (a in english_words()) + (b in english_words())
    shortest = min(len(a), len(b))
    allowed = 2 if shortest >= 8 else 1 if shortest >= (4 if real == 1 else 5) else 0
    if real == 1 and shortest >= 6 and sorted(a) == sorted(b):
        allowed = 2  # swaps alone
    return real < 2 and OSA.distance(a, b) <= allowed


def misspelt(left: str, right: str) -> bool:
    """Return whether two texts agree word by word, except spaces, forms and spellings."""
    left, right = _read(left), _read(right)
    if _closed(left) == _closed(right):
        return True
    one, other = left.split(), right.split()
    return len(one) == len(other) and all(
        a == b or same_word(a, b) for a, b in zip(one, other, strict=True)
    )


class _Sorted(NamedTuple):
    """Words of one side by what their change means."""

    numbers: Counter[str]
    denials: int
    content: tuple[str, ...]


def _sorted(words: Counter[str]) -> _Sorted:
    numbers, content, denials = [], [], 0
    for word in words.elements():
        if word in _NUMBER_WORDS or _NUMBER.fullmatch(word):
            numbers.append(_NUMBER_WORDS.get(word, word))
        elif word in _DENIALS or word in word_set("negations.txt"):
            denials += 1
        elif word not in FUNCTION_WORDS:
            content.append(word)
    return _Sorted(Counter(numbers), denials, tuple(content))


def _unmatched(difference: Difference, same: Callable[[str, str], bool]) -> Difference:
    """Return what remains when every word is matched with one of the other side that is the same."""
    right = list(difference.right)
    left = []
    for word in difference.left:
        twin = next((other for other in right if same(word, other)), None)
        if twin is None:
            left.append(word)
        else:
            right.remove(twin)
    return Difference(tuple(left), tuple(right))


def _name(word: str) -> bool:
    """Return whether a word is an operator or a name such as ``c++``, with no other spellings."""
    return word.isascii() and not word.isalpha()


def _american(word: str) -> str:
    """Return the American spelling of most British words; for others it need not be a word."""
    return re.sub(r"(?<=[a-z]{2}[iy])s(?=e|i|a)", "z", word).replace("our", "or")


@lru_cache(maxsize=100_000)
def _lemmas(word: str) -> frozenset[str]:
    from lemminflect import getAllLemmas

    return frozenset({word, *(form for forms in getAllLemmas(word).values() for form in forms)})


@cache
def _synonyms() -> frozenset[frozenset[str]]:
    """Return pairs of words of one sense."""
    return frozenset(frozenset(line.split()) for line in lexicon_lines("same_sense.txt"))
