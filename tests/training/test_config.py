"""Configs: habits carry over, mistakes are named with file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.util.resources import configs_root
from training.config import load_training

GOOD = """model: m
output_dir: o
train_data: t.jsonl
"""

SHIPPED = sorted((configs_root() / "training").rglob("*.yaml"))


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_configs_load_and_begin_with_their_command(path: Path) -> None:
    load_training(path)
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert f"jostle train configs/training/{path.relative_to(configs_root() / 'training')}" in first


def test_names_of_the_predecessor_carry_over(tmp_path: Path) -> None:
    overrides = ["learning_rate=2e-5", "num_train_epochs=3", "target_modules=[q_proj, v_proj]",
                 "metric_for_best_model=loss", "validation_fraction=0.1"]  # fmt: skip
    config = load_training(written(tmp_path, GOOD), overrides)
    assert config.learning_rate == 2e-5
    assert config.target_modules == ("q_proj", "v_proj")
    assert config.best_metric == "eval_loss"
    assert not config.higher_metric_is_better


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learning_rat: 1", r"config.yaml:4: .*unknown key 'learning_rat'.*Did you mean 'learning_rate'"),
        ("r: 0", r"config.yaml:4: r: "),
        ("method: qlora", r"config.yaml:4: method: "),
        ("template: 'no place'", r"config.yaml:4: template: .*\{prompt\}"),
        ("template: '{prompt} '", r"ends in a space"),
        ("load_best_model_at_end: true", "needs validation data"),
        ("early_stopping_patience: 2", "needs validation data"),
        ("extra_arguments: {push_to_hub: true}", "nothing leaves this machine"),
        ("extra_arguments: {learning_rate: 1}", "field of the config"),
        ("bf16: true\nfp16: true", "exclude each other"),
        ("validation_fraction: 0.5\nvalidation_data: v", "exclude each other"),
        ("validation_fraction: 0.1\nload_best_model_at_end: true\nsave_steps: 30", "multiple of"),
        ("validation_fraction: 0.1\nload_best_model_at_end: true\nsave_strategy: epoch", "save_strategy"),
        ("save_total_limit: 1", "save_total_limit"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        load_training(written(tmp_path, GOOD + line + "\n"))
    assert "\n" not in str(raised.value)


def test_a_bare_no_is_the_word(tmp_path: Path) -> None:
    config = load_training(written(tmp_path, GOOD + "save_strategy: no\n"), ["eval_strategy=no"])
    assert (config.save_strategy, config.eval_strategy) == ("no", "no")


def test_several_answers_to_one_prompt_are_kept(tmp_path: Path) -> None:
    config = load_training(written(tmp_path, GOOD))
    assert config.train_data.duplicates == "keep"
    told = load_training(written(tmp_path, GOOD), ["train_data={path: t, duplicates: first}"])
    assert told.train_data.duplicates == "first"
