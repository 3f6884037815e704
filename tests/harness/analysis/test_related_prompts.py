"""Related prompts in a whole summary: one observation each, and every group alike in the balanced mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.analysis.estimands import group_means
from harness.analysis.evidence import direction
from harness.analysis.table import ALL
from harness.analysis.test_family import BootstrapSettings, Quantity, solve
from tests.synthetic import Synthetic, make_run


def grouped(made: Synthetic) -> Synthetic:
    """Put the prompts of a topic together."""
    samples = [s.model_copy(update={"group": s.metadata["topic"]}) for s in made.samples]
    return replace(made, samples=samples)


def test_twenty_families_of_five_without_a_difference_are_not_called_different() -> None:
    """Issue 14: 17 % of such runs said better or worse."""
    draw, families = np.random.default_rng(3), np.repeat(np.arange(20), 5)
    wrong = dict.fromkeys(("whole", "apart"), 0)
    for seed in range(120):
        values = draw.normal(0, 1, (20, 3))[families] + draw.normal(0, 1, (100, 3))
        quantities = [Quantity(column, (-8.0, 8.0), "headline") for column in values.T]
        detail = Quantity(draw.normal(0, 1, 100), (-8.0, 8.0), "detail")
        for name, clusters in (("whole", families), ("apart", None)):
            solved = solve([*quantities, detail], BootstrapSettings(seed, 500), clusters)
            wrong[name] += any(direction(solved[one], 1) != "unclear" for one in quantities)
    assert wrong["whole"] <= 8  # 2.5 % of 120 are 3, and three Monte-Carlo errors
    assert wrong["apart"] >= 12


def test_every_estimate_counts_families() -> None:
    made = make_run(40, rubric=False)
    related = replace(
        made,
        samples=[
            sample.model_copy(update={"family": f"s{4 * (number // 4):04d}"})
            for number, sample in enumerate(made.samples)
        ],
    )
    alone, whole = made.summary(resamples=400), related.summary(resamples=400)
    for one, two in zip(alone.contrasts, whole.contrasts, strict=True):
        first, second = one.gain_originals, two.gain_originals
        if first is None or second is None or one.kind != ALL:
            continue
        assert first.mean == second.mean
        assert (first.n, second.n) == (40, 40)
        assert (first.clusters, second.clusters) == (40, 10)
        assert (first.alpha, first.needed) == (second.alpha, second.needed)
        assert first.moved >= second.moved
    assert all(row.balanced_originals is None for row in whole.contrasts)


def test_the_balanced_mean_weighs_every_group_alike() -> None:
    made = grouped(make_run(80, rubric=False, seed=4))
    summary = made.summary(resamples=400)
    rows = [row for row in summary.contrasts if row.kind == ALL and row.scope == "all"]
    assert rows
    for row in rows:
        by_topic = [
            topic.gain_originals
            for topic in summary.topics
            if (topic.measure, topic.subject, topic.kind) == (row.measure, row.subject, ALL)
        ]
        if row.gain_originals is None:
            continue
        assert row.balanced_originals is not None
        assert row.balanced_originals.n == len(by_topic) == 4
        means = [one.mean for one in by_topic if one is not None and one.mean is not None]
        assert row.balanced_originals.mean == pytest.approx(np.mean(means), rel=1e-4)
        assert row.gain_originals.clusters == 4
        # Four groups can show nothing, and the tests say so.
        assert row.gain_originals.needed is None or row.gain_originals.needed >= 8
        assert direction(row.gain_originals, 1) in ("unclear", "not measured")


def test_group_means_by_hand() -> None:
    values = np.array([1.0, np.nan, 3.0, 5.0, np.nan])
    found = group_means(values, ["b", "a", "b", "c", "a"])
    assert np.nanmean(found) == pytest.approx((2.0 + 5.0) / 2)
    assert np.isnan(found).sum() == 3
