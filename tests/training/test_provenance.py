"""What an adapter was made of, and the check of its use against it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.digest import file_digest
from harness.errors import ModelError
from harness.models.digests import weights_digest
from harness.prompting import Renderer
from training import provenance, train
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
