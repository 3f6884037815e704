"""Power: against statsmodels and simulation."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.significance import minimum_detectable_effect, required_prompts, sign_flip_test


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("n", [8, 30, 200])
def test_detectable_effect_agrees_with_statsmodels(n: int) -> None:
    from statsmodels.stats.power import TTestPower

    expected = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
    assert minimum_detectable_effect(2.0, n) == pytest.approx(2 * expected, rel=1e-4)


def test_detectable_effect_is_seen_in_four_of_five_runs() -> None:
    generator = rng(8)
    effect = minimum_detectable_effect(1.0, 40)
    seen = 0
    for _ in range(40):
        runs = generator.normal(effect, 1, size=(40, 50))
        seen += int((sign_flip_test(runs, rng=generator, permutations=999) <= 0.05).sum())
    assert seen / 2000 == pytest.approx(0.8, abs=0.03)


def test_required_prompts_is_the_least_number() -> None:
    n = required_prompts(0.2, 0.8)
    assert minimum_detectable_effect(0.8, n) <= 0.2
    assert minimum_detectable_effect(0.8, n - 1) > 0.2
    with pytest.raises(ValueError, match="positive"):
        required_prompts(0, 1)
