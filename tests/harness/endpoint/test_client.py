"""The client against a server that misbehaves on purpose: nothing lost, nothing twice, no key out."""

from __future__ import annotations

import json
import logging
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from email.utils import formatdate
from typing import Any

import pytest
from scripted_server import Reply, Script, ScriptedServer, error, says

from harness.endpoint import (
    ChatCall,
    ChatResult,
    EndpointClient,
    EndpointError,
    EndpointSettings,
    endpoint_settings,
)
from harness.endpoint.responses import retry_after
from harness.errors import JostleError
from harness.records import Message

KEY = "sk-secret-of-the-test-4711"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def call(text: str, **fields: Any) -> ChatCall:
    return ChatCall(messages=(Message(role="user", content=text),), max_tokens=8, **fields)


def asked(request: dict[str, Any]) -> str:
    return str(request["messages"][-1]["content"])


def settings(server: ScriptedServer, **fields: Any) -> EndpointSettings:
    quick = {"backoff_s": 0.01, "timeout_s": 5.0, "max_retries": 3, "concurrency": 4}
    return EndpointSettings(model="m", base_url=server.base_url, **{**quick, **fields})


def collect(script: Script, count: int, **fields: Any) -> dict[int, ChatResult]:
    with ScriptedServer(script) as server:
        client = EndpointClient(settings(server, **fields))
        pairs = list(client.chat([call(f"call {n}") for n in range(count)]))
    results = dict(pairs)
    assert len(results) == len(pairs) == count
    return results


def drain(client: EndpointClient, count: int, got: list[int]) -> None:
    """Collect indices as they come, so that they are there when the iterator raises."""
    got.extend(index for index, _ in client.chat([call(f"call {n}") for n in range(count)]))


def one(script: Script, **fields: Any) -> ChatResult:
    return collect(script, 1, **fields)[0]


class Jitter(random.Random):
    """Waits for nothing, and keeps how long it might have been."""

    def __init__(self) -> None:
        super().__init__()
        self.ceilings: list[float] = []

    def uniform(self, a: float, b: float) -> float:
        self.ceilings.append(b)
        return a


def test_answers_keep_their_index_and_their_usage() -> None:
    def script(request: dict[str, Any], _: int) -> Reply:
        return Reply(body=says(f"re: {asked(request)}").body, delay=0.1 + random.random() / 50)

    with ScriptedServer(script) as server:
        client = EndpointClient(
            settings(server, concurrency=5, prices={"prompt": 1.0, "completion": 10.0})
        )
        results = dict(client.chat([call(f"call {n}") for n in range(40)]))
        assert {n: r.text for n, r in results.items()} == {n: f"re: call {n}" for n in range(40)}
        assert server.most_at_once == 5
    assert client.usage.calls == client.usage.attempts == 40
    assert (client.usage.prompt_tokens, client.usage.completion_tokens) == (800, 200)
    assert client.usage.money == pytest.approx(40 * (20 * 1 + 5 * 10) / 1e6)
    assert results[3].cost.money == pytest.approx(70 / 1e6)
    assert results[3].cost.seconds > 0


def test_no_calls_open_no_connection() -> None:
    assert (
        list(EndpointClient(EndpointSettings(model="m", base_url="http://127.0.0.1:9/v1")).chat([]))
        == []
    )


