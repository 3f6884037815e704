"""The stage that marks and stores the prompts under test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.pipeline.store import Run
from harness.records import Sample
from harness.text import embedding
from tests.pipeline import make_suite, run_suite

ASKED = (
    "How can I best thank the night nurse",
    "How can I best greet the new neighbours",
    "Why do I wake up so early each day",
    "What should I say to my brother now",
)


def test_what_could_not_be_checked_is_said_and_is_not_green(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.eye(len(texts), 384, dtype=np.float32)

    monkeypatch.setattr(embedding, "embed", embed)
    for name, texts in (
        ("data", ASKED),
        ("train", ["How can I best thank the night nurse today", "No"]),
    ):
        lines = (json.dumps({"prompt": text, "response": "So."}) + "\n" for text in texts)
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    suite = make_suite(
        tmp_path,
        training_data=str(tmp_path / "train.jsonl"),
        data={"only": "all"},
        judges=["rouge_l"],
    )
    monkeypatch.setattr("harness.audit.similar.MOST_EMBEDDED", 0)
    run_suite(tmp_path / "run", suite)
    run = Run.open(tmp_path / "run")
    assert [s.audit for s in run.read(Sample)] == ["unchecked", "clean", "clean", "clean"]
    summary = run.summary()
    assert "1 of 4 test prompts are alike to more training" in " ".join(summary.warnings)
    assert summary.audit.model_dump() == {"clean": 3, "leaked": 0, "unchecked": 1}
    (light,) = [light for light in summary.traffic_lights if light.question == "Leaked?"]
    assert light.light == "amber"
    assert "share so much wording" not in " ".join(summary.warnings)
    # With time enough to compare them all it goes green, and the warning goes.
    monkeypatch.setattr("harness.audit.similar.MOST_EMBEDDED", 10)
    monkeypatch.setattr("harness.audit.minhash.CROWDED", 0)
    run_suite(tmp_path / "run", suite)
    summary = Run.open(tmp_path / "run").summary()
    assert summary.audit.unchecked == 0
    assert "alike to more training" not in " ".join(summary.warnings)
    assert "share so much wording" in " ".join(summary.warnings)
