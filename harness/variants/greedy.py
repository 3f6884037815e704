"""Greedy search over edits for the rewording that hurts a subject most, one prompt and one kind.

From the original on, the units of a kind are tried one by one on top of what has hurt most so far;
the one that hurts more is taken in, until nothing hurts more or the budget of answers is spent. No
round takes more than half of what is left, so that a prompt with many places leaves something for
combinations. The search asks nobody itself: it names candidates and is told how they went.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.records import SearchTrial
from harness.text.edits import apply_edits
from harness.text.parse import Text
from harness.variants.checks import Passage
from harness.variants.edit_units import Edits, EditUnits
from harness.variants.gate import Gate
from harness.variants.kinds import Kind

LEAST_HARM = 1e-9
"""Less than this is rounding, not harm."""


@dataclass(frozen=True)
class Candidate:
    """A rewording that passed the explicit checks; whether it is close enough remains to be judged."""

    edits: Edits
    unit: int
    passage: Passage


@dataclass(eq=False)
class GreedySearch:
    """The state of one search.

    Attributes:
        text: The prompt as the kind sees it.
        budget: Answers that it may ask for.
        before: Score of the original's answer.
        sign: 1 where a lower score is worse, -1 where a higher one is.
        trials: What was asked, in order.
        answers: The answers to the trials.
        rejected: Candidates that a gate stopped.
        ended: Why it is over; None while it goes on.
    """

    text: Text
    kind: Kind
    units: EditUnits
    budget: int
    before: float
    sign: float
    trials: list[SearchTrial] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    rejected: int = 0
    ended: Literal["settled", "budget", "no_candidate"] | None = None
    _worst: int | None = None
    _open: list[int] = field(default_factory=list)
    _alone: dict[int, float] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._seen.add(self.text.raw)
        self._open = list(range(len(self.units.units)))

    @property
    def worst(self) -> SearchTrial | None:
        """Return what hurts most; None where nothing hurts."""
        return None if self._worst is None else self.trials[self._worst]

    @property
    def worst_answer(self) -> str | None:
        """Return the answer to what hurts most."""
        return None if self._worst is None else self.answers[self._worst]

    def next_candidates(self, gate: Gate) -> list[Candidate]:
        """Return what is to be tried next, at most half of the budget that is left.

        Without candidates the search is over.
        """
        left = self.budget - len(self.trials)
        candidates: list[Candidate] = []
        while self._open and len(candidates) < math.ceil(left / 2):
            candidate = self._candidate(self._open.pop(0), gate)
            if candidate is not None:
                candidates.append(candidate)
        if not candidates:
            self.ended = self._end()
        return candidates

    def raw(self, candidate: Candidate) -> str:
        """Return the text of a candidate."""
        return apply_edits(self.text.raw, candidate.edits)

    def reject(self) -> None:
        """Count a candidate that the gate found too far from the original."""
        self.rejected += 1

    def tell(self, candidate: Candidate, value: float | None, answer: str | None) -> None:
        """Note what the subject's answer to a candidate scored."""
        harm = None if value is None else self.sign * (self.before - value)
        self.trials.append(SearchTrial(edits=candidate.edits, value=value, harm=harm))
        self.answers.append(answer)
        if harm is not None and candidate.edits == self.units.units[candidate.unit]:
            self._alone[candidate.unit] = harm

    def close_round(self) -> None:
        """Take in what hurt more than all before; then every unit is open again on top of it."""
        worst = max(
            (i for i, trial in enumerate(self.trials) if trial.harm is not None),
            key=lambda i: (self.trials[i].harm or 0.0, -i),
            default=None,
        )
        harm = 0.0 if worst is None else self.trials[worst].harm or 0.0
        before = 0.0 if self.worst is None else self.worst.harm or 0.0
        if harm > LEAST_HARM:
            self._worst = worst
        if harm > before + LEAST_HARM:
            self._open = sorted(
                range(len(self.units.units)), key=lambda i: (-self._alone.get(i, 0.0), i)
            )
        if len(self.trials) >= self.budget:
            self.ended = "budget" if self._open else "settled"

    def _candidate(self, unit: int, gate: Gate) -> Candidate | None:
        base = () if self.worst is None else self.worst.edits
        edits = self.units.combined(base, self.units.units[unit])
        raw = None if edits is None else apply_edits(self.text.raw, edits)
        if edits is None or raw is None or raw in self._seen:
            return None
        self._seen.add(raw)
        limits = self.kind.traits.limits
        passage = gate.check(self.text, edits, severity=self.kind.severity, limits=limits)
        if isinstance(passage, str):
            self.rejected += 1
            return None
        return Candidate(edits, unit, passage)

    def _end(self) -> Literal["settled", "no_candidate"]:
        return "settled" if self.trials else "no_candidate"


def passed(
    searches: Sequence[GreedySearch], gate: Gate
) -> list[tuple[GreedySearch, list[Candidate]]]:
    """Return the next candidates of every search that goes on, those that pass both gates.

    A search whose candidates are all too far from the original is asked again.
    """
    ready: list[tuple[GreedySearch, list[Candidate]]] = []
    pending = [search for search in searches if search.ended is None]
    while pending:
        proposed = [(search, search.next_candidates(gate)) for search in pending]
        flat = [(search, candidate) for search, batch in proposed for candidate in batch]
        verdicts = gate.judge([(c.passage, s.kind.name, s.kind.traits.limits) for s, c in flat])
        accepted: dict[int, list[Candidate]] = {}
        for (search, candidate), verdict in zip(flat, verdicts, strict=True):
            if verdict.reason is None:
                accepted.setdefault(id(search), []).append(candidate)
            else:
                search.reject()
        ready += [(s, accepted[id(s)]) for s, batch in proposed if batch and id(s) in accepted]
        pending = [s for s, batch in proposed if batch and id(s) not in accepted]
    return ready