def test_what_is_sent() -> None:
    with ScriptedServer(lambda *_: says("x")) as server:
        client = EndpointClient(settings(server, extra_body={"top_k": 3}))
        calls = [
            call("a", seed=7, top_p=0.5, stop=("END",), response_format={"type": "json_object"}),
            call("b", temperature=None),
        ]
        dict(client.chat(calls))
        first, second = sorted(server.requests, key=asked)
        authorization = {headers["authorization"] for headers in server.headers}
    common = {"model": "m", "max_tokens": 8, "top_k": 3}
    assert first == {
        **common,
        "messages": [{"role": "user", "content": "a"}],
        "temperature": 0.0,
        "top_p": 0.5,
        "seed": 7,
        "stop": ["END"],
        "response_format": {"type": "json_object"},
    }
    assert second == {**common, "messages": [{"role": "user", "content": "b"}]}
    assert authorization == {f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(500), "http_500"),
        (error(503), "http_503"),
        (error(429), "rate_limited"),
        (error(408), "http_408"),
        (Reply(drop=0, body="x"), "broken_off"),
        (Reply(drop=80, body=says("x").body), "broken_off"),
        (Reply(body='{"choices": [{"message"'), "bad_response"),
        (Reply(body="<html><body>Bad gateway</body></html>"), "bad_response"),
        (Reply(body=[1]), "bad_response"),
        (Reply(body={"error": {"message": "overloaded"}}), "bad_response"),
        (Reply(body={"choices": []}), "empty_choice"),
        (Reply(body={"choices": None}), "empty_choice"),
        (says(None), "empty_choice"),
        (Reply(body=says("late").body, delay=2.0), "timeout"),
        (Reply(body=says("slow bytes").body, drip=0.05), "timeout"),
    ],
)
def test_what_may_pass_is_tried_again(reply: Reply, kind: str) -> None:
    result = one(lambda _, before: reply if before < 2 else says("at last"), timeout_s=0.4)
    assert (result.text, result.attempts, result.error) == ("at last", 3, None)
    given_up = one(lambda *_: reply, timeout_s=0.4, max_retries=1)
    assert given_up.text is None
    assert given_up.attempts == 2
    assert given_up.error is not None
    assert (given_up.error.kind, given_up.error.transient) == (kind, True)
    assert "\n" not in given_up.error.message


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(400, "bad field"), "bad_request"),
        (error(422, "bad field"), "bad_request"),
        (error(500, "1 validation error: {'loc': ('body', 'response_format')}"), "bad_request"),
        (error(403, "not in your region"), "forbidden"),
        (error(413, "too large"), "http_413"),
        (error(400, "x", code="context_length_exceeded"), "context_length"),
        (error(400, "This model's maximum context length is 4096 tokens"), "context_length"),
    ],
)
def test_what_will_not_pass_is_asked_once(reply: Reply, kind: str) -> None:
    result = one(lambda *_: reply)
    assert result.attempts == 1
    assert result.error is not None
    assert (result.error.kind, result.error.transient) == (kind, False)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (says(None, refusal="I will not."), "I will not."),
        (says("", finish_reason="content_filter"), "stopped by the content filter"),
        (error(400, "policy", code="content_filter"), "refused by the content filter: policy"),
    ],
)
def test_refusals(reply: Reply, said: str) -> None:
    result = one(lambda *_: reply)
    assert (result.text, result.refusal, result.error) == (None, said, None)


def test_a_content_in_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert one(lambda *_: says(parts)).text == "ab"


def test_max_tokens_is_renamed_where_the_server_wants_it() -> None:
    def script(request: dict[str, Any], _: int) -> Reply:
        if "max_tokens" in request:
            return error(400, "Unsupported parameter: use 'max_completion_tokens' instead.")
        return says(str(request["max_completion_tokens"]))

    with ScriptedServer(script) as server:
        client = EndpointClient(settings(server, concurrency=1))
        results = dict(client.chat([call(f"{n}") for n in range(5)]))
        assert [r.text for r in results.values()] == ["8"] * 5
        assert len(server.requests) == 6


def test_max_tokens_is_renamed_once_a_call() -> None:
    """A field that the caller gives goes out under its own name, however often it is renamed."""
    with ScriptedServer(lambda *_: error(400, "use 'max_completion_tokens' instead")) as server:
        client = EndpointClient(settings(server, concurrency=1))
        for _ in range(2):
            ((_, result),) = client.chat([call("x", extra={"max_tokens": 5})])
            assert result.error is not None
            assert result.error.kind == "bad_request"
        assert len(server.requests) == 4


def test_retry_after_holds_everything_back() -> None:
    told: list[float] = []
    early: list[float] = []

    def script(request: dict[str, Any], before: int) -> Reply:
        now = time.monotonic()
        if asked(request) == "call 0" and before == 0:
            told.append(now)
            return error(429, Retry_After="1")
        if told and now - told[0] < 0.99:
            early.append(now - told[0])
        return Reply(body=says("ok").body, delay=0.1)

    results = collect(script, 30)
    assert {r.text for r in results.values()} == {"ok"}
    # Calls already on their way when the 429 came may still arrive.
    assert max(early, default=0.0) < 0.3


