"""vLLM itself needs a GPU: here a stand-in takes its place and the calls are looked at."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harness.config import AdapterSpec
from harness.errors import MissingPackage, ModelError
from harness.models import vllm as module
from harness.models.hf import HFModel
from harness.models.prompting import encode
from harness.models.vllm import VLLMModel
from harness.protocols import Model
from harness.records import GenerationSettings, Message, Request, Scored


class FakeLLM:
    last: "FakeLLM"

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.calls: list[tuple[Any, Any, Any]] = []
        FakeLLM.last = self

    def generate(self, prompts: Any, params: Any, lora_request: Any, use_tqdm: bool) -> Any:
        self.calls.append((prompts, params, lora_request))
        return [
            SimpleNamespace(
                outputs=[
                    SimpleNamespace(
                        text=f"len {len(prompt['prompt_token_ids'])}",
                        finish_reason="length",
                        token_ids=[1, 2],
                    )
                ],
                prompt_logprobs=[None]
                + [
                    {token: SimpleNamespace(logprob=-token / 10)}
                    for token in prompt["prompt_token_ids"][1:]
                ],
            )
            for prompt in prompts
        ]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    vllm, lora, request = (ModuleType(n) for n in ("vllm", "vllm.lora", "vllm.lora.request"))
    vllm.LLM, vllm.SamplingParams = FakeLLM, SimpleNamespace  # type: ignore[attr-defined]
    request.LoRARequest = lambda name, number, path: (name, number, path)  # type: ignore[attr-defined]
    for made in (vllm, lora, request):
        monkeypatch.setitem(sys.modules, made.__name__, made)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _: object())


def test_missing() -> None:
    with pytest.raises(MissingPackage, match="pip install vllm"):
        VLLMModel("any", adapters={})


@pytest.mark.usefixtures("fake")
def test_answers(tiny_llama: Path, tiny_adapter: Path) -> None:
    model = VLLMModel(
        str(tiny_llama), adapters={"ft": [AdapterSpec(path=str(tiny_adapter))]}, dtype="bfloat16"
    )
    assert isinstance(model, Model)
    engine = FakeLLM.last
    assert engine.options["max_lora_rank"] == 8
    assert engine.options["trust_remote_code"] is False
    settings = GenerationSettings(max_new_tokens=8, temperature=0.5, stop=("x",))
    asked = [
        Request(prompt="<s>a b", settings=settings, seed=3),
        Request(prompt="<s>" + "a " * 400, settings=settings),
        Request(prompt="<s>c", settings=GenerationSettings(max_new_tokens=8), adapter="ft"),
    ]
    done = dict(model.complete(asked))
    (prompts, params, lora), *_ = engine.calls
    assert [p["prompt_token_ids"] for p in prompts] == [
        encode(model.tokenizer, asked[i].prompt) for i in (0, 2)
    ]
    assert (params[0].temperature, params[0].seed, params[0].stop) == (0.5, 3, ["x"])
    assert (params[1].temperature, params[1].seed, params[1].top_k) == (0.0, None, -1)
    assert model.tokenizer.eos_token_id in params[0].stop_token_ids
    assert lora[0] is None
    assert lora[1] == ("adapter1", 1, str(tiny_adapter))
    assert done[1].error is not None
    assert done[1].error.kind == "context_length"
    assert (done[0].finish_reason, done[0].completion_tokens) == ("length", 2)


@pytest.mark.usefixtures("fake")
def test_log_probabilities(tiny_llama: Path) -> None:
    model = VLLMModel(str(tiny_llama), adapters={}, dtype="bfloat16")
    prompt, text = model_example(model)
    rating = dict(model.logprobs([Scored(prompt=prompt, continuation=text)]))[0]
    assert rating.token_ids[-1] == model.tokenizer.eos_token_id
    assert rating.logprobs == pytest.approx([-token / 10 for token in rating.token_ids])


def model_example(model: VLLMModel) -> tuple[str, str]:
    from harness.models.prompting import Renderer

    return Renderer(model.tokenizer).example([Message(role="user", content="hi")], "hello")


@pytest.mark.usefixtures("fake")
def test_what_it_cannot_do_is_said(tiny_llama: Path, tiny_adapter: Path) -> None:
    with pytest.raises(ModelError, match="does not mix"):
        VLLMModel(
            str(tiny_llama), adapters={"a": [AdapterSpec(path=str(tiny_adapter), weight=0.5)]}
        )
    with pytest.raises(ModelError, match="8bit"):
        VLLMModel(str(tiny_llama), adapters={}, quantization="8bit")


@pytest.mark.usefixtures("fake")
def test_answers_of_another_engine_are_other_answers(tiny_llama: Path) -> None:
    plain = HFModel.load(str(tiny_llama), dtype="bfloat16").fingerprint()
    vllm = VLLMModel(str(tiny_llama), adapters={}, dtype="bfloat16").fingerprint()
    assert vllm != plain
    assert vllm["weights"] == plain["weights"]
