"""How well training and clean texts are told apart without any model that is under test.

A gain that stops at the training prompts means memory only where the clean prompts are of the same
kind of text. Here a classifier looks at the texts alone: a cross-validated logistic regression on the
lengths, on the words, and on the topic, each by itself. AUC 0.5 is chance. Where it tells the two apart
there is no verdict, whatever the gains, unless enough pairs matched on length and topic remain.

A family of near-duplicates is one observation: it stays in one fold, and its scores are averaged.

Sources: Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests" (a classifier as a test of
two samples); DeLong et al. 1988 (interval of an AUC); Rosenbaum and Rubin 1985, "Constructing a control
group using multivariate matched sampling" (standardised differences, calipers).
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.analysis.memorisation_schema import (
    BalanceRow,
    Likeness,
    SeparationAuc,
    TextComparison,
    TextShift,
)
from harness.analysis.test_family import number
from harness.memorisation.membership import auc
from harness.memorisation.prompt_choice import ProbedPrompt, usable_samples
from harness.records import Sample
from harness.stats.closed_forms import Floats
from harness.text.embedding import Embed
from harness.text.normalise import normalise_prompt
from harness.text.word_runs import words
from harness.util.digest import derived_rng, derived_seed

APART = 0.6
"""Told apart where the lower end of an AUC's interval is above it. Of two kinds of text that a classifier
knows without error, 0.6 means that one of five training texts is of a kind that clean ones lack: with
gains of that kind alone, a fifth of the gain could be missing on clean prompts for no other reason."""

UNCLEAR = 0.9
"""Not shown to be alike where the upper end of an interval is above it: too few texts to tell."""

LEAST_PAIRS = 20
"""Matched pairs from which a verdict may rest on them; fewer cannot be compared by the classifier."""

CALIPER = 0.35
"""Of a matched pair: largest difference of the log lengths (a factor of 1.4)."""

LEAST_COSINE = 0.3
"""Of a matched pair: least cosine of the embeddings; unrelated texts lie about 0.05, of one topic from
0.3 on."""

LEAST_TEXTS = 100
"""Texts a side that are compared where there are so many, though fewer may be probed."""

SHIFT_VERSION = 1
"""Raise it whenever the same texts would be compared otherwise."""

FOLDS, REPEATS = 5, 3
SETS = ("length", "words", "topic")


class SeenText(NamedTuple):
    """One training or clean row, as the classifier sees it; equal families are one observation."""

    id: str
    prompt: str
    response: str
    family: str

    @property
    def whole(self) -> str:
        """Return prompt and response."""
        return f"{self.prompt}\n{self.response}"


@dataclass(frozen=True)
class TextFeatures:
    """What is read of texts once: lengths, the texts, and their embeddings.

    Attributes:
        lengths: Log of the words of the prompt and of the response, shape (n, 2).
        texts: Prompt and response.
        topics: Unit vectors of the prompts, shape (n, 384); None without the embedding model.
        families: Of each text.
    """

    lengths: Floats
    texts: Sequence[str]
    topics: NDArray[np.float32] | None
    families: Sequence[str]

    @classmethod
    def read(cls, rows: Sequence[SeenText], embed: Embed | None) -> TextFeatures:
        """Read texts; ``embed`` None leaves the topic out."""
        texts = [row.whole for row in rows]
        counts = [[len(words(row.prompt)), len(words(row.response))] for row in rows]
        return cls(
            np.log1p(np.array(counts, dtype=np.float64).reshape(-1, 2)),
            texts,
            None if embed is None else embed([row.prompt for row in rows]),
            [row.family for row in rows],
        )

    def only(self, rows: Sequence[int]) -> TextFeatures:
        """Return those of some texts."""
        at = np.array(rows, dtype=np.int64)
        return TextFeatures(
            self.lengths[at],
            [self.texts[i] for i in rows],
            None if self.topics is None else self.topics[at],
            [self.families[i] for i in rows],
        )


class ComparedTexts(NamedTuple):
    """The texts of both sides: those that are probed, and more of the same data."""

    training: list[SeenText]
    clean: list[SeenText]


def compared_texts(
    training: Sequence[Sample],
    evaluation: Sequence[Sample],
    probed: Sequence[ProbedPrompt],
    seed: int,
) -> ComparedTexts:
    """Collect the probed texts, and drawn ones of the same sets up to ``LEAST_TEXTS`` a side.

    Only clean prompts of ``evaluation`` count. A family is that of near-duplicate prompts, where the
    audit looked, and the normalised prompt elsewhere.
    """
    sides: list[list[SeenText]] = []
    for group, samples in (
        ("training", training),
        ("clean", [sample for sample in evaluation if sample.audit == "clean"]),
    ):
        wanted = {p.sample_id for p in probed if (p.group, p.form) == (group, "original")}
        usable = usable_samples(samples)
        chosen = [sample for sample in usable if sample.id in wanted]
        rest = [sample for sample in usable if sample.id not in wanted]
        more = min(max(LEAST_TEXTS - len(chosen), 0), len(rest))
        chosen += derived_rng(seed, "text shift", group).sample(rest, more)
        sides.append(
            [
                SeenText(s.id, s.prompt, s.reference or "", s.family or normalise_prompt(s.prompt))
                for s in chosen
            ]
        )
    return ComparedTexts(*sides)


def text_shift(
    texts: ComparedTexts,
    *,
    seed: int,
    embed: Embed | None,
    match: Literal["auto", "always", "never"] = "auto",
    made_from: str = "",
) -> TextShift:
    """Compare training with clean texts and, where they are told apart, their matched pairs.

    Args:
        texts: Both sides.
        seed: Of the division into folds.
        embed: Texts to unit vectors; None leaves the topic out.
        match: Look for pairs where the whole is not alike, always, or never.
        made_from: Digest of all that decides the result.
    """
    training, clean = texts
    both = TextFeatures.read([*training, *clean], embed)
    n = len(training)
    first, second = range(n), range(n, n + len(clean))
    whole = _compare(both.only(first), both.only(second), seed)
    pairs: list[tuple[int, int]] = []
    matched = None
    if match == "always" or (match == "auto" and whole.likeness != "alike"):
        pairs = _matched_pairs(both.only(first), both.only(second))
        if len(pairs) >= LEAST_PAIRS:
            matched = _compare(
                both.only([i for i, _ in pairs]), both.only([n + j for _, j in pairs]), seed
            )
    return TextShift(
        whole=whole,
        matched=matched,
        pairs=tuple((training[i].id, clean[j].id) for i, j in pairs),
        match=match,
        made_from=made_from,
    )


def _compare(first: TextFeatures, second: TextFeatures, seed: int) -> TextComparison:
    empty = not first.texts or not second.texts
    aucs = () if empty else tuple(_separations(first, second, seed))
    return TextComparison(
        training=len(first.texts),
        clean=len(second.texts),
        likeness=_likeness(aucs),
        aucs=aucs,
        balance=() if empty else tuple(_balance(first, second)),
    )


def _likeness(aucs: Sequence[SeparationAuc]) -> Likeness:
    if not aucs:
        return "unclear"
    if any((area.low or 0.0) > APART for area in aucs):
        return "different"
    return "unclear" if any((area.high or 1.0) > UNCLEAR for area in aucs) else "alike"


def _separations(first: TextFeatures, second: TextFeatures, seed: int) -> Iterator[SeparationAuc]:
    """Yield the AUC of each set of features, with intervals that hold for all of them together."""
    groups = [*(f"training {f}" for f in first.families), *(f"clean {f}" for f in second.families)]
    labels = np.array([1] * len(first.texts) + [0] * len(second.texts))
    columns: dict[str, Any] = {
        "length": np.concatenate([first.lengths, second.lengths]),
        "words": _terms([*first.texts, *second.texts]),
    }
    if first.topics is not None and second.topics is not None:
        columns["topic"] = np.concatenate([first.topics, second.topics]).astype(np.float64)
    level = 1 - 0.05 / len(SETS)  # Bonferroni: one of three above the bound by chance is not enough
    for name, matrix in columns.items():
        if matrix is None:
            continue
        scores = _held_out_scores(_classifier(name), matrix, labels, groups, seed)
        if scores is None:
            continue
        by_family = _family_means(scores, labels, groups)
        area = auc(by_family[1], by_family[0], level)
        if area is not None:
            ends = {key: number(value) for key, value in area._asdict().items()}
            yield SeparationAuc(features=name, **ends)


def _classifier(name: str) -> Any:
    """Make the classifier of one set of features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    regression = LogisticRegression(C=1.0, max_iter=200, tol=1e-3, class_weight="balanced")
    if name == "length":  # squares: the one may be longer and shorter than the other
        return make_pipeline(StandardScaler(), PolynomialFeatures(2), regression)
    return regression.set_params(C=10.0)  # of unit vectors


