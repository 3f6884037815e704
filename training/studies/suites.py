"""Suites over the trainings of a study: those with equal prompts share one, so that they pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config import AdapterSpec, SubjectSpec, Suite, load_suite
from harness.util.digest import canonical_json
from harness.util.resources import shipped
from training.studies.config import StudyCell, slug

BASE = "base"


@dataclass(frozen=True)
class SuiteGroup:
    """Suite over the base model and every training that shares suite, base model and format.

    Attributes:
        name: Names the run's folder.
        suite: Its subjects are :data:`BASE` and one subject a training, by the cell's name.
        cells: The names of those trainings.
    """

    name: str
    suite: Suite
    cells: tuple[str, ...]


def groups(study: str, cells: Sequence[StudyCell]) -> list[SuiteGroup]:
    """Make the suites of a study's trainings, in order; trainings without a suite are left out.

    Raises:
        ConfigError: A suite that cannot be read.
        DataError: A shipped suite of that name does not exist.
    """
    members_by_key: dict[str, list[StudyCell]] = defaultdict(list)
    for cell in cells:
        if cell.suite is not None:
            members_by_key[canonical_json(_shared(cell))].append(cell)
    names = _names([members[0] for members in members_by_key.values()])
    return [
        SuiteGroup(name, _suite(f"{study}-{name}", members), tuple(cell.name for cell in members))
        for name, members in zip(names, members_by_key.values(), strict=True)
    ]


def with_trainings(base: SubjectSpec, cells: Sequence[StudyCell]) -> tuple[SubjectSpec, ...]:
    """Return the base model and a subject for each training, by the cell's name."""
    subjects = [base]
    for cell in cells:
        output = str(Path(cell.config.output_dir).expanduser())
        fields: dict[str, Any] = {"name": cell.name, "quantization": cell.config.quantization}
        if cell.config.method == "full":
            fields |= {"model": output, "revision": None}
        else:
            fields |= {"adapters": (AdapterSpec(path=output),)}
        subjects.append(base.model_copy(update=fields))
    return tuple(subjects)


def _shared(cell: StudyCell) -> list[Any]:
    config = cell.config
    rendering = [config.model, config.revision, config.template, config.system_prompt]
    return [cell.suite, list(cell.suite_overrides), *rendering]


def _names(firsts: Sequence[StudyCell]) -> list[str]:
    """Name each group by its suite, with a number where suites share a name."""
    stems = [slug(Path(str(cell.suite)).stem) for cell in firsts]
    return [
        stem if stems.count(stem) == 1 else f"{stem}-{stems[: index + 1].count(stem)}"
        for index, stem in enumerate(stems)
    ]


def _suite(name: str, cells: Sequence[StudyCell]) -> Suite:
    first = cells[0]
    given = load_suite(shipped(Path(str(first.suite)), "suites"), first.suite_overrides)
    base = given.subjects[0].model_copy(
        update={
            "name": BASE,
            "model": first.config.model,
            "revision": first.config.revision,
            "template": first.config.template,
            "system_prompt": first.config.system_prompt,
            "adapters": (),
            "quantization": None,
        }
    )
    data = {canonical_json(c.config.train_data.model_dump()): c.config.train_data for c in cells}
    return given.model_copy(
        update={
            "suite": given.suite.model_copy(update={"name": slug(name)}),
            "subjects": with_trainings(base, cells),
            "baseline": BASE,
            # A leak into any of them affects the comparison.
            "training_data": tuple(data.values()),
        }
    )
