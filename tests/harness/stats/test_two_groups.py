"""Two independent groups: against Welch by hand, under the null, and at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as distributions

from harness.stats.cluster_sums import Clustered
from harness.stats.two_groups import two_groups


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_difference_is_near_welchs_interval() -> None:
    a, b = rng(1).normal(1.0, 1.0, 60), rng(2).normal(0.0, 2.0, 40)
    found = two_groups((a[:, None], b[:, None]), rng=rng(3), resamples=20_000)
    welch = distributions.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert found.mean[0] == pytest.approx(a.mean() - b.mean())
    assert found.low[0] == pytest.approx(welch.low, abs=0.08)
    assert found.high[0] == pytest.approx(welch.high, abs=0.08)
    assert (*found.n[:, 0], found.adjusted[0]) == (60, 40, False)


def test_small_groups_get_a_padded_interval_that_never_has_zero_width() -> None:
    equal = np.full((8, 1), 0.3)
    found = two_groups((equal, equal), rng=rng(), span=1.0)
    assert found.adjusted[0]
    assert found.low[0] < 0 < found.high[0]
    exact = two_groups((equal, equal), rng=rng())  # no span: the values are known to be exact
    assert exact.low[0] == pytest.approx(exact.high[0]) == pytest.approx(0.0)


def test_padded_interval_by_hand() -> None:
    # A tied group is padded by its median ± root mean square of the deviations that are not zero.
    a, b = np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 3.0])
    found = two_groups((a[:, None], b[:, None]), rng=rng())
    pa, pb = a, np.append(b, [-3.0, 3.0])
    va, vb = pa.var(ddof=1) / 3, pb.var(ddof=1) / 5
    df = (va + vb) ** 2 / (va**2 / 2 + vb**2 / 2)
    half = distributions.t.ppf(0.975, df) * (va + vb) ** 0.5
    centre = pa.mean() - pb.mean()
    assert found.low[0] == pytest.approx(centre - half)
    assert found.high[0] == pytest.approx(centre + half)


def test_missing_values_leave_a_row_out_of_that_column_only() -> None:
    a = np.array([[1.0, np.nan], [3.0, 5.0]])
    b = np.array([[0.0, np.nan], [0.0, np.nan]])
    found = two_groups((a, b), rng=rng())
    assert found.mean[0] == 2.0
    assert np.isnan(found.mean[1])
    assert np.isnan(found.low[1])
    assert list(found.n[0]) == [2, 1]
    assert list(found.n[1]) == [2, 0]


def test_weights_make_other_sums_than_a_difference() -> None:
    a, b = rng(4).normal(2.0, 0.1, (30, 1)), rng(5).normal(0.4, 0.1, (30, 1))
    found = two_groups((a, b), rng=rng(6), weights=(0.5, -1.0), resamples=500)
    assert found.mean[0] == pytest.approx(0.5 * a.mean() - b.mean())
    assert found.low[0] > 0


def test_coverage_under_skew_is_about_nominal() -> None:
    hits = 0
    for trial in range(200):
        draw = np.random.default_rng([7, trial])
        found = two_groups(
            (draw.exponential(1.0, (40, 1)), draw.exponential(1.0, (25, 1))),
            rng=draw,
            resamples=400,
        )
        hits += bool(found.low[0] <= 0 <= found.high[0])
    assert 0.90 <= hits / 200 <= 0.99


@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(2, 30))
@settings(max_examples=25, deadline=None)
def test_swapping_the_groups_turns_the_sign(seed: int, n: int, k: int) -> None:
    draw = np.random.default_rng(seed)
    a, b = draw.normal(0, 1, (n, 2)), draw.normal(1, 1, (k, 2))
    one = two_groups((a, b), rng=rng(1), resamples=200)
    other = two_groups((b, a), rng=rng(1), resamples=200)
    assert one.mean == pytest.approx(-other.mean)
    assert one.se == pytest.approx(other.se)
    assert (one.low <= one.high).all()


def test_the_two_must_be_of_equal_width() -> None:
    with pytest.raises(ValueError, match="equal width"):
        two_groups((np.zeros((3, 1)), np.zeros((3, 2))), rng=rng())


def test_clusters_are_drawn_whole() -> None:
    draw, clusters = rng(8), np.repeat(np.arange(10), 6)
    first = draw.normal(0, 1, 10)[clusters] + draw.normal(0, 0.1, 60)
    second = draw.normal(0, 1, 10)[clusters] + draw.normal(0, 0.1, 60)
    plain = two_groups((first[:, None], second[:, None]), rng=rng(1))
    whole = two_groups(
        (Clustered(first[:, None], clusters), Clustered(second[:, None], clusters)), rng=rng(1)
    )
    assert whole.mean[0] == pytest.approx(plain.mean[0])
    assert whole.high[0] - whole.low[0] > 2 * (plain.high[0] - plain.low[0])
    assert whole.clusters[:, 0].tolist() == [10, 10]
    # Of families of one size it is the test of their means.
    means = [x.reshape(10, 6).mean(axis=1) for x in (first, second)]
    welch = distributions.ttest_ind(*means, equal_var=False)
    assert whole.p[0] >= welch.pvalue - 1e-9
    assert whole.p[0] == pytest.approx(welch.pvalue, abs=0.08)
