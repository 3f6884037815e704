"""Cheap truths about an answer that need no judge: empty, degenerate, cut off, refused and so on.

Every check is a function of the item that returns the evidence in words, or None. The dimensions
are 0 or 1, lower is better.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version as package_version

from harness.records import Dimension, JudgeItem, Judgement
from harness.text import language
from harness.text.code_spans import FENCED, largely_code
from harness.text.refusals import SIMILARITY, Refusals

REPEATED_SHARE = 0.3
"""Share of repeated 4-grams that counts as degeneration.

Among 800 counsellors' answers the greatest share is 0.08; among 400 code answers two pass 0.3, one
of which writes a table row ten times.
"""

MIN_NGRAMS = 20
MIN_LOOP = 40
ECHO_SHARE = 0.5
ECHO_NGRAM = 8

_WORD = re.compile(r"\w+")
_CHARACTER_LOOP = re.compile(r"(\S{1,24}?)\1{11,}")
_TURN = re.compile(
    r"^[ \t>*_#-]*(?:user|human|question|q|prompt|instruction|input|customer|client|patient)"
    r"\b[ \t]*\d*[*_]*[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_TEMPLATE = re.compile(
    r"<\|(?:im_start|im_end|user|assistant|system|end|eot_id|start_header_id)\|>|\[/?INST\]"
    r"|<(?:start|end)_of_turn>|^#{2,}[ \t]*(?:instruction|input|question|user|prompt|response)\b",
    re.IGNORECASE | re.MULTILINE,
)
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_OWN_QUESTION = re.compile(r"(?:i|i['’](?:m|ve)|my|we|how do i|what should i)\b", re.IGNORECASE)

_DESCRIPTIONS = {
    "empty": "No letter, digit or symbol: white space and punctuation at most",
    "degeneration": "The answer goes round in circles",
    "truncated": "Generation stopped at the token limit",
    "refusal": "The answer declines to answer",
    "language_switch": "A stretch of the answer is in another language than the question",
    "prompt_echo": "The answer gives the prompt back",
    "run_on": "The answer does not stop where it ends and invents the next question or turn",
}


def empty(item: JudgeItem) -> str | None:
    """Notice an answer without any letter, digit or symbol."""
    categories = map(unicodedata.category, item.answer)
    if any(kind[0] in "LN" or kind in ("Sm", "Sc", "So") for kind in categories):
        return None
    return "no letter, digit or symbol"


def degeneration(item: JudgeItem) -> str | None:
    """Notice that the answer goes round in circles.

    Words: the share of repeated 4-grams, 1 - distinct / all (seq-rep-4 of Welleck et al. 2020,
    "Neural Text Generation with Unlikelihood Training"). Characters: one piece of up to 24
    characters twelve times or more in a row over 40 characters, with a letter or digit in it
    (rulers are no loops).
    """
    words = [word.lower() for word in _WORD.findall(item.answer)]
    grams = list(zip(*(words[offset:] for offset in range(4)), strict=False))
    if len(grams) >= MIN_NGRAMS:
        share = 1 - len(set(grams)) / len(grams)
        if share > REPEATED_SHARE:
            return f"{share:.0%} of 4-grams are repeats"
    for loop in _CHARACTER_LOOP.finditer(item.answer):
        if len(loop[0]) >= MIN_LOOP and any(character.isalnum() for character in loop[1]):
            return f"{loop[1]!r} {len(loop[0]) // len(loop[1])} times in a row"
    return None


def truncated(item: JudgeItem) -> str | None:
    """Notice that generation stopped at the token limit."""
    return "stopped at the token limit" if item.finish_reason == "length" else None


def prompt_echo(item: JudgeItem) -> str | None:
    """Notice that the answer gives the prompt back.

    It begins with the whole question (five words or more), or half of its words stand in stretches
    of eight words that the question has too. Where the question holds code, which a good answer
    repeats, one of those stretches must be the question's opening.
    """
    question = [word.lower() for word in _WORD.findall(item.question)]
    answer = [word.lower() for word in _WORD.findall(item.answer)]
    if len(question) >= 5 and answer[: len(question)] == question:
        return "begins with the question"
    size = ECHO_NGRAM
    known = {tuple(question[i : i + size]) for i in range(len(question) - size + 1)}
    shared = [
        start
        for start in range(len(answer) - size + 1)
        if tuple(answer[start : start + size]) in known
    ]
    if largely_code(item.question) and not any(
        answer[start : start + size] == question[:size] for start in shared
    ):
        return None
    covered = {position for start in shared for position in range(start, start + size)}
    share = len(covered) / len(answer) if answer else 0.0
    return f"{share:.0%} of its words copy the question" if share >= ECHO_SHARE else None


def run_on(item: JudgeItem) -> str | None:
    """Notice that the answer does not stop where it ends."""
    answer = FENCED.sub(lambda fence: "." * len(fence[0]), item.answer)
    for pattern, what in ((_TURN, "a new turn"), (_TEMPLATE, "template text")):
        for match in pattern.finditer(answer):
            if answer[: match.start()].strip():
                return f"runs on into {what}: {match[0].strip()[:40]!r}"
    *before, last = (part.strip() for part in _PARAGRAPH.split(answer.strip()))
    if any(before) and last.endswith("?") and len(last) > 40 and _OWN_QUESTION.match(last):
        return f"runs on into a question of its own: {last[:40]!r}"
    return None


class AnswerChecks:
    """Cheap truths about every answer: empty, degenerate, cut off, refused, run on and more.

    Args:
        refusals: A list of refusal phrases, one a line; the shipped one by default.
        refusal_similarity: Probability from which a short answer counts as a refusal by its likeness
            to labelled ones; null for phrases only, without the embedding model.
        skip: Checks to leave out, by name.
    """

    def __init__(
        self,
        refusals: str | None = None,
        refusal_similarity: float | None = SIMILARITY,
        skip: Sequence[str] = (),
    ) -> None:
        known = Refusals(refusals, refusal_similarity)
        checks: dict[str, Callable[[JudgeItem], str | None]] = {
            "empty": empty,
            "degeneration": degeneration,
            "truncated": truncated,
            "refusal": lambda item: known.evidence(item.answer),
            "language_switch": lambda item: language.switched(item.question, item.answer),
            "prompt_echo": prompt_echo,
            "run_on": run_on,
        }
        if isinstance(skip, str) or not isinstance(skip, Sequence):
            raise ValueError(f"skip must be a list of checks such as [empty], not {skip!r}")
        for name in skip:
            if name not in list(checks):  # a list: what YAML gives need not be hashable
                raise ValueError(f"no check named {name!r} to skip; known: {', '.join(checks)}")
        self._checks = {name: check for name, check in checks.items() if name not in skip}
        self.dimensions: Sequence[Dimension] = tuple(
            Dimension(
                name=name,
                low=0.0,
                high=1.0,
                higher_is_better=False,
                description=_DESCRIPTIONS[name],
            )
            for name in self._checks
        )
        self.version = f"2, refusals {known.version}, py3langid {package_version('py3langid')}"

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Grade every item on every check; the evidence is in ``reason``."""
        for index, item in enumerate(items):
            for name, check in self._checks.items():
                evidence = check(item)
                yield Judgement(
                    item=index, dimension=name, value=float(evidence is not None), reason=evidence
                )
