"""The stage that answers: requests that are shared, failures that are counted, and warnings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.pipeline.store import Run
from harness.records import Completion, Failure, Generation, Request, Score
from tests.pipeline import (
    PROMPTS,
    answer,
    contents,
    make_suite,
    run_suite,
    scripted,
    write_data,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_data(tmp_path)
    return tmp_path


def rows(root: Path, kind: type[Any]) -> list[Any]:
    return list(Run.open(root).read(kind))


def test_identical_requests_are_asked_once_and_identity_is_asked_again(folder: Path) -> None:
    write_data(folder, PROMPTS[:1])
    suite = make_suite(
        folder,
        subjects=[
            {"name": "base", "model": "scripted:echo"},
            {"name": "twin", "model": "scripted:echo"},
        ],
        perturbations=["identity", "surface"],
        suite={"variants_per_prompt": 1},
    )
    model = scripted()
    run_suite(folder / "run", suite, model)
    asked = Counter(request.messages[-1].content for request in model.calls)
    # Base and twin are the same weights: the original is asked once for both, identity of each.
    assert asked[PROMPTS[0]] == 1 + 2
    cold = scripted()
    run_suite(folder / "again", suite, cold)
    assert [r.messages[-1].content for r in cold.calls] == [PROMPTS[0]] * 2


def test_failures_are_records_with_a_reason_and_are_counted(folder: Path) -> None:
    def sometimes(request: Request) -> str | Completion | Failure:
        if "brother" in request.messages[-1].content.lower():
            return Failure(kind="context_length", message="too long")
        return answer(request)

    outcome = run_suite(folder / "run", make_suite(folder), scripted(sometimes))
    generations = rows(folder / "run", Generation)
    failed = [g for g in generations if g.completion.error]
    assert failed
    assert outcome.failed_answers == len(failed)
    scores = rows(folder / "run", Score)
    unscored = [s for s in scores if s.status != "scored"]
    assert {(s.subject, s.variant_key) for s in unscored} == {
        (g.subject, g.variant_key) for g in failed
    }
    assert all(s.value is None for s in unscored)
    assert {s.reason for s in unscored} == {"no answer: context_length"}
    counts = Run.open(folder / "run").manifest().stages["generations"].counts
    assert counts["failed_context_length"] == len(failed)
    summary = Run.open(folder / "run").summary()
    assert any("context_length" in row.model_dump_json() for row in summary.failures)


@pytest.mark.parametrize(("transient", "retry"), [(True, False), (False, True)])
def test_transient_failures_are_tried_again_and_permanent_ones_when_asked(
    folder: Path, transient: bool, retry: bool
) -> None:
    broken = scripted(lambda _: Failure(kind="timeout", message="slow", transient=transient))
    run_suite(folder / "run", make_suite(folder), broken)
    healed = scripted()
    if not transient:
        run_suite(folder / "run", make_suite(folder), healed)
        assert healed.calls == []
    outcome = run_suite(folder / "run", make_suite(folder), healed, retry_failed=retry)
    assert outcome.failed == 0
    run_suite(folder / "fresh", make_suite(folder), scripted(), cache=folder / "c.sqlite")
    assert contents(folder / "run") == contents(folder / "fresh")


def test_an_adapter_asked_in_another_format_than_it_was_trained_in_is_warned_about(
    folder: Path,
) -> None:
    from harness.models import provenance

    adapter = folder / "adapter"
    adapter.mkdir()
    described = provenance.describe_data("train.jsonl", [], None)
    provenance.write(
        adapter,
        objective="sft",
        method="lora",
        config={},
        seed=0,
        base={},
        rendering="another",
        train=described,
        made_from="x",
    )
    subjects = [
        {"name": "base", "model": "scripted:echo"},
        {"name": "tuned", "model": "scripted:echo", "adapters": [str(adapter)]},
    ]
    suite = make_suite(folder, subjects=subjects, training_data=str(folder / "data.jsonl"),
                       data={"only": "all"})  # fmt: skip
    run_suite(folder / "run", suite)
    warnings = " ".join(Run.open(folder / "run").manifest().warnings)
    assert "trained with another prompt format" in warnings
    assert "not the training_data that this suite checks" in warnings
    # They stay when only the report is made again, and go when they no longer hold.
    assert " ".join(Run.open(folder / "run").summary().warnings).count("prompt format") == 1
    run_suite(folder / "run", make_suite(folder))
    assert Run.open(folder / "run").manifest().warnings == ()
