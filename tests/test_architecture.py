"""The direction of imports, held by walking the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("harness", "perturbations", "judges", "training", "reports")

# Lower layers first; a module may import its own layer and those below.
LAYERS: tuple[tuple[str, ...], ...] = (
    (
        "harness.records", "harness.protocols", "harness.registry", "harness.errors",
        "harness.digest", "harness.resources", "harness.progress",
        "harness.secrets",
    ),
    (
        "harness.text", "harness.codespans", "harness.edits", "harness.embedding",
        "harness.linear", "harness.transport", "harness.prompting", "harness.yamlfile", "harness.config",
        "harness.rows", "harness.environment",
    ),
    (
        "perturbations", "judges", "harness.data", "harness.models", "harness.audit",
        "harness.split", "harness.subjects", "harness.listing",
    ),
    (
        "harness.store", "harness.cache", "harness.stats", "harness.stats_groups", "harness.analysis",
        "harness.session", "harness.stages", "harness.runner", "harness.unknown", "harness.probes",
        "harness.planning", "training",
    ),
    ("reports",),
    ("training.studies",),
    ("harness.cli",),
)  # fmt: skip


def layer(module: str) -> int:
    """The layer of the longest prefix that is listed."""
    best, found = -1, -1
    for index, names in enumerate(LAYERS):
        for name in names:
            if (module == name or module.startswith(name + ".")) and len(name) > best:
                best, found = len(name), index
    return found


def modules() -> list[tuple[str, Path]]:
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


def imports(path: Path) -> list[tuple[str, int]]:
    """Our modules that a file imports anywhere, with the line; type-checking imports aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = (ROOT / Path(*full.split("."))).with_suffix(".py").exists()
                found.append((full if is_module else node.module, node.lineno))
    return [(name, line) for name, line in found if name.split(".")[0] in PACKAGES]


def test_every_module_has_a_layer() -> None:
    packages = {"harness", "harness.models"}
    assert [name for name, _ in modules() if layer(name) < 0 and name not in packages] == []


def test_imports_point_downwards() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {target}"
        for name, path in modules()
        for target, line in imports(path)
        if layer(name) >= 0 and layer(target) > layer(name)
    ]
    assert wrong == []


def test_plug_ins_need_only_the_two_lowest_layers() -> None:
    # The local judge rates on the very backend that the subjects answer on.
    allowed = {("judges.local", "harness.models.hf")}
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {target}"
        for name, path in modules()
        if name.startswith(("perturbations.", "judges."))
        for target, line in imports(path)
        if layer(target) > 1 and target.split(".")[0] != name.split(".")[0]
        if (name, target) not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "module",
    ["harness", "harness.records", "harness.registry", "harness.config", "harness.runner",
     "harness.cli.main", "harness.cli.run", "perturbations", "judges", "training", "reports"],
)  # fmt: skip
def test_importing_costs_no_torch(module: str) -> None:
    code = (
        f"import {module}, sys; heavy = {{'torch', 'transformers', 'spacy', 'matplotlib'}}"
        "; print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_global_random_state() -> None:
    # Libraries that draw from the global state: training seeds it once, at its start; the bridge to
    # nlpaug seeds it for one call and puts it back.
    excused = ("training.", "perturbations.nlpaug_bridge")
    banned = ("random.seed(", "np.random.seed(", "numpy.random.seed(", "torch.manual_seed(")
    wrong = [
        f"{path.relative_to(ROOT)}: {call}"
        for name, path in modules()
        for call in banned
        if call in path.read_text(encoding="utf-8") and not name.startswith(excused)
    ]
    assert wrong == []


def test_every_package_is_listed_for_installation() -> None:
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in (*PACKAGES, "configs")
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert set(listed) == found
