"""A panel: several judges grade the same answers; their mean, and how far they agree."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from harness.digest import digest
from harness.errors import PluginError
from harness.protocols import Judge
from harness.records import Cost, Dimension, JudgeItem, Judgement
from harness.registry import judges as registry
from judges.agreement import alpha
from judges.calibration_records import Calibrated

CHUNK = 64
"""Items that all members grade before the next ones, so that finished ones are handed on."""

SPREAD = "_spread"


class Panel(Calibrated):
    """Several judges grade the same answers: their mean, and how far apart they are.

    Graded are the dimensions that all members have on the same scale. An item that a member could
    not grade has no panel mean: a mean over whoever happened to answer would shift with failures.

    Args:
        judges: The members as a suite lists judges: names, or ``{name: {option: value}}``. The same
            judge may stand in it several times with different options.

    Raises:
        PluginError: A member cannot be made, there are fewer than two, or they share no dimension.
    """

    def __init__(self, judges: Sequence[Any]) -> None:
        if isinstance(judges, str) or len(judges) < 2:
            raise PluginError("a panel needs a list of at least two judges")
        self.members: dict[str, Judge] = {}
        for position, entry in enumerate(judges, start=1):
            name, options = _entry(entry)
            label = str(options.pop("name", f"{position} {name}"))
            if label in self.members:
                raise PluginError(f"two members of the panel are called {label!r}")
            self.members[label] = registry.create(name, options)
        self._shared = _shared(list(self.members.values()))
        self.dimensions: Sequence[Dimension] = tuple(
            made for dimension in self._shared.values() for made in (dimension, _spread(dimension))
        )
        self.llm = any(getattr(member, "llm", False) for member in self.members.values())

    @cached_property
    def version(self) -> str:  # type: ignore[override]
        """Of all members; a local one is loaded for it, so it waits until it is asked."""
        versions = {label: member.version for label, member in self.members.items()}
        return f"panel of {len(versions)} ({digest(versions)[:16]})"

    @property
    def durable(self) -> bool:
        """Whether judgements may be kept across runs: where every member's may."""
        return all(getattr(member, "durable", True) for member in self.members.values())

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Grade every item with every member."""
        for start in range(0, len(items), CHUNK):
            chunk = items[start : start + CHUNK]
            given: dict[tuple[int, str], dict[str, Judgement]] = {}
            for label, member in self.members.items():
                for judgement in member.grade(chunk):
                    if judgement.dimension in self._shared:
                        key = (judgement.item, judgement.dimension)
                        given.setdefault(key, {})[label] = judgement
            for (index, name), verdicts in given.items():
                yield from self._combine(start + index, self._shared[name], verdicts)

    def _combine(
        self, index: int, dimension: Dimension, verdicts: Mapping[str, Judgement]
    ) -> Iterator[Judgement]:
        values = {label: verdict.value for label, verdict in verdicts.items()}
        names = (dimension.name, dimension.name + SPREAD)
        raw = json.dumps(
            {label: {"value": v.value, "status": v.status, "reason": v.reason, "raw": v.raw}
             for label, v in verdicts.items()},
            ensure_ascii=False,
        )  # fmt: skip
        missing = [label for label in self.members if values.get(label) is None]
        for position, name in enumerate(names):
            common: dict[str, Any] = {
                "item": index,
                "dimension": name,
                "raw": raw,
                "cost": None if position else _total(v.cost for v in verdicts.values()),
            }
            if missing:
                failed = verdicts.get(missing[0])
                yield Judgement(
                    value=None,
                    status=failed.status if failed else "error",
                    reason=f"{missing[0]}: {failed.reason if failed else 'gave no verdict'}",
                    transient=any(verdict.transient for verdict in verdicts.values()),
                    **common,
                )
                continue
            numbers = [value for value in values.values() if value is not None]
            mean = round(sum(numbers) / len(numbers), 6)
            spread = round(max(numbers) - min(numbers), 6)
            said = ", ".join(
                f"{label} {value:g}" for label, value in zip(values, numbers, strict=True)
            )
            yield Judgement(value=spread if position else mean, reason=said, **common)


def agreement(raws: Iterable[str], level: str = "interval") -> float | None:
    """Krippendorff's alpha among the members, from the ``raw`` texts of one dimension's scores.

    Args:
        raws: ``Score.raw`` of the panel's scores on one dimension (not of its spread).
        level: ``ordinal`` or ``interval``.
    """
    rows = [json.loads(raw) for raw in raws]
    labels = sorted({label for row in rows for label in row})
    return alpha([[row.get(label, {}).get("value") for row in rows] for label in labels], level)


def _entry(entry: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, Mapping) and len(entry) == 1:
        name, options = next(iter(entry.items()))
        if options is None or isinstance(options, Mapping):
            return str(name), dict(options or {})
    raise PluginError("members of a panel are written '- name' or '- name: {option: value}'")


def _shared(members: Sequence[Judge]) -> dict[str, Dimension]:
    first, *others = members
    shared: dict[str, Dimension] = {}
    for dimension in first.dimensions:
        same = [
            next((d for d in member.dimensions if d.name == dimension.name), None)
            for member in others
        ]
        if all(
            d
            and (d.low, d.high, d.higher_is_better)
            == (dimension.low, dimension.high, dimension.higher_is_better)
            for d in same
        ):
            needs = dict.fromkeys(
                need for d in (dimension, *same) if d is not None for need in d.needs
            )
            shared[dimension.name] = dimension.model_copy(update={"needs": tuple(needs)})
    if not shared:
        raise PluginError("the members of the panel share no dimension on the same scale")
    return shared


def _spread(dimension: Dimension) -> Dimension:
    return dimension.model_copy(
        update={
            "name": dimension.name + SPREAD,
            "low": 0.0,
            "high": dimension.high - dimension.low,
            "higher_is_better": None,
            "description": f"How far the panel's members are apart on {dimension.name}",
        }
    )


def _total(costs: Iterable[Cost | None]) -> Cost | None:
    known = [cost for cost in costs if cost is not None]
    if not known:
        return None
    return Cost(
        prompt_tokens=sum(cost.prompt_tokens for cost in known),
        completion_tokens=sum(cost.completion_tokens for cost in known),
        money=sum(cost.money for cost in known),
        seconds=sum(cost.seconds for cost in known),
    )
