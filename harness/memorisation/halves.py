"""Estimates of a halves study: rows in against out, their means, and what chance alone would give.

The unit is the family of near-duplicate rows, which is never divided between halves. A mean over
rows is ``sum_f y_f / sum_f n_f``; its interval is the studentised bootstrap of the linearised family
values ``m + (y_f - m n_f) / mean(n)``, whose mean is ``m`` and whose variance is that of the ratio
(Cochran 1977, Sampling Techniques, section 2.11). The interval is over families, for the trainings
as they are; their own spread shows in the means by seed.

Every pair of adapters is on complementary halves, and is set level first (:meth:`HalfScores.levelled`):
the luck of a training, one of the two being better on all rows, is no memory and only adds noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.analysis.test_family import BootstrapSettings, number
from harness.memorisation.counterfactual import (
    COUNTERFACTUAL_VERSION,
    Counterfactual,
    CounterfactualBase,
    CounterfactualRow,
    RowMean,
    RowScore,
    ShareAbove,
    Unit,
)
from harness.models.provenance import DataProvenance
from harness.records import Sample
from harness.stats.bootstrap import studentised_bootstrap
from harness.stats.closed_forms import Floats
from harness.stats.ratios import clustered_wilson
from harness.util.digest import derived_seed

PERMUTATIONS = 2_000
_BLOCK = 4_000_000
"""Cells of a matrix of permuted rows that are in memory at a time."""


@dataclass(frozen=True, eq=False)
class HalfScores:
    """One score of every row under the base and under both adapters of every seed.

    Attributes:
        base: Shape (n,).
        adapters: Shape (n, seeds, 2); the last axis is the half.
        half: The half that each row is in, 0 or 1, shape (n, seeds).
    """

    base: Floats
    adapters: Floats
    half: NDArray[np.int64]

    @property
    def inside(self) -> Floats:
        """Return the scores under the adapters trained with the row, shape (n, seeds)."""
        return np.take_along_axis(self.adapters, self.half[:, :, None], axis=2)[:, :, 0]

    @property
    def outside(self) -> Floats:
        """Return the scores under the adapters trained without the row, shape (n, seeds)."""
        return np.take_along_axis(self.adapters, 1 - self.half[:, :, None], axis=2)[:, :, 0]

    @property
    def differences(self) -> Floats:
        """Return in less out, shape (n, seeds)."""
        return self.inside - self.outside

    def levelled(self) -> HalfScores:
        """Return the scores without what one adapter of a seed is better than the other on all rows.

        With ``D`` the score under the first less that under the second, rows of the first half have
        ``D = memory + luck`` and rows of the second ``D = -memory + luck``; the luck is the mean of
        the two halves' means. Half of it is taken from the first and given to the second, so that
        the level of the pair stays. NaN is left out of the means.
        """
        gap = self.adapters[:, :, 0] - self.adapters[:, :, 1]
        sides = [
            np.nanmean(np.where(self.half == number, gap, np.nan), axis=0) for number in (0, 1)
        ]
        shift = (sides[0] + sides[1]) / 4
        return HalfScores(self.base, self.adapters + np.stack([-shift, shift], axis=1), self.half)

    def row(self, index: int) -> RowScore:
        """Return one row's base, mean in and mean out."""
        return RowScore(
            base=_rounded(self.base[index]),
            inside=_rounded(self.inside[index].mean()),
            outside=_rounded(self.outside[index].mean()),
        )

    def divided(self, by: Floats) -> HalfScores:
        """Return every score of a row divided by its value of ``by``, shape (n,)."""
        return HalfScores(self.base / by, self.adapters / by[:, None, None], self.half)