@pytest.mark.parametrize("max_retries", [0, 6])
def test_a_longer_wait_than_we_wait_stops_all_and_is_named(max_retries: int) -> None:
    with ScriptedServer(lambda *_: error(429, Retry_After="3600")) as server:
        client = EndpointClient(settings(server, max_wait_s=5.0, max_retries=max_retries))
        started = time.monotonic()
        with pytest.raises(
            EndpointError, match=r"asks to wait 3600 s .* max_wait_s \(5 s\)"
        ) as raised:
            list(client.chat([call(f"call {n}") for n in range(300)]))
        assert time.monotonic() - started < 4
        assert len(server.requests) <= 4
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("header", ["0", "Wed, 25 Nov 2020 00:00:00 GMT"])
def test_a_retry_after_of_nothing_skips_no_back_off(header: str) -> None:
    with ScriptedServer(lambda *_: error(429, Retry_After=header)) as server:
        client = EndpointClient(settings(server, backoff_s=0.1, max_retries=2, concurrency=1))
        jitter = Jitter()
        client.state.jitter = jitter
        list(client.chat([call("x")]))
    assert jitter.ceilings == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": formatdate(1_000_030, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(999_000, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after_header(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=1_000_000) == seconds


def test_backoff_is_exponential_jittered_and_capped() -> None:
    with ScriptedServer(lambda *_: error(500)) as server:
        client = EndpointClient(
            settings(server, backoff_s=0.1, max_wait_s=0.3, max_retries=5, concurrency=1)
        )
        jitter = Jitter()
        client.state.jitter = jitter
        list(client.chat([call("x")]))
    assert jitter.ceilings == pytest.approx([0.1, 0.2, 0.3, 0.3, 0.3])


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        (error(401, f"bad key {KEY}"), "refused the key (401): check OPENAI_API_KEY"),
        (error(404, "no such model"), "has no model 'm'"),
        (error(402, "pay"), "no credit left"),
        (error(429, "quota", code="insufficient_quota"), "no credit left"),
    ],
)
def test_what_concerns_all_stops_all(reply: Reply, line: str) -> None:
    with ScriptedServer(lambda *_: reply) as server:
        client = EndpointClient(settings(server))
        with pytest.raises(EndpointError) as raised:
            list(client.chat([call(f"call {n}") for n in range(1000)]))
        assert line in str(raised.value)
        assert KEY not in str(raised.value)
        assert len(server.requests) <= 4


def nobody(**fields: Any) -> EndpointSettings:
    """An address where a server was and is no more."""
    with ScriptedServer(lambda *_: says("x")) as server:
        return settings(server, **fields)


@pytest.mark.parametrize("count", [1, 8, 1000])
def test_an_endpoint_that_is_not_there_stops_at_the_first_call(count: int) -> None:
    got: list[int] = []
    with pytest.raises(EndpointError, match="cannot be reached") as raised:
        drain(EndpointClient(nobody(max_retries=1, concurrency=8)), count, got)
    assert got == []  # no record of an error each
    assert "\n" not in str(raised.value)


def test_an_endpoint_that_goes_away_stops_after_as_many_calls_as_go_at_once() -> None:
    """Calls made one by one count as well as those of one batch."""
    with ScriptedServer(lambda *_: says("x")) as server:
        client = EndpointClient(settings(server, max_retries=0, concurrency=4))
        dict(client.chat([call("still there")]))
    got: list[str] = []

    def one_by_one() -> None:
        for n in range(10):
            ((_, result),) = client.chat([call(f"call {n}")])
            got.append(result.error.kind if result.error else "answered")

    with pytest.raises(EndpointError, match="cannot be reached"):
        one_by_one()
    assert got == ["connection"] * 3


def test_an_endpoint_that_breaks_off_its_answers_is_said_to() -> None:
    with (
        ScriptedServer(lambda *_: Reply(body=says("x" * 400).body, drop=300)) as server,
        pytest.raises(EndpointError, match="breaks off its answers") as raised,
    ):
        drain(EndpointClient(settings(server, max_retries=0)), 100, [])
    assert "cannot be reached" not in str(raised.value)


