"""A study's YAML, and its grid of trainings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from harness.config import DataSpec, Section, load_yaml
from harness.memorisation.counterfactual import LEAST_SEEDS
from training.config import TrainingConfig

MOST_CELLS = 64
MOST_SEEDS = 8
HALVES = ("a", "b")
HALVES_FOLDER = "halves"
_SUITE_KEYS = ("suite", "suite_overrides")


class StudySection(Section):
    """Name and question of a study.

    Attributes:
        name: Names the folder ``runs/<name>``.
        question: The question that the study answers; the heading of its report.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    question: str = ""


class HalvesSection(Section):
    """Trainings on complementary random halves of the training rows, two a seed.

    Attributes:
        seeds: Each divides the rows once and seeds the two trainings.
        threshold: A row counts as memorised from this counterfactual memorisation on, nats a token.
        answers: Also continue and answer every row greedily under every adapter.
        max_new_tokens: Most tokens of an answer or continuation.
    """

    seeds: tuple[int, ...] = (1, 2)
    threshold: float = Field(default=0.1, gt=0.0)
    answers: bool = False
    max_new_tokens: int = Field(default=64, ge=4)

    @field_validator("seeds")
    @classmethod
    def _two_or_more(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not LEAST_SEEDS <= len(set(seeds)) == len(seeds) <= MOST_SEEDS or min(seeds) < 0:
            raise ValueError(
                f"give {LEAST_SEEDS} to {MOST_SEEDS} different whole numbers from 0 on, for example"
                " [1, 2]: each row must be in for some adapters and out for others"
            )
        return seeds


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
        halves: In place of axes: trainings on complementary halves of the rows, and the
            counterfactual memorisation of every row.
        suite: Suite that tests every finished training; None for none.
        suite_overrides: ``key=value`` items for it, as on the command line.
    """

    study: StudySection
    training: dict[str, Any]
    axes: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    halves: HalvesSection | None = None
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
        if self.halves is not None:
            self._halves_are_valid()
        elif not self.axes:
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

    def _halves_are_valid(self) -> None:
        """Refuse what would make rows in and rows out differ by more than the row itself."""
        if self.axes or self.suite is not None:
            raise ValueError("halves: a study of halves has no axes and no suite; remove them")
        whole = self.whole()
        if whole.objective != "sft":
            raise ValueError(f"halves: need objective sft, not {whole.objective}")
        if whole.max_steps > 0:
            raise ValueError(
                "halves: training.max_steps would pass twice as often over each row of a half as"
                " over those of the whole; set num_train_epochs"
            )
        if whole.validation_fraction:
            raise ValueError(
                "halves: training.validation_fraction would leave out rows of each half; the rows"
                " of the other half take its place. Remove it, or name validation_data"
            )

    def whole(self, root: Path = Path("runs")) -> TrainingConfig:
        """Return the config of a training on all the rows that are halved.

        Raises:
            ValueError: It is no valid training config; the message names the field.
        """
        return _training("of halves", {**self.training, "output_dir": str(root)})

    def cells(self, root: Path = Path("runs")) -> list[StudyCell]:
        """Return every combination of the axes, in order, the last axis varying fastest.

        Of halves: both halves of every seed; their rows are in ``root/halves``.

        Args:
            root: Folder of the study; a training goes to ``root/cells/<name>``.

        Raises:
            ValueError: A combination is no valid training config; the message names it.
        """
        if self.halves is not None:
            return [self._half(seed, half, root) for seed in self.halves.seeds for half in HALVES]
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
        return StudyCell(name, labels, _training(name, fields), suite, overrides)

    def _half(self, seed: int, half: str, root: Path) -> StudyCell:
        name = f"seed {seed} half {half}"
        fields = {
            **self.training,
            "seed": seed,
            "train_data": DataSpec(path=str(half_file(root, seed, half)), duplicates="keep"),
            "output_dir": str(root / "cells" / slug(name)),
        }
        labels = {"seed": str(seed), "half": half}
        return StudyCell(name, labels, _training(name, fields), None, ())


def half_file(root: Path, seed: int, half: str) -> Path:
    """Return the file with the rows of one half, within the study's folder."""
    return root / HALVES_FOLDER / f"seed-{seed}-{half}.jsonl"


def load_study(path: Path, overrides: Sequence[str] = ()) -> StudyConfig:
    """Read a study.

    Raises:
        ConfigError: One line that names file, line and field.
    """
    return load_yaml(path, overrides, StudyConfig)


def slug(name: str) -> str:
    """Return ``name`` as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", name).strip("-.") or "cell"


def _training(name: str, fields: dict[str, Any]) -> TrainingConfig:
    """Validate the fields of one training.

    Raises:
        ValueError: They are no valid training config; the message names the training.
    """
    try:
        return TrainingConfig.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"training {name!r}: {field + ': ' if field else ''}{message}") from None


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
