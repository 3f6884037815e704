"""Whether the prompts under test stand in the training data, where, and how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from harness.audit.similar import SHORT_WORDS, Corpus, Embed, Kind, Near, near_pairs, same_response
from harness.audit.templates import Templates
from harness.data import normalise_prompt
from harness.records import Leak, Message, Sample

KINDS: tuple[Kind, ...] = ("exact", "normalised", "near")
LOOKED_AT = 200
"""Matching training rows of one prompt whose responses are compared."""


class Asking(NamedTuple):
    """One thing that a row asks.

    Attributes:
        row: Index of the row.
        text: The prompt, or a conversation up to a user turn.
        response: What the row answers to it.
    """

    row: int
    text: str
    response: str | None


class Leakage(NamedTuple):
    """What of the evaluation stands in the training data.

    Attributes:
        leaks: One for each evaluation row, None where it is clean.
        undecided: Open pairs that were not looked at, see ``similar.NearPairs``.
        crowded: Buckets passed over, see ``minhash.Candidates``.
    """

    leaks: list[Leak | None]
    undecided: int
    crowded: int


def mark_leaked(
    samples: Sequence[Sample], training: Iterable[Sample], *, embed: Embed | None = None
) -> tuple[list[Sample], dict[str, Any]]:
    """Mark every sample ``leaked`` whose prompt stands in the training data, else ``clean``.

    Args:
        samples: The prompts under test.
        training: All rows that were trained on.
        embed: Texts to unit vectors; the process-wide MiniLM by default.

    Returns:
        The marked samples in order, each leaked one with its ``leak``; and the counts:
        ``samples``, ``exact`` (prompt word for word), ``normalised`` (only after normalisation),
        ``near`` (only nearly), ``clean``, ``pairs`` (prompt and answer both word for word),
        ``training_rows``, ``undecided_pairs`` and ``crowded_buckets`` (see ``Leakage``).

    Raises:
        MissingPackage: Some pairs need the embedding model, which is not installed.
    """
    trained = list(training)
    found = leakage(samples, trained, embed=embed)
    marked = [
        sample.model_copy(update={"audit": "leaked" if leak else "clean", "leak": leak})
        for sample, leak in zip(samples, found.leaks, strict=True)
    ]
    kinds = [leak.kind for leak in found.leaks if leak]
    return marked, {
        "samples": len(samples),
        **{kind: kinds.count(kind) for kind in KINDS},
        "clean": len(samples) - len(kinds),
        "pairs": sum(
            leak is not None and leak.kind == leak.response == "exact" for leak in found.leaks
        ),
        "training_rows": len(trained),
        "undecided_pairs": found.undecided,
        "crowded_buckets": found.crowded,
    }


def leakage(
    evaluation: Sequence[Sample], training: Sequence[Sample], *, embed: Embed | None = None
) -> Leakage:
    """Look every evaluation prompt up in the training data.

    A conversation is looked up as a whole and, unless it is short, by its last turn alone; of a
    training conversation every user turn counts, because every answer in it was trained on.
    Evaluation prompts found word for word or after normalisation are not searched for further.
    """
    trained = [
        part
        for row, sample in enumerate(training)
        for part in _askings(row, sample, all_turns=True)
    ]
    asked = [part for row, sample in enumerate(evaluation) for part in _askings(row, sample)]
    left, right = corpora([part.text for part in trained], [part.text for part in asked])
    counterpart = {number: left.number_of.get(key) for number, key in enumerate(right.keys)}
    missing = [number for number, found in counterpart.items() if found is None]
    search = near_pairs(left, right, only=missing, embed=embed)
    near: dict[int, list[Near]] = {}
    for pair in search.pairs:
        near.setdefault(pair.right, []).append(pair)
    leaks: list[Leak | None] = [None] * len(evaluation)
    for part, key in zip(asked, right.key_of, strict=True):
        same = counterpart[key]
        places = (
            [
                (place, 1.0)
                for place in sorted(
                    left.rows_of[same], key=lambda place: trained[place].text != part.text
                )
            ]
            if same is not None
            else [
                (place, pair.similarity)
                for pair in sorted(
                    near.get(key, []), key=lambda pair: (-pair.similarity, pair.left)
                )
                for place in left.rows_of[pair.left]
            ]
        )
        leak = _best(part, places, trained, training, equal=same is not None)
        leaks[part.row] = min(filter(None, (leaks[part.row], leak)), key=_gravity, default=None)
    return Leakage(leaks, search.undecided, search.crowded)


def corpora(left: Sequence[str], right: Sequence[str]) -> tuple[Corpus, Corpus]:
    """Two collections to be compared, without the templates of either."""
    templates = Templates.learn(map(normalise_prompt, left)) | Templates.learn(
        map(normalise_prompt, right)
    )
    return Corpus(left, templates), Corpus(right, templates)


def prompt_text(sample: Sample) -> str:
    """What identifies a row's question: the prompt, or the whole conversation without system text."""
    return _joined(sample.messages)


def _joined(messages: Sequence[Message]) -> str:
    return "\n".join(message.content for message in messages if message.role != "system")


def _askings(row: int, sample: Sample, *, all_turns: bool = False) -> Iterator[Asking]:
    messages = [message for message in sample.messages if message.role != "system"]
    for place, message in enumerate(messages):
        last = place == len(messages) - 1
        if message.role != "user" or not (last or all_turns) or not message.content.strip():
            continue
        response = sample.reference if last else messages[place + 1].content
        yield Asking(row, _joined(messages[: place + 1]), response)
        if place and len(message.content.split()) >= SHORT_WORDS:
            yield Asking(row, message.content, response)


def _best(
    part: Asking,
    places: Sequence[tuple[int, float]],
    trained: Sequence[Asking],
    training: Sequence[Sample],
    *,
    equal: bool,
) -> Leak | None:
    """The gravest match of one asking among the places where it stands."""
    leaks: list[Leak] = []
    for place, similarity in places[:LOOKED_AT]:
        other = trained[place]
        response: Kind | None = None
        if part.response and other.response:
            response = same_response(part.response, other.response)
        kind: Kind = ("exact" if other.text == part.text else "normalised") if equal else "near"
        leaks.append(
            Leak(
                kind=kind,
                row=other.row + 1,
                id=training[other.row].id,
                similarity=similarity,
                response=response,
            )
        )
    return min(leaks, key=_gravity, default=None)


def _gravity(leak: Leak) -> tuple[int, int, float, int]:
    """Sorts the gravest first: by prompt, then by response, then the closest, then the first."""
    response = len(KINDS) if leak.response is None else KINDS.index(leak.response)
    return KINDS.index(leak.kind), response, -leak.similarity, leak.row
