"""Leaks: prompts under test, or their answers, that are in the training data, where, and how."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from harness.audit.corpus import Corpus, normalised
from harness.audit.lookup import Lookup, look_up
from harness.audit.similar import (
    SHORT_WORDS,
    CorpusPair,
    Kind,
    NearPairs,
    Pairs,
    decide,
    embedded_pairs,
    same_response,
)
from harness.audit.templates import Templates
from harness.audit.trained_answers import find_responses
from harness.records import Leak, Message, Sample
from harness.text.embedding import Embed
from harness.text.normalise import normalise_prompt

KINDS: tuple[Kind, ...] = ("exact", "normalised", "near")
RESPONSE: Literal["response"] = "response"
"""Kind of a leak by the answer alone."""

LOOKED_AT = 200
"""Matching training rows of one prompt whose responses are compared."""


class Question(NamedTuple):
    """A question that a row asks: the prompt, or a conversation up to a user turn."""

    row: int
    text: str
    response: str | None


class Leakage(NamedTuple):
    """Evaluation rows that are in the training data.

    Attributes:
        leaks: One for each evaluation row, None where none was found.
        unchecked: Rows without a leak of which an alike pair was not looked at.
        search: The near-duplicates, and what could not be looked at.
    """

    leaks: list[Leak | None]
    unchecked: frozenset[int]
    search: NearPairs


def mark_leaked(
    samples: Sequence[Sample], training: Iterable[Sample], *, embed: Embed | None = None
) -> tuple[list[Sample], dict[str, Any]]:
    """Mark every sample ``leaked`` whose prompt or answer is in the training data, else ``clean``.

    A sample that is alike to more training rows than could be compared, and equal to none of those
    compared, is ``unchecked``.

    Returns:
        The marked samples in order, each leaked one with its ``leak``; and the counts:
        ``samples``, ``exact`` (prompt word for word), ``normalised`` (only after normalisation),
        ``near`` (only nearly), ``response`` (not the prompt, but the answer), ``unchecked``,
        ``clean``, ``pairs`` (prompt and answer both word for word), ``training_rows``, ``undecided_pairs`` and ``crowded_buckets`` (see ``similar.NearPairs``).

    Raises:
        MissingPackage: Some pairs need the embedding model, which is not installed.
    """
    trained = list(training)
    leaked = leakage(samples, trained, embed=embed)
    marked = [
        sample.model_copy(
            update={
                "audit": "leaked" if leak else "unchecked" if row in leaked.unchecked else "clean",
                "leak": leak,
            }
        )
        for row, (sample, leak) in enumerate(zip(samples, leaked.leaks, strict=True))
    ]
    kinds: list[str] = [leak.kind for leak in leaked.leaks if leak]
    return marked, {
        "samples": len(samples),
        **{kind: kinds.count(kind) for kind in (*KINDS, RESPONSE)},
        "unchecked": len(leaked.unchecked),
        "clean": len(samples) - len(kinds) - len(leaked.unchecked),
        "pairs": sum(leak is not None and leak.pair == "exact" for leak in leaked.leaks),
        "training_rows": len(trained),
        "undecided_pairs": len(leaked.search.undecided),
        "crowded_buckets": leaked.search.crowded,
    }


def leakage(
    evaluation: Sequence[Sample], training: Sequence[Sample], *, embed: Embed | None = None
) -> Leakage:
    """Look every evaluation prompt up in the training data, and the answers of those not found.

    A conversation is looked up as a whole and, unless it is short, by its last turn alone; of a
    training conversation every user turn counts, because every answer in it was trained on. For
    evaluation prompts that are equal to a training prompt, near-duplicates are searched only by
    their response.
    """
    trained, asked = questions(training, all_turns=True), questions(evaluation)
    # Without the templates of either.
    left, right = [part.text for part in trained], [part.text for part in asked]
    templates = Templates.learn(map(normalised, left)) | Templates.learn(map(normalised, right))
    corpora = CorpusPair(Corpus(left, templates), Corpus(right, templates))
    lookup = look_up(corpora.right, corpora.left, embed=embed)
    elsewhere = _pairs_elsewhere(trained, asked, corpora, lookup, embed)
    leaks: list[Leak | None] = [None] * len(evaluation)
    unchecked = set()
    for number, (part, key) in enumerate(zip(asked, corpora.right.key_of, strict=True)):
        leak = _best(part, lookup.places[key], trained, training, equal=lookup.equal[key])
        if leak is not None and leak.pair is None and number in elsewhere:
            leak = leak.model_copy(update={"pair": "near"})
        leaks[part.row] = min(filter(None, (leaks[part.row], leak)), key=_gravity, default=None)
        unchecked |= {part.row} if key in lookup.unchecked else set()
    _add_by_response(leaks, evaluation, training)
    unchecked = {row for row in unchecked if leaks[row] is None}
    return Leakage(leaks, frozenset(unchecked), lookup.search)


def _add_by_response(
    leaks: list[Leak | None], evaluation: Sequence[Sample], training: Sequence[Sample]
) -> None:
    """Look the answers of the rows without a leak up, and note the leaks by the answer alone."""
    rows = [row for row, leak in enumerate(leaks) if leak is None]
    matches = find_responses([evaluation[row] for row in rows], training)
    for row, match in zip(rows, matches, strict=True):
        if match is not None:
            leaks[row] = Leak(
                kind=RESPONSE,
                row=match.row + 1,
                id=training[match.row].id,
                similarity=match.share,
                response=match.kind,
            )


def _pairs_elsewhere(
    trained: Sequence[Question],
    asked: Sequence[Question],
    corpora: CorpusPair,
    lookup: Lookup,
    embed: Embed | None,
) -> set[int]:
    """Return equal questions whose response belongs to a near-duplicate of their prompt.

    Near-duplicates of a question that is in the training data as it is are not searched for; but the
    whole pair may be among them, and its response identifies it. Where a response of some length is
    the same, a different word in the prompt makes no other pair of it.
    """
    left, right = corpora.left, corpora.right
    wanted = {
        number: normalise_prompt(part.response)
        for number, (part, key) in enumerate(zip(asked, right.key_of, strict=True))
        if part.response and lookup.equal[key] and len(part.response.split()) >= SHORT_WORDS
    }
    answers = set(wanted.values())
    keys_with: dict[str, dict[int, None]] = defaultdict(dict)
    plain: dict[str, str] = {}
    for part, key in zip(trained, left.key_of, strict=True) if answers else ():
        if part.response:
            if part.response not in plain:
                plain[part.response] = normalise_prompt(part.response)
            if (answer := plain[part.response]) in answers:
                keys_with[answer][key] = None
    candidates = {
        (key, right.key_of[number])
        for number, answer in wanted.items()
        for key in list(keys_with[answer])[:LOOKED_AT]
    }
    near = decide(
        corpora,
        Pairs.of(sorted(candidates)),
        by_words=False,
        limit=embedded_pairs(len(wanted)),
        embed=embed,
    )
    alike = {(pair.left, pair.right) for pair in near.pairs}
    return {
        number
        for number, answer in wanted.items()
        if any((key, right.key_of[number]) in alike for key in keys_with[answer])
    }


def questions(samples: Sequence[Sample], *, all_turns: bool = False) -> list[Question]:
    """Return the questions of all rows: the conversation and, unless short, its last turn alone.

    With ``all_turns`` the same for every user turn: all answers of a conversation are trained on.
    """
    return [
        question
        for row, sample in enumerate(samples)
        for question in _of_row(row, sample, all_turns)
    ]


def _of_row(row: int, sample: Sample, all_turns: bool) -> Iterator[Question]:
    messages = [message for message in sample.messages if message.role != "system"]
    for place, message in enumerate(messages):
        last = place == len(messages) - 1
        if message.role != "user" or not (last or all_turns) or not message.content.strip():
            continue
        response = sample.reference if last else messages[place + 1].content
        yield Question(row, _joined(messages[: place + 1]), response)
        if place and len(message.content.split()) >= SHORT_WORDS:
            yield Question(row, message.content, response)


def prompt_text(sample: Sample) -> str:
    """Return the prompt, or the whole conversation without system text, that identifies a row."""
    return _joined(sample.messages)


def _joined(messages: Sequence[Message]) -> str:
    return "\n".join(message.content for message in messages if message.role != "system")


def _best(
    part: Question,
    places: Sequence[tuple[int, float]],
    trained: Sequence[Question],
    training: Sequence[Sample],
    *,
    equal: bool,
) -> Leak | None:
    """Return the gravest match of one question among its places."""
    leaks: list[Leak] = []
    pairs: list[Kind] = []
    if equal:  # word for word before what is equal only after normalisation
        places = sorted(places, key=lambda place: trained[place[0]].text != part.text)
    for place, similarity in places[:LOOKED_AT]:
        other = trained[place]
        kind: Kind = ("exact" if other.text == part.text else "normalised") if equal else "near"
        response: Kind | None = None
        if part.response and other.response:
            response = same_response(part.response, other.response)
        pair = None if response is None else max(kind, response, key=KINDS.index)
        pairs += [] if pair is None else [pair]
        number, row = other.row + 1, training[other.row]
        leaks.append(Leak(kind=kind, row=number, id=row.id, similarity=similarity, pair=pair))
    if not leaks:
        return None
    return min(leaks, key=_gravity).model_copy(
        update={"pair": min(pairs, key=KINDS.index, default=None)}
    )


def _gravity(leak: Leak) -> tuple[int, int, float, int]:
    """Order leaks of prompts, the gravest first: by pair, then the closest, then the first."""
    order: tuple[str, ...] = KINDS
    pair = len(KINDS) if leak.pair is None else KINDS.index(leak.pair)
    return order.index(leak.kind), pair, -leak.similarity, leak.row
