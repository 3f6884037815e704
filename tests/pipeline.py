"""A whole run on a scripted model, in this process, for the tests of runner, store and reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.config import SubjectSpec, Suite
from harness.models.scripted import ScriptedModel
from harness.models.subjects import OpenSubjects
from harness.pipeline import runner
from harness.pipeline.assemble import assemble
from harness.pipeline.session import Launch, open_session
from harness.pipeline.stage import StageContext
from harness.records import Completion, Failure, Request
from harness.util.progress import Task

PROMPTS = (
    "My boss keeps praising me and then he tears my work apart. What should I do about this?",
    "I moved away because my brother was sick. Sometimes everything feels heavy and pointless.",
    "How can I tell my friend that I don't want to travel with her anymore?",
    "Every night I lie awake and think about money. My wife says it will be better soon.",
)

TIME_FIELDS = {"seconds"}


class _SilentTask:
    def advance(self, n: int = 1) -> None:
        pass


class Silent:
    """Progress that shows nothing."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Task]:
        yield _SilentTask()

    def note(self, text: str) -> None:
        pass


def write_data(folder: Path, prompts: Sequence[str] = PROMPTS) -> Path:
    path = folder / "data.jsonl"
    rows = [{"prompt": p, "response": f"Talk to them about it: {p[:20]}"} for p in prompts]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def make_suite(folder: Path, **changes: Any) -> Suite:
    values: dict[str, Any] = {
        "suite": {
            "name": "tiny",
            "seed": 5,
            "similarity_gate": False,
            "variants_per_prompt": 3,
            "resamples": 200,
        },
        "data": {"path": str(folder / "data.jsonl")},
        "subjects": [
            {"name": "base", "model": "scripted:echo"},
            {"name": "tuned", "model": "scripted:echo", "generation": {"max_new_tokens": 7}},
        ],
        "perturbations": ["typo", "surface"],
        "judges": ["rouge_l", "answer_checks"],
    }
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(values.get(key), dict)
        values[key] = {**values[key], **value} if both else value
    return Suite.model_validate(values)


def answer(request: Request) -> str | Completion | Failure:
    """Depends on the request alone; the tuned subject (7 tokens) says something else."""
    words = request.messages[-1].content.split()
    return " ".join(words[: 5 if request.settings.max_new_tokens == 7 else 12])


def scripted(output: Callable[[Request], Any] = answer, **options: Any) -> ScriptedModel:
    return ScriptedModel(output, fingerprint={"script": "tests"}, **options)


def opener(model: ScriptedModel) -> Callable[[Sequence[SubjectSpec]], OpenSubjects]:
    return lambda specs: OpenSubjects(model, specs)


def run_suite(
    root: Path,
    suite: Suite,
    model: ScriptedModel | None = None,
    *,
    cache: Path | None = None,
    retry_failed: bool = False,
    render: Callable[[Path], Path] | None = None,
) -> runner.Outcome:
    """All stages into ``root``; without ``render`` no page is made."""
    with context_of(root, suite, model, cache=cache, retry_failed=retry_failed) as context:
        return runner.run(replace(context, render=render) if render else context)


@contextmanager
def context_of(
    root: Path,
    suite: Suite,
    model: ScriptedModel | None = None,
    *,
    cache: Path | None = None,
    retry_failed: bool = False,
) -> Iterator[StageContext]:
    """What the stages of a run on a scripted model work with; no page is made."""
    launch = Launch(
        Silent(), retry_failed=retry_failed, cache=cache or root.parent / "cache.sqlite"
    )
    parts = assemble(suite, closeness="rouge_l")
    with open_session(root, suite, launch) as session:
        yield StageContext(session, parts, lambda path: path, opener(model or scripted()))


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in TIME_FIELDS}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return value


def contents(root: Path) -> dict[str, Any]:
    """What a run holds, sorted and without times: equal for equal runs."""
    found: dict[str, Any] = {
        path.name: sorted(
            json.dumps(without_times(json.loads(line)), sort_keys=True)
            for line in path.read_text(encoding="utf-8").splitlines()
        )
        for path in sorted(root.glob("*.jsonl"))
    }
    found["summary"] = without_times(json.loads((root / "summary.json").read_text()))
    del found["summary"]["looks"]  # how often somebody looked is no matter of the records
    return found