def test_a_key_is_refused_half_way_and_answers_before_are_kept() -> None:
    def script(request: dict[str, Any], _: int) -> Reply:
        return error(401) if asked(request) == "call 20" else says("ok")

    got: list[int] = []
    with ScriptedServer(script) as server:
        client = EndpointClient(settings(server))
        with pytest.raises(EndpointError):
            drain(client, 1000, got)
        assert len(server.requests) < 40
    assert 15 <= len(got) < 40
    assert len(set(got)) == len(got)


def test_closing_the_iterator_cancels() -> None:
    with ScriptedServer(lambda *_: Reply(body=says("ok").body, delay=0.05)) as server:
        client = EndpointClient(settings(server))
        started = time.monotonic()
        with closing(client.chat([call(f"call {n}") for n in range(1000)])) as results:
            next(results)
        assert time.monotonic() - started < 3
        assert len(server.requests) < 20


FAULTS = (
    error(429, Retry_After="0.02"),
    error(429),
    error(500),
    error(503),
    Reply(drop=0, body="x"),
    Reply(drop=120, body=says("x").body),
    Reply(body='{"choices": ['),
    Reply(body="<html>502</html>"),
    Reply(body={"choices": []}),
    Reply(body=says("too late").body, delay=20.0),
)


def faulty(seed: int, rate: float) -> Script:
    rng = random.Random(seed)

    def script(request: dict[str, Any], _: int) -> Reply:
        if rng.random() < rate:
            return rng.choice(FAULTS)
        return says(f"re: {asked(request)}")

    return script


