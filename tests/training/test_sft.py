"""Training on the tiny model: what comes out, and that it is the same again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, DataError, ModelError
from tests.training.conftest import rows, write_jsonl
from training import train
from training.config import TrainingConfig

Make = Callable[..., TrainingConfig]


def losses(result: Any) -> list[tuple[int, float]]:
    return [(row["step"], row["loss"]) for row in result.curve if "loss" in row]


def test_an_adapter_with_its_papers(make_config: Make, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    result = train(make_config(report_to="tensorboard"), progress=events.append)
    out = tmp_path / "out"
    assert result.output_dir == out
    assert result.steps == 6
    assert [step for step, _ in losses(result)] == [1, 2, 3, 4, 5, 6]
    assert result.summary["eval_loss_after"] < result.summary["eval_loss_before"]
    for name in ("adapter_model.safetensors", "adapter_config.json", "training_log.json",
                 "provenance.json", "README.md"):  # fmt: skip
        assert (out / name).is_file(), name
    log = json.loads((out / "training_log.json").read_text())
    assert log["status"] == "complete"
    assert log["examples"]["train"]["examples"] == 24
    assert log["summary"]["trainable_parameters"] > 0
    steps = [event["step"] for event in events if event["event"] == "step"]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert {event["of"] for event in events if event["event"] == "step"} == {6}
    config = json.loads((out / "adapter_config.json").read_text())
    assert config["r"] == 4
    assert config["base_model_name_or_path"] == make_config().model


def test_every_figure_is_in_tensorboard(make_config: Make, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(make_config(report_to="tensorboard"))
    board = EventAccumulator(str(tmp_path / "out" / "tensorboard"))
    board.Reload()
    wanted = {"train/loss", "train/learning_rate", "train/tokens_per_second", "train/perplexity",
              "train/peak_cpu_mib", "train/seconds", "summary/trainable_parameters",
              "summary/weights_bytes", "eval/loss", "eval/perplexity"}  # fmt: skip
    assert wanted <= set(board.Tags()["scalars"])
    assert [event.step for event in board.Scalars("train/loss")] == [1, 2, 3, 4, 5, 6]


def test_same_seed_same_curve(make_config: Make, tmp_path: Path) -> None:
    one = train(make_config(output_dir=str(tmp_path / "one"), lora_dropout=0.2))
    two = train(make_config(output_dir=str(tmp_path / "two"), lora_dropout=0.2))
    other = train(make_config(output_dir=str(tmp_path / "three"), lora_dropout=0.2, seed=1))
    assert losses(one) == losses(two)
    assert losses(one) != losses(other)
    weights = [(tmp_path / n / "adapter_model.safetensors").read_bytes() for n in ("one", "two")]
    assert weights[0] == weights[1]


def test_labels_of_a_real_batch_stay_masked(
    make_config: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The predecessor masked prompts and its collator undid it: read what reaches the loss."""
    from harness.data.loading import load
    from harness.models.prompting import Renderer, encode
    from training.trainer import ResponseTrainer

    batches: list[Any] = []
    loss = ResponseTrainer.compute_loss

    def spy(self: Any, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        batches.append({key: value.clone() for key, value in inputs.items()})
        return loss(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(ResponseTrainer, "compute_loss", spy)
    config = make_config(max_steps=2)
    train(config)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(config.model)
    renderer = Renderer(tokenizer, config.template)
    samples = load(config.train_data) + load(config.validation_data)  # type: ignore[arg-type]
    known = {
        tuple(encode(tokenizer, renderer.prompt(s.messages))): str(s.reference) for s in samples
    }
    seen = 0
    for batch in batches:
        for ids, labels, mask in zip(
            batch["input_ids"].tolist(), batch["labels"].tolist(), batch["attention_mask"].tolist(),
            strict=True,
        ):  # fmt: skip
            real = sum(mask)
            first = next(i for i, label in enumerate(labels) if label != -100)
            reference = known[tuple(ids[:first])]  # Masked: the prompt, all of it and no more.
            assert labels[first:real] == ids[first:real]
            assert labels[real - 1] == tokenizer.eos_token_id
            assert tokenizer.decode(labels[first : real - 1]).strip() == reference
            assert set(labels[real:]) <= {-100}
            seen += 1
    assert seen >= 8


def test_the_loss_is_the_mean_over_response_tokens(make_config: Make, tiny_llama: Path) -> None:
    """Against log-probabilities computed one row at a time, whatever the evaluation's batch size."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from harness.data.loading import load
    from harness.models.prompting import Renderer
    from training.masking import encode_samples

    config = make_config(max_steps=1, eval_steps=1, per_device_eval_batch_size=4)
    measured = train(config).summary["eval_loss_before"]
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    model = AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32).eval()
    encoded, _ = encode_samples(
        load(config.validation_data),  # type: ignore[arg-type]
        Renderer(tokenizer, config.template),
        config.max_length,
    )
    total, tokens = 0.0, 0
    for row in encoded:
        ids, labels = torch.tensor([row.input_ids]), torch.tensor(row.labels)
        with torch.no_grad():
            logprobs = model(ids).logits[0].log_softmax(-1)
        for at in range(1, len(labels)):
            if labels[at] != -100:
                total -= float(logprobs[at - 1, labels[at]])
                tokens += 1
    assert measured == pytest.approx(total / tokens, rel=1e-5)


def test_all_weights(make_config: Make, tmp_path: Path) -> None:
    from harness.models.hf import HFModel
    from harness.records import GenerationSettings, Request

    result = train(make_config(method="full", learning_rate=1e-3))
    assert result.summary["eval_loss_after"] < result.summary["eval_loss_before"]
    assert result.summary["trainable_parameters"] == result.summary["parameters"]
    model = HFModel.load(str(tmp_path / "out"), dtype="float32", device="cpu")
    [(_, completion)] = model.complete(
        [Request(prompt="Q: Why?\nA:", settings=GenerationSettings(max_new_tokens=8))]
    )
    assert completion.error is None


def test_conversations_teach_every_answer(make_config: Make, tmp_path: Path) -> None:
    turns = ["I feel sad", "Say more.", "My dog died", "That hurts."]
    data = write_jsonl(
        tmp_path / "talks.jsonl",
        [
            {"messages": [
                {"role": role, "content": f"{text} {i}"}
                for role, text in zip(("user", "assistant") * 2, turns, strict=True)
            ]}
            for i in range(4)
        ],
    )  # fmt: skip
    result = train(make_config(train_data=str(data), max_steps=1, max_length=128))
    log = json.loads((result.output_dir / "training_log.json").read_text())
    assert log["examples"]["train"]["examples"] == 8


def test_many_cut_responses_are_warned_of(make_config: Make, tmp_path: Path) -> None:
    long = [{"prompt": f"Why {i}?", "response": "so very tired " * 60} for i in range(4)]
    data = write_jsonl(tmp_path / "long.jsonl", long)
    result = train(make_config(train_data=str(data), max_steps=1))
    assert any("4 of 4 responses do not fit into max_length 96" in w for w in result.warnings)


def test_overlap_is_refused_with_the_count(make_config: Make, tmp_path: Path) -> None:
    leaky = write_jsonl(tmp_path / "leaky.jsonl", rows(2) + rows(3, "Why am I"))
    with pytest.raises(DataError, match="2 of 5 validation rows"):
        train(make_config(validation_data=str(leaky)))
    allowed = train(make_config(validation_data=str(leaky), allow_overlap=True, max_steps=1))
    assert any("measures memory" in warning for warning in allowed.warnings)
    clean = train(
        make_config(
            validation_data={"path": str(leaky), "only": "clean"},
            max_steps=1,
            output_dir=str(tmp_path / "clean"),
        )
    )
    assert clean.summary["validation_rows"] == 3


def test_a_finished_training_is_returned_and_another_is_not_overwritten(make_config: Make) -> None:
    first = train(make_config())
    again = train(make_config(), progress=lambda event: pytest.fail(f"trained again: {event}"))
    assert again.summary == first.summary
    assert again.curve == first.curve
    with pytest.raises(ConfigError, match="finished training of another config"):
        train(make_config(learning_rate=1e-3))
    fresh = train(make_config(learning_rate=1e-3), fresh=True)
    assert losses(fresh) != losses(first)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"target_modules": ["q_prog"]}, ConfigError, r"no layer 'q_prog'.*Did you mean 'q_proj'"),
        ({"target_modules": ["q_proj", "zzz"]}, ConfigError, r"'zzz'.*down_proj, gate_proj"),
        ({"target_modules": "nothing.*"}, ConfigError, "matches no linear layer"),
        ({"target_modules": ["lm_head"]}, ConfigError, "no layer 'lm_head'"),
        ({"model": "./nowhere"}, ModelError, "nowhere: no such folder"),
        ({"extra_arguments": {"nonsense": 1}}, ConfigError, "no 'nonsense'"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(
    make_config: Make, fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        train(make_config(**fields))
    assert "\n" not in str(raised.value)
