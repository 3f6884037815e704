import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.config import AdapterSpec
from harness.errors import ModelError
from harness.models.hf import HFModel
from harness.records import GenerationSettings, Message, Request

WEIGHTS = "adapter_model.safetensors"
Tensors = dict[str, torch.Tensor]


def load(base: Path, /, **adapters: Path | list[AdapterSpec]) -> HFModel:
    return HFModel.load(
        str(base),
        adapters={
            name: parts if isinstance(parts, list) else [AdapterSpec(path=str(parts))]
            for name, parts in adapters.items()
        },
        dtype="float32",
    )


def logits(model: HFModel, adapter: str | None) -> torch.Tensor:
    ids = torch.tensor([model.tokenizer("How do I stop worrying about it?")["input_ids"]])
    with model._adapters.active(adapter) as net, torch.inference_mode():
        return net(ids).logits  # type: ignore[no-any-return]


@pytest.fixture
def changed(tiny_adapter: Path, tmp_path: Path) -> Callable[[Callable[[Tensors], Tensors]], Path]:
    """``changed(function)`` is a copy of the adapter whose tensors went through ``function``."""

    def change(function: Callable[[Tensors], Tensors]) -> Path:
        folder = tmp_path / "changed"
        shutil.copytree(tiny_adapter, folder)
        save_file(function(load_file(folder / WEIGHTS)), folder / WEIGHTS)
        return folder

    return change


def refusal(base: Path, folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load(base, tuned=folder)
    message = str(caught.value)
    assert "\n" not in message
    assert folder.name in message
    return message


def test_logits_are_pefts_own(tiny_llama: Path, tiny_adapter: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from harness.models.libraries import quiet

    base = AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32)
    model = load(tiny_llama, tuned=tiny_adapter)
    ids = torch.tensor([model.tokenizer("How do I stop worrying about it?")["input_ids"]])
    with torch.inference_mode(), quiet():
        assert torch.equal(logits(model, None), base(ids).logits)
        peft = PeftModel.from_pretrained(base, tiny_adapter)
        assert torch.equal(logits(model, "tuned"), peft(ids).logits)


def test_several_adapters_do_not_disturb_each_other(
    tiny_llama: Path, tiny_adapter: Path, tmp_path: Path, make_adapter: Callable[..., Path]
) -> None:
    second = make_adapter(tiny_llama, tmp_path / "second", seed=2, r=4)
    both = load(tiny_llama, **{"a.b c": tiny_adapter, "base": second})
    first_alone, second_alone = load(tiny_llama, x=tiny_adapter), load(tiny_llama, x=second)
    for _ in range(2):
        assert torch.equal(logits(both, "a.b c"), logits(first_alone, "x"))
        assert torch.equal(logits(both, None), logits(first_alone, None))
        assert torch.equal(logits(both, "base"), logits(second_alone, "x"))
    assert both.fingerprint("a.b c") == first_alone.fingerprint("x")
    assert both.fingerprint() == second_alone.fingerprint()


def test_a_mixture_is_the_weighted_sum_of_the_updates(
    tiny_llama: Path, tiny_adapter: Path, tmp_path: Path, make_adapter: Callable[..., Path]
) -> None:
    """Checked against base weights with 0.7·ΔW₁ + 0.4·ΔW₂ added by hand."""
    from transformers import AutoModelForCausalLM

    second = make_adapter(tiny_llama, tmp_path / "second", seed=2, r=4)
    parts = [
        AdapterSpec(path=str(tiny_adapter), weight=0.7),
        AdapterSpec(path=str(second), weight=0.4),
    ]
    model = load(tiny_llama, mixed=parts, halved=[AdapterSpec(path=str(tiny_adapter), weight=0.5)])

    def by_hand(weighted: list[tuple[Path, float]]) -> torch.Tensor:
        base = AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32)
        for folder, weight in weighted:
            tensors = load_file(folder / WEIGHTS)
            config = json.loads((folder / "adapter_config.json").read_text())
            scale = weight * config["lora_alpha"] / config["r"]
            for key in [key for key in tensors if "lora_A" in key]:
                path = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
                update = tensors[key.replace("lora_A", "lora_B")] @ tensors[key]
                base.get_submodule(path).weight.data += scale * update
        ids = torch.tensor([model.tokenizer("How do I stop worrying about it?")["input_ids"]])
        with torch.inference_mode():
            return base(ids).logits  # type: ignore[no-any-return]

    expected = by_hand([(tiny_adapter, 0.7), (second, 0.4)])
    assert torch.allclose(logits(model, "mixed"), expected, atol=2e-3, rtol=1e-3)
    assert torch.allclose(logits(model, "halved"), by_hand([(tiny_adapter, 0.5)]), atol=2e-3)
    assert not torch.allclose(logits(model, None), expected, atol=1e-1)
    prints = [model.fingerprint(name)["adapter"] for name in ("mixed", "halved")]
    turned = load(tiny_llama, mixed=parts[::-1])
    assert turned.fingerprint("mixed")["adapter"] == prints[0] != prints[1]


