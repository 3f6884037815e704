"""The whole audit: each data set by itself, and the evaluation rows that are in the training data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from harness.audit.clusters import cluster, connected
from harness.audit.corpus import Corpus
from harness.audit.leakage import KINDS, RESPONSE, leakage, prompt_text
from harness.audit.lookup import look_up
from harness.audit.personal import personal_data
from harness.audit.quality import (
    cut_at_length,
    cut_off,
    different_answers,
    languages,
    same_answer,
)
from harness.audit.report import AuditReport, BetweenReport, DataReport, Repeats, WordCounts
from harness.audit.similar import NearPairs
from harness.records import Leak, Sample
from harness.text.embedding import Embed

SHOWN_CHARACTERS = 300
EXAMPLES = 20
"""Places kept of each kind of finding; matches between the splits are kept all."""


def audit(
    training: Sequence[Sample],
    evaluation: Sequence[Sample] | None = None,
    *,
    embed: Embed | None = None,
) -> AuditReport:
    """Audit one data set, or a training set and an evaluation set.

    Raises:
        MissingPackage: Some pairs need the embedding model, which is not installed.
    """
    return AuditReport(
        training=examine(training, embed=embed),
        evaluation=None if evaluation is None else examine(evaluation, embed=embed),
        between=None if evaluation is None else compare(training, evaluation, embed=embed),
    )


def compare(
    training: Sequence[Sample], evaluation: Sequence[Sample], *, embed: Embed | None = None
) -> BetweenReport:
    """Report the evaluation rows that are in the training data; see ``audit``."""
    leakages = leakage(evaluation, training, embed=embed)
    leaked = [(row, leak) for row, leak in enumerate(leakages.leaks, 1) if leak is not None]
    responses, of_responses = _responses_between(training, evaluation, embed)
    searches = (leakages.search, of_responses)
    return BetweenReport(
        rows=len(evaluation),
        prompts=_by_kind(
            [leak.kind for _, leak in leaked],
            response=sum(leak.kind == RESPONSE for _, leak in leaked),
            unchecked=len(leakages.unchecked),
            clean=len(evaluation) - len(leaked) - len(leakages.unchecked),
        ),
        responses=responses,
        pairs=_by_kind([leak.pair for _, leak in leaked]),
        undecided_pairs=sum(len(search.undecided) for search in searches),
        told_apart=sum(search.told_apart for search in searches),
        crowded_buckets=sum(search.crowded for search in searches),
        matches=[
            _match(row, leak, evaluation[row - 1], training[leak.row - 1]) for row, leak in leaked
        ],
    )


def _match(row: int, leak: Leak, asked: Sample, trained: Sample) -> dict[str, JsonValue]:
    """Describe a leaked evaluation row (counted from 1) with the training row that it matches."""
    match: dict[str, JsonValue] = {
        "evaluation_row": row,
        "evaluation_id": asked.id,
        "training_row": leak.row,
        "training_id": leak.id,
        "kind": leak.kind,
        "similarity": leak.similarity,
        "pair": leak.pair,
        "evaluation_prompt": _shown(asked.prompt),
        "training_prompt": _shown(trained.prompt),
    }
    if leak.kind == RESPONSE:
        match |= {
            "response": leak.response,
            "evaluation_response": _shown(asked.reference or ""),
            "training_response": _shown(trained.reference or ""),
        }
    return match


def examine(samples: Sequence[Sample], *, embed: Embed | None = None) -> DataReport:
    """Report on one data set by itself; see ``audit``."""
    prompts = Corpus.of_prompts([prompt_text(sample) for sample in samples])
    answered = [row for row, sample in enumerate(samples) if sample.reference is not None]
    texts = [str(samples[row].reference) for row in answered]
    responses = Corpus(texts)
    of_prompts = _repeats(prompts, range(len(samples)), embed)
    of_responses = _repeats(responses, answered, embed)
    open_ends = [
        (row, why) for row, text in zip(answered, texts, strict=True) if (why := cut_off(text))
    ]
    longest, piled = cut_at_length(texts)
    several = different_answers(samples, prompts)
    clashes = [rows for rows, clash in several if clash]
    personal = _personal(samples)
    searches = (of_prompts.search, of_responses.search)
    return DataReport(
        rows=len(samples),
        prompts=of_prompts.counts,
        responses=of_responses.counts,
        prompt_words=_word_counts(prompts.texts),
        response_words=_word_counts(texts) if texts else None,
        prompt_languages=languages(prompts.texts),
        response_languages=languages(texts),
        empty_responses=len(samples) - len(answered),
        cut_off_responses=len(open_ends),
        cut_at_characters=longest if piled else None,
        cut_at_length=piled,
        several_answers=len(several),
        several_answers_rows=sum(len(rows) for rows, _ in several),
        contradicting=len(clashes),
        personal_data={
            kind: len({row for row, _, of_kind, _ in personal if of_kind == kind})
            for kind in ("email", "phone")
        },
        undecided_pairs=sum(len(search.undecided) for search in searches),
        told_apart=sum(search.told_apart for search in searches),
        crowded_buckets=sum(search.crowded for search in searches),
        examples={
            "near_prompts": of_prompts.examples,
            "near_responses": of_responses.examples,
            "repeated_responses": [
                {"rows": [answered[place] + 1 for place in group[:EXAMPLES]], "times": len(group),
                 "response": _shown(texts[group[0]])}
                for group in same_answer(responses)[:EXAMPLES]
            ],
            "cut_off_responses": [
                {"row": row + 1, "evidence": why} for row, why in open_ends[:EXAMPLES]
            ],
            "contradicting": [
                {
                    "rows": [row + 1 for row in rows[:EXAMPLES]],
                    "prompt": _shown(samples[rows[0]].prompt),
                    "responses": [_shown(str(samples[row].reference)) for row in rows[:3]],
                }
                for rows in clashes[:EXAMPLES]
            ],
            "personal_data": [
                {"row": row + 1, "where": where, "kind": kind, "masked": masked}
                for row, where, kind, masked in personal[:EXAMPLES]
            ],
        },
    )  # fmt: skip


class _RepeatSearch(NamedTuple):
    counts: Repeats
    examples: list[dict[str, JsonValue]]
    search: NearPairs


def _repeats(corpus: Corpus, row_of: Sequence[int], embed: Embed | None) -> _RepeatSearch:
    """Count repeats within one corpus, whose n-th text is of row ``row_of[n]``."""
    groups = cluster(corpus, embed=embed)
    distinct = len(set(corpus.texts))
    same = len(set(connected(len(corpus.keys), corpus.same())))
    closest = sorted(groups.search.pairs, key=lambda pair: (pair.similarity, pair.left))
    examples: list[dict[str, JsonValue]] = [
        {
            "rows": [row_of[corpus.rows_of[key][0]] + 1 for key in (pair.left, pair.right)],
            "similarity": pair.similarity,
            "cosine": pair.cosine,
            "texts": [_shown(corpus.keys[pair.left]), _shown(corpus.keys[pair.right])],
        }
        for pair in closest[:EXAMPLES]  # the least alike, where the rule could be wrong
    ]
    counts = Repeats(
        texts=len(corpus.texts),
        distinct=distinct,
        exact=len(corpus.texts) - distinct,
        normalised=distinct - same,
        near=same - groups.total,
        different=groups.total,
    )
    return _RepeatSearch(counts, examples, groups.search)


def _responses_between(
    training: Sequence[Sample], evaluation: Sequence[Sample], embed: Embed | None
) -> tuple[dict[str, int], NearPairs]:
    trained = [sample.reference for sample in training if sample.reference is not None]
    asked = [sample.reference for sample in evaluation if sample.reference is not None]
    left, right = Corpus(trained), Corpus(asked)
    lookup = look_up(right, left, embed=embed)
    word_for_word = set(trained)
    kinds = [
        ("exact" if text in word_for_word else "normalised") if lookup.equal[key] else "near"
        for text, key in zip(asked, right.key_of, strict=True)
        if lookup.places[key]
    ]
    counts = _by_kind(kinds, clean=len(asked) - len(kinds), none=len(evaluation) - len(asked))
    return counts, lookup.search


def _personal(samples: Sequence[Sample]) -> list[tuple[int, str, str, str]]:
    return [
        (row, where, finding.kind, finding.masked)
        for row, sample in enumerate(samples)
        for where, text in (("prompt", prompt_text(sample)), ("response", sample.reference or ""))
        for finding in personal_data(text)
    ]


def _by_kind(kinds: Sequence[str | None], **others: int) -> dict[str, int]:
    counts = Counter(kinds)
    return {kind: counts[kind] for kind in KINDS} | others


def _word_counts(texts: Sequence[str]) -> WordCounts:
    words = np.array([len(text.split()) for text in texts])
    return WordCounts(
        least=int(words.min()),
        median=float(np.median(words)),
        p95=float(np.percentile(words, 95)),
        most=int(words.max()),
    )


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"
