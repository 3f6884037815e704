"""ROUGE-L and refusal rate while training: the suite's generation and judges, and the best by them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.config import AdapterSpec, load_yaml
from harness.data.loading import load
from harness.errors import ConfigError
from harness.models.hf import HFModel
from harness.records import GenerationSettings, JudgeItem, Request
from harness.registry import judges
from training import train
from training.config import TrainingConfig
from training.curves import series

Make = Callable[..., TrainingConfig]


@pytest.fixture(autouse=True)
def phrases_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals by phrase: the embedding model has tests of its own."""
    create = judges.create

    def light(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "answer_checks":
            args = ({"refusal_similarity": None},)
        return create(name, *args, **kwargs)

    monkeypatch.setattr(judges, "create", light)


def test_metrics_are_those_of_the_suites_generation_and_judges(
    make_config: Make, tmp_path: Path
) -> None:
    config = make_config(
        max_steps=4,
        eval_steps=2,
        save_steps=2,
        generation_metrics={"samples": 6, "max_new_tokens": 12},
        metric_for_best_model="rouge_l",
        load_best_model_at_end=True,
    )
    result = train(config)
    logged = dict(series(result.curve, "eval_rouge_l"))
    assert set(logged) == {0, 2, 4}
    assert set(dict(series(result.curve, "eval_refusal_rate"))) == {0, 2, 4}
    trained = {step: value for step, value in logged.items() if step}
    assert trained[result.summary["best_step"]] == max(trained.values())
    # The same adapter asked as a suite asks it gets the same mean.
    model = HFModel.load(
        config.model,
        adapters={"tuned": [AdapterSpec(path=str(tmp_path / "out"))]},
        dtype="float32",
        device="cpu",
    )
    renderer = model.renderer(config.template)
    samples = load(config.validation_data)  # type: ignore[arg-type]
    settings = GenerationSettings(max_new_tokens=12)
    requests = [
        Request(prompt=renderer.prompt(s.messages), settings=settings, adapter="tuned")
        for s in samples
    ]
    items = [
        JudgeItem(question=samples[i].prompt, answer=str(c.text), reference=samples[i].reference)
        for i, c in model.complete(requests)
    ]
    values = [g.value for g in judges.create("rouge_l").grade(items) if g.dimension == "rouge_l"]
    assert max(trained.values()) == pytest.approx(sum(values) / len(values))


def test_training_goes_on_unchanged_by_the_probe(make_config: Make, tmp_path: Path) -> None:
    plain = train(make_config(output_dir=str(tmp_path / "plain"), lora_dropout=0.1))
    probed = train(
        make_config(
            output_dir=str(tmp_path / "probed"),
            lora_dropout=0.1,
            generation_metrics={"samples": 2, "max_new_tokens": 4},
        )
    )
    assert series(plain.curve, "loss") == series(probed.curve, "loss")


def test_asked_for_without_generation_metrics(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "model: m\noutput_dir: o\ntrain_data: t.jsonl\nvalidation_data: v.jsonl\n"
        "metric_for_best_model: eval_refusal_rate\n"
    )
    with pytest.raises(ConfigError, match="needs generation_metrics"):
        load_yaml(path, [], TrainingConfig)
