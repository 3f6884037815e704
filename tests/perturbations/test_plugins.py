"""The README's own example, by file and by entry point, each really installed and run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.errors import PluginError
from harness.registry import load_plugin_file, perturbations

ROOT = Path(__file__).parents[2]
README = (ROOT / "perturbations" / "README.md").read_text(encoding="utf-8")

RUN = """
import json, sys
from pathlib import Path
from harness.records import Message, Sample
from harness.registry import load_plugin_file
from harness.variants.expand import expand, make_kind
from harness.variants.gate import Gate
for file in sys.argv[1:]:
    load_plugin_file(Path(file))
sample = Sample(id="s", messages=(Message(role="user", content="I cry a lot. I eat 3 times."),))
kind = make_kind("emphatic", {"severity": "heavy"})
made = expand([sample], [kind], seed=1, variants_per_prompt=0, gate=Gate(similarity=False))
variant = list(made)[1]
print(json.dumps([variant.status, variant.prompt, variant.severity,
                  [[e.start, e.end, e.text] for e in variant.edits]]))
"""
EXPECTED = ["valid", "I cry so much. I eat 3 times.", "heavy", [[6, 7, "so"], [8, 11, "much"]]]


def example() -> str:
    """The code block of the README's 15 lines."""
    (code,) = re.findall(r"```python\n(# my_file\.py\n.*?)```", README, re.DOTALL)
    return str(code)


def ran(*arguments: str, path: Path | None = None) -> object:
    """What the script prints in a fresh process, with ``path`` before everything else."""
    places = [str(path)] if path else []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*places, str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=path or ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_example_is_fifteen_lines() -> None:
    lines = [line for line in example().splitlines() if line.strip()]
    assert len(lines) <= 15


def test_by_a_users_file(tmp_path: Path) -> None:
    file = tmp_path / "my_file.py"
    file.write_text(example(), encoding="utf-8")
    assert ran(str(file)) == EXPECTED


def test_by_entry_point_of_an_installed_package(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    plain = example().replace('@perturbation("emphatic")\n', "")
    (source / "my_package.py").write_text(plain, encoding="utf-8")
    (toml,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (source / "pyproject.toml").write_text(
        textwrap.dedent(
            """\
            [build-system]
            requires = ["setuptools"]
            build-backend = "setuptools.build_meta"
            [project]
            name = "my-package"
            version = "1.0"
            [tool.setuptools]
            py-modules = ["my_package"]
            """
        )
        + toml,
        encoding="utf-8",
    )
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    install += ["--no-build-isolation", "--disable-pip-version-check", "--target", str(target)]
    done = subprocess.run([*install, str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ran(path=target) == EXPECTED


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(PluginError, match="does not exist"):
        load_plugin_file(Path("nowhere.py"))


def test_an_unknown_option_names_the_known_ones() -> None:
    with pytest.raises(PluginError, match=r"'typo' has no option 'rtae'\. Did you mean 'rate'"):
        perturbations.create("typo", {"rtae": 0.1})


def test_every_kind_has_a_line_of_documentation() -> None:
    for name in perturbations.names():
        assert len(perturbations.describe(name)) > 20, name
