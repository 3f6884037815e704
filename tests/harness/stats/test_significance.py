"""Sign flips and Holm's correction: against SciPy and statsmodels, and on data with known truth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from harness.stats.cluster_sums import Clustered
from harness.stats.significance import (
    can_show,
    fewest_flips,
    first_step,
    holm,
    sign_flip_test,
    untied,
)
from tests.benchmarks.stats_coverage import family_wise_error


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_sign_flips_are_exact_for_few_prompts() -> None:
    values = np.array([0.3, 0.1, 0.4, -0.2, 0.5, 0.6])
    total = abs(values.sum())
    flips = [
        abs(sum(s * v for s, v in zip(signs, values, strict=True))) >= total - 1e-12
        for signs in itertools.product((1, -1), repeat=6)
    ]
    found = sign_flip_test(values[:, None], rng=rng())
    assert found[0] == pytest.approx(np.mean(flips))


def test_sign_flips_agree_with_scipy() -> None:
    values = rng(2).normal(0.25, 1, size=(50, 1))
    found = sign_flip_test(values, rng=rng(3), permutations=40_000)[0]
    expected = reference.permutation_test(
        (values[:, 0],),
        np.mean,
        permutation_type="samples",
        n_resamples=40_000,
        rng=rng(4),
    ).pvalue
    assert found == pytest.approx(expected, abs=0.01)


def test_sign_flips_pass_over_zeros_and_missing() -> None:
    values = np.full((40, 3), np.nan)
    values[:, 0] = 0.0
    values[:8, 1] = 1.0
    values[0, 2] = 3.0
    p = sign_flip_test(values, rng=rng())
    assert p[0] == 1.0
    assert p[1] == pytest.approx(2 / 2**8)
    assert np.isnan(p[2])


def test_whole_clusters_are_flipped() -> None:
    draw, clusters = rng(5), np.repeat(np.arange(9), 4)
    values = draw.normal(0.4, 1, 9)[clusters] + draw.normal(0, 0.2, 36)
    found = sign_flip_test(Clustered(values[:, None], clusters), rng=rng())[0]
    by_hand = sign_flip_test(values.reshape(9, 4).sum(axis=1)[:, None], rng=rng())[0]
    assert found == by_hand
    assert found > sign_flip_test(values[:, None], rng=rng())[0]
    assert untied(Clustered(values[:, None], clusters)).tolist() == [9]


def test_related_prompts_make_no_difference_out_of_nothing() -> None:
    """Issue 14: of 20 families of 5 with a true difference of 0, today 17 % are called different."""
    draw, clusters = rng(6), np.repeat(np.arange(20), 5)
    values = draw.normal(0, 1, (20, 400))[clusters] + draw.normal(0, 1, (100, 400))
    alpha = first_step(np.array([1 / 6, 1 / 6, 1 / 6, 0.5]))[0]
    p = sign_flip_test(Clustered(values, clusters), rng=rng(), permutations=3000)
    assert np.mean(p <= alpha) <= alpha + 3 * (alpha / 400) ** 0.5
    assert np.mean(sign_flip_test(values, rng=rng(), permutations=3000) <= alpha) > 0.08


def test_fewer_than_eight_prompts_can_show_nothing_in_the_headline() -> None:
    # Three headline tests beside details: 0.05 / 2 / 3.
    alpha = float(first_step(np.array([1 / 6, 1 / 6, 1 / 6, 0.1, 0.4]))[0])
    assert alpha == pytest.approx(0.05 / 6)
    assert fewest_flips(alpha) == 8
    assert [can_show(n, alpha) for n in (5, 7, 8, 9)] == [False, False, True, True]
    for n in (5, 7, 8):  # all alike, however large
        p = sign_flip_test(np.full((n, 1), 2.5), rng=rng())[0]
        assert (p <= alpha) == can_show(n, alpha)
    assert fewest_flips(0.25) == 3  # 2^(1-3) is 0.25 itself


def test_first_step_is_what_holm_asks_of_the_smallest_p() -> None:
    weights = np.array([1 / 4, 1 / 4, 1 / 8, 1 / 8])
    steps = first_step(weights)
    for place, step in enumerate(steps):
        for p, passes in ((0.999 * step, True), (1.001 * step, False)):
            family = np.ones(4)
            family[place] = p
            assert (holm(family, weights)[place] <= 0.05) == passes


def test_ties_with_the_data_count_as_hits() -> None:
    # 0.1 + 0.2 - 0.3 is not zero in floating point; the flip that equals the data must be counted.
    values = np.array([[0.1], [0.2], [-0.3]])
    assert sign_flip_test(values, rng=rng())[0] == 1.0


def test_holm_agrees_with_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    p = rng().random(30) ** 3
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_weighted_holm_by_hand_and_missing_tests() -> None:
    p = np.array([0.01, np.nan, 0.02, 0.03])
    found = holm(p, np.array([0.5, 1.0, 0.25, 0.25]))
    # p / w: 0.02, 0.08, 0.12; weights left: 1, 0.5, 0.25.
    np.testing.assert_allclose(found[[0, 2, 3]], [0.02, 0.04, 0.04])
    assert np.isnan(found[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holm_is_monotone_and_never_below_p(p: list[float]) -> None:
    found = holm(np.array(p))
    assert (found >= np.array(p) - 1e-15).all()
    assert (found <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(found[order]) >= -1e-15).all()


def test_family_wise_error_is_kept() -> None:
    found = family_wise_error(prompts=30, simulations=300, permutations=2000, seed=12)
    assert found.rate <= 0.05 + 3 * found.error
