"""bitsandbytes is imported without asking the hub for kernels, and without a word about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

KERNELS = """
def get_kernel(*args, **kwargs):
    raise SystemExit("the hub was asked for " + str(args))
"""

SCRIPT = """
import sys, logging
logging.basicConfig(level=logging.WARNING)
from harness.models.libraries import import_bitsandbytes
assert "bitsandbytes" not in sys.modules
{before}
import_bitsandbytes()
import bitsandbytes
import kernels
assert kernels.__file__.startswith({folder!r})
import peft
"""


def run(tmp_path: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    (tmp_path / "kernels.py").write_text(KERNELS, encoding="utf-8")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + SCRIPT.format(
        before=before, folder=str(tmp_path)
    )
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )


def test_an_installed_kernels_package_is_not_asked_and_stays_usable(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "kernels" not in done.stderr


def test_training_asks_no_hub_either(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(KERNELS, encoding="utf-8")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport training.job"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "kernels" not in done.stderr


def test_one_that_is_imported_already_is_given_back(tmp_path: Path) -> None:
    done = run(tmp_path, before="import kernels")
    assert done.returncode == 0, done.stderr
