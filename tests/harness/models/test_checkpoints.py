import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.config import AdapterSpec
from harness.errors import ModelError
from harness.models import checkpoints
from harness.models.checkpoints import count_parameters, locate, pick_dtype
from harness.models.digests import cached_digest
from harness.models.hf import HFModel
from harness.records import GenerationSettings, Message, Request


def refusal(name: str) -> str:
    with pytest.raises(ModelError) as caught:
        HFModel.load(name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["./absent", "/absent/model", "a/b/c", "absent", "tests/absent"])
def test_missing_folders(name: str) -> None:
    assert "no such folder" in refusal(name)


def test_a_hub_id_without_a_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "the hub" in refusal("nobody-at-all/no-such-model")


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "holds no model.safetensors" in refusal(str(tmp_path))


def test_pickled_weights_are_refused(tiny_llama: Path, tmp_path: Path) -> None:
    for path in tiny_llama.iterdir():
        if path.suffix == ".json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save(load_file(tiny_llama / "model.safetensors"), tmp_path / "pytorch_model.bin")
    message = refusal(str(tmp_path))
    assert "is a pickle" in message
    assert "pytorch_model.bin" in message


def test_code_that_comes_with_a_model_is_not_run(
    make_llama: Callable[..., Path], tmp_path: Path
) -> None:
    folder, mark = make_llama(tmp_path / "m"), tmp_path / "was-run"
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "evil.Evil", "AutoConfig": "evil.Config"}
    config["model_type"] = "evil"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')")
    refusal(str(folder))
    assert not mark.exists()


def test_incomplete_weights_are_refused(make_llama: Callable[..., Path], tmp_path: Path) -> None:
    """Without the check, transformers goes on with random values and a log line."""
    folder = make_llama(tmp_path / "m")
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    message = refusal(str(folder))
    assert "lack 1 of the model's tensors: model.layers.1.mlp.up_proj.weight" in message


def test_weights_of_another_shape_are_refused(
    make_llama: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_llama(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 96}))
    refusal(str(folder))


@pytest.mark.parametrize("bits", ["4bit", "8bit"])
def test_quantised_bases_with_an_adapter(
    tiny_llama: Path, tiny_adapter: Path, bits: checkpoints.Quantization
) -> None:
    pytest.importorskip("bitsandbytes")
    plain = HFModel.load(str(tiny_llama), dtype="float32")
    model = HFModel.load(
        str(tiny_llama),
        adapters={"tuned": [AdapterSpec(path=str(tiny_adapter))]},
        dtype="float32",
        quantization=bits,
    )
    assert not model.exact
    assert model.warnings == ()
    assert model.fingerprint() != plain.fingerprint()
    ids = torch.tensor([model.tokenizer("How do I stop worrying?")["input_ids"]])
    with torch.inference_mode():
        with plain._adapters.active(None) as net:
            expected = net(ids).logits
        with model._adapters.active(None) as net:
            found = net(ids).logits
            kinds = {type(module).__name__ for module in net.modules()}
    assert {"4bit": "Linear4bit", "8bit": "Linear8bitLt"}[bits] in kinds
    # Quantised, but the same model: a random one gives no correlation at all.
    correlation = torch.corrcoef(torch.stack([expected.flatten(), found.flatten()]))[0, 1]
    assert 0.9 < correlation < 1
    request = Request(
        prompt=model.renderer().prompt([Message(role="user", content="hi")]),
        settings=GenerationSettings(max_new_tokens=6),
    )
    texts = [
        dict(model.complete([request.model_copy(update={"adapter": adapter})]))[0].text
        for adapter in (None, "tuned")
    ]
    assert None not in texts


def test_what_auto_means(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_dtype("float16", "cpu") == "float16"
    monkeypatch.setattr(checkpoints, "cpu_has_bf16", lambda: True)
    assert pick_dtype("auto", "cpu") == "bfloat16"
    monkeypatch.setattr(checkpoints, "cpu_has_bf16", lambda: False)
    assert pick_dtype("auto", "cpu", 10**8) == "float32"
    assert pick_dtype("auto", "cpu", 10**15) == "bfloat16"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda _=True: False)
    assert pick_dtype("auto", "cuda:0") == "float16"


def test_counting_parameters(tiny_llama: Path) -> None:
    tensors = load_file(tiny_llama / "model.safetensors")
    assert count_parameters(tiny_llama) == sum(tensor.numel() for tensor in tensors.values())


def test_locate_expands_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "m").mkdir()
    assert locate("~/m") == tmp_path / "m"


def test_digests_are_remembered_until_the_file_changes(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import harness.models.digests as digests

    hashed: list[Path] = []
    real = digests.file_digest

    def counting(path: Path) -> str:
        hashed.append(path)
        return real(path)

    monkeypatch.setattr(digests, "file_digest", counting)
    file = tmp_path / "w"
    file.write_bytes(b"one")
    first = cached_digest(file)
    assert cached_digest(file) == first == real(file)
    assert len(hashed) == 1
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert cached_digest(file) == real(file) != first
    for remembered in (own_cache / "digests").iterdir():
        remembered.write_text("damaged")
    assert cached_digest(file) == real(file)
