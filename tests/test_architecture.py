"""The plan of the tree, held by walking the source: tiers, circles, names, traits, sizes."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("harness", "perturbations", "judges", "training", "reports")

# Lower tiers first; a module imports its own tier and those below. Within a tier circles are
# forbidden too, file by file. Only harness.cli stands above the plug-ins.
TIERS: tuple[tuple[str, ...], ...] = (
    ("harness.errors", "harness.util", "harness.records"),
    ("harness.protocols", "harness.registry", "harness.text", "harness.stats"),
    ("harness.config", "harness.endpoint"),
    ("harness.models", "harness.data", "harness.audit", "harness.judging", "harness.variants"),
    ("perturbations", "judges"),
    ("harness.analysis", "harness.memorisation", "harness.unanswerable"),
    ("harness.pipeline", "training"),
    ("reports",),
    ("training.studies",),
    ("harness.cli",),
)  # fmt: skip
FLAT = {"records", "protocols", "registry", "errors", "config", "__init__"}
"""The contract: nothing else lies flat in ``harness/``."""

MOST_PARAMETERS = 6
SMALL_ROOM = 60
SMALL_ON_PURPOSE = frozenset(
    {
        "harness.errors",  # the contract of what a command may say
        "harness.text.wordlists",  # a table
        *(
            f"harness.util.{name}"  # each one idea that several packages use
            for name in ("digest", "formatting", "progress", "resources", "secrets", "suggestions")
        ),
    }
)
"""Modules that are short and still one idea that nothing else holds."""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def trees() -> dict[str, tuple[Path, ast.Module]]:
    return {
        module_name(path): (path, ast.parse(path.read_text(encoding="utf-8")))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def tier(module: str) -> int:
    """The tier of the longest prefix that is listed; -1 for none."""
    best, place = -1, -1
    for index, names in enumerate(TIERS):
        for name in names:
            if (module == name or module.startswith(name + ".")) and len(name) > best:
                best, place = len(name), index
    return place


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Our modules that a file imports, anywhere and for whatever purpose, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [
                full if (full := f"{node.module}.{alias.name}") in trees() else node.module
                for alias in node.names
            ]
        else:
            continue
        for name in names:
            if name.split(".")[0] in PACKAGES:
                yield name, node.lineno


def test_every_module_has_a_tier() -> None:
    assert [name for name in trees() if tier(name) < 0 and name != "harness"] == []


def test_nothing_lies_flat_but_the_contract() -> None:
    assert {path.stem for path in (ROOT / "harness").glob("*.py")} == FLAT


def test_imports_point_downwards() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {target}"
        for name, (path, tree) in trees().items()
        for target, line in imports(tree)
        if tier(name) >= 0 and tier(target) > tier(name)
    ]
    assert wrong == []


def test_no_string_names_a_module_above() -> None:
    # An import that hides in a string: files("perturbations.lexicons"), import_module("judges.…").
    path_like = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:[./][a-z_]+)+")
    wrong = []
    for name, (path, tree) in trees().items():
        opened = {  # a bare package name counts where it is opened or imported
            id(node.args[0])
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and node.args
            if ast.unparse(node.func).endswith(("files", "import_module"))
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            named = path_like.fullmatch(node.value) or id(node) in opened
            if named and tier(node.value.replace("/", ".")) > tier(name):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} names {node.value}")
    assert wrong == []


def test_no_circles_between_files() -> None:
    # A package's face re-exports its modules: whoever imports the face imports what it names.
    edges = {
        name: {target for target, _ in imports(tree) if target in trees() and target != name}
        for name, (_, tree) in trees().items()
    }
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    circles: list[list[str]] = []

    def visit(name: str) -> None:  # Tarjan: strongly connected components
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in edges[name]:
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            circle = []
            while not circle or circle[-1] != name:
                circle.append(stack.pop())
            if len(circle) > 1:
                circles.append(sorted(circle))

    for name in edges:
        if name not in index:
            visit(name)
    assert circles == []


def test_no_two_modules_of_one_name() -> None:
    stems = Counter(
        name.rpartition(".")[2]
        for name, (path, _) in trees().items()
        if name.startswith("harness.") and not name.startswith("harness.cli")
        if path.stem != "__init__"
    )
    assert [stem for stem, count in stems.items() if count > 1] == []


def test_package_faces_hold_no_logic() -> None:
    def is_face(node: ast.stmt) -> bool:
        if isinstance(node, ast.Assign):
            return ast.unparse(node.targets[0]) == "__all__"
        return isinstance(node, ast.Import | ast.ImportFrom) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        )

    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in trees().values()
        if path.stem == "__init__"
        for node in tree.body
        if not is_face(node)
    ]
    assert wrong == []


def test_every_package_says_what_is_in_it() -> None:
    assert [
        str(path.relative_to(ROOT))
        for path, tree in trees().values()
        if path.stem == "__init__" and not ast.get_docstring(tree)
    ] == []


# Objects of other people's libraries, which promise nothing; and fields chosen by name of records
# of our own. A plug-in is never asked this way: its traits are typed (harness/protocols.py).
FOREIGN_ATTRIBUTES: dict[str, set[str]] = {
    "harness.models.adapter_files": {"layer"},
    "harness.models.checkpoints": {"torch"},
    "harness.models.digests": {"tokenizer"},
    "harness.models.hf": {"config", "loaded.tokenizer"},
    "harness.models.prompting": {"tokenizer", "self.tokenizer"},
    "harness.registry": {"importlib.import_module(module)"},
    "training.trainer": {"base", "model"},
}


def test_no_plugin_is_asked_by_attribute_name() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}"
        for name, (path, tree) in trees().items()
        if name.split(".")[0] != "perturbations"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id in ("getattr", "hasattr")
        if ast.unparse(node.args[0]) not in FOREIGN_ATTRIBUTES.get(name, ())
    ]
    assert wrong == []


def shipped_plugins() -> dict[str, str]:
    """Name to ``module:Class`` of our own perturbations and judges."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    return points["jostle.perturbations"] | points["jostle.judges"]


