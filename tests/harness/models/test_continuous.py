"""Answers written side by side are those that ``generate`` writes alone; nothing is read twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.models.batching import BatchRow
from harness.models.continuous import decode_continuously, length_classes
from harness.models.decoding import DecodedAnswer, Decoder, decode
from harness.models.hf import HFModel
from harness.models.prompting import encode
from harness.records import GenerationSettings

TEXTS = [
    "I feel sad and lonely since I moved to a new city; what could I do about it today?",
    "I feel sad and lonely since I moved to a new city; what might I do about it today?",
    "I feel sad and lonely since I moved to another city; what could I do?",
    "My father doesn't listen to me.",
    "a",
    "How do I stop worrying about my exams all the time? " * 4,
    "Write a function that returns the largest of three numbers.",
]


@pytest.fixture(scope="module")
def decoder(tiny_llama: Path) -> Decoder:
    model = HFModel.load(str(tiny_llama), dtype="float32")
    assert model._continuous
    return Decoder(model._adapters._base.net, model.tokenizer, model._stops, "cpu", watch=True)


def batch(decoder: Decoder, most: Sequence[int]) -> list[BatchRow]:
    texts = zip(TEXTS, most, strict=True)
    return [BatchRow(i, encode(decoder.tokenizer, text), n) for i, (text, n) in enumerate(texts)]


def answers(
    decoder: Decoder, rows: Sequence[BatchRow], settings: GenerationSettings, slots: int
) -> dict[int, DecodedAnswer]:
    seeds = [500 + row.index for row in rows]
    ended = list(decode_continuously(decoder, rows, settings, seeds, (slots, 4096)))
    assert all(one.seconds > 0 for one in ended)
    assert len({one.row.index for one in ended}) == len(ended) == len(rows)
    return {one.row.index: one.answer for one in ended}


@pytest.mark.parametrize("slots", [1, 2, 3, 7, 20])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.7, "top_p": 0.9, "top_k": 40},
        {"repetition_penalty": 1.4},
        {"temperature": 1.0, "repetition_penalty": 1.2},
        {"stop": ("e",)},
    ],
    ids=["greedy", "sampled", "penalty", "sampled-penalty", "stop"],
)
def test_each_answer_is_that_of_generate_alone(
    decoder: Decoder, settings: dict[str, Any], slots: int
) -> None:
    wanted = GenerationSettings(max_new_tokens=9, **settings)
    rows = batch(decoder, [9] * len(TEXTS))
    together = answers(decoder, rows, wanted, slots)
    for row in rows:
        alone = decode(decoder, [row.ids], wanted, [500 + row.index])[0]
        one = together[row.index]
        assert (one.text, one.tokens, one.stopped, one.broken) == (
            alone.text,
            alone.tokens,
            alone.stopped,
            alone.broken,
        )
        assert one.gap == pytest.approx(alone.gap, abs=1e-4)


def positions_read(decoder: Decoder, rows: Sequence[BatchRow], slots: int) -> int:
    """Return how many tokens the model was given, padding included."""
    count = 0
    forward = decoder.model.forward

    def counting(*args: Any, input_ids: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += input_ids.numel()
        return forward(*args, input_ids=input_ids, **kwargs)

    decoder.model.forward = counting
    try:
        answers(decoder, rows, GenerationSettings(max_new_tokens=1), slots)
    finally:
        decoder.model.forward = forward
    return count


def test_what_prompts_begin_with_is_read_once(decoder: Decoder) -> None:
    """Twelve variants of one prompt: the common start once, and for each what follows its edit."""
    words = [
        "We",
        "sat",
        "in",
        "the",
        "old",
        "kitchen",
        "and",
        "talked",
        "about",
        "the",
        "exams",
        "of",
        "my",
        "brother",
        "until",
        "it",
        "was",
        "late",
    ]
    rows = []
    for i in range(12):
        text = " ".join([*words[:14], f"{i}", *words[14:]])
        rows.append(BatchRow(i, encode(decoder.tokenizer, text), 1))
    whole = sum(len(row.ids) for row in rows)
    assert positions_read(decoder, rows, 12) < 0.5 * whole
    assert positions_read(decoder, rows[:1], 12) == len(rows[0].ids)


def test_an_ended_answer_makes_room_for_the_next(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers end at different lengths; the steps needed are far fewer than batches would take."""
    steps = 0
    forward = decoder.model.forward

    def counting(*args: Any, input_ids: Any, **kwargs: Any) -> Any:
        nonlocal steps
        steps += input_ids.shape[1] == 1
        return forward(*args, input_ids=input_ids, **kwargs)

    stop = GenerationSettings(max_new_tokens=40, stop=("e", "a", "o"))
    rows = [BatchRow(i, encode(decoder.tokenizer, f"{TEXTS[i % 7]} {i}"), 40) for i in range(24)]
    monkeypatch.setattr(decoder.model, "forward", counting)
    tokens = [answer.tokens for answer in answers(decoder, rows, stop, 4).values()]
    assert len(set(tokens)) > 3, "the lengths should differ"
    ordered = list(tokens)
    batches = sum(max(ordered[i : i + 4]) for i in range(0, 24, 4))
    assert steps < batches


