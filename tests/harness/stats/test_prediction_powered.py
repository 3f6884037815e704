"""Means by people with a judge's help: the formulas, the corners, and coverage in a small simulation."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.closed_forms import Floats
from harness.stats.prediction_powered import half_width, people_mean
from tests.benchmarks.prediction_powered import fine, likert, simulate


def _labelled(seed: int, prompts: int = 120, labels: int = 40) -> tuple[Floats, Floats, Floats]:
    """People's values of all prompts, the same where labelled, and the judge's."""
    g = np.random.default_rng(seed)
    people = g.normal(0.4, 1.0, prompts)
    judge = 0.8 * people + g.normal(0, 0.6, prompts) + 0.3
    known = np.full(prompts, np.nan)
    chosen = g.permutation(prompts)[:labels]
    known[chosen] = people[chosen]
    return people, known, judge


def test_the_weight_makes_the_linearised_variance_least() -> None:
    _, known, judge = _labelled(1)
    made = people_mean(known, judge, judge, np.arange(120), span=8)
    assert made is not None
    chosen = ~np.isnan(known)
    y, f = known[chosen], judge[chosen]

    def variance(weight: float) -> float:
        inner = np.zeros(120)
        inner[chosen] += (y - y.mean() - weight * (f - f.mean())) / len(y)
        inner += weight * (judge - judge.mean()) / 120
        return float((inner**2).sum())

    at = variance(made.weight)
    assert all(variance(made.weight + step) > at for step in (-0.05, -0.01, 0.01, 0.05))
    assert made.mean == pytest.approx(y.mean() + made.weight * (judge.mean() - f.mean()), abs=1e-12)


def test_with_one_prompt_a_cluster_it_is_the_estimator_of_ppi_plus_plus() -> None:
    # Angelopoulos, Duchi and Zrnic 2023, section 6: weight cov(y, f) / ((1 + n/N) var(f)) on the
    # mean over unlabelled prompts. In large samples the two agree to the first order.
    _, known, judge = _labelled(2, prompts=40_000, labels=8_000)
    chosen = ~np.isnan(known)
    y, f, rest = known[chosen], judge[chosen], judge[~chosen]
    weight = np.cov(y, f)[0, 1] / ((1 + len(y) / len(rest)) * judge.var(ddof=1))
    theirs = y.mean() + weight * (rest.mean() - f.mean())
    variance = (y - weight * f).var(ddof=1) / len(y) + weight**2 * rest.var(ddof=1) / len(rest)
    families = np.arange(40_000) // 100  # a jackknife over 400 clusters of independent prompts
    made = people_mean(known, judge, judge, families, span=8)
    assert made is not None
    assert made.mean == pytest.approx(theirs, abs=0.003)
    assert made.se == pytest.approx(np.sqrt(variance), rel=0.1)


def test_a_judge_that_is_off_by_a_constant_changes_nothing() -> None:
    _, known, judge = _labelled(3)
    one = people_mean(known, judge, judge, np.arange(120), span=8)
    two = people_mean(known, judge + 7, judge + 7, np.arange(120), span=8)
    three = people_mean(known, 3 * judge, 3 * judge, np.arange(120), span=8)
    assert one is not None
    assert two is not None
    assert three is not None
    assert (two.mean, two.low, two.high) == pytest.approx((one.mean, one.low, one.high), abs=1e-9)
    assert (three.mean, three.se) == pytest.approx((one.mean, one.se), abs=1e-9)
    assert three.weight == pytest.approx(one.weight / 3)


def test_every_prompt_labelled_is_the_plain_mean() -> None:
    people, _, judge = _labelled(4)
    made = people_mean(people, judge, judge, np.arange(120), span=8)
    assert made is not None
    assert made.mean == pytest.approx(people.mean(), abs=1e-9)
    assert made.se == pytest.approx(people.std(ddof=1) / np.sqrt(120), rel=1e-6)


def test_a_judge_that_never_varies_leaves_people_alone() -> None:
    _, known, _ = _labelled(5)
    judge = np.full(120, 0.25)
    made = people_mean(known, judge, judge, np.arange(120), span=8)
    assert made is not None
    assert (made.mean, made.weight) == (pytest.approx(np.nanmean(known)), 0.0)
    assert (made.low, made.high) == pytest.approx(made.alone[1:])
    assert np.isnan(made.correlation)


def test_equal_labels_prove_no_exact_value() -> None:
    known = np.full(100, np.nan)
    known[:30] = 0.0
    judge = np.random.default_rng(6).normal(size=100)
    made = people_mean(known, judge, judge, np.arange(100), span=8)
    assert made is not None
    assert made.low < -0.2
    assert made.high > 0.2
    assert made.p == 1.0


def test_related_prompts_widen_the_interval() -> None:
    g = np.random.default_rng(7)
    shared = np.repeat(g.normal(size=30), 5)
    people, judge = fine(g, shared)
    known = np.full(150, np.nan)
    chosen = g.permutation(150)[:75]
    known[chosen] = people[chosen]
    alone = people_mean(known, judge, judge, np.arange(150), span=8)
    families = people_mean(known, judge, judge, np.arange(150) // 5, span=8)
    assert alone is not None
    assert families is not None
    assert families.mean != alone.mean  # the weight looks at families, too
    assert families.clusters <= 30 < alone.clusters


def test_too_few_clusters_give_no_interval() -> None:
    known = np.full(60, np.nan)
    known[:20] = np.random.default_rng(8).normal(size=20)
    judge = np.random.default_rng(9).normal(size=60)
    made = people_mean(known, judge, judge, np.arange(60) // 5, span=8)
    assert made is not None
    assert made.clusters == 4
    assert np.isnan(made.low)
    assert np.isfinite(made.mean)
    assert people_mean(known, judge, judge, np.zeros(60, dtype=np.int64), span=8) is None


def test_a_biased_judge_misleads_and_the_corrected_interval_covers() -> None:
    # Binomial error at 95 % with 200 replicates: 1.5 points.
    of = simulate(likert, 40, 1, 200)
    assert of["judge"].coverage < 0.25
    assert 0.9 <= of["corrected"].coverage <= 0.99
    assert of["corrected"].squares < 0.9 * of["people"].squares


def test_more_labels_and_a_better_judge_narrow_the_plan() -> None:
    assert half_width(1.0, 0.0, 50, 300) == pytest.approx(2.0096 / np.sqrt(50), rel=1e-3)
    assert (
        half_width(1.0, 0.8, 50, 300) < half_width(1.0, 0.4, 50, 300) < half_width(1.0, 0, 50, 300)
    )
    assert half_width(1.0, 0.8, 300, 300) == pytest.approx(half_width(1.0, 0.0, 300, 300))
    # The plan is what the estimator then does: one draw, large enough for the formula.
    _, known, judge = _labelled(10, prompts=600, labels=200)
    made = people_mean(known, judge, judge, np.arange(600), span=8)
    assert made is not None
    planned = half_width(made.sd, made.correlation, 200, 600)
    assert (made.high - made.low) / 2 == pytest.approx(planned, rel=0.08)
