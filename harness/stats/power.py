"""Power of the paired t test: the least effect that a number of prompts can show, and the reverse.

With ``n`` prompts and a true standardised effect ``d`` the statistic follows the non-central t
distribution with ``n - 1`` degrees of freedom and non-centrality ``d sqrt(n)``; the far tail is
left out.

Source: Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, ch. 2.
"""

from __future__ import annotations

import math
from functools import lru_cache

from scipy import optimize
from scipy.stats import nct, t


@lru_cache(maxsize=4096)
def standardised_effect(n: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """Return the least mean over standard deviation that a two-sided paired t test on n rows finds.

    Solved on the non-central t distribution; infinite below three rows.
    """
    if n < 3:
        return math.inf
    critical = float(t.ppf(1 - alpha / 2, n - 1))

    def missing_power(effect: float) -> float:
        shift = effect * math.sqrt(n)
        return float(nct.sf(critical, n - 1, shift)) - power

    return float(optimize.brentq(missing_power, 1e-6, 40.0 / math.sqrt(n) + 10.0))


def minimum_detectable_effect(sd: float, n: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """Return the least true mean difference found with probability ``power``, in units of ``sd``.

    Args:
        sd: Standard deviation of the per-prompt differences.
        n: Prompts.
        power: Probability of finding it.
        alpha: Two-sided level of the test.
    """
    return standardised_effect(n, power, alpha) * sd if sd > 0 else (0.0 if n >= 3 else math.inf)


def required_prompts(effect: float, sd: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return the fewest prompts with which a true mean difference of ``effect`` is found.

    Raises:
        ValueError: ``effect`` is not positive or ``sd`` is negative.
    """
    if effect <= 0 or sd < 0:
        raise ValueError(f"the effect must be positive and sd not negative: {effect}, {sd}")
    low, high = 2, 4
    while minimum_detectable_effect(sd, high, power, alpha) > effect:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if minimum_detectable_effect(sd, middle, power, alpha) > effect:
            low = middle
        else:
            high = middle
    return high
