"""Alpha spending: published boundaries, simulated error, and what one look alone gives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from harness.stats.sequential import GroupSequential, false_alarm, spent


def looks(declared: int, made: int | None = None) -> GroupSequential:
    return GroupSequential(declared, tuple(range(1, (made or declared) + 1)))


def test_boundaries_are_those_of_the_literature() -> None:
    # Lan-DeMets, O'Brien-Fleming type, five equal looks at two-sided 5 % (program ld98).
    published = [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]
    for made, critical in enumerate(published, start=1):
        assert looks(5, made).boundary(0.05) == pytest.approx(critical, abs=2e-3)
    assert looks(1).boundary(0.05) == pytest.approx(1.95996, abs=1e-4)


def test_undeclared_looks_err_as_the_literature_says() -> None:
    # Armitage, McPherson and Rowe 1969, table 2: tests at 5 %, equal steps.
    for made, rate in ((1, 0.05), (2, 0.083), (3, 0.107), (4, 0.126), (5, 0.142), (10, 0.193)):
        assert false_alarm(range(1, made + 1), 0.05) == pytest.approx(rate, abs=1.1e-3)


def test_all_of_the_error_is_spent_and_no_more_by_simulation() -> None:
    rng = np.random.default_rng(1)
    information = (20, 50, 70, 160)
    walks = np.cumsum(
        rng.normal(size=(100_000, 4)) * np.sqrt(np.diff(information, prepend=0)), axis=1
    ) / np.sqrt(information)
    for made in (1, 2, 3, 4):
        crossed = np.zeros(len(walks), dtype=bool)
        for look in range(1, made + 1):
            p = 2 * norm.sf(np.abs(walks[:, look - 1]))
            design = GroupSequential(4, information[:look])
            crossed |= design.repeated_p(p) <= 0.05
        # Monte-Carlo error 0.0007.
        assert crossed.mean() == pytest.approx(spent(0.05, made / 4), abs=0.0025)


def test_a_repeated_p_is_small_just_where_the_boundary_is_crossed() -> None:
    design = looks(4, 2)
    for alpha in (0.001, 0.0083, 0.05, 0.3):
        at = 2 * norm.sf(design.boundary(alpha))
        below, above = design.repeated_p(np.array([at * 0.98, at * 1.02]))
        assert below < alpha * 1.001
        assert above > alpha * 0.999
    p = np.array([np.nan, 1e-30, 1.0])
    assert np.isnan(design.repeated_p(p)[0])
    assert list(design.repeated_p(p)[1:]) == [pytest.approx(1e-7), 1.0]
    assert (np.diff(design.repeated_p(np.linspace(0, 1, 200))) >= 0).all()


def test_one_look_changes_nothing() -> None:
    p = np.array([0.001, 0.04, 0.7])
    assert looks(1).repeated_p(p) is p
    assert looks(1).widening(0.95, 30) == 1.0
    assert looks(4, 1).widening(0.95, 30) > looks(4, 2).widening(0.95, 30) > 1.0
    assert 1.0 < looks(4).widening(0.95, 1000) < 1.05


@pytest.mark.parametrize("information", [(), (0,), (3, 3), (5, 2)])
def test_information_must_rise(information: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="must be positive and rise"):
        GroupSequential(4, information)
    with pytest.raises(ValueError, match="3 looks, 2 declared"):
        looks(2, 3)
