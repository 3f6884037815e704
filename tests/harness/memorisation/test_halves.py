"""Estimates of a halves study on scripted adapters, whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.analysis.test_family import BootstrapSettings
from harness.memorisation.halves import FamilyMeans, HalfScores, halves_contrasts, numbered
from tests.support.scripted_halves import counterfactual_record, half_scores

SETTINGS = BootstrapSettings(seed=3, resamples=500)


def means(families: NDArray[np.int64]) -> FamilyMeans:
    return FamilyMeans(families, SETTINGS)


def test_in_and_out_are_of_complementary_halves() -> None:
    scores = HalfScores(
        base=np.array([0.0, 0.0]),
        adapters=np.array([[[1.0, 2.0], [3.0, 5.0]], [[10.0, 20.0], [30.0, 50.0]]]),
        half=np.array([[0, 1], [1, 0]]),
    )
    assert scores.inside.tolist() == [[1.0, 5.0], [20.0, 30.0]]
    assert scores.outside.tolist() == [[2.0, 3.0], [10.0, 50.0]]
    assert scores.row(0).memorised == pytest.approx((1 + 5) / 2 - (2 + 3) / 2)
    assert scores.divided(np.array([1.0, 10.0])).inside[1].tolist() == [2.0, 3.0]


def test_a_planted_effect_comes_back() -> None:
    scores = half_scores(np.random.default_rng(1), rows=80, memorised=0.5, learned=0.3)
    families = np.arange(80)
    found = means(families).mean("in less out", scores.differences.mean(axis=1), "nats a token")
    assert found.low < 0.5 < found.high  # type: ignore[operator]
    assert found.high - found.low < 0.2  # type: ignore[operator]
    gain = means(families).mean(
        "out less base", scores.outside.mean(axis=1) - scores.base, "nats a token"
    )
    assert gain.mean == pytest.approx(0.3, abs=0.1)
    above = means(families).above(scores.differences, 0.25)
    assert above.mean > 0.9  # type: ignore[operator]
    assert above.expected < 0.15
    assert above.p < 0.001


@pytest.mark.parametrize("seeds", [2, 3, 4])
def test_the_null_is_that_of_rows_without_memorisation(seeds: int) -> None:
    """Rows without memorisation, and adapters of unequal luck: the null's share is the observed."""
    shares, expected, rejected = [], [], 0
    trials = 60
    for trial in range(trials):
        scores = half_scores(
            np.random.default_rng([seeds, trial]), rows=60, memorised=0.0, seeds=seeds, luck=0.1
        )
        above = means(np.arange(60)).above(scores.differences, 0.1)
        shares.append(above.mean)
        expected.append(above.expected)
        rejected += above.p <= 0.05
    assert np.mean(expected) == pytest.approx(np.mean(shares), abs=0.03)  # type: ignore[arg-type]
    assert rejected / trials < 0.13  # 5 % and three standard errors of 60 trials


def test_the_luck_of_a_training_is_no_memory() -> None:
    lucky = half_scores(np.random.default_rng(2), rows=50, memorised=0.2, luck=1.0)
    plain = half_scores(np.random.default_rng(2), rows=50, memorised=0.2, luck=0.0)
    levelled = lucky.levelled().differences
    assert np.allclose(levelled, plain.levelled().differences)
    assert lucky.differences.std() > 3 * levelled.std()
    assert levelled.mean() == pytest.approx(lucky.differences.mean())
    assert lucky.levelled().adapters.mean() == pytest.approx(lucky.adapters.mean())
    assert levelled.mean() == pytest.approx(0.2, abs=0.06)


def test_memorised_rows_do_not_blow_up_the_null() -> None:
    scores = half_scores(np.random.default_rng(7), rows=60, memorised=3.0)
    above = means(np.arange(60)).above(scores.differences, 0.25)
    assert above.mean == 1.0
    assert above.expected < 0.15  # flips that did not cancel it would give a quarter


def test_twins_are_one_family_and_widen_the_interval() -> None:
    rng = np.random.default_rng(5)
    values = np.repeat(rng.normal(0.2, 0.3, size=20), 5)
    alone = means(np.arange(100)).mean("x", values, "nats a token")
    together = means(np.repeat(np.arange(20), 5)).mean("x", values, "nats a token")
    assert together.mean == alone.mean
    assert (together.families, together.rows) == (20, 100)
    assert together.high - together.low > 1.7 * (alone.high - alone.low)  # type: ignore[operator]


def test_intervals_over_families_of_unequal_size_cover_the_truth() -> None:
    """A mean over rows whose family effects grow with nothing: 95 % cover, three errors allowed."""
    covered, trials = 0, 150
    for trial in range(trials):
        rng = np.random.default_rng([11, trial])
        sizes = rng.integers(1, 6, size=30)
        families = np.repeat(np.arange(30), sizes)
        values = rng.normal(0.2, 0.3, size=30)[families] + rng.normal(0, 0.1, size=len(families))
        found = means(families).mean("x", values, "nats a token")
        covered += found.low <= 0.2 <= found.high  # type: ignore[operator]
    assert 0.89 <= covered / trials <= 1.0


def test_contrasts_of_a_record_use_the_shares_of_the_rules() -> None:
    record = counterfactual_record(rows=60, memorised=0.1, learned=0.4)
    found = halves_contrasts(record, SETTINGS, lost=0.5, kept=0.75)
    assert found.memorised.mean == pytest.approx(0.1, abs=0.06)
    assert found.gain_inside.mean == pytest.approx(0.5, abs=0.06)
    assert found.lost.high < 0  # type: ignore[operator]
    assert found.kept.mean == pytest.approx(0.4 - 0.375, abs=0.06)
    assert found.memorised == record.memorised.model_copy(
        update={"low": found.memorised.low, "high": found.memorised.high}
    )


def test_one_seed_has_no_null() -> None:
    with pytest.raises(ValueError, match="two seeds"):
        means(np.arange(3)).above(np.zeros((3, 1)), 0.1)


def test_families_are_numbered_without_gaps() -> None:
    assert numbered([7, 3, 7, 9]).tolist() == [0, 1, 0, 2]
