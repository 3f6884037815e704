"""4- and 8-bit bases on a CPU, and the silent gradient fault of bitsandbytes there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import MissingPackage, ModelError
from training import quantised, train
from training.config import TrainingConfig
from training.run import quiet

bnb = pytest.importorskip("bitsandbytes")

Make = Callable[..., TrainingConfig]


def layer_with_the_fault() -> Any:
    """A 4-bit layer as it is made on a CPU with AVX512-BF16, whatever this CPU can do."""
    torch.manual_seed(0)
    weights = torch.randn(128, 64)
    layer = bnb.nn.Linear4bit(64, 128, bias=False, quant_type="nf4", compute_dtype=torch.float32)
    layer.weight = bnb.nn.Params4bit(weights, requires_grad=False, quant_type="nf4")
    layer = layer.to("cpu")
    layer.support_avx512bf16_for_cpu = True
    return layer


def input_gradient(layer: Any) -> torch.Tensor:
    inputs = torch.ones(4, 64, requires_grad=True)
    layer.train()(inputs).square().sum().backward()
    assert inputs.grad is not None
    return inputs.grad


def true_gradient(layer: Any) -> torch.Tensor:
    """The gradient of the same function with the de-quantised weights in a plain layer."""
    weights = bnb.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    inputs = torch.ones(4, 64, requires_grad=True)
    torch.nn.functional.linear(inputs, weights.float()).square().sum().backward()
    assert inputs.grad is not None
    return inputs.grad


def evaluate(layer: Any) -> None:
    with torch.no_grad():
        layer.eval()(torch.ones(4, 64))


def test_gradient_after_an_evaluation_is_the_dequantised_models() -> None:
    layer = layer_with_the_fault()
    expected = true_gradient(layer)
    assert quantised.guard_4bit(torch.nn.Sequential(layer)) == 1
    evaluate(layer)
    assert not getattr(layer.weight.quant_state, "packing_format_for_cpu", False)
    torch.testing.assert_close(input_gradient(layer), expected, rtol=1e-3, atol=1e-3)


def test_the_guard_guards_against_something() -> None:
    """Without it an evaluation repacks the weights. When bitsandbytes mends that, this fails."""
    layer = layer_with_the_fault()
    # Not every CPU has a kernel for the repacked form; that it was repacked is what counts.
    with suppress(RuntimeError):
        evaluate(layer)
    assert layer.weight.quant_state.packing_format_for_cpu


@pytest.mark.parametrize("method", ["qlora-4bit", "qlora-8bit"])
def test_trains_on_cpu(make_config: Make, tmp_path: Path, method: str) -> None:
    result = train(make_config(method=method, eval_steps=2))
    assert result.summary["eval_loss_after"] < result.summary["eval_loss_before"]
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    assert result.summary["memory_footprint_bytes"] < 4 * result.summary["parameters"]


def test_gradients_of_a_4bit_model_after_an_evaluation(tiny_llama: Path, make_config: Make) -> None:
    """The whole model: LoRA gradients against those on the de-quantised base, after an evaluation."""
    from training.loading import load

    config = make_config(method="qlora-4bit", lora_dropout=0.0)
    torch.manual_seed(3)
    with quiet():
        model = load(config, tiny_llama).model
    layers = [m for m in model.modules() if isinstance(m, bnb.nn.Linear4bit)]
    assert layers
    assert not any(layer.support_avx512bf16_for_cpu for layer in layers)
    ids = torch.arange(5, 25).reshape(2, 10)
    with torch.no_grad():
        model.eval()(input_ids=ids)

    def gradients() -> dict[str, torch.Tensor]:
        model.train().zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        return {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}

    found = gradients()
    dequantised: dict[str, torch.nn.Linear] = {}
    for name, module in list(model.named_modules()):
        if isinstance(module, bnb.nn.Linear4bit):
            weight = bnb.functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
            plain = torch.nn.Linear(module.in_features, module.out_features, bias=False)
            plain.weight = torch.nn.Parameter(weight.float(), requires_grad=False)
            dequantised[name] = plain
    for name, plain in dequantised.items():
        model.set_submodule(name, plain)
    expected = gradients()
    assert found.keys() == expected.keys()
    assert any(g.abs().max() > 0 for g in expected.values())
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=2e-2, atol=2e-3, msg=name)


def test_said_before_loading(make_config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(bits: str, device: Any) -> None:
        raise RuntimeError("no kernel for this device\nlong trace")

    monkeypatch.setattr(quantised, "_probe", broken)
    monkeypatch.setattr("training.loading.load_base", lambda *a, **k: pytest.fail("loaded"))
    with pytest.raises(ModelError, match=r"qlora-4bit: .*cannot train in 4bit on cpu") as raised:
        train(make_config(method="qlora-4bit"))
    assert "\n" not in str(raised.value)


def test_missing_package(make_config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match="pip install"):
        quantised.check_available("8bit", "cpu")