@dataclass(frozen=True, eq=False)
class FamilyMeans:
    """Means over rows with intervals over families; each has a random stream of its own.

    Attributes:
        families: The family of every row, numbered from 0, shape (n,).
    """

    families: NDArray[np.int64]
    settings: BootstrapSettings

    def mean(self, name: str, values: Floats, unit: Unit) -> RowMean:
        """Estimate the mean of one value a row, shape (n,)."""
        sizes = np.bincount(self.families).astype(np.float64)
        sums = np.bincount(self.families, weights=values)
        centre = float(sums.sum() / sizes.sum())
        linear = centre + (sums - centre * sizes) / sizes.mean()
        rng = np.random.default_rng(derived_seed(self.settings.seed, "halves", name))
        interval = studentised_bootstrap(
            linear[:, None], rng=rng, resamples=self.settings.resamples, level=self.settings.level
        )
        low, high = float(interval.low[0]), float(interval.high[0])
        if len(linear) >= 2 and not np.ptp(values):  # equal to the last digit: nothing to estimate
            low = high = centre
        return RowMean(
            mean=number(centre),
            low=number(low),
            high=number(high),
            unit=unit,
            rows=len(values),
            families=len(sizes),
        )

    def above(self, differences: Floats, threshold: float) -> ShareAbove:
        """Estimate the share of rows whose mean difference is above ``threshold``, with its null.

        Args:
            differences: In less out by seed, shape (n, seeds), at least two seeds.
            threshold: In the units of ``differences``.
        """
        observed = differences.mean(axis=1) > threshold
        share = float(observed.mean())
        balanced, seeds = _balanced(differences.shape[1]), differences.shape[1]
        drawn = self._flipped_shares(differences, threshold, _signs(seeds) / seeds, "flips")
        noise = self._flipped_shares(differences, threshold, balanced, "noise")
        sizes = np.bincount(self.families)
        rates = np.bincount(self.families, weights=observed) / sizes
        low, high = clustered_wilson(rates, len(observed), self.settings.level)
        hits = int((drawn >= share - 1e-12).sum())
        return ShareAbove(
            mean=number(share),
            low=number(min(low, share)),
            high=number(max(high, share)),
            threshold=threshold,
            rows=int(observed.sum()),
            expected=_rounded(noise.mean()),
            p=_rounded((1 + hits) / (1 + len(drawn))),
            permutations=len(drawn),
        )

    def _flipped_shares(
        self, differences: Floats, threshold: float, patterns: Floats, name: str
    ) -> Floats:
        """Draw the shares of rows above a threshold when in and out are exchanged at random.

        Args:
            differences: In less out by seed, shape (n, seeds).
            threshold: In the units of ``differences``.
            patterns: Weights of the seeds, shape (patterns, seeds); each family draws one.
            name: Of the random stream.

        Returns:
            Shape (PERMUTATIONS,).
        """
        n = len(differences)
        rng = np.random.default_rng(derived_seed(self.settings.seed, "halves", name))
        candidates = differences @ patterns.T > threshold  # (n, patterns)
        count = int(self.families.max()) + 1
        weighted = np.stack(
            [np.bincount(self.families, weights=column, minlength=count) for column in candidates.T]
        )  # rows above in each family, by pattern
        shares = np.empty(PERMUTATIONS)
        step = max(1, _BLOCK // max(count, 1))
        for start in range(0, PERMUTATIONS, step):
            stop = min(start + step, PERMUTATIONS)
            drawn = rng.integers(len(patterns), size=(stop - start, count))
            shares[start:stop] = weighted[drawn, np.arange(count)].sum(axis=1) / n
        return shares


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """The rows of a halves study with their scores.

    Attributes:
        samples: The rows, length n.
        families: The family of each row, any numbers, length n.
        tokens: Tokens of each response, shape (n,).
        likelihood: Log-likelihoods, nats a response.
        recited: Recited shares, NaN for responses that are too short to be continued; None where
            nothing was asked.
        closeness: Closeness of greedy answers to the response; likewise.
    """

    samples: Sequence[Sample]
    families: Sequence[int]
    tokens: Floats
    likelihood: HalfScores
    recited: HalfScores | None = None
    closeness: HalfScores | None = None


@dataclass(frozen=True)
class HalvesTrainings:
    """What the adapters of a halves study were trained from and how; fields as in the record."""

    study: str
    base: CounterfactualBase
    training: DataProvenance
    recipe: dict[str, Any]
    seeds: tuple[int, ...]
    cautions: tuple[str, ...] = ()


def counterfactual(
    trainings: HalvesTrainings, rows: ScoredRows, threshold: float, settings: BootstrapSettings
) -> Counterfactual:
    """Estimate every row and the whole; ``threshold`` is in nats a token."""
    families = numbered(rows.families)
    means = FamilyMeans(families, settings)
    by_token = rows.likelihood.divided(rows.tokens).levelled()
    likelihood = by_token.divided(1 / rows.tokens)
    recited, closeness = (
        None if scores is None else scores.levelled() for scores in (rows.recited, rows.closeness)
    )
    differences = by_token.differences
    base = by_token.base
    inside, outside = by_token.inside.mean(axis=1), by_token.outside.mean(axis=1)
    response = likelihood.differences.mean(axis=1)
    return Counterfactual(
        version=COUNTERFACTUAL_VERSION,
        study=trainings.study,
        base=trainings.base,
        training=trainings.training,
        recipe=trainings.recipe,
        seeds=trainings.seeds,
        level=settings.level,
        memorised=means.mean("memorised", inside - outside, "nats a token"),
        memorised_response=means.mean("memorised response", response, "nats a response"),
        gain_inside=means.mean("gain_inside", inside - base, "nats a token"),
        gain_outside=means.mean("gain_outside", outside - base, "nats a token"),
        by_seed=tuple(map(_rounded, differences.mean(axis=0))),
        above=means.above(differences, threshold),
        recited=_share(recited, families, settings, "recited"),
        closeness=_share(closeness, families, settings, "closeness"),
        rows=tuple(
            CounterfactualRow(
                sample_id=sample.id,
                family=int(families[i]),
                tokens=int(rows.tokens[i]),
                likelihood=likelihood.row(i),
                by_seed=tuple(map(_rounded, differences[i])),
                recited=_row(recited, i),
                closeness=_row(closeness, i),
                prompt=_excerpt(sample.prompt),
                response=_excerpt(sample.reference or ""),
            )
            for i, sample in enumerate(rows.samples)
        ),
        cautions=trainings.cautions,
    )


def _share(
    scores: HalfScores | None, families: NDArray[np.int64], settings: BootstrapSettings, name: str
) -> RowMean | None:
    """Estimate in less out of a share, over the rows that have one under every adapter."""
    if scores is None:
        return None
    values = scores.differences.mean(axis=1)
    present = ~np.isnan(values)
    if not present.any():
        return None
    means = FamilyMeans(numbered(families[present].tolist()), settings)
    return means.mean(name, values[present], "share")


def _row(scores: HalfScores | None, index: int) -> RowScore | None:
    if scores is None or np.isnan(scores.adapters[index]).any() or np.isnan(scores.base[index]):
        return None
    return scores.row(index)


def _excerpt(text: str, most: int = 160) -> str:
    """Return the beginning of a text in one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


class HalvesContrasts(NamedTuple):
    """The estimates that a verdict rests on, in nats a token; all are paired within rows.

    Attributes:
        memorised: In less out.
        gain_inside: In less base.
        gain_outside: Out less base: the generalisation gain.
        lost: ``lost`` times the gain in, less the gain out: above zero where less than that share
            of the gain is there for rows that were left out.
        kept: The gain out less ``kept`` times the gain in: above zero where at least that share is.
    """

    memorised: RowMean
    gain_inside: RowMean
    gain_outside: RowMean
    lost: RowMean
    kept: RowMean


def halves_contrasts(
    record: Counterfactual, settings: BootstrapSettings, *, lost: float, kept: float
) -> HalvesContrasts:
    """Estimate what a verdict needs from a record, by the shares that its rules state."""
    scores = [row.token_likelihood for row in record.rows]
    base, inside, outside = (
        np.array([score[name] for score in (s.model_dump() for s in scores)])
        for name in ("base", "inside", "outside")
    )
    means = FamilyMeans(np.array([row.family for row in record.rows]), settings)
    gain_in, gain_out = inside - base, outside - base
    estimates: dict[str, Any] = {
        "memorised": inside - outside,
        "gain_inside": gain_in,
        "gain_outside": gain_out,
        "lost": lost * gain_in - gain_out,
        "kept": gain_out - kept * gain_in,
    }
    return HalvesContrasts(
        **{name: means.mean(name, values, "nats a token") for name, values in estimates.items()}
    )


def numbered(families: Sequence[int]) -> NDArray[np.int64]:
    """Number families from 0 without gaps, in order of first appearance."""
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(family, len(numbers)) for family in families])


def _signs(seeds: int) -> Floats:
    """Return every pattern of exchanging in and out by seed, shape (2 ** seeds, seeds)."""
    patterns = np.arange(2**seeds)[:, None] >> np.arange(seeds)
    return np.where(patterns & 1, 1.0, -1.0)


def _balanced(seeds: int) -> Floats:
    """Return every weighting of the seeds that exchanges in and out in half of them.

    What is memorised cancels, and the noise of a mean over the seeds stays. Signs with as many pluses as minuses (one more of either where ``seeds`` is odd), centred to a
    sum of zero and scaled to the norm of a mean's weights; shape (patterns, seeds).

    Raises:
        ValueError: Fewer than two seeds.
    """
    if seeds < 2:
        raise ValueError(f"the null needs two seeds or more, not {seeds}")
    signs = _signs(seeds)
    balanced = signs[np.abs(signs.sum(axis=1)) <= 1]
    centred = balanced - balanced.mean(axis=1, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    return np.asarray(centred / (norm * math.sqrt(seeds)), dtype=np.float64)


def _rounded(value: float) -> float:
    return float(f"{float(value):.6g}") + 0.0
