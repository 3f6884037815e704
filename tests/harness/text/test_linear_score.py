"""Scores of embeddings: the ones that are shipped are those that their scripts make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.text import danger, danger_meaning, refusals
from harness.text.embedding import LinearScore
from tests.support.fit_weights import fit, fit_danger, fit_meaning, fit_refusals


def test_a_fit_tells_apart_what_it_was_fitted_on_and_comes_back_from_its_file(tmp_path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 384)).astype(np.float32)
    yes = x[:, 3] > 0
    made = fit(x, yes, threshold=0.5)
    assert ((made(x) > 0) == yes).mean() > 0.95
    path = tmp_path / "s.json"
    path.write_text(made.model_dump_json(), encoding="utf-8")
    assert LinearScore.read(path) == made


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.parametrize(
    ("refit", "path"),
    [
        (fit_refusals, refusals.WEIGHTS),
        (lambda: fit_danger()[0], danger.WEIGHTS),
        (fit_meaning, danger_meaning.WEIGHTS),
    ],
)
def test_what_is_shipped_is_what_the_scripts_make(refit: Callable[[], LinearScore], path) -> None:
    made, shipped = refit(), LinearScore.read(path)
    assert made.texts == shipped.texts
    assert made.threshold == pytest.approx(shipped.threshold, abs=0.01)
    # The last decimals are another processor's.
    assert np.abs(np.subtract(made.weights, shipped.weights)).max() < 0.01