def _terms(texts: Sequence[str]) -> Any:
    """Return the weights of words, pairs of words and short runs of letters; None without any.

    They are weighted over both sides at once, which looks at no label.
    """
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    matrices = []
    for options in (
        {"ngram_range": (1, 2), "min_df": 2},
        {"analyzer": "char_wb", "ngram_range": (3, 4), "min_df": 3},
    ):
        try:
            matrices.append(TfidfVectorizer(sublinear_tf=True, **options).fit_transform(texts))
        except ValueError:  # no term is in so many texts
            continue
    return hstack(matrices, format="csr") if matrices else None


def _held_out_scores(
    model: Any, matrix: Any, labels: NDArray[np.int64], groups: Sequence[str], seed: int
) -> Floats | None:
    """Score every text by classifiers that did not see its family, in (0, 1); None for few families.

    Within a fold the scores are ranks, because the scores of two classifiers are not compared; over
    ``REPEATS`` divisions they are averaged.
    """
    from scipy.stats import rankdata
    from sklearn.base import clone
    from sklearn.model_selection import StratifiedGroupKFold

    families = [len({g for g, of in zip(groups, labels, strict=True) if of == y}) for y in (0, 1)]
    folds = min(FOLDS, *families)
    if folds < 2:
        return None
    total = np.zeros(len(labels))
    for repeat in range(REPEATS):
        state = derived_seed(seed, "text shift", repeat) % (1 << 32)
        division = StratifiedGroupKFold(folds, shuffle=True, random_state=state)
        for learn, held in division.split(matrix, labels, groups):
            if len(np.unique(labels[learn])) < 2:
                return None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an unfinished fit is a weaker classifier
                fitted = clone(model).fit(matrix[learn], labels[learn])
            total[held] += (rankdata(fitted.decision_function(matrix[held])) - 0.5) / len(held)
    return np.asarray(total / REPEATS)


