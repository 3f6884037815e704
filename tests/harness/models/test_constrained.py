"""A model held to JSON, and the steps of a scale read off one pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ModelError
from harness.models import scoring
from harness.models.hf import HFModel
from harness.records import GenerationSettings, Request, Scored

SCHEMA = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "maxLength": 20},
        "score": {"type": "integer", "enum": [1, 2, 3, 4, 5]},
    },
    "required": ["reason", "score"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def model(tiny_llama: Path) -> HFModel:
    return HFModel.load(str(tiny_llama), dtype="float32")


def requests(count: int, tokens: int = 100, temperature: float = 0.0) -> list[Request]:
    settings = GenerationSettings(max_new_tokens=tokens, temperature=temperature)
    prompts = [f"{'How do I stop worrying? ' * (n % 3)}Rate answer {n}:\n" for n in range(count)]
    return [Request(prompt=p, settings=settings, seed=n) for n, p in enumerate(prompts)]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_random_model_writes_valid_json(model: HFModel, temperature: float) -> None:
    found = dict(model.complete(requests(8, temperature=temperature), schema=SCHEMA))
    assert sorted(found) == list(range(8))
    for completion in found.values():
        assert completion.finish_reason == "stop", completion
        value = json.loads(completion.text or "")
        assert list(value) == ["reason", "score"]
        assert value["score"] in (1, 2, 3, 4, 5)
        assert len(value["reason"]) <= 20


def test_it_does_not_depend_on_the_company(model: HFModel) -> None:
    together = dict(model.complete(requests(6), schema=SCHEMA))
    for index, request in enumerate(requests(6)):
        ((_, alone),) = model.complete([request], schema=SCHEMA)
        assert alone.text == together[index].text


def test_a_limit_cuts_it_off_and_says_so(model: HFModel) -> None:
    ((_, cut),) = model.complete(requests(1, tokens=4), schema=SCHEMA)
    assert cut.finish_reason == "length"
    with pytest.raises(ValueError):
        json.loads(cut.text or "")


def test_without_a_schema_nothing_changes(model: HFModel) -> None:
    dict(model.complete(requests(2), schema=SCHEMA))
    texts = [completion.text for _, completion in model.complete(requests(2, tokens=8))]
    assert not any((text or "").startswith('{"reason"') for text in texts)


def test_a_schema_that_cannot_be_kept(model: HFModel) -> None:
    with pytest.raises(ModelError, match="schema"):
        dict(model.complete(requests(1), schema={"type": "strange"}))


def test_steps_after_one_prompt_take_one_pass(
    model: HFModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [Scored(prompt=f"Rate {n}:\n", continuation=str(k)) for n in range(3) for k in range(5)]
    apart = [next(iter(model.logprobs([request])))[1] for request in asked]
    passes: list[int] = []
    real = scoring.rate

    def counted(net: Any, batch: Any, *rest: Any) -> Any:
        passes.append(len(batch))
        return real(net, batch, *rest)

    monkeypatch.setattr("harness.models.hf.rate", counted)
    together = dict(model.logprobs(asked))
    assert sorted(together) == list(range(15))
    for index, alone in enumerate(apart):
        assert together[index].token_ids == alone.token_ids
        assert together[index].logprobs == pytest.approx(alone.logprobs, abs=1e-4)
        assert together[index].means == pytest.approx(alone.means, abs=1e-4)
    assert all(len(alone.token_ids) == 1 for alone in apart)
    assert sum(passes) == 3
