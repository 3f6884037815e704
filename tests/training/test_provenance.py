"""What an adapter was made of, and the check of its use against it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ModelError
from harness.models import provenance
from harness.models.digests import weights_digest
from harness.models.prompting import Renderer
from harness.models.subjects import open_subjects
from harness.pipeline import runner
from harness.util.digest import file_digest
from tests.pipeline import context_of, make_suite, write_data
from training import train
from training.config import TrainingConfig

Make = Callable[..., TrainingConfig]


@pytest.fixture
def adapter(make_config: Make) -> Path:
    return train(make_config(max_steps=1, eval_strategy="no", eval_on_start=False)).output_dir


def test_it_names_everything_that_decided_the_weights(
    adapter: Path, tiny_llama: Path, make_config: Make
) -> None:
    made = provenance.read(adapter)
    assert made is not None
    config = make_config()
    assert made.train.rows == 24
    assert made.train.file_sha256 == file_digest(Path(config.train_data.path))
    assert made.base["weights_sha256"] == weights_digest(tiny_llama)
    assert made.weights == {
        "adapter_model.safetensors": file_digest(adapter / "adapter_model.safetensors")
    }
    assert made.seed == config.seed
    assert {"torch", "transformers", "peft", "trl"} <= set(made.packages)


def test_mismatches(adapter: Path, tiny_llama: Path, make_config: Make) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    made = provenance.read(adapter)
    assert made is not None
    right = Renderer(tokenizer, make_config().template).fingerprint
    fitting = {
        "base_weights_sha256": weights_digest(tiny_llama),
        "rendering": right,
        "training_data": [str(made.train.file_sha256), "another"],
    }
    assert provenance.mismatches(adapter, **fitting) == []
    [base] = provenance.mismatches(adapter, **{**fitting, "base_weights_sha256": "0" * 64})
    assert "other base weights" in base
    wrong = Renderer(tokenizer, "User: {prompt}\nBot:").fingerprint
    [form] = provenance.mismatches(adapter, **{**fitting, "rendering": wrong})
    assert "another prompt format" in form
    [data] = provenance.mismatches(adapter, **{**fitting, "training_data": ["another"]})
    assert "not the training_data" in data
    with (adapter / "adapter_model.safetensors").open("ab") as file:
        file.write(b"x")
    [weights] = provenance.mismatches(adapter, **fitting)
    assert "not those that provenance.json was written for" in weights


def test_adapters_of_other_tools_and_broken_files(tmp_path: Path) -> None:
    assert provenance.read(tmp_path) is None
    assert provenance.mismatches(tmp_path, rendering="x") == []
    (tmp_path / "provenance.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        provenance.read(tmp_path)


def warnings_of_a_run(folder: Path, subject: dict[str, Any], **changes: Any) -> str:
    """What a suite over one answer of a real model warns of."""
    write_data(folder, ["Why do I lie awake every night and think about money?"])
    shared = {
        "dtype": "float32",
        "generation": {"max_new_tokens": 2},
        "template": "Q: {prompt}\nA:",
    }
    base = {**shared, "name": "base", "model": subject["model"]}
    suite = make_suite(folder, subjects=[base, {**shared, "name": "tuned", **subject}],
                       perturbations=["typo"], judges=["rouge_l"], **changes)  # fmt: skip
    with context_of(folder / "run", suite) as context:
        runner.run(replace(context, open_model=open_subjects))
        return " ".join(context.session.run.manifest().warnings)


def test_a_suite_tells_an_adapter_s_own_base_from_another(
    adapter: Path, tiny_llama: Path, tmp_path: Path, make_llama: Callable[..., Path]
) -> None:
    """The digest in the provenance is the one that the model under test shows, wherever it lies."""
    (tmp_path / "right").mkdir()
    moved = shutil.copytree(tiny_llama, tmp_path / "moved")
    subject = {"model": str(moved), "adapters": [str(adapter)]}
    assert "other base weights" not in warnings_of_a_run(tmp_path / "right", subject)
    (tmp_path / "wrong").mkdir()
    other = make_llama(tmp_path / "other", seed=7)
    found = warnings_of_a_run(tmp_path / "wrong", {**subject, "model": str(other)})
    assert f"{adapter}: trained on other base weights" in found


def test_a_whole_model_is_checked_as_well(make_config: Make, tmp_path: Path) -> None:
    whole = train(make_config(method="full", max_steps=1, eval_strategy="no", eval_on_start=False))
    (tmp_path / "asked").mkdir()
    subject = {"model": str(whole.output_dir), "template": "User: {prompt}\nBot:"}
    found = warnings_of_a_run(tmp_path / "asked", subject)
    assert found.count("another prompt format") == 1
    assert "other base weights" not in found
