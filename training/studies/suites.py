"""Trainings that are asked the same are put under test together, so that they can be paired."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config import AdapterSpec, DataSpec, Suite, load_suite
from harness.util.digest import canonical_json
from harness.util.resources import shipped
from training.studies.config import Cell, slug

BASE = "base"


@dataclass(frozen=True)
class SuiteGroup:
    """A suite over the base model and every training that shares suite, base model and format.

    Attributes:
        name: Names the run's folder.
        suite: Its subjects are :data:`BASE` and one subject a training, by the cell's name.
        cells: The names of those trainings.
    """

    name: str
    suite: Suite
    cells: tuple[str, ...]


def groups(study: str, cells: Sequence[Cell]) -> list[SuiteGroup]:
    """The suites of a study's trainings, in order; trainings without a suite are left out.

    Raises:
        ConfigError: A suite that cannot be read.
        DataError: A shipped suite of that name does not exist.
    """
    found: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.suite is not None:
            found[canonical_json(_shared(cell))].append(cell)
    names = _names([members[0] for members in found.values()])
    return [
        SuiteGroup(name, _suite(f"{study}-{name}", members), tuple(cell.name for cell in members))
        for name, members in zip(names, found.values(), strict=True)
    ]


def _shared(cell: Cell) -> list[Any]:
    config = cell.config
    asked = [config.model, config.revision, config.template, config.system_prompt]
    return [cell.suite, list(cell.suite_overrides), *asked]


def _names(firsts: Sequence[Cell]) -> list[str]:
    """A short name for each group: its suite's, with a number where that is not enough."""
    stems = [slug(Path(str(cell.suite)).stem) for cell in firsts]
    return [
        stem if stems.count(stem) == 1 else f"{stem}-{stems[: index + 1].count(stem)}"
        for index, stem in enumerate(stems)
    ]


def _suite(name: str, cells: Sequence[Cell]) -> Suite:
    first = cells[0]
    given = load_suite(shipped(Path(str(first.suite)), "suites"), first.suite_overrides)
    pattern = given.subjects[0]
    shared: Mapping[str, Any] = {
        "model": first.config.model,
        "revision": first.config.revision,
        "template": first.config.template,
        "system_prompt": first.config.system_prompt,
        "adapters": (),
        "quantization": None,
    }
    base = pattern.model_copy(update={**shared, "name": BASE})
    subjects = [base]
    for cell in cells:
        output = str(Path(cell.config.output_dir).expanduser())
        own: dict[str, Any] = {"name": cell.name, "quantization": cell.config.quantization}
        if cell.config.method == "full":
            own |= {"model": output, "revision": None}
        else:
            own |= {"adapters": (AdapterSpec(path=output),)}
        subjects.append(base.model_copy(update=own))
    return given.model_copy(
        update={
            "suite": given.suite.model_copy(update={"name": slug(name)}),
            "subjects": tuple(subjects),
            "baseline": BASE,
            "training_data": _training_data(cells),
        }
    )


def _training_data(cells: Sequence[Cell]) -> tuple[DataSpec, ...]:
    """Every data set that any of them learned from: prompts that leak into one leak into the table."""
    distinct = {
        canonical_json(c.config.train_data.model_dump()): c.config.train_data for c in cells
    }
    return tuple(distinct.values())