@pytest.mark.parametrize("max_retries", [0, 20])
def test_a_thousand_calls_with_faults(max_retries: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with ScriptedServer(faulty(3, 0.3)) as server:
        client = EndpointClient(
            settings(server, max_retries=max_retries, concurrency=32, timeout_s=4.0)
        )
        pairs = list(client.chat([call(f"call {n}") for n in range(1000)]))
    assert sorted(index for index, _ in pairs) == list(range(1000))
    outcomes = Counter("answered" if r.error is None else r.error.kind for _, r in pairs)
    for index, result in pairs:
        assert (result.text == f"re: call {index}") == (result.error is None)
    if max_retries:
        assert outcomes == {"answered": 1000}
    else:
        assert 600 < outcomes["answered"] < 800
        assert {"rate_limited", "http_500", "broken_off", "timeout"} <= set(outcomes)
    assert client.usage.calls == 1000
    assert sum(client.usage.failures.values()) == client.usage.attempts - outcomes["answered"]
    assert KEY not in caplog.text


def test_the_key_leaves_in_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = iter(
        [says(f"you sent {KEY}"), error(400, f"bad {KEY}"), says(None, refusal=f"no, {KEY}")]
    )
    results = collect(lambda *_: next(replies), 3, concurrency=1)
    assert KEY not in repr(results)
    assert [results[0].text, results[2].refusal] == ["you sent [key]", "no, [key]"]


@pytest.mark.parametrize("before", [120, 150, 170, 190])
@pytest.mark.parametrize("status", [200, 400, 401, 503])
def test_no_part_of_the_key_where_a_message_is_cut(before: int, status: int) -> None:
    said = "y" * before + " " + KEY + " " + "z" * 300
    html = Reply(body=f"<html>{said}")
    reply = html if status == 200 else error(status, said)
    with ScriptedServer(lambda *_: reply) as server:
        client = EndpointClient(settings(server, max_retries=0))
        try:
            ((_, result),) = client.chat([call("x")])
            told = repr(result)
        except EndpointError as raised:
            told = str(raised)
    assert "yyyy" in told
    assert KEY[:6] not in told


def test_half_an_emoji_becomes_a_replacement_character() -> None:
    """JSON may carry a lone surrogate; no file can, so it must not get past here."""
    half = "half \ud83d and more"
    texts = [
        one(lambda *_: says(half)).text,
        one(lambda *_: says(None, refusal=half)).refusal,
        one(lambda *_: says([{"text": "\ud83d"}, {"text": "\ude00"}])).text,
        str(one(lambda *_: error(400, half)).error),
        str(one(lambda *_: Reply(body=["\ud83d"]), max_retries=0).error),
    ]
    for text in texts:
        assert text is not None
        text.encode()
    assert texts[:3] == ["half \ufffd and more", "half \ufffd and more", "\U0001f600"]


def test_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert one(lambda *_: says("no-key is what local servers take")).text is not None
    with pytest.raises(EndpointError, match="set the environment variable OPENAI_API_KEY"):
        EndpointClient(EndpointSettings(model="m"))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "option 'model' is required"),
        ({"model": "m", "modle": 1}, "unknown option 'modle'. Did you mean 'model'?"),
        ({"model": "m", "concurrency": 0}, "option 'concurrency'"),
        ({"model": "m", "base_url": "127.0.0.1:8000"}, "option 'base_url': must be an http"),
        ({"model": "m", "base_url": f"http://{KEY}@h/v1"}, "must hold no user"),
        ({"model": "m", "api_key_env": KEY}, "must be the NAME of an environment variable"),
        ({"model": "m", "api_key_env": "gsk_" + "4711secret"}, "must be the NAME of an"),
        ({"model": "m", "api_key_env": "hf_" + "4711secret"}, "must be the NAME of an"),
        ({"model": "m", "api_key_env": "sk_live_4711secret"}, "must be the NAME of an"),
        ({"model": "m", "api_key_env": "skproj4711secret"}, "must be the NAME of an"),
        ({"model": "m", "api_key_env": "A4711SECRET" * 6}, "must be the NAME of an"),
        ({"model": "m", "base_url": "http://127.0.0.1:99999/v1"}, "with a port from 1 to 65535"),
        ({"model": "m", "base_url": "http://127.0.0.1:4711secret/v1"}, "with a port from 1"),
        ({"model": "m", "extra_body": {"max_tokens": 4711}}, "must not hold max_tokens"),
        (
            {"model": "m", "extra_body": {"max_completion_tokens": 4711}},
            "must not hold max_completion_tokens",
        ),
        *(
            ({"model": "m", "extra_body": {name: 4711}}, f"must not hold {name}")
            for name in ("n", "best_of", "model", "messages", "response_format", "stream")
        ),
        ({"model": "m", "extra_body": {"api_key": "4711"}}, "'api_key': secrets come from env"),
        (
            {"model": "m", "extra_body": {"headers": [{"Authorization": "4711"}]}},
            "'Authorization': secrets come from env",
        ),
        ({"model": "m", "budget": {"money": 2}}, "option 'budget': money can be counted only with"),
        (
            {"model": "m", "budget": {"money": 2}, "prices": {"prompt": 1}},
            "both prices, per million tokens",
        ),
        (
            {"model": "m", "budget": {"money": 2}, "prices": {"prompt": 0, "completion": 0}},
            "both prices, per million tokens",
        ),
        ({"model": "m", "budget": {"euros": KEY}}, "unknown option 'budget.euros'"),
    ],
)
def test_bad_settings_give_one_line_without_the_value(options: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError) as raised:
        endpoint_settings(options)
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)
    assert KEY not in str(raised.value)
    assert "4711" not in str(raised.value)


def test_an_unsendable_text_is_one_calls_failure() -> None:
    with ScriptedServer(lambda *_: says("ok")) as server:
        results = dict(EndpointClient(settings(server)).chat([call("a\ud800b"), call("fine")]))
    assert results[1].text == "ok"
    assert results[0].error is not None
    assert (results[0].error.kind, results[0].error.transient) == ("client_error", False)


def test_errors_are_ours() -> None:
    assert issubclass(EndpointError, JostleError)
    assert json.loads(json.dumps(EndpointSettings(model="m", revision="1").fingerprint)) == {
        "provider": "https://api.openai.com/v1",
        "model": "m",
        "revision": "1",
    }
    assert EndpointSettings(model="m", revision="1").durable
    assert not EndpointSettings(model="m").durable
    unquoted = endpoint_settings({"model": "m", "revision": date(2024, 7, 18)})
    assert unquoted.revision == "2024-07-18"


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    import threading

    yield
    assert not [t for t in threading.enumerate() if t.name == "jostle-endpoint"]
