"""A judge whose verdicts are kept by content, so that none is paid for twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.protocols import Judge, VerdictStore
from harness.records import Dimension, JudgeItem, Judgement
from harness.util.digest import digest

NOTHING = "nothing to grade"
"""Stands in the store where a judge graded an item, and had nothing to say on one dimension."""


class Cached:
    """Grades what the store does not hold, and puts every score there as soon as it is known.

    Failures are not kept: they are worth another try. A verdict's key holds the judge's version,
    the item with its seed, and the dimension, so that a judge asked again on purpose (another
    seed) is asked again.

    Args:
        judge: Who grades.
        store: Where verdicts are kept.
        source: ``Registry.foreign_digest``: foreign code can change under the same version.
    """

    def __init__(self, judge: Judge, store: VerdictStore, source: str = "") -> None:
        self._judge = judge
        self._store = store
        self._source = source

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Grade every item: first what is kept, at no cost, then what has to be asked."""
        who = [self._judge.version, self._source]
        keys = {
            (index, dimension.name): digest(["verdict", *who, dimension.name, shown])
            for index, item in enumerate(items)
            for shown in [item.model_dump(mode="json")]
            for dimension in self._judge.dimensions
            if _applies(dimension, item)
        }
        stored = self._store.get(keys.values())
        for (index, _), key in keys.items():
            if stored.get(key, NOTHING) != NOTHING:
                verdict = Judgement.model_validate_json(stored[key])
                yield verdict.model_copy(update={"item": index})
        asked = sorted({index for (index, _), key in keys.items() if key not in stored})
        statuses: dict[int, dict[str, str]] = {}
        for judgement in self._judge.grade([items[index] for index in asked]) if asked else ():
            index = asked[judgement.item]
            statuses.setdefault(index, {})[judgement.dimension] = judgement.status
            key = keys.get((index, judgement.dimension), "")
            if key in stored:
                continue  # handed on above; only its siblings were missing
            if key and judgement.status == "scored":
                # Whoever takes it from the store pays nothing.
                text = judgement.model_copy(update={"item": 0, "cost": None}).model_dump_json()
                self._store.put({key: text})
            yield judgement.model_copy(update={"item": index})
        # The needs say what may apply, and the rubric alone knows what does: a dimension that was
        # passed over beside scores has nothing to grade, and is not worth a call again.
        silent = {
            key: NOTHING
            for (index, name), key in keys.items()
            if key not in stored
            and name not in statuses.get(index, {name: ""})
            and set(statuses[index].values()) == {"scored"}
        }
        if silent:
            self._store.put(silent)


def _applies(dimension: Dimension, item: JudgeItem) -> bool:
    """Return whether the item holds what the dimension needs; what it lacks is never graded."""
    available = {
        "reference": item.reference is not None,
        # A rubric may show the original question alone.
        "original_answer": item.original_answer is not None or item.original_question is not None,
        "opponent": item.opponent_answer is not None,
    }
    return all(available[need] for need in dimension.needs)