def test_answers_come_as_they_end(decoder: Decoder) -> None:
    rows = batch(decoder, [12] * len(TEXTS))
    stop = GenerationSettings(max_new_tokens=12, stop=("e",))
    stream: Iterator[Any] = decode_continuously(decoder, rows, stop, [0] * len(rows), (2, 4096))
    first = next(stream)
    assert first.answer.tokens <= 12
    assert decoder.model.config._attn_implementation != "jostle_grouped", "as it was between steps"
    assert not torch.is_inference_mode_enabled()
    assert len(list(stream)) == len(rows) - 1


def test_rows_of_very_different_length_do_not_share_slots() -> None:
    rows = [BatchRow(i, [1] * (900 if i < 3 else 20), 10) for i in range(40)]
    classes = length_classes(rows, (8, 2_000))
    assert sorted(row.index for rows in classes for row in rows) == list(range(40))
    assert [len(rows) for rows in classes] == [3, 37]
    # Where the long ones would not fill the slots, the short ones join them.
    assert [len(rows) for rows in length_classes(rows, (40, 40_000))] == [40]


def test_a_sequence_of_not_a_numbers_leaves_the_others_alone(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One poisoned prompt fails; those that use its slot afterwards are answered as ever."""
    embed = decoder.model.get_input_embeddings()
    good = batch(decoder, [5] * len(TEXTS))
    poison = next(i for i in range(3, 420) if all(i not in row.ids for row in good))
    bad = [BatchRow(90 + i, [1, poison, 7 + i], 5) for i in range(3)]
    settings = GenerationSettings(max_new_tokens=5)
    expected = answers(decoder, good, settings, 2)
    weight = embed.weight.data.clone()
    weight[poison] = float("nan")
    # The output layer keeps the sound weights: only the prompt with this token is broken.
    monkeypatch.setitem(embed._parameters, "weight", torch.nn.Parameter(weight, False))
    mixed = answers(decoder, [*bad, *good], settings, 2)
    assert all(mixed[row.index].broken for row in bad)
    assert all(mixed[row.index].text == expected[row.index].text for row in good)
    assert not any(mixed[row.index].broken for row in good)


def test_models_with_windows_are_left_to_generate(tmp_path: Path, tiny_llama: Path) -> None:
    """A cache of whole sequences would let their layers look further back than they may."""
    from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    config = MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        sliding_window=16,
    )
    MistralForCausalLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert not HFModel.load(str(tmp_path), dtype="float32")._continuous


@pytest.mark.parametrize("kind", ["gpt2", "qwen2", "gpt_neox", "opt", "phi"])
def test_other_architectures_give_their_own_answers(
    kind: str, tmp_path: Path, tiny_llama: Path
) -> None:
    """Whether or not they can be decoded continuously, the answers are those of ``generate``."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    sizes = {
        "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
        "opt": {"hidden_size": 32, "word_embed_proj_dim": 32, "ffn_dim": 64},
    }.get(kind, {"hidden_size": 32, "intermediate_size": 64})
    if kind != "gpt2":
        sizes |= {"num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 256}
    if kind == "qwen2":
        sizes |= {"num_key_value_heads": 2}
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    torch.manual_seed(3)
    config = AutoConfig.for_model(kind, vocab_size=len(tokenizer) + 64, **sizes, **ids)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = HFModel.load(str(tmp_path), dtype="float32")
    decoder = Decoder(model._adapters._base.net, model.tokenizer, model._stops, "cpu", watch=True)
    settings = GenerationSettings(max_new_tokens=6)
    rows = batch(decoder, [6] * len(TEXTS))
    if model._continuous:
        together = answers(decoder, rows, settings, 3)
        for row in rows:
            assert together[row.index].text == decode(decoder, [row.ids], settings, [0])[0].text
    else:
        assert kind in ("gpt2", "opt"), "this one should be supported"
