"""Exactness on the real embedded model, whose near-ties are real ones."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.config import AdapterSpec
from harness.models.hf import HFModel
from harness.records import Completion, GenerationSettings, Message, Request

pytestmark = pytest.mark.model

PROMPTS = [
    "I can't sleep before exams. What could help?",
    "hi",
    "Write a Python function that returns the n-th Fibonacci number and explain each line of it.",
    "My partner never listens to me, and whenever I try to say so we end up in a fight about who "
    "does more in the house. I am tired of it. Should I leave, or is there something left to try?",
    "What's 17 * 3?",
    "Tell me a short story about a lighthouse.",
    "Why is the sky blue?",
    "List three ways to make a new friend in a new city.",
]


def answers(model: HFModel, order: list[int], adapter: str | None) -> list[Completion]:
    render = model.renderer().prompt
    asked = [
        Request(
            prompt=render([Message(role="user", content=PROMPTS[i])]),
            settings=GenerationSettings(max_new_tokens=12),
            adapter=adapter,
        )
        for i in order
    ]
    found = dict(model.complete(asked))
    back = [found[order.index(i)] for i in range(len(PROMPTS))]
    return [answer.model_copy(update={"seconds": None}) for answer in back]


def assert_exact(model: HFModel, adapter: str | None) -> None:
    order = list(range(len(PROMPTS)))
    model.slots = 1
    alone = answers(model, order, adapter)
    assert all(answer.error is None for answer in alone)
    model.slots = 8
    assert answers(model, order, adapter) == alone
    model.slots = 3
    assert answers(model, random.Random(1).sample(order, len(order)), adapter) == alone


def test_fp32_answers_do_not_depend_on_batches(embedded_checkpoint: Path) -> None:
    assert_exact(HFModel.load(str(embedded_checkpoint), dtype="float32"), None)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nor_do_an_adapters(
    embedded_checkpoint: Path, make_adapter: Callable[..., Path], tmp_path: Path
) -> None:
    adapters = {
        "ft": [AdapterSpec(path=str(make_adapter(embedded_checkpoint, tmp_path / "a", r=4)))]
    }
    assert_exact(HFModel.load(str(embedded_checkpoint), adapters=adapters, dtype="float32"), "ft")


def test_it_answers_sensibly(embedded_checkpoint: Path) -> None:
    model = HFModel.load(str(embedded_checkpoint))
    prompt = model.renderer().prompt(
        [Message(role="user", content="What is the capital of France?")]
    )
    request = Request(prompt=prompt, settings=GenerationSettings(max_new_tokens=20))
    answer = dict(model.complete([request]))[0]
    assert "Paris" in (answer.text or "")
    assert answer.finish_reason == "stop"
    assert model.context_length == 8192
