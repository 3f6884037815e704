"""Labels: prompts masked, responses whole, every cut counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError, DataError
from harness.models.prompting import Renderer, encode, encode_example
from harness.records import Message, Sample
from training.masking import IGNORED, encode_samples, turns

CHAT = (
    "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)


def sample(prompt: str, response: str | None, *before: tuple[str, str]) -> Sample:
    history = [Message(role=role, content=content) for role, content in before]  # type: ignore[arg-type]
    return Sample(
        id="1", messages=(*history, Message(role="user", content=prompt)), reference=response
    )


@pytest.fixture(scope="module")
def tokenizer(tiny_llama: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_llama)


@pytest.fixture(scope="module")
def chatty(tiny_llama: Path) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    tokenizer.chat_template = CHAT
    return tokenizer


def learned(row: Any) -> list[int]:
    return [label for label in row.labels if label != IGNORED]


def test_prompt_masked_and_response_ends_in_eos(tokenizer: Any) -> None:
    renderer = Renderer(tokenizer, "Q: {prompt}\nA:")
    [row], counts = encode_samples([sample("I feel sad", "Say more.")], renderer, 96)
    asked = encode(tokenizer, renderer.prompt([Message(role="user", content="I feel sad")]))
    assert row.input_ids[: len(asked)] == asked
    assert row.labels[: len(asked)] == [IGNORED] * len(asked)
    assert row.labels[len(asked) :] == row.input_ids[len(asked) :]
    assert row.labels[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(learned(row)[:-1]).strip() == "Say more."
    assert counts.response_tokens == len(learned(row))
    assert (counts.responses_cut, counts.prompts_cut, counts.dropped) == (0, 0, 0)


def test_what_is_learned_continues_what_is_asked(chatty: Any) -> None:
    renderer = Renderer(chatty)
    turn = sample("Why?", "Because.", ("user", "Hello"), ("assistant", "Hi there"))
    [row], counts = encode_samples([turn], renderer, 200)
    for messages, response in turns(turn):
        asked = encode(chatty, renderer.prompt(messages))
        assert row.input_ids[: len(asked)] == asked
        answer = encode_example(chatty, *renderer.example(messages, response))[1]
        assert row.labels[len(asked) : len(asked) + len(answer)] == answer
    assert counts.examples == 2
    assert counts.rows == 1


def test_turns_of_a_conversation_share_a_row_only_where_one_continues_the_other(
    chatty: Any,
) -> None:
    forgetful = CHAT.replace("{{ m.content }}", "{{ m.content if loop.last else 'x' }}")
    chatty.chat_template = forgetful
    try:
        turn = sample("Why?", "Because.", ("user", "Hello"), ("assistant", "Hi there"))
        encoded, counts = encode_samples([turn], Renderer(chatty), 200)
    finally:
        chatty.chat_template = CHAT
    assert counts.rows == counts.examples == 2
    assert chatty.decode(learned(encoded[0])).startswith("Hi there")
    assert chatty.decode(learned(encoded[1])).startswith("Because.")


def test_last_turn_only(chatty: Any) -> None:
    turn = sample("Why?", "Because.", ("user", "Hello"), ("assistant", "Hi there"))
    [row], counts = encode_samples([turn], Renderer(chatty), 200, "last")
    assert counts.examples == 1
    assert "Hi there" not in chatty.decode(learned(row))


def test_long_response_is_cut_counted_and_not_told_to_stop(tokenizer: Any) -> None:
    renderer = Renderer(tokenizer, "Q: {prompt}\nA:")
    [row], counts = encode_samples([sample("Why?", "so very tired " * 60)], renderer, 48)
    assert len(row.input_ids) == 48
    assert row.labels[-1] != tokenizer.eos_token_id
    assert counts.responses_cut == 1
    assert counts.prompts_cut == 0


def test_long_prompt_never_removes_the_response(tokenizer: Any) -> None:
    renderer = Renderer(tokenizer, "Q: {prompt}\nA:")
    prompt = "First. " + "I feel sad and lonely. " * 60 + "What could I do?"
    [row], counts = encode_samples([sample(prompt, "Say more.")], renderer, 64)
    text = tokenizer.decode(row.input_ids)
    assert len(row.input_ids) <= 64
    assert tokenizer.decode(learned(row)[:-1]).strip() == "Say more."
    assert learned(row)[-1] == tokenizer.eos_token_id
    assert "Q: First." in text
    assert "could I do?\nA:" in text
    assert (counts.prompts_cut, counts.responses_cut) == (1, 0)


def test_oldest_turns_go_first(chatty: Any) -> None:
    history = [("user", "Hello " * 30), ("assistant", "Hi " * 30)]
    encoded, counts = encode_samples(
        [sample("Why?", "Because.", *history)], Renderer(chatty), 60, "last"
    )
    assert counts.prompts_cut == 1
    text = chatty.decode(encoded[0].input_ids)
    assert "Hello" not in text
    assert "Why?" in text


def test_no_room_is_counted_and_nothing_left_is_an_error(tokenizer: Any) -> None:
    long_template = Renderer(tokenizer, "word " * 40 + "{prompt}\nA:")
    with pytest.raises(ConfigError, match="raise max_length"):
        encode_samples([sample("Why?", "Because.")], long_template, 32)


def test_missing_response_is_named(tokenizer: Any) -> None:
    with pytest.raises(DataError, match=r"sample 1: no response .*'Why\?'"):
        encode_samples([sample("Why?", None)], Renderer(tokenizer), 32)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    prompt=st.text(min_size=1, max_size=200).filter(lambda t: bool(t.strip())),
    response=st.text(min_size=1, max_size=200).filter(lambda t: bool(t.strip())),
    max_length=st.integers(min_value=48, max_value=160),
)
def test_any_text(tokenizer: Any, prompt: str, response: str, max_length: int) -> None:
    renderer = Renderer(tokenizer, "Q: {prompt}\nA:")
    try:
        [row], counts = encode_samples([sample(prompt, response)], renderer, max_length)
    except ConfigError:
        assert len(encode(tokenizer, renderer.prompt([Message(role="user", content=prompt)]))) > 24
        return
    assert len(row.input_ids) == len(row.labels) <= max_length
    assert learned(row)
    cut = counts.responses_cut > 0
    assert (row.labels[-1] == tokenizer.eos_token_id) != cut
    first = next(i for i, label in enumerate(row.labels) if label != IGNORED)
    assert row.labels[first:] == row.input_ids[first:]
