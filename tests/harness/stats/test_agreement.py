"""Agreement statistics against the libraries that know them."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.agreement import (
    accuracy,
    alpha,
    estimate,
    kendall,
    rounded,
    spearman,
    weighted_kappa,
)

STEPS = (1, 2, 3, 4, 5)
PAIRS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=3, max_size=40)


@given(PAIRS)
@settings(max_examples=150, deadline=None)
def test_same_as_scipy_and_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    from scipy.stats import kendalltau, spearmanr
    from sklearn.metrics import cohen_kappa_score

    a, b = (np.array(values, dtype=float) for values in zip(*pairs, strict=True))
    if len(set(a)) > 1 and len(set(b)) > 1:
        assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-9)
        assert kendall(a, b) == pytest.approx(kendalltau(a, b).statistic, abs=1e-9)
        expected = cohen_kappa_score(a, b, labels=list(STEPS), weights="quadratic")
        assert weighted_kappa(a, b, STEPS) == pytest.approx(expected, abs=1e-9)
    elif len(set(a)) == 1:
        assert math.isnan(spearman(a, b))
        assert math.isnan(kendall(a, b))
    assert accuracy(a, b, STEPS) == pytest.approx(float((a == b).mean()))


def test_rounding_is_half_up_and_stays_on_the_scale() -> None:
    assert rounded(np.array([0.2, 1.5, 2.49, 4.5, 9.0]), STEPS).tolist() == [1, 2, 2, 5, 5]


def test_interval_covers_and_is_reproducible() -> None:
    rng = np.random.default_rng(0)
    people = rng.normal(size=200)
    judge = people + rng.normal(size=200)
    clusters = [str(n // 2) for n in range(200)]
    first = estimate(spearman, list(judge), list(people), clusters, resamples=500)
    assert first == estimate(spearman, list(judge), list(people), clusters, resamples=500)
    assert first.low is not None
    assert first.high is not None
    assert first.low < 0.69 < first.high  # the population's rho for this correlation of 0.71
    assert 0.05 < first.high - first.low < 0.3


def test_clusters_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    people = np.repeat(rng.normal(size=20), 10)
    judge = people + np.repeat(rng.normal(size=20), 10)
    alone = estimate(spearman, list(judge), list(people), [str(n) for n in range(200)], 400)
    together = estimate(
        spearman, list(judge), list(people), [str(n // 10) for n in range(200)], 400
    )
    assert alone.low is not None
    assert alone.high is not None
    assert together.low is not None
    assert together.high is not None
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_what_is_not_defined_says_so() -> None:
    constant = estimate(spearman, [3.0] * 10, [1.0, 2.0] * 5, [str(n) for n in range(10)], 50)
    assert constant.value is None
    assert str(constant) == "not defined"
    one_cluster = estimate(spearman, [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], ["q"] * 3, 50)
    assert (one_cluster.value, one_cluster.low) == (pytest.approx(1.0), None)
    assert estimate(spearman, [], [], []).value is None


def test_krippendorff() -> None:
    # The worked example of the literature (three coders, fifteen units): interval alpha 0.811.
    table = [
        [None, None, None, None, None, 3, 4, 1, 2, 1, 1, 3, 3, None, 3],
        [1, None, 2, 1, 3, 3, 4, 3, None, None, None, None, None, None, None],
        [None, None, 2, 1, 3, 4, 4, None, 2, 1, 1, 3, 3, None, 4],
    ]
    assert alpha(table, "interval") == pytest.approx(0.811, abs=0.001)
    assert alpha([[1, 2, 3], [1, 2, 3]]) == pytest.approx(1.0)
    assert alpha([[1, 2, 3]]) is None
    assert alpha([[1, 1], [1, 1]]) is None
    assert alpha([[1, None], [None, 2]]) is None
    with pytest.raises(ValueError, match="interval or ordinal"):
        alpha([[1, 2], [1, 3]], "nominal")


@pytest.mark.parametrize("level", ["interval", "ordinal"])
@pytest.mark.parametrize("steps", [3, 5, 0])
def test_alpha_equals_the_package_krippendorff(level: str, steps: int) -> None:
    import krippendorff

    rng = np.random.default_rng(steps)
    for missing in (0.0, 0.2, 0.6):
        truth = rng.normal(3, 1, 40)
        table = truth + rng.normal(0, 0.8, (4, 40)) + 1e3 * (steps == 0)
        if steps:  # a scale of few steps, with many ties
            table = np.clip(np.rint(table), 1, steps)
        table[rng.random(table.shape) < missing] = np.nan
        theirs = krippendorff.alpha(table, level_of_measurement=level)
        ratings = [[None if np.isnan(x) else float(x) for x in row] for row in table]
        assert alpha(ratings, level) == pytest.approx(theirs, abs=1e-9)


def test_alpha_of_many_continuous_ratings_needs_no_table_of_their_pairs() -> None:
    # 100,000 distinct values each: a matrix of pairs of them would take hundreds of gigabytes.
    rng = np.random.default_rng(3)
    truth = rng.normal(0, 1, 100_000)
    table = [(truth + rng.normal(0, 1, len(truth))).tolist() for _ in range(2)]
    tracemalloc.start()
    found = alpha(table)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == pytest.approx(0.5, abs=0.02)  # half of the variance is the items' own
    assert peak < 100e6
