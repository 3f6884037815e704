"""Adapters folded into the weights for a while, and the base untouched afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from harness.models.libraries import quiet
from harness.models.merging import merged

IDS = torch.tensor([[5, 9, 11, 3, 8, 4]])


def with_adapter(folder: Path, **options: Any) -> tuple[Any, Any]:
    """Return a model with an active adapter, and PEFT's wrapper."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    options = {"target_modules": ["q_proj", "down_proj"], **options}
    with quiet():
        peft = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, **options)).eval()
    for name, parameter in peft.named_parameters():
        if "lora_B" in name or "lora_embedding_A" in name:
            parameter.data = torch.randn_like(parameter) * 0.1
    return model, peft


def logits(model: Any) -> Any:
    with torch.inference_mode():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_dora": True},
        {"use_rslora": True},
        {"target_modules": ["lm_head", "q_proj"]},
        {"modules_to_save": ["lm_head"]},
    ],
    ids=["lora", "dora", "rslora", "head", "saved"],
)
def test_merged_gives_the_adapters_logits_and_leaves_the_base(
    tiny_llama: Path, options: dict[str, Any]
) -> None:
    model, peft = with_adapter(tiny_llama, **options)
    before = dict(model.named_parameters())
    values = {name: p.detach().clone() for name, p in before.items()}
    unmerged = logits(model)
    with peft.disable_adapter():
        base = logits(model)
    with merged(model) as done:
        assert done
        torch.testing.assert_close(logits(model), unmerged, rtol=0, atol=1e-5)
    assert (unmerged - base).abs().max() > 1e-2, "the adapter should matter"
    after = dict(model.named_parameters())
    assert all(after[name] is before[name] for name in before)
    assert all(torch.equal(after[name], values[name]) for name in values)
    assert torch.equal(logits(model), unmerged)
    with peft.disable_adapter():
        assert torch.equal(logits(model), base)


def test_tied_weights_stay_tied_and_only_the_target_changes(
    tmp_path: Path, make_llama: Any
) -> None:
    """A head that shares its weights with the embedding: merging into it leaves the embedding."""
    model, _ = with_adapter(make_llama(tmp_path / "m"), target_modules=["lm_head"])
    model.get_input_embeddings()._parameters["weight"] = model.lm_head.base_layer.weight
    unmerged = logits(model)
    with merged(model) as done:
        assert done
        torch.testing.assert_close(logits(model), unmerged, rtol=0, atol=1e-5)
    assert model.get_input_embeddings().weight is model.lm_head.base_layer.weight
    assert torch.equal(logits(model), unmerged)


def test_nothing_is_done_without_an_adapter_or_the_memory(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, peft = with_adapter(tiny_llama)
    with peft.disable_adapter(), merged(model) as done:
        assert not done
    monkeypatch.setattr("harness.models.merging._HEADROOM", 1e18)
    unmerged = logits(model)
    with merged(model) as done:
        assert not done
        assert torch.equal(logits(model), unmerged)


def test_a_layer_that_cannot_takes_the_others_back(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = with_adapter(tiny_llama)
    unmerged = logits(model)
    last = model.model.layers[-1].mlp.down_proj

    def refuse(**_: Any) -> None:
        raise NotImplementedError

    monkeypatch.setattr(last, "merge", refuse)
    with merged(model) as done:
        assert not done
        assert torch.equal(logits(model), unmerged)
