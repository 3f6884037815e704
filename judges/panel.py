"""A panel: several judges grade the same answers; their mean, and how far they agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, reduce
from typing import Any, Protocol

from harness.endpoint import summed
from harness.errors import PluginError
from harness.judging.cached import Cached
from harness.judging.derived import SPREAD, panel_raw, spread_of
from harness.judging.metered import Metered
from harness.judging.traits import declared_traits, traits_of
from harness.protocols import CachesMembers, Judge, JudgeTraits, Spending, VerdictStore
from harness.records import Cost, Dimension, JudgeItem, Judgement
from harness.registry import judges as registry
from harness.util.digest import digest

CHUNK = 64
"""Items that all members grade before the next ones, so that finished ones are handed on."""


class _Grader(Protocol):
    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]: ...


class Panel:
    """Several judges grade the same answers: their mean, and how far apart they are.

    Graded are the dimensions that all members have on the same scale. An item that a member could
    not grade has no panel mean: a mean over whoever happened to answer would shift with failures.
    Where a member stops for good (its budget is spent), what all members had finished is handed on
    first; ``keep_in`` names where the other verdicts wait for the next time.

    Args:
        judges: The members as a suite lists judges: names, or ``{name: {option: value}}``. The same
            judge may be listed several times with different options.

    Raises:
        PluginError: A member cannot be made or is listed twice, there are fewer than two, or
            they share no dimension.
    """

    def __init__(self, judges: Sequence[Any]) -> None:
        if isinstance(judges, str) or not isinstance(judges, Sequence) or len(judges) < 2:
            raise PluginError(
                "a panel needs a list of at least two judges, such as judges: [rouge_l, semantic]"
            )
        self.members: dict[str, Judge] = {}
        self._sources: dict[str, str] = {}
        entries: list[tuple[str, dict[str, Any]]] = []
        for position, entry in enumerate(judges, start=1):
            name, options = _entry(entry)
            label = str(options.pop("name", f"{position} {name}"))
            if label in self.members:
                raise PluginError(f"two members of the panel are called {label!r}")
            if (name, options) in entries:
                raise _twice(list(self.members)[entries.index((name, options))], label)
            entries.append((name, options))
            self.members[label] = registry.create(name, options)
            self._sources[label] = registry.foreign_digest(name, options)
        self._meters = {label: Metered(member) for label, member in self.members.items()}
        self._graders: dict[str, _Grader] = dict(self._meters)
        self._shared = _shared(list(self.members.values()))
        self.dimensions: Sequence[Dimension] = tuple(
            made
            for dimension in self._shared.values()
            for made in (dimension, spread_of(dimension))
        )
        self.traits = JudgeTraits(
            llm=any(declared_traits(member).llm for member in self.members.values()),
            members=self.members,
        )

    @cached_property
    def version(self) -> str:
        """Name all members' versions; local members are loaded for it, so it is worked out late.

        Raises:
            PluginError: Two members turn out to be the same judge, their options worded otherwise.
        """
        versions: dict[str, Any] = {}
        for label, member in self.members.items():
            source = self._sources[label]
            known = [member.version, source] if source else member.version
            for other, taken in versions.items():
                if taken == known:
                    raise _twice(other, label)
            versions[label] = known
        return f"panel of {len(versions)} ({digest(versions)[:16]})"

    @property
    def durable(self) -> bool:
        """Return whether judgements may be kept across runs: where every member's may."""
        return all(traits_of(member).durable for member in self.members.values())

    @property
    def spent(self) -> Spending:
        """Add up what the members used, dimensions that they do not share included."""
        return reduce(Spending.plus, (meter.spent for meter in self._meters.values()), Spending())

    def keep_in(self, store_for: Callable[[Judge], VerdictStore | None]) -> None:
        """Keep every member's own verdicts, so that none is paid for twice."""
        for label, member in self.members.items():
            if isinstance(member, CachesMembers):
                member.keep_in(store_for)
            elif (store := store_for(member)) is not None:
                self._graders[label] = Cached(self._meters[label], store, self._sources[label])

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Grade every item with every member.

        Raises:
            JostleError: A member stops for good; what is decided by then was handed on before.
        """
        for start in range(0, len(items), CHUNK):
            sheet = _Sheet(self.members, self._shared, start)
            try:
                for label, grader in self._graders.items():
                    for judgement in grader.grade(items[start : start + CHUNK]):
                        sheet.enter(label, judgement)
            except Exception:
                yield from sheet.results(only_decided=True)
                raise
            yield from sheet.results()


class _Sheet:
    """What the members said of one chunk of items, which begins at ``start``."""

    def __init__(self, labels: Iterable[str], shared: Mapping[str, Dimension], start: int) -> None:
        self._labels = list(labels)
        self._shared = shared
        self._start = start
        self._given: dict[tuple[int, str], dict[str, Judgement]] = {}
        self._costs: dict[int, list[Cost]] = {}

    def enter(self, label: str, judgement: Judgement) -> None:
        if judgement.cost is not None:  # paid for, be the dimension shared or not
            self._costs.setdefault(judgement.item, []).append(judgement.cost)
        if judgement.dimension in self._shared:
            key = (judgement.item, judgement.dimension)
            self._given.setdefault(key, {})[label] = judgement

    def results(self, only_decided: bool = False) -> Iterator[Judgement]:
        """Yield the panel's verdicts, without those that a member not asked yet could still decide."""
        for (index, name), verdicts in self._given.items():
            failed = any(verdict.value is None for verdict in verdicts.values())
            if only_decided and not failed and len(verdicts) < len(self._labels):
                continue
            yield from self._combine(index, self._shared[name], verdicts)

    def _combine(
        self, index: int, dimension: Dimension, verdicts: Mapping[str, Judgement]
    ) -> Iterator[Judgement]:
        values = {label: verdict.value for label, verdict in verdicts.items()}
        names = (dimension.name, dimension.name + SPREAD)
        raw = panel_raw(verdicts)
        missing = [label for label in self._labels if values.get(label) is None]
        # A member that failed tells more than one that was not asked.
        missing.sort(key=lambda label: label not in verdicts)
        for position, name in enumerate(names):
            common: dict[str, Any] = {
                "item": self._start + index,
                "dimension": name,
                "raw": raw,
                "cost": summed(costs) if (costs := self._costs.pop(index, None)) else None,
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
            mean, spread = sum(numbers) / len(numbers), max(numbers) - min(numbers)
            in_words = ", ".join(f"{label} {value:g}" for label, value in values.items())
            yield Judgement(value=round(spread if position else mean, 6), reason=in_words, **common)


def _entry(entry: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, Mapping) and len(entry) == 1:
        name, options = next(iter(entry.items()))
        if options is None or isinstance(options, Mapping):
            return str(name), dict(options or {})
    raise PluginError("members of a panel are written '- name' or '- name: {option: value}'")


def _twice(one: str, other: str) -> PluginError:
    # They would share one verdict, and their agreement would be that of a judge with itself.
    return PluginError(
        f"members {one!r} and {other!r} of the panel are the same judge; to ask a judge several"
        " times, list it by itself with repeats: 2"
    )


def _scale(dimension: Dimension) -> tuple[str, float, float, bool | None]:
    return dimension.name, dimension.low, dimension.high, dimension.higher_is_better


def _shared(members: Sequence[Judge]) -> dict[str, Dimension]:
    first, *others = members
    shared: dict[str, Dimension] = {}
    for dimension in first.dimensions:
        alike = [d for m in others for d in m.dimensions if _scale(d) == _scale(dimension)]
        if len(alike) == len(others):
            needs = dict.fromkeys(need for d in (dimension, *alike) for need in d.needs)
            shared[dimension.name] = dimension.model_copy(update={"needs": tuple(needs)})
    if not shared:
        raise PluginError("the members of the panel share no dimension on the same scale")
    return shared
