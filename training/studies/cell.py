"""One training in a separate process: its peak memory and its failure are its alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import JostleError
from training.config import TrainingConfig
from training.result import EventHandler
from training.spec import specify

ERRORS = "training.err"


@dataclass(frozen=True)
class CellOutcome:
    """How a training ended.

    Attributes:
        error: One line if it failed.
    """

    name: str
    output_dir: Path
    error: str | None = None


def run_cell(name: str, config: TrainingConfig, events: EventHandler | None = None) -> CellOutcome:
    """Train in a new process; a failure of any kind, even death by a signal, is an outcome.

    A finished training starts no process.
    """
    output = Path(config.output_dir).expanduser()
    try:
        if specify(config).result() is not None:
            return CellOutcome(name, output)
        output.mkdir(parents=True, exist_ok=True)
    except (JostleError, OSError) as problem:
        return CellOutcome(name, output, str(problem))
    error: str | None = None
    with (output / ERRORS).open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "training.studies.cell"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        with process:
            try:
                for event in _exchange(process, config):
                    if event["event"] == "failed":
                        error = str(event["message"])
                    elif events is not None:
                        events(event)
            except BaseException:
                process.terminate()
                raise
    if process.returncode != 0 and error is None:
        error = _cause(process.returncode, output / ERRORS)
    return CellOutcome(name, output, error)


def _exchange(process: subprocess.Popen[str], config: TrainingConfig) -> Iterator[dict[str, Any]]:
    """Send the config, then yield the events until the process closes its output."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):  # It died at once; its exit code says why.
        process.stdin.write(config.model_dump_json(exclude_unset=True))
        process.stdin.close()
    for line in process.stdout:
        with suppress(ValueError):  # Output of a library.
            event = json.loads(line)
            if isinstance(event, dict) and "event" in event:
                yield event


def _cause(code: int, errors: Path) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"the training process was ended by {name}{hint}"
    lines = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"{lines[-1] if lines else f'exit code {code}'} (see {errors})"


def main() -> int:
    """Read a config on standard input, train, and write events as JSON lines."""
    from training import train

    def emit(event: dict[str, Any]) -> None:
        print(json.dumps(event), flush=True)

    try:
        train(TrainingConfig.model_validate_json(sys.stdin.read()), progress=emit)
    except JostleError as error:
        emit({"event": "failed", "message": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
