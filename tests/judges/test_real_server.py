"""A real server: `transformers serve` with the embedded model on loopback, through the openai client.

It ignores ``response_format``, so the parsing path is the one that it proves. It is a poor judge;
the plumbing is real.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.endpoint import ChatCall, EndpointClient, EndpointSettings
from harness.records import JudgeItem, Message
from judges.rubric import Rubric
from tests.judges.conftest import Serves

pytestmark = [pytest.mark.slow, pytest.mark.model, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def endpoint(embedded_checkpoint: Path, serve: Serves) -> Iterator[tuple[str, str]]:
    """Address and model name of a running server."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    transformers = str(Path(sys.executable).with_name("transformers"))
    command = [transformers, "serve", str(embedded_checkpoint), "--device", "cpu"]
    with serve(command, {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}) as address:
        yield address, str(embedded_checkpoint)


def test_the_client_gets_answers(endpoint: tuple[str, str]) -> None:
    base_url, model = endpoint
    settings = EndpointSettings(model=model, base_url=base_url, concurrency=2, timeout_s=240)
    calls = [
        ChatCall(messages=(Message(role="user", content=text),), max_tokens=16)
        for text in ("What is the capital of France?", "Say hello.", "Count to three.")
    ]
    results = dict(EndpointClient(settings).chat(calls))
    assert sorted(results) == [0, 1, 2]
    for result in results.values():
        assert result.error is None, result.error
        assert (result.text or "").strip()
    assert "Paris" in (results[0].text or "")


def test_every_judgement_has_an_outcome(endpoint: tuple[str, str]) -> None:
    base_url, model = endpoint
    judge = Rubric(
        "counseling", model=model, base_url=base_url, revision="local", concurrency=2,
        timeout_s=240, max_tokens=120, dimensions=["empathy"],
    )  # fmt: skip
    items = [
        JudgeItem(question="I cannot sleep since my dog died.", answer=answer)
        for answer in ("I am so sorry. Losing him hurts.", "Buy a cat.", "")
    ]
    got = list(judge.grade(items))
    assert sorted(j.item for j in got) == [0, 1, 2]
    for judgement in got:
        assert judgement.status in ("scored", "unparsed", "refused"), judgement
        assert (judgement.value is not None) == (judgement.status == "scored")
        assert judgement.raw
