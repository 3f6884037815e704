import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import ModelError
from harness.models.scripted import ScriptedModel, open_scripted
from harness.protocols import Model
from harness.records import (
    Completion,
    Failure,
    GenerationSettings,
    Message,
    Request,
    Scored,
    TokenLogprobs,
)


def ask(text: str, **fields: Any) -> Request:
    return Request(prompt=f"Q: {text}", messages=(Message(role="user", content=text),), **fields)


def texts(model: Model, *asked: Request) -> list[str | None]:
    return [completion.text for _, completion in sorted(model.complete(asked))]


def opened(model: str, **fields: Any) -> ScriptedModel:
    return open_scripted([SimpleNamespace(name="s", model=model, adapters=(), **fields)])


def written(path: Path, script: dict[str, Any]) -> str:
    path.write_text(json.dumps(script))
    return f"scripted:{path}"


def test_queue_mapping_and_function() -> None:
    queue = ScriptedModel(["one", "two"])
    assert isinstance(queue, Model)
    assert texts(queue, ask("a"), ask("b")) == ["one", "two"]
    with pytest.raises(ModelError, match="no answer left"):
        texts(queue, ask("c"))
    mapping = ScriptedModel({"a": "A", "b": "B"})
    assert texts(mapping, ask("b"), ask("a")) == ["B", "A"]
    with pytest.raises(ModelError, match="no answer to 'c'"):
        texts(mapping, ask("c"))
    function = ScriptedModel(lambda request: request.prompt.upper())
    assert texts(function, ask("a")) == ["Q: A"]


def test_history() -> None:
    model = ScriptedModel(["x", "y"])
    asked = [ask("a"), ask("b")]
    list(model.complete(asked))
    assert model.calls == asked


def test_whole_completions_and_failures() -> None:
    whole = Completion(text="cut", finish_reason="length")
    failure = Failure(kind="timeout", message="too slow", transient=True)
    done = dict(ScriptedModel([whole, failure]).complete([ask("a"), ask("b")]))
    assert done[0] == whole
    assert done[1].error == failure
    assert done[1].text is None


def test_the_room_is_kept_in_words() -> None:
    model = ScriptedModel(["one two three"])
    request = ask("a", settings=GenerationSettings(max_new_tokens=2))
    (_, completion), *_ = model.complete([request])
    assert (completion.text, completion.finish_reason) == ("one two", "length")


def test_batches() -> None:
    model = ScriptedModel(lambda request: request.prompt, batch=2)
    stream = model.complete([ask("a"), ask("b"), ask("c")])
    next(stream)
    assert len(model.calls) == 2
    assert len(list(stream)) == 2


def test_ratings() -> None:
    rating = TokenLogprobs(token_ids=(1,), logprobs=(-0.5,))
    asked = Scored(prompt="a", continuation="b")
    assert dict(ScriptedModel([], ratings=lambda _: rating).logprobs([asked])) == {0: rating}
    error = dict(ScriptedModel([]).logprobs([asked]))[0].error
    assert error is not None
    assert error.kind == "unsupported"


def test_echo() -> None:
    assert texts(opened("scripted:echo"), ask("hello")) == ["hello"]


def test_a_file(tmp_path: Path) -> None:
    model = opened(
        written(
            tmp_path / "s.json",
            {
                "answers": {"hi": "hello"},
                "contains": {"sad": "I am sorry."},
                "default": "You said: {prompt}",
                "failures": [{"contains": "once", "times": 1, "transient": True}],
                "adapters": {"tuned": {"default": "better"}},
            },
        )
    )
    assert texts(model, ask("hi"), ask("so sad"), ask("x")) == [
        "hello",
        "I am sorry.",
        "You said: x",
    ]
    first, second = (dict(model.complete([ask("once")]))[0] for _ in range(2))
    assert first.error is not None
    assert first.error.transient
    assert second.text == "You said: once"
    assert texts(model, ask("hi", adapter="tuned")) == ["better"]


def test_fingerprints_follow_the_content(tmp_path: Path) -> None:
    one = opened(written(tmp_path / "1.json", {"default": "a"}))
    slow = opened(written(tmp_path / "2.json", {"default": "a", "latency_s": 9}))
    other = opened(written(tmp_path / "3.json", {"default": "b"}))
    assert one.fingerprint() == slow.fingerprint() != other.fingerprint()
    assert one.fingerprint("x") != one.fingerprint()
    assert ScriptedModel(["a"]).fingerprint() != ScriptedModel(["b"]).fingerprint()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no such file"),
        ("{", "Expecting property name"),
        ('{"anwsers": {}}', "anwsers"),
        ('{"failures": [{"times": 0}]}', "failures.0.times"),
        ("[]", "dictionary"),
    ],
)
def test_bad_scripts_are_one_line(tmp_path: Path, content: str | None, why: str) -> None:
    path = tmp_path / "s.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ModelError, match=why) as caught:
        opened(f"scripted:{path}")
    assert "\n" not in str(caught.value)
    assert "s.json" in str(caught.value)


def test_adapters_must_exist(tmp_path: Path) -> None:
    spec = SimpleNamespace(
        name="t", model="scripted:echo", adapters=(SimpleNamespace(path=str(tmp_path / "no")),)
    )
    with pytest.raises(ModelError, match="no such folder"):
        open_scripted([spec])
