"""The smallest edits of a kind that stand by themselves, for a search that combines them.

A kind proposes whole variants: an article may change with its noun, a particle goes with its verb.
Many proposals tell which edits belong together: what an edit brings with it in *every* proposal is
its unit. Units are combined only where the kind has proposed both at once, or where they touch
different sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import pairwise

from harness.errors import JostleError, PluginError
from harness.protocols import ProposesMany
from harness.records import Edit, Sample
from harness.text.edits import apply_edits, find_edits, normalised
from harness.text.parse import Text
from harness.util.digest import derived_rng
from harness.variants.kinds import Kind

PROPOSALS = 24
"""Random proposals of each severity that the units are read off."""

Edits = tuple[Edit, ...]


class EditUnits:
    """The units of one kind on one prompt, in order of first appearance.

    Args:
        text: The prompt as the kind sees it.
        kind: What proposes.
        proposals: Sets of edits that it proposed.
    """

    def __init__(self, text: Text, kind: Kind, proposals: Sequence[Edits]) -> None:
        self._text = text
        self._one_story = kind.traits.one_story
        self._proposals = [frozenset(edits) for edits in proposals]
        self.units: list[Edits] = list(dict.fromkeys(self._units()))

    @classmethod
    def of(cls, kinds: Sequence[Kind], sample: Sample, text: Text, seed: int) -> EditUnits:
        """Ask a kind for proposals, each from a random stream of its own, and read its units off.

        The first of ``kinds`` is the one that is searched, the others are it at lighter severities:
        a heavy kind may propose all that it knows every time, and then nothing stands alone.
        """
        proposals: list[Edits] = []
        for kind in kinds:
            streams = [
                derived_rng(seed, sample.id, kind.name, kind.severity, "search", number)
                for number in range(PROPOSALS)
            ]
            if isinstance(kind.plugin, ProposesMany):
                proposed = kind.plugin.many([(text, rng) for rng in streams])
            else:
                proposed = [_proposal(kind, text, rng) for rng in streams]
            proposals += _edit_sets(text.raw, proposed)
        return cls(text, kinds[0], proposals)

    def combined(self, edits: Edits, unit: Edits) -> Edits | None:
        """Return both together; None where they do not go together."""
        if not edits:
            return unit
        both = frozenset((*edits, *unit))
        if self._one_story or len(both) == len(edits):
            return None
        ordered = normalised(self._text.raw, list(both))
        if any(a.end >= b.start for a, b in pairwise(ordered)):
            return None  # they overlap, or touch
        shared = self._sentences(edits) & self._sentences(unit)
        beside = [edit for edit in edits if self._sentences([edit]) & shared]
        if beside and not any(
            proposal.issuperset((*beside, *unit)) for proposal in self._proposals
        ):
            return None
        return ordered

    def _units(self) -> Iterator[Edits]:
        closures = {}
        for edit in dict.fromkeys(
            e for proposal in self._proposals for e in sorted_edits(proposal)
        ):
            with_it = [proposal for proposal in self._proposals if edit in proposal]
            closures[edit] = reduce(frozenset.intersection, with_it)
        distinct = dict.fromkeys(closures.values())
        for closure in distinct:
            if not any(closure < other for other in distinct):
                yield sorted_edits(closure)

    def _sentences(self, edits: Iterable[Edit]) -> set[int]:
        return {
            number
            for edit in edits
            for number, (start, end) in enumerate(self._text.sentences)
            if edit.start <= end and start <= edit.end
        }


def sorted_edits(edits: Iterable[Edit]) -> Edits:
    """Return edits by position."""
    return tuple(sorted(edits, key=lambda e: (e.start, e.end, e.text)))


def _proposal(kind: Kind, text: Text, rng: object) -> Sequence[Edit] | str | PluginError | None:
    try:
        proposal: Sequence[Edit] | str | None = kind.plugin(text, rng)  # type: ignore[arg-type]
    except Exception as error:  # a plug-in's fault costs a candidate, never the run
        if isinstance(error, JostleError) and not isinstance(error, PluginError):
            raise
        return PluginError(str(error))
    return proposal


def _edit_sets(
    raw: str, proposed: Iterable[Sequence[Edit] | str | PluginError | None]
) -> Iterator[Edits]:
    for proposal in proposed:
        if proposal is None or isinstance(proposal, PluginError):
            continue
        if isinstance(proposal, str):
            edits = find_edits(raw, proposal)
        else:
            edits = normalised(raw, proposal)
            try:
                apply_edits(raw, edits)
            except PluginError:
                continue
        if edits:
            yield edits
