"""The README's judge, by file and by package, both for real; its rubric, in YAML alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "judges" / "README.md").read_text(encoding="utf-8")

ASK = """
from harness.registry import judges
from harness.records import JudgeItem
judge = judges.create("shouting")
print(judges.describe("shouting"), [j.value for j in judge.grade([JudgeItem(question="q", answer="HEy")])])
"""
SAID = "Share of letters in capitals. [0.6666666666666666]"


def block(language: str, holds: str) -> str:
    found = [
        text for kind, text in re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
        if kind == language and holds in text
    ]  # fmt: skip
    assert len(found) == 1, (language, holds)
    return found[0]


def python(code: str, *folders: Path) -> str:
    script = f"import sys; sys.path[:0] = {[str(folder) for folder in folders]!r}\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_judge_has_fifteen_lines() -> None:
    lines = [line for line in block("python", "Shouting").splitlines() if line.strip()]
    assert len([line for line in lines if not line.startswith("#")]) <= 15


def test_by_file(tmp_path: Path) -> None:
    path = tmp_path / "shouting.py"
    path.write_text(block("python", "Shouting"), encoding="utf-8")
    load = f"from pathlib import Path; from harness.registry import load_plugin_file; load_plugin_file(Path({str(path)!r}))"
    assert python(load + ASK) == SAID


def test_by_package_entry_point(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    code = block("python", "Shouting").replace('@judge("shouting")\n', "")
    (source / "shouting.py").write_text(code, encoding="utf-8")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "jostle-shouting"\nversion = "1.0"\n[tool.setuptools]\n'
        'py-modules = ["shouting"]\n' + block("toml", "jostle.judges"),
        encoding="utf-8",
    )
    target = tmp_path / "target"
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation",
            "--no-index", "--disable-pip-version-check", "--target", str(target), str(source),
        ],
        check=True,
        timeout=200,
        capture_output=True,
    )  # fmt: skip
    assert python(ASK, target) == SAID
    missing = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, timeout=120
    )
    assert "unknown judge 'shouting'" in missing.stderr


def test_the_rubric_of_the_readme(tmp_path: Path) -> None:
    from judges.llm.rubric_file import load_rubric

    path = tmp_path / "kindness.yaml"
    path.write_text(block("yaml", "name: kindness"), encoding="utf-8")
    rubric = load_rubric(str(path))
    assert [c.name for c in rubric.dimensions] == ["kindness"]


def test_the_suite_of_the_readme_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    from harness.config import JudgesFile
    from harness.registry import judges

    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    listed = JudgesFile.model_validate(yaml.safe_load(block("yaml", "rouge_l")))
    made = [judges.create(spec.name, spec.plain_options) for spec in listed.judges]
    assert len(made) == 6


def test_every_shipped_judge_stands_in_the_readme() -> None:
    from importlib.metadata import entry_points

    ours = [
        p.name for p in entry_points(group="jostle.judges") if p.dist and p.dist.name == "jostle"
    ]
    assert {"rouge_l", "panel", "reward"} <= set(ours)
    for name in ours:
        assert f"| `{name}` |" in README
