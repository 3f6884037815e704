"""One contract for every kind, and its vetted cases: the same text for the same seed, for ever.

``python tests/perturbations/test_golden.py`` prints what the cases give now, to be read before it
replaces what stands in ``tests/golden/perturbations``.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from harness.records import Edit
from harness.registry import perturbations
from harness.text.edits import apply_edits
from harness.text.parse import Text
from harness.util.digest import derived_rng, digest
from harness.variants.gate import Gate, Passage
from harness.variants.kinds import perturbation_traits_of

FOLDER = Path(__file__).parents[1] / "golden" / "perturbations"
VERSIONS = FOLDER.parent / "perturbation_versions.json"
FILES = sorted(FOLDER.glob("*.json"))
CASES = [
    pytest.param(file.stem, case, id=f"{file.stem}-{i}")
    for file in FILES
    for i, case in enumerate(json.loads(file.read_text(encoding="utf-8")))
]


def outcome(kind: str, case: dict[str, Any]) -> str | None:
    """The text that the case's prompt becomes, or None."""
    plugin = perturbations.create(kind, case.get("options", {}))
    text = Text(case["prompt"])
    found = plugin(text, derived_rng(case["seed"], kind))
    if found is None or isinstance(found, str):
        return found
    assert all(isinstance(edit, Edit) for edit in found)
    return apply_edits(text.raw, found)


def test_every_kind_has_cases() -> None:
    needs_more = {"compose", "identity", "nlpaug", "paraphrase"}  # tested in test_more_kinds
    # What we ship, whatever kinds other tests of this process have registered.
    points = entry_points(group="jostle.perturbations")
    ours = {p.name for p in points if p.dist is not None and p.dist.name == "jostle"}
    assert {f.stem for f in FILES} == ours - needs_more
    for file in FILES:
        cases = json.loads(file.read_text(encoding="utf-8"))
        assert len(cases) >= 8, file
        assert any(case["expect"] is None for case in cases), file


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_contract(kind: str, case: dict[str, Any]) -> None:
    assert set(case) <= {"prompt", "options", "seed", "expect", "why"}
    after = outcome(kind, case)
    assert after == case["expect"]
    assert outcome(kind, case) == after
    if after is None:
        return
    plugin = perturbations.create(kind, case.get("options", {}))
    text = Text(case["prompt"])
    edits = plugin(text, derived_rng(case["seed"], kind))
    severity = case.get("options", {}).get("severity", "medium")
    checked = Gate(similarity=False).check(
        text, edits, severity=severity, limits=plugin.traits.limits
    )
    assert isinstance(checked, Passage), checked


def named(kind: str) -> list[str]:
    """A short digest of each vetted case of a kind, its outcome included."""
    cases = json.loads((FOLDER / f"{kind}.json").read_text(encoding="utf-8"))
    return sorted(digest({k: v for k, v in case.items() if k != "why"})[:16] for case in cases)


@pytest.mark.parametrize("kind", [file.stem for file in FILES])
def test_another_outcome_needs_another_version(kind: str) -> None:
    # Cases may be added to a version; one that changes needs a new one, or runs keep old variants.
    recorded = json.loads(VERSIONS.read_text(encoding="utf-8"))[kind]
    version = perturbation_traits_of(perturbations.get(kind)).version
    assert version in recorded, f"record version {version} of {kind}: test_golden.py --write"
    assert set(recorded[version]) <= set(named(kind)), f"{kind}: raise traits.version"


def main() -> None:
    """Print every case's outcome as it is now; with ``--write`` record it, and new versions."""
    for file in FILES:
        cases = json.loads(file.read_text(encoding="utf-8"))
        for case in cases:
            case["expect"] = outcome(file.stem, case)
        text = json.dumps(cases, ensure_ascii=False, indent=1) + "\n"
        if "--write" in sys.argv:
            file.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{file.stem}\n{text}")
    if "--write" in sys.argv:
        recorded = json.loads(VERSIONS.read_text(encoding="utf-8")) if VERSIONS.exists() else {}
        for file in FILES:
            version = perturbation_traits_of(perturbations.get(file.stem)).version
            recorded.setdefault(file.stem, {}).setdefault(version, named(file.stem))
        VERSIONS.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
