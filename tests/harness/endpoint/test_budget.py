"""What calls cost, and budgets that are never passed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scripted_server import Reply, ScriptedServer, error, says

from harness.endpoint import ChatCall, ChatResult, EndpointClient, EndpointSettings
from harness.endpoint.budget import worst_case
from harness.errors import BudgetExceeded, JostleError
from harness.records import Message

PRICES = {"prompt": 1000, "completion": 2000}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-budget-test")


def call(text: str, **fields: Any) -> ChatCall:
    return ChatCall(messages=(Message(role="user", content=text),), **{"max_tokens": 8, **fields})


def client(server: ScriptedServer, **fields: Any) -> EndpointClient:
    quick = {"backoff_s": 0.01, "timeout_s": 5.0, "max_retries": 3, "concurrency": 4}
    return EndpointClient(
        EndpointSettings(model="m", base_url=server.base_url, **{**quick, **fields})
    )


def drain(asked: EndpointClient, count: int, got: list[ChatResult]) -> None:
    """Collect results as they come, so that they are there when the iterator raises."""
    got.extend(result for _, result in asked.chat([call(f"call {n}") for n in range(count)]))


def uncounted(reply: Reply) -> Reply:
    return Reply(body={name: part for name, part in reply.body.items() if name != "usage"})


def empty(prompt_tokens: int, completion_tokens: int) -> Reply:
    """Paid for, and without an answer."""
    body = says("", prompt_tokens=prompt_tokens, completion_tokens=completion_tokens).body
    return Reply(body={**body, "choices": []})


def test_token_budget_is_never_passed_and_stops_cleanly() -> None:
    used = 0

    def script(request: dict[str, Any], _: int) -> Reply:
        nonlocal used
        used += 25
        return Reply(body=says("ok", prompt_tokens=20, completion_tokens=5).body, delay=0.01)

    got: list[ChatResult] = []
    with ScriptedServer(script) as server:
        endpoint = client(server, budget={"tokens": 1000})
        with pytest.raises(BudgetExceeded) as raised:
            drain(endpoint, 1000, got)
    assert used <= 1000
    assert endpoint.usage.tokens == used == 25 * len(got)
    assert used > 1000 - 70  # stops at the last call that fits, not long before
    assert f"{used} tokens are spent" in str(raised.value)
    assert "run the same command again to go on with a fresh budget" in str(raised.value)
    assert "\n" not in str(raised.value)
    with pytest.raises(BudgetExceeded):
        list(endpoint.chat([call("one more")]))


def test_a_budget_too_small_for_any_call_says_what_one_may_take() -> None:
    with ScriptedServer(lambda *_: says("ok")) as server:
        with pytest.raises(
            BudgetExceeded, match=r"up to 62 tokens: nothing is spent yet, so raise"
        ):
            list(client(server, budget={"tokens": 50}).chat([call("call 0")]))
        assert server.requests == []


def test_money_budget() -> None:
    with ScriptedServer(lambda *_: says("ok")) as server:
        endpoint = client(server, prices=PRICES, budget={"money": 0.5})
        with pytest.raises(BudgetExceeded, match=r"0\.5 money.*0\.4\d\d\d money\) are spent"):
            list(endpoint.chat([call(f"call {n}") for n in range(1000)]))
    assert 0.4 < endpoint.usage.money <= 0.5


def test_every_attempt_is_within_the_budget() -> None:
    """A server that charges for nothing, again and again."""
    got: list[ChatResult] = []
    with ScriptedServer(lambda *_: empty(20, 20)) as server:
        endpoint = client(server, budget={"tokens": 500}, max_retries=20)
        with pytest.raises(BudgetExceeded):
            drain(endpoint, 100, got)
        assert 400 < 40 * len(server.requests) <= 500
    assert endpoint.usage.tokens == 40 * len(server.requests)
    # What was paid for is handed out with the failure that it bought.
    assert sum(r.cost.prompt_tokens + r.cost.completion_tokens for r in got) == (
        endpoint.usage.tokens
    )
    assert {r.error.kind for r in got if r.error} == {"empty_choice"}


@pytest.mark.parametrize(
    "text",
    [
        "我最近总是睡不着觉，心里很难受。" * 60,
        "😀😢" * 300,
        "{}[];\n\t\t<=>" * 100,
        "3141592653" * 100,
        "a\ud800",
    ],
)
def test_the_worst_case_is_a_token_a_byte(text: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    assert size < worst_case(call(text)).prompt < size + 100
    form = {"type": "json_schema", "json_schema": {"schema": {"x": "y" * 1000}}}
    with_schema = worst_case(call(text, response_format=form)).prompt
    assert with_schema > worst_case(call(text)).prompt + len(json.dumps(form)) - 1


def test_a_result_costs_what_all_its_attempts_cost() -> None:
    def script(_: dict[str, Any], before: int) -> Reply:
        return empty(20, 5) if before < 2 else says("ok", prompt_tokens=20, completion_tokens=7)

    with ScriptedServer(script) as server:
        endpoint = client(server, prices=PRICES)
        ((_, result),) = endpoint.chat([call("x")])
    assert (result.text, result.attempts, result.estimated) == ("ok", 3, False)
    assert (result.cost.prompt_tokens, result.cost.completion_tokens) == (60, 17)
    assert result.cost.money == pytest.approx((60 * 1000 + 17 * 2000) / 1e6)
    assert result.cost.money == pytest.approx(endpoint.usage.money)
    assert (result.prompt_tokens, result.completion_tokens) == (20, 7)  # of the answer itself


def test_a_server_that_does_not_count_gives_an_estimate_and_says_so() -> None:
    with ScriptedServer(lambda *_: uncounted(says("four" * 10))) as server:
        endpoint = client(server, prices=PRICES)
        results = [result for _, result in endpoint.chat([call("hello" * 8)] * 5)]
    for result in results:
        assert result.estimated
        assert (result.prompt_tokens, result.completion_tokens) == (None, None)
        assert (result.cost.prompt_tokens, result.cost.completion_tokens) == (10, 10)
    usage = endpoint.usage
    assert (usage.uncounted, usage.prompt_tokens, usage.completion_tokens) == (5, 50, 50)
    assert sum(r.cost.money for r in results) == pytest.approx(usage.money) == pytest.approx(0.15)


def test_a_budget_holds_by_the_worst_case_where_the_server_does_not_count() -> None:
    with ScriptedServer(lambda *_: uncounted(says("ok"))) as server:
        endpoint = client(server, budget={"tokens": 10 * 62})
        with pytest.raises(BudgetExceeded):
            list(endpoint.chat([call(f"call {n % 10}") for n in range(1000)]))
        assert len(server.requests) == 10


def test_what_was_never_answered_costs_nothing() -> None:
    with ScriptedServer(lambda *_: error(503)) as server:
        endpoint = client(server, budget={"tokens": 100}, max_retries=5, concurrency=1)
        ((_, result),) = endpoint.chat([call("x")])
    assert (result.attempts, result.estimated, endpoint.usage.tokens) == (6, False, 0)


def test_counts_as_floats_are_counts() -> None:
    body = {**says("ok").body, "usage": {"prompt_tokens": 10.0, "completion_tokens": 5.0}}
    with ScriptedServer(lambda *_: Reply(body=body)) as server:
        ((_, result),) = client(server).chat([call("x")])
    assert (result.prompt_tokens, result.completion_tokens, result.estimated) == (10, 5, False)


def test_answers_that_break_off_are_billed() -> None:
    """A server bills what it sent, whether or not it all came through."""
    broken = Reply(body=says("x" * 400, completion_tokens=8).body, drop=300)
    with ScriptedServer(lambda *_: broken) as server:
        endpoint = client(server, budget={"tokens": 620}, max_retries=50, concurrency=1)
        with pytest.raises(BudgetExceeded):
            drain(endpoint, 100, [])
        assert len(server.requests) == 10  # of 62 tokens at the worst
    assert (endpoint.usage.uncounted, sum(endpoint.state.account.spent)) == (10, 620)


def test_what_cannot_be_sent_is_not_billed() -> None:
    settings = EndpointSettings(model="m", base_url="http://127.0.0.1:9/v1", max_retries=0)
    endpoint = EndpointClient(settings)
    with pytest.raises(JostleError, match="cannot be reached"):
        list(endpoint.chat([call("x")]))
    assert (endpoint.usage.uncounted, sum(endpoint.state.account.spent)) == (0, 0)


def test_further_fields_are_part_of_the_prompt() -> None:
    tools = {"tools": [{"name": "tool", "description": "é" * 500}]}
    plain = worst_case(call("x"))
    for costly in (worst_case(call("x"), tools), worst_case(call("x", extra=tools))):
        assert costly.prompt > plain.prompt + 1000
        assert costly.completion == plain.completion
    with ScriptedServer(lambda *_: says("ok")) as server:
        with pytest.raises(BudgetExceeded, match="nothing is spent yet"):
            list(client(server, budget={"tokens": 500}, extra_body=tools).chat([call("x")]))
        assert server.requests == []


def test_what_is_cancelled_under_way_is_in_the_usage() -> None:
    """A refused key stops everything; the seven beside it were sent, and may be billed."""

    def script(request: dict[str, Any], _: int) -> Reply:
        if request["messages"][0]["content"] == "call 0":
            return Reply(status=401, body={"error": {"message": "no"}}, delay=0.5)
        return Reply(body=says("late").body, delay=4.0)

    with ScriptedServer(script) as server:
        endpoint = client(server, concurrency=8, prices=PRICES)
        with pytest.raises(JostleError, match="refused the key"):
            drain(endpoint, 8, [])
        assert len(server.requests) == 8
    assert (endpoint.usage.attempts, endpoint.usage.uncounted) == (8, 7)
    assert endpoint.usage.tokens == 7 * 2  # six bytes are about two tokens
    assert endpoint.usage.money > 0