def _family_means(
    scores: Floats, labels: NDArray[np.int64], groups: Sequence[str]
) -> tuple[Floats, Floats]:
    """Return the mean score of each family, clean ones and training ones."""
    values: dict[tuple[int, str], list[float]] = defaultdict(list)
    for score, label, group in zip(scores.tolist(), labels.tolist(), groups, strict=True):
        values[label, group].append(score)
    means = [
        np.array([np.mean(v) for (label, _), v in values.items() if label == y]) for y in (0, 1)
    ]
    return means[0], means[1]


def _balance(first: TextFeatures, second: TextFeatures) -> Iterator[BalanceRow]:
    """Yield the means of what can be counted, with their standardised difference."""
    for column, what in enumerate(("words of the prompt", "words of the response")):
        a, b = np.expm1(first.lengths[:, column]), np.expm1(second.lengths[:, column])
        logs = first.lengths[:, column], second.lengths[:, column]
        spread = float(
            np.sqrt(sum(side.var(ddof=1) if len(side) > 1 else 0.0 for side in logs) / 2)
        )
        gap = float(logs[0].mean() - logs[1].mean())
        yield BalanceRow(
            what=what,
            training=number(float(a.mean())),
            clean=number(float(b.mean())),
            difference=number(gap / spread) if spread > 0 else (0.0 if gap == 0 else None),
        )


def _matched_pairs(first: TextFeatures, second: TextFeatures) -> list[tuple[int, int]]:
    """Match training with clean texts, each at most once, the most pairs at the least distance.

    A pair is of like length, prompt and response each within ``CALIPER``, and of like topic where
    embeddings are there. One text of a family is matched.
    """
    from scipy.optimize import linear_sum_assignment

    def firsts(features: TextFeatures) -> list[int]:
        return list(
            {family: i for i, family in reversed(list(enumerate(features.families)))}.values()
        )

    a, b = sorted(firsts(first)), sorted(firsts(second))
    if not a or not b:
        return []
    apart = np.abs(first.lengths[a][:, None, :] - second.lengths[b][None, :, :])
    allowed = np.asarray((apart <= CALIPER).all(axis=2))
    cost = apart.sum(axis=2)
    if first.topics is not None and second.topics is not None:
        cosine = first.topics[a].astype(np.float64) @ second.topics[b].astype(np.float64).T
        allowed &= cosine >= LEAST_COSINE
        cost = cost + (1 - cosine)
    forbidden = 1e6
    rows, columns = linear_sum_assignment(np.where(allowed, cost.round(9), forbidden))
    return [(a[i], b[j]) for i, j in zip(rows, columns, strict=True) if allowed[i, j]]
