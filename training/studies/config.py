"""A study's YAML, and its grid of trainings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from harness.config import Section, load_yaml
from training.config import TrainingConfig

MOST_CELLS = 64
_SUITE_KEYS = ("suite", "suite_overrides")


class StudySection(Section):
    """Name and question of a study.

    Attributes:
        name: Names the folder ``runs/<name>``.
        question: The question that the study answers; the heading of its report.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    question: str = ""


class StudyCell(NamedTuple):
    """One training of the grid.

    Attributes:
        name: Its labels on every axis, joined; names its folder.
        labels: Axis to label.
        suite: Suite that tests it (a file or a shipped name), or None.
        suite_overrides: ``key=value`` items for that suite.
    """

    name: str
    labels: dict[str, str]
    config: TrainingConfig
    suite: str | None
    suite_overrides: tuple[str, ...]


class StudyConfig(Section):
    """Everything that ``jostle study`` needs to know.

    Attributes:
        training: Fields that all trainings share, as in a training config; ``output_dir`` is set
            by the study.
        axes: Each axis is a training field with a list of values (``learning_rate: [1e-5, 2e-5]``),
            or a name with labelled sets of fields (``shape: {A: {r: 4}, B: {r: 8}}``), which may
            also set ``suite`` and ``suite_overrides``. Every combination is one training.
        suite: Suite that tests every finished training; None for none.
        suite_overrides: ``key=value`` items for it, as on the command line.
    """

    study: StudySection
    training: dict[str, Any]
    axes: dict[str, dict[str, dict[str, Any]]]
    suite: str | None = None
    suite_overrides: tuple[str, ...] = ()

    @field_validator("axes", mode="before")
    @classmethod
    def _label_values(cls, axes: Any) -> Any:
        if not isinstance(axes, dict):
            return axes
        return {name: _labelled(str(name), axis) for name, axis in axes.items()}

    @model_validator(mode="after")
    def _every_cell_is_valid(self) -> Self:
        if not self.axes:
            raise ValueError("axes: name at least one, for example learning_rate: [1e-5, 2e-5]")
        names = [cell.name for cell in self.cells()]
        if len(names) > MOST_CELLS:
            raise ValueError(f"axes: {len(names)} trainings; more than {MOST_CELLS} are a mistake")
        slugs = [slug(name) for name in names]
        if len(set(slugs)) < len(slugs):
            duplicate = next(s for s in slugs if slugs.count(s) > 1)
            raise ValueError(
                f"axes: two trainings are both called {duplicate!r}; give other labels"
            )
        return self

    def cells(self, root: Path = Path("runs")) -> list[StudyCell]:
        """Return every combination of the axes, in order, the last axis varying fastest.

        Args:
            root: Folder of the study; a training goes to ``root/cells/<name>``.

        Raises:
            ValueError: A combination is no valid training config; the message names it.
        """
        axes = [[(axis, label) for label in labels] for axis, labels in self.axes.items()]
        return [self._cell(dict(choice), root) for choice in itertools.product(*axes)]

    def _cell(self, labels: dict[str, str], root: Path) -> StudyCell:
        fields: dict[str, Any] = dict(self.training)
        for axis, label in labels.items():
            fields |= self.axes[axis][label]
        name = " ".join(labels.values())
        suite = fields.pop("suite", self.suite)
        overrides = tuple(fields.pop("suite_overrides", self.suite_overrides))
        fields["output_dir"] = str(root / "cells" / slug(name))
        try:
            config = TrainingConfig.model_validate(fields)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(map(str, first["loc"]))
            message = first["msg"].removeprefix("Value error, ")
            raise ValueError(
                f"training {name!r}: {field + ': ' if field else ''}{message}"
            ) from None
        return StudyCell(name, labels, config, suite, overrides)


def load_study(path: Path, overrides: Sequence[str] = ()) -> StudyConfig:
    """Read a study.

    Raises:
        ConfigError: One line that names file, line and field.
    """
    return load_yaml(path, overrides, StudyConfig)


def slug(name: str) -> str:
    """Return ``name`` as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", name).strip("-.") or "cell"


def _labelled(name: str, axis: Any) -> Any:
    """Turn values of a field into labelled sets of fields; leave labelled sets as they are."""
    if isinstance(axis, list):
        known = {*TrainingConfig.model_fields, *_SUITE_KEYS}
        if name not in known:
            raise ValueError(
                f"axis {name!r} is no field of a training config; for other names write labelled"
                f" sets of fields: {name}: {{A: {{r: 4}}, B: {{r: 8}}}}"
            )
        return {f"{name}={_short(value)}": {name: value} for value in axis}
    if isinstance(axis, Mapping):
        return {str(label): fields for label, fields in axis.items()}
    return axis


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return "+".join(map(str, value))
    return str(value)