# Names that the engine means by themselves: `identity` is asked by the harness itself, a message has
# a `role`, a column of data may be called `question`, a model can be `local`, and `nlpaug` is a
# package whose version is recorded.
ENGINE_WORDS = {"identity", "role", "local", "nlpaug", "question"}


def test_the_engine_names_no_plugin() -> None:
    names = set(shipped_plugins()) - ENGINE_WORDS
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.value!r}"
        for name, (path, tree) in trees().items()
        if name.startswith("harness.") and not name.startswith("harness.cli")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert wrong == []


def test_no_function_takes_more_than_six_parameters() -> None:
    # The options of a plug-in are the parameters of its constructor, as many as a user may set.
    plugins = {target.partition(":")[2] for target in shipped_plugins().values()}
    wrong = []
    for path, tree in trees().values():
        owner = {
            id(function): node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            for function in node.body
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            arguments = node.args
            given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            count = sum(a.arg not in ("self", "cls") for a in given)
            if count > MOST_PARAMETERS and not (
                node.name == "__init__" and owner.get(id(node)) in plugins
            ):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {count}")
    assert wrong == []


@pytest.mark.parametrize(
    "module",
    ["harness", "harness.records", "harness.registry", "harness.config", "harness.pipeline.runner",
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
        for name, (path, _) in trees().items()
        for call in banned
        if call in path.read_text(encoding="utf-8") and not name.startswith(excused)
    ]
    assert wrong == []


def test_every_package_is_listed_for_installation() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    present = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in (*PACKAGES, "configs")
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert set(listed) == present


def test_tests_mirror_the_tree() -> None:
    # A test file of a module lies where the module lies; one that goes across lies at its package.
    folders = {
        path.parent.relative_to(ROOT / "tests")
        for package in PACKAGES
        for path in (ROOT / "tests" / package).rglob("test_*.py")
    }
    assert [str(folder) for folder in folders if not (ROOT / folder).is_dir()] == []


def test_no_name_is_defined_twice() -> None:
    """One meaning a name: no two classes of one name, private ones aside."""
    places = defaultdict(list)
    for path, tree in trees().values():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_room_is_too_small() -> None:
    # One idea a module, and not less: plug-ins, faces, commands, stages, sections of the page and
    # shipped tables stand alone.
    plugins = {target.partition(":")[0] for target in shipped_plugins().values()}
    small = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for name, (path, _) in trees().items()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) <= SMALL_ROOM
        if path.stem not in ("__init__", "__main__") and name not in plugins
        if not name.startswith(("harness.cli.", "harness.pipeline.stages.", "reports.sections."))
        if name not in SMALL_ON_PURPOSE
    ]
    assert small == []


NO_VERBS = frozenset(
    [
        "what",
        "which",
        "whether",
        "how",
        "where",
        "when",
        "who",
        "why",
        "the",
        "a",
        "an",
        "one",
        "every",
        "each",
        "all",
        "this",
        "that",
        "these",
        "those",
        "whatever",
        "as",
        "of",
        "for",
        "in",
        "on",
        "by",
        "to",
        "from",
        "with",
        "without",
        "nothing",
        "none",
        "as",
        "is",
        "are",
        "was",
    ]
)
"""A docstring of a function that opens with one of these does not open with a verb."""


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_docstrings_of_functions_open_with_a_verb() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {text.splitlines()[0]}"
        for path, tree in trees().values()
        for node in functions(tree)
        if (text := ast.get_docstring(node))
        if re.split(r"\W", text, maxsplit=1)[0].lower() in NO_VERBS | {""}
    ]
    assert wrong == []


VAGUE = frozenset(
    [
        "found",
        "told",
        "there",
        "mine",
        "whom",
        "said",
        "heard",
        "own",
        "showing",
        "telling",
        "purse",
        "lights",
    ]
)
"""Names that say nothing of what they hold."""


def test_names_say_what_they_hold() -> None:
    wrong = []
    for path, tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                name = node.id
            elif isinstance(node, ast.arg):
                name = node.arg
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                name = node.name
            else:
                continue
            if name.strip("_") in VAGUE:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    assert wrong == []
