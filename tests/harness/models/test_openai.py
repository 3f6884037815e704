from types import SimpleNamespace
from typing import Any

import pytest
from scripted_server import Reply, ScriptedServer, error, says

from harness.endpoint import endpoint_settings
from harness.errors import JostleError, ModelError
from harness.models.openai import EndpointModel, open_endpoint
from harness.protocols import Model
from harness.records import GenerationSettings, Message, Request, Scored


def model(server: ScriptedServer, **options: Any) -> EndpointModel:
    return EndpointModel(
        endpoint_settings(
            {"model": "m", "base_url": server.base_url, "max_retries": 0, "backoff_s": 0, **options}
        )
    )


def ask(text: str, **fields: Any) -> Request:
    turns = (Message(role="system", content="Be kind."), Message(role="user", content=text))
    return Request(prompt="not sent", messages=turns, **fields)


def test_answers_and_what_was_sent() -> None:
    def script(request: dict[str, Any], _: int) -> Reply:
        return says("re: " + request["messages"][-1]["content"], "length", 7, 3)

    settings = GenerationSettings(max_new_tokens=9, stop=("END",))
    with ScriptedServer(script) as server:
        subject = model(server)
        assert isinstance(subject, Model)
        done = dict(subject.complete([ask("a", settings=settings), ask("b", settings=settings)]))
    assert [done[i].text for i in range(2)] == ["re: a", "re: b"]
    assert (done[0].finish_reason, done[0].prompt_tokens, done[0].completion_tokens) == (
        "length",
        7,
        3,
    )
    sent = server.requests[0]
    assert [turn["role"] for turn in sent["messages"]] == ["system", "user"]
    assert sent["temperature"] == 0
    assert sent["max_tokens"] == 9
    assert sent["stop"] == ["END"]
    assert not {"seed", "top_k", "repetition_penalty", "top_p"} & set(sent)


def test_sampling_settings_are_sent() -> None:
    settings = GenerationSettings(temperature=0.7, top_p=0.9, top_k=5, repetition_penalty=1.1)
    with ScriptedServer(lambda *_: says("x")) as server:
        list(model(server).complete([ask("a", settings=settings, seed=2**40 + 5)]))
    sent = server.requests[0]
    assert (sent["temperature"], sent["top_p"], sent["top_k"], sent["seed"]) == (0.7, 0.9, 5, 5)


def test_failures_and_refusals_are_data() -> None:
    def script(request: dict[str, Any], _: int) -> Reply:
        text = request["messages"][-1]["content"]
        return {
            "busy": error(503, "later"),
            "long": error(400, "maximum context length is 5", "context_length_exceeded"),
            "bad": says(None, refusal="I cannot help with that."),
        }.get(text, says("fine"))

    with ScriptedServer(script) as server:
        asked = [ask(text) for text in ("busy", "long", "bad", "ok")]
        done = dict(model(server).complete(asked))
    assert done[0].error is not None
    assert done[0].error.transient
    assert done[1].error is not None
    assert (done[1].error.kind, done[1].error.transient) == ("context_length", False)
    assert (done[2].text, done[2].finish_reason) == ("I cannot help with that.", "content_filter")
    assert done[3].text == "fine"


def test_a_refused_key_ends_everything() -> None:
    with (
        ScriptedServer(lambda *_: error(401, "who are you")) as server,
        pytest.raises(JostleError, match="refused the key"),
    ):
        list(model(server).complete([ask("a")]))


def test_durable_only_with_a_revision() -> None:
    with ScriptedServer(lambda *_: says("x")) as server:
        plain, pinned = model(server), model(server, revision="2026-01-01")
    assert not plain.durable
    assert pinned.durable
    assert plain.fingerprint() != pinned.fingerprint()


def test_no_log_probabilities() -> None:
    with ScriptedServer(lambda *_: says("x")) as server:
        rated = dict(model(server).logprobs([Scored(prompt="a", continuation="b")]))
    assert rated[0].error is not None
    assert rated[0].error.kind == "unsupported"


def spec(**fields: Any) -> Any:
    defaults = dict.fromkeys(("adapters", "quantization", "endpoint", "revision", "template"))
    return SimpleNamespace(**{**defaults, "name": "s", "model": "openai:m", **fields})


def test_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.config import EndpointSpec

    endpoint = EndpointSpec(base_url="http://127.0.0.1:9/v1", timeout_s=3)
    subject = open_endpoint([spec(endpoint=endpoint, revision="r", template="Q {prompt}\n")])
    assert subject.fingerprint() == {
        "provider": "http://127.0.0.1:9/v1",
        "model": "m",
        "revision": "r",
    }
    assert subject.client.settings.timeout_s == 3
    assert "template has no effect" in subject.warnings[0]
    with pytest.raises(ModelError, match="adapters is decided by the server"):
        open_endpoint([spec(adapters=("a",))])
    with pytest.raises(ModelError, match="takes no adapters"):
        subject.fingerprint("x")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(JostleError, match="OPENAI_API_KEY"):
        open_endpoint([spec()])
