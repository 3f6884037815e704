"""Sign flips and Holm's correction: against SciPy and statsmodels, and on data with known truth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from harness.stats.significance import holm, sign_flip_test
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
