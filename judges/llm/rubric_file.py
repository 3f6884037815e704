"""Rubrics: YAML files that say what is graded, on which scale, and what the judge is shown.

A rubric needs no code. Dimensions that show the same texts are asked together in one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.errors import ConfigError
from harness.records import Dimension, Need
from harness.util.digest import digest
from harness.util.resources import configs_root, resolve
from harness.util.suggestions import did_you_mean
from harness.util.yaml_config import load_yaml

Shown = Literal["question", "answer", "reference", "original_question", "original_answer"]

_NEEDS: dict[Shown, Need] = {
    "reference": "reference",
    "original_question": "original_answer",  # both are there for variants, and only for variants
    "original_answer": "original_answer",
}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Criterion(_Strict):
    """One dimension of a rubric.

    Attributes:
        description: What is graded, in a sentence or two.
        scale: What every step means, by its whole number; without gaps.
        show: Overrides the rubric's ``show`` for this dimension.
        higher_is_better: Which end of the scale is good.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str = Field(min_length=1)
    scale: dict[int, Annotated[str, Field(min_length=1)]] = Field(min_length=2)
    show: tuple[Shown, ...] | None = None
    higher_is_better: bool = True

    @model_validator(mode="after")
    def _whole_scale(self) -> Criterion:
        steps = sorted(self.scale)
        if steps != list(range(steps[0], steps[-1] + 1)):
            raise ValueError(f"the scale of {self.name!r} has gaps: every step needs its meaning")
        return self

    @property
    def steps(self) -> list[int]:
        """Return the steps of the scale, ascending."""
        return sorted(self.scale)


class RubricFile(_Strict):
    """A rubric as its file has it.

    Attributes:
        version: Raise it when the wording changes its meaning. Judgements are kept apart by the
            digest of the whole content, so none is ever taken for one under another wording.
        role: Who the judge is to be ("an experienced supervisor of counsellors").
        show: Which texts the judge sees.
        optional: Which of them an item may lack; it is then asked without.
        guidance: Further advice to the judge, free text.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    version: int = Field(ge=1)
    description: str
    role: str
    show: tuple[Shown, ...] = ("question", "answer")
    optional: tuple[Shown, ...] = ()
    guidance: str = ""
    dimensions: tuple[Criterion, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> RubricFile:
        names = [criterion.name for criterion in self.dimensions]
        for criterion in self.dimensions:
            if names.count(criterion.name) > 1:
                raise ValueError(f"dimension {criterion.name!r} is defined twice")
        for criterion in self.dimensions:
            if "answer" not in self.shown(criterion):
                raise ValueError(f"dimension {criterion.name!r} does not show the answer it grades")
        return self

    def shown(self, criterion: Criterion) -> tuple[Shown, ...]:
        """Return the texts that the judge sees for one dimension."""
        return self.show if criterion.show is None else criterion.show

    def required(self, show: Sequence[Shown]) -> list[Shown]:
        """Return which of the shown texts an item must have."""
        return [text for text in show if text not in self.optional]

    @property
    def texts(self) -> tuple[Shown, ...]:
        """Return every text that the judge sees on some dimension."""
        return tuple(dict.fromkeys(text for show, _ in self.groups for text in show))

    @cached_property
    def groups(self) -> tuple[tuple[tuple[Shown, ...], tuple[Criterion, ...]], ...]:
        """Group dimensions that show the same texts: one call asks for them together."""
        groups: dict[tuple[Shown, ...], list[Criterion]] = {}
        for criterion in self.dimensions:
            groups.setdefault(self.shown(criterion), []).append(criterion)
        return tuple((show, tuple(criteria)) for show, criteria in groups.items())

    @property
    def label(self) -> str:
        """Return name, version and content digest."""
        return f"{self.name} v{self.version} ({digest(self.model_dump(mode='json'))[:8]})"

    @property
    def graded(self) -> tuple[Dimension, ...]:
        """Return the dimensions as the harness needs them."""
        return tuple(self._dimension(criterion) for criterion in self.dimensions)

    def _dimension(self, criterion: Criterion) -> Dimension:
        needed = self.required(self.shown(criterion))
        needs = dict.fromkeys(_NEEDS[text] for text in needed if text in _NEEDS)
        return Dimension(
            name=criterion.name,
            low=criterion.steps[0],
            high=criterion.steps[-1],
            higher_is_better=criterion.higher_is_better,
            needs=tuple(needs),
            description=criterion.description,
        )

    def _only(self, names: Sequence[str]) -> RubricFile:
        listed = isinstance(names, Sequence) and not isinstance(names, str) and names
        if not listed or not all(isinstance(name, str) for name in names):
            raise ValueError(
                f"option 'dimensions': must be a list of names, such as [{self.dimensions[0].name}]"
            )
        known = [criterion.name for criterion in self.dimensions]
        for name in names:
            if name not in known:
                raise ValueError(
                    f"rubric {self.name!r} has no dimension {name!r}.{did_you_mean(name, known)}"
                )
        kept = tuple(c for c in self.dimensions if c.name in names)
        return self.model_copy(update={"dimensions": kept})


def shipped() -> list[str]:
    """List the names of the rubrics that come with the package."""
    return sorted(path.stem for path in (configs_root() / "rubrics").glob("*.yaml"))


def load_rubric(name: str, dimensions: Sequence[str] | None = None) -> RubricFile:
    """Read a rubric: a shipped one by name, or a YAML file by its path.

    Args:
        name: Name or path.
        dimensions: Only these of its dimensions; all by default.

    Raises:
        ConfigError: No such rubric, or its file has a mistake (file, line, field).
        ValueError: No dimension of that name, or no list of names.
    """
    if not isinstance(name, str):
        raise ConfigError(
            f"option 'rubric': must be the name of a rubric ({', '.join(shipped())}) or the path of"
            f" a YAML file, not {name!r}"
        )
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = resolve(name)
    elif not (path := configs_root() / "rubrics" / f"{name}.yaml").is_file():
        raise ConfigError(
            f"no rubric named {name!r}.{did_you_mean(name, shipped())} A file of your own is named"
            " by its path, e.g. ./mine.yaml"
        )
    rubric = load_yaml(path, [], RubricFile)
    return rubric if dimensions is None else rubric._only(dimensions)


def schema(criteria: Sequence[Criterion], longest_reason: int | None = None) -> dict[str, Any]:
    """Build the JSON schema of a verdict: for each dimension the reason first, then the score.

    ``longest_reason`` is in characters; None leaves it open (not every endpoint knows ``maxLength``).
    """
    reason = {"type": "string"} | ({"maxLength": longest_reason} if longest_reason else {})
    return {
        "type": "object",
        "properties": {
            criterion.name: {
                "type": "object",
                "properties": {
                    "reason": reason,
                    "score": {"type": "integer", "enum": criterion.steps},
                },
                "required": ["reason", "score"],
                "additionalProperties": False,
            }
            for criterion in criteria
        },
        "required": [criterion.name for criterion in criteria],
        "additionalProperties": False,
    }
