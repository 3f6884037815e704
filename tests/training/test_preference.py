"""DPO and reward models: the loss falls, the better answer wins, and the reward model can judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.config import AdapterSpec
from harness.errors import DataError, ModelError
from harness.models.hf import HFModel
from harness.models.prompting import Renderer, encode_example
from harness.records import JudgeItem, Message, Sample, Scored
from harness.registry import judges
from tests.training.conftest import rows, write_jsonl
from training import train
from training.config import TrainingConfig
from training.curves import series
from training.preference import PreferencePair, encode_pairs, pairs

Make = Callable[..., TrainingConfig]

GOOD, BAD = "It sounds tiring. Say more.", "def add(a, b): return a"


def preferences(n: int, word: str = "I feel") -> list[dict[str, str]]:
    return [
        {"prompt": row["prompt"], "chosen": f"{GOOD} {i % 3}", "rejected": f"{BAD} + {i % 3}"}
        for i, row in enumerate(rows(n, word))
    ]


@pytest.fixture
def make_preferences(make_config: Make, tmp_path: Path) -> Make:
    train_data = write_jsonl(tmp_path / "pairs.jsonl", preferences(16))
    valid = write_jsonl(tmp_path / "pairs_valid.jsonl", preferences(4, "Why am I"))

    def make(**fields: Any) -> TrainingConfig:
        given = {"train_data": str(train_data), "validation_data": str(valid), "max_steps": 12,
                 "learning_rate": 5e-3, "eval_steps": 6, "save_steps": 6}  # fmt: skip
        return make_config(**{**given, **fields})

    return make


def test_dpo_of_all_weights(make_preferences: Make, tmp_path: Path) -> None:
    result = train(make_preferences(objective="dpo", method="full", learning_rate=1e-3))
    losses = dict(series(result.curve, "eval_loss"))
    assert losses[0] == pytest.approx(0.6931, abs=1e-3)
    assert losses[12] < losses[0]
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_dpo_loss_falls_and_the_chosen_answer_gains(make_preferences: Make, tmp_path: Path) -> None:
    config = make_preferences(objective="dpo")
    result = train(config)
    losses = dict(series(result.curve, "eval_loss"))
    assert losses[0] == pytest.approx(0.6931, abs=1e-3)  # ln 2: the untuned model prefers neither.
    assert losses[12] < losses[6] < losses[0]
    model = HFModel.load(
        config.model, adapters={"tuned": [AdapterSpec(path=str(tmp_path / "out"))]},
        dtype="float32", device="cpu",
    )  # fmt: skip
    renderer = model.renderer(config.template)

    def gain(answer: str) -> float:
        prompt, completion = renderer.example(
            (Message(role="user", content="Why am I sad"),), answer
        )
        requests = [
            Scored(prompt=prompt, continuation=completion, adapter=a) for a in (None, "tuned")
        ]
        totals = {i: sum(rated.logprobs) for i, rated in model.logprobs(requests)}
        return totals[1] - totals[0]

    assert gain(GOOD) > gain(BAD)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_reward_model_learns_and_judges(
    make_preferences: Make, tmp_path: Path, method: str
) -> None:
    rate = 1e-3 if method == "full" else 5e-3
    result = train(make_preferences(objective="reward", method=method, learning_rate=rate))
    losses = dict(series(result.curve, "eval_loss"))
    assert losses[12] < losses[0]
    judge = judges.create("reward", {"path": str(tmp_path / "out"), "batch_size": 3})
    items = [
        JudgeItem(question=f"Why am I {word}", answer=answer)
        for word in ("sad", "tired")
        for answer in (GOOD, BAD)
    ]
    too_long = JudgeItem(question="Why", answer="word " * 400)
    graded = {g.item: g for g in judge.grade([*items, too_long])}
    assert len(graded) == 5
    assert graded[0].value > graded[1].value
    assert graded[2].value > graded[3].value
    assert graded[4].status == "error"
    assert "exceed" in str(graded[4].reason)
    [dimension] = judge.dimensions
    assert all(dimension.low <= graded[i].value <= dimension.high for i in range(4))
    # An answer's value does not depend on the company it keeps.
    alone = next(iter(judge.grade([items[1]])))
    assert alone.value == pytest.approx(graded[1].value, abs=1e-5)


def test_a_folder_that_is_no_reward_model(make_config: Make, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="objective: reward"):
        judges.create("reward", {"path": str(tmp_path / "nowhere")})


def test_both_answers_follow_the_same_prompt_as_evaluation_asks(tiny_llama: Path) -> None:
    from transformers import AutoTokenizer

    renderer = Renderer(AutoTokenizer.from_pretrained(tiny_llama), "Q: {prompt}\nA:")
    turn = (Message(role="user", content="Why?"),)
    [ids], _ = encode_pairs([PreferencePair(turn, GOOD, BAD)], renderer, 96)
    for answer, found in ((GOOD, ids.chosen), (BAD, ids.rejected)):
        assert encode_example(renderer.tokenizer, *renderer.example(turn, answer)) == (
            ids.prompt,
            found,
        )
        assert found[-1] == renderer.tokenizer.eos_token_id
    long = PreferencePair((Message(role="user", content="so tired " * 80),), GOOD, BAD * 9)
    [cut], counts = encode_pairs([long], renderer, 64)
    assert len(cut.prompt) + max(len(cut.chosen), len(cut.rejected)) <= 64
    assert counts.prompts_cut == 1
    assert counts.responses_cut == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"chosen": "a"}, "field 'rejected' must be a text"),
        ({"chosen": "a", "rejected": " a"}, "same text"),
    ],
)
def test_bad_pairs_are_named(fields: dict[str, Any], message: str) -> None:
    sample = Sample(id="7", messages=(Message(role="user", content="Why?"),), metadata=fields)
    with pytest.raises(DataError, match=f"sample 7 .*{message}"):
        pairs([sample])
