"""Suites: short forms, defaults, overrides, and errors that name file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config import Suite, load_suite
from harness.errors import ConfigError
from harness.util.resources import configs_root

GOOD = """\
# jostle run suite.yaml
suite:
  name: small
  seed: 3
data: prompts.jsonl
defaults:
  model: scripted:echo
  generation: {max_new_tokens: 32}
subjects:
  - name: base
  - name: tuned
    generation: {temperature: 0.5}
perturbations:
  - typo: {severity: [light, heavy]}
  - role
judges:
  - rouge_l
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_short_forms_and_defaults(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, GOOD))
    assert suite.data.path == "prompts.jsonl"
    assert [s.model for s in suite.subjects] == ["scripted:echo"] * 2
    # Nested settings merge instead of replacing each other.
    assert suite.subjects[1].generation.max_new_tokens == 32
    assert suite.subjects[1].generation.temperature == 0.5
    assert suite.perturbations[0].severities == ("light", "heavy")
    assert suite.perturbations[1].severities == ("medium",)
    assert suite.baseline_name == "base"


def test_a_resolved_suite_reads_back_the_same(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, GOOD))
    assert Suite.model_validate(suite.model_dump(mode="json")) == suite


@pytest.mark.parametrize(
    ("override", "get", "expected"),
    [
        ("suite.variants_per_kind=2", lambda s: s.suite.variants_per_kind, 2),
        ("subjects.1.dtype=float32", lambda s: s.subjects[1].dtype, "float32"),
        ("subjects.1.adapters=[a/b]", lambda s: s.subjects[1].adapters[0].path, "a/b"),
        ("perturbations=[surface]", lambda s: [p.name for p in s.perturbations], ["surface"]),
        ("defaults.generation.max_new_tokens=9", lambda s: s.subjects[0].generation.max_new_tokens, 9),
        ("data.limit=4", lambda s: s.data.limit, 4),
    ],
)  # fmt: skip
def test_overrides(tmp_path: Path, override: str, get: object, expected: object) -> None:
    text = GOOD.replace("data: prompts.jsonl", "data:\n  path: prompts.jsonl")
    assert get(load_suite(write(tmp_path, text), [override])) == expected  # type: ignore[operator]


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        (("  seed: 3", "  sede: 3"), ["suite.yaml:4", "suite.sede", "Did you mean 'seed'?"]),
        (("  seed: 3", "  seed: many"), ["suite.yaml:4", "suite.seed", "'many'"]),
        (("  seed: 3", "  seed: 3\n  seed: 4"), ["suite.yaml:5", "duplicate key", "line 4"]),
        (("- name: tuned", "- name: base"), ["base is listed twice"]),
        (("name: tuned\n", "name: tuned\n    adaptors: [x]\n"),
         ["suite.yaml:12", "subjects.1.adaptors", "Did you mean 'adapters'?"]),
        (("severity: [light, heavy]", "severity: wild"), ["suite.yaml:14", "wild", "light, medium"]),
        (("  - rouge_l", "  - rubric: {api_key: sk-123}"), ["environment", "api_key_env"]),
        (("  - rouge_l", "  - rubric: {extra_body: {api_key: sk-123}}"), ["api_key_env"]),
        (("  - rouge_l", "  - panel: {judges: [{rubric: {Api-Key: sk-123}}]}"), ["api_key_env"]),
        (("  - rouge_l", "  - {rubric: {}, semantic: {}}"), ["one plug-in an item"]),
        (("  - rouge_l", "  - rouge_l\n  - rouge_l"), ["judges: rouge_l is listed twice"]),
        (("  seed: 3", "  seed: ["), ["suite.yaml", "not valid YAML"]),
        (("data: prompts.jsonl", "baseline: x\ndata: prompts.jsonl"), ["'x' is none of the subjects"]),
        (("data: prompts.jsonl", "data: {path: a, only: clean}"), ["no training_data"]),
        (("judges:\n  - rouge_l\n", ""), ["'judges' is missing"]),
    ],
)  # fmt: skip
def test_bad_yaml_gives_one_line_with_file_line_and_field(
    tmp_path: Path, change: tuple[str, str], fragments: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_suite(write(tmp_path, GOOD.replace(*change)))
    message = str(caught.value)
    assert "\n" not in message
    assert "sk-123" not in message
    for fragment in fragments:
        assert fragment in message


@pytest.mark.parametrize(
    ("override", "fragment"),
    [
        ("suite.sed=1", "Did you mean 'seed'?"),
        ("subjects.7.dtype=float32", "not an item of that list"),
        ("suite.seed", "expected key=value"),
        ("suite.seed=x", "override 'suite.seed=x'"),
    ],
)
def test_bad_overrides_name_the_override(tmp_path: Path, override: str, fragment: str) -> None:
    with pytest.raises(ConfigError, match=r"override") as caught:
        load_suite(write(tmp_path, GOOD), [override])
    assert fragment in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"- a\n- b\n", b"\xff\xfe", b"just text"])
def test_files_that_are_no_mapping(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "suite.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"suite\.yaml"):
        load_suite(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_suite(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    "path", sorted(configs_root().glob("suites/**/*.yaml")), ids=lambda p: p.stem
)
def test_every_shipped_suite_loads_and_starts_with_its_command(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# jostle run configs/{path.relative_to(configs_root())}")
    suite = load_suite(path)
    from harness.registry import judges, perturbations

    for spec in suite.perturbations:
        perturbations.get(spec.name)
    for spec in suite.judges:
        judges.get(spec.name)


def test_a_plain_value_is_a_plug_ins_first_option(tmp_path: Path) -> None:
    from harness.registry import Registry

    class Named:
        def __init__(self, model: str, other: int = 0) -> None:
            self.model = model

    suite = load_suite(write(tmp_path, GOOD.replace("- rouge_l", "- fitted: counseling")))
    registry: Registry[Named] = Registry("thing", "tests.none")
    registry.register("named")(Named)
    assert registry.create("named", suite.judges[0].options).model == "counseling"
