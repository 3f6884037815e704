"""Power: against statsmodels and simulation."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.bootstrap import studentised_bootstrap
from harness.stats.significance import (
    THREE_P,
    minimum_detectable_effect,
    required_prompts,
    sign_flip_test,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("n", [8, 30, 200])
def test_detectable_effect_is_a_little_above_that_of_statsmodels(n: int) -> None:
    from statsmodels.stats.power import TTestPower

    expected = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
    extra = 1 + THREE_P * 1.96**2 / ((1.96 + 0.8416) * n)
    assert minimum_detectable_effect(2.0, n) == pytest.approx(2 * expected * extra, rel=1e-4)


@pytest.mark.parametrize(("n", "alpha"), [(12, 0.025 / 3), (40, 0.025 / 3), (40, 0.05)])
def test_detectable_effect_is_seen_in_four_of_five_runs(n: int, alpha: float) -> None:
    """The report's own p: the larger of the sign flips' and the interval's."""
    generator = rng(8)
    effect = minimum_detectable_effect(1.0, n, alpha=alpha)
    seen = 0
    for _ in range(5):
        runs = generator.normal(effect, 1, size=(n, 200))
        flips = sign_flip_test(runs, rng=generator, permutations=3000)
        p = studentised_bootstrap(runs, rng=generator, resamples=1500).p
        seen += int((np.maximum(flips, p) <= alpha).sum())
    assert seen / 1000 == pytest.approx(0.8, abs=0.04)


def test_the_corrected_level_needs_half_as_many_prompts_again() -> None:
    alone, corrected = (required_prompts(0.3, 1.0, alpha=a) for a in (0.05, 0.025 / 3))
    assert corrected / alone == pytest.approx(1.55, abs=0.03)


def test_too_few_clusters_detect_nothing() -> None:
    assert minimum_detectable_effect(1.0, 7, alpha=0.025 / 3) == np.inf
    assert minimum_detectable_effect(0.0, 7, alpha=0.025 / 3) == np.inf
    assert 0 < minimum_detectable_effect(1.0, 8, alpha=0.025 / 3) < 3


def test_required_prompts_is_the_least_number() -> None:
    n = required_prompts(0.2, 0.8)
    assert minimum_detectable_effect(0.8, n) <= 0.2
    assert minimum_detectable_effect(0.8, n - 1) > 0.2
    with pytest.raises(ValueError, match="positive"):
        required_prompts(0, 1)