def test_an_adapter_that_changes_nothing_is_a_warning(
    tiny_llama: Path, tiny_adapter: Path, changed: Callable[..., Path]
) -> None:
    folder = changed(lambda tensors: {k: t * 0 if "lora_B" in k else t for k, t in tensors.items()})
    model = load(tiny_llama, good=tiny_adapter, idle=folder)
    assert len(model.warnings) == 1
    assert model.warnings[0].startswith("adapter 'idle' changes nothing")
    request = Request(
        prompt=model.renderer().prompt([Message(role="user", content="hi")]),
        settings=GenerationSettings(max_new_tokens=4),
        adapter="idle",
    )
    assert dict(model.complete([request]))[0].error is None


def test_a_small_change_is_a_change(tiny_llama: Path, changed: Callable[..., Path]) -> None:
    folder = changed(
        lambda tensors: {k: t * 1e-3 if "lora_B" in k else t for k, t in tensors.items()}
    )
    assert load(tiny_llama, small=folder).warnings == ()


def test_missing_folder_and_files(tiny_llama: Path, tiny_adapter: Path, tmp_path: Path) -> None:
    assert "no such folder" in refusal(tiny_llama, tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    assert "adapter_config.json is missing" in refusal(tiny_llama, tmp_path / "empty")
    (tmp_path / "file").write_text("")
    assert "is a file" in refusal(tiny_llama, tmp_path / "file")
    shutil.copy(tiny_adapter / "adapter_config.json", tmp_path / "empty")
    assert "holds no adapter_model.safetensors" in refusal(tiny_llama, tmp_path / "empty")


def test_pickles_are_refused(tiny_llama: Path, tiny_adapter: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    shutil.copy(tiny_adapter / "adapter_config.json", folder)
    torch.save(load_file(tiny_adapter / WEIGHTS), folder / "adapter_model.bin")
    assert "is a pickle" in refusal(tiny_llama, folder)


def test_broken_files(tiny_llama: Path, changed: Callable[..., Path]) -> None:
    folder = changed(lambda tensors: tensors)
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    assert WEIGHTS in refusal(tiny_llama, folder)
    (folder / WEIGHTS).write_bytes(whole)
    (folder / "adapter_config.json").write_text("{")
    assert "no adapter configuration" in refusal(tiny_llama, folder)


def test_layers_the_base_does_not_have(tiny_llama: Path, changed: Callable[..., Path]) -> None:
    folder = changed(lambda t: {k.replace("layers.1", "layers.7"): v for k, v in t.items()})
    message = refusal(tiny_llama, folder)
    assert "model.layers.7.self_attn" in message
    assert "the base has no such layer" in message


def test_another_width(tiny_llama: Path, changed: Callable[..., Path]) -> None:
    folder = changed(
        lambda t: {k: torch.cat([v, v], dim=1) if "lora_A" in k else v for k, v in t.items()}
    )
    message = refusal(tiny_llama, folder)
    assert "made for width 128, the base has 64" in message
    assert "8 tensors" in message
    assert message.endswith("...")


def test_the_second_adapter_is_checked_too(
    tiny_llama: Path, tiny_adapter: Path, changed: Callable[..., Path]
) -> None:
    folder = changed(
        lambda t: {k: torch.cat([v, v], dim=1) if "lora_A" in k else v for k, v in t.items()}
    )
    with pytest.raises(ModelError, match="made for width 128"):
        load(tiny_llama, first=tiny_adapter, second=folder)


def test_another_rank_than_the_configuration_says(
    tiny_llama: Path, changed: Callable[..., Path]
) -> None:
    folder = changed(
        lambda t: {k: (v[:4] if "lora_A" in k else v[:, :4]).contiguous() for k, v in t.items()}
    )
    assert "does not load" in refusal(tiny_llama, folder)


def test_tensors_the_file_lacks(tiny_llama: Path, changed: Callable[..., Path]) -> None:
    folder = changed(lambda t: {k: v for k, v in t.items() if "layers.1.self_attn.q" not in k})
    message = refusal(tiny_llama, folder)
    assert "lacks 2 tensors" in message
    assert "layers.1.self_attn.q_proj.lora_A" in message


def test_tensors_that_do_not_get_loaded(tiny_llama: Path, changed: Callable[..., Path]) -> None:
    """q, k, v and o in the file, but the configuration asks for q alone: PEFT passes in silence."""
    folder = changed(lambda tensors: tensors)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(
        json.dumps({**config, "target_modules": ["q_proj"]})
    )
    message = refusal(tiny_llama, folder)
    assert "12 of its tensors were not loaded" in message
    assert "k_proj" in message


def test_target_modules_the_base_does_not_have(
    tiny_llama: Path, changed: Callable[..., Path]
) -> None:
    folder = changed(lambda t: {k.replace("q_proj", "c_attn"): v for k, v in t.items()})
    assert "c_attn" in refusal(tiny_llama, folder)


@pytest.mark.parametrize(
    "options",
    [
        {"use_rslora": True},
        {"use_dora": True},
        {"modules_to_save": ["lm_head"]},
        {"target_modules": ["embed_tokens", "up_proj"]},
        {"target_modules": "all-linear", "rank_pattern": {"q_proj": 2}},
    ],
    ids=lambda options: "+".join(options),
)
def test_kinds_of_lora(
    tiny_llama: Path, tiny_adapter: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from harness.models.libraries import quiet

    options = {"target_modules": ["q_proj", "v_proj"], **options}
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(3)
        peft = get_peft_model(
            AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32),
            LoraConfig(r=4, init_lora_weights=False, task_type="CAUSAL_LM", **options),
        )
        if "modules_to_save" in options:
            peft.base_model.model.lm_head.modules_to_save["default"].weight.data.mul_(1.5)
        peft.save_pretrained(tmp_path / "a", save_embedding_layers=False)
    model = load(tiny_llama, tuned=tmp_path / "a", other=tiny_adapter)
    ids = torch.tensor([model.tokenizer("How do I stop worrying about it?")["input_ids"]])
    with torch.inference_mode():
        expected = peft.eval()(ids).logits
    assert torch.allclose(logits(model, "tuned"), expected, atol=1e-4)
    assert model.warnings == ()
    plain = load(tiny_llama)
    assert torch.equal(logits(model, None), logits(plain, None)), "the base was changed"


@pytest.fixture(scope="module")
def biased_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama whose attention has biases, as GPT-2 and Qwen2 have."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    from tests.conftest import build_llama

    folder = build_llama(tmp_path_factory.mktemp("biased"))
    config = LlamaConfig.from_pretrained(folder, attention_bias=True)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def made_adapter(base: Path, folder: Path, **options: Any) -> Path:
    """An adapter as training with these options leaves it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from harness.models.libraries import quiet

    with torch.random.fork_rng(), quiet():
        torch.manual_seed(5)
        config = LoraConfig(
            r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", **options
        )
        peft = get_peft_model(
            AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), config
        )
        for parameter in peft.parameters():
            if parameter.requires_grad:
                parameter.data += 0.3 * torch.randn_like(parameter)
        peft.save_pretrained(folder, save_embedding_layers=False)
    return folder


@pytest.mark.parametrize(
    ("options", "unknown"),
    [
        ({"bias": "all"}, False),
        ({"bias": "lora_only"}, False),
        ({"init_lora_weights": "pissa"}, False),
        ({"init_lora_weights": "olora"}, True),  # as a method that nobody has listed
    ],
    ids=["bias-all", "bias-lora_only", "pissa", "unlisted"],
)
def test_an_adapter_that_changes_the_base_gets_one_of_its_own(
    biased_llama: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    unknown: bool,
) -> None:
    from harness.models import adapters

    clean = made_adapter(biased_llama, tmp_path / "clean")
    changing = made_adapter(biased_llama, tmp_path / "changing", **options)
    base, first, second = (
        logits(load(biased_llama, **given), name)
        for given, name in (({}, None), ({"x": clean}, "x"), ({"x": changing}, "x"))
    )
    if unknown:
        monkeypatch.setattr(adapters, "changes_base", lambda config: False)
    for names in (("clean", "changing"), ("changing", "clean")):
        folders = {"clean": clean, "changing": changing}
        model = load(biased_llama, **{name: folders[name] for name in names})
        assert torch.equal(logits(model, None), base), "the base answers as it does alone"
        assert torch.equal(logits(model, "clean"), first), "and so does the other adapter"
        assert torch.equal(logits(model, "changing"), second)
        assert not torch.equal(second, base)
        assert model.fingerprint() == load(biased_llama).fingerprint()


def test_how_an_adapter_began_counts_where_it_moved_the_base(
    biased_llama: Path, tmp_path: Path
) -> None:
    from harness.models.digests import adapter_digest

    folder = made_adapter(biased_llama, tmp_path / "a", init_lora_weights="pissa")
    before = adapter_digest(folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    for start, same in (("olora", False), (True, False), ("pissa", True)):
        config["init_lora_weights"] = start
        (folder / "adapter_config.json").write_text(json.dumps(config))
        assert (adapter_digest(folder) == before) is same


def test_embeddings_of_the_base_in_an_adapter_are_refused(
    tiny_llama: Path, changed: Callable[..., Path]
) -> None:
    key = "base_model.model.model.embed_tokens.weight"
    folder = changed(lambda tensors: tensors | {key: torch.zeros(420, 64)})
    assert "would change the base model" in refusal(tiny_llama, folder)


def test_unknown_adapter_in_a_request(tiny_llama: Path, tiny_adapter: Path) -> None:
    model = load(tiny_llama, tuned=tiny_adapter)
    short = GenerationSettings(max_new_tokens=1)
    with pytest.raises(ModelError, match="loaded: tuned"):
        list(model.complete([Request(prompt="a", adapter="other", settings=short)]))
    with pytest.raises(ModelError, match="loaded: tuned"):
        model.fingerprint("other")
