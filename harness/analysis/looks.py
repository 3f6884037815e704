"""Looks at a growing run: which were made, and what they mean for its tests.

Every analysis that saw new records is a look. Looks that were declared in the suite before the first
(``suite.looks``) share the error budget, see :mod:`harness.stats.sequential`; of others the report says
how many there were, and how often tests at 5 % then err.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from harness.analysis.summary_schema import Look
from harness.analysis.table import RunRecords, prompt_cluster
from harness.analysis.test_family import ALPHA
from harness.records import Record
from harness.stats.sequential import GroupSequential, false_alarm
from harness.util.formatting import figure, listing, plural

NEW_SHARE = 0.02
"""Up to this share of new records an analysis belongs to the look before it: a few answers that failed
and were asked again are no look at other data."""

_DIGITS = 12


class RecordedLook(Look):
    """A look as the run folder keeps it."""

    seen: tuple[str, ...] = Field(description="Digests of the source prompts that had an answer.")


class LookBook(Record):
    """All looks at a run, in their order: the file ``looks.json``."""

    version: Literal[1] = 1
    looks: tuple[RecordedLook, ...] = ()

    @property
    def plain(self) -> tuple[Look, ...]:
        """Return the looks without the prompts that they saw."""
        return tuple(Look(**look.model_dump(exclude={"seen"})) for look in self.looks)

    def with_analysis(self, records: RunRecords, declared: int | None) -> LookBook:
        """Return the book after an analysis: with one look more where it saw new records."""
        answered = [g.sample_id for g in records.generations if g.completion.text is not None]
        of_sample = {sample.id: prompt_cluster(sample)[:_DIGITS] for sample in records.samples}
        seen = {of_sample[id_] for id_ in answered if id_ in of_sample}
        known = {prompt for look in self.looks for prompt in look.seen}
        most = max((look.answers for look in self.looks), default=0)
        more = len(answered) > (1 + NEW_SHARE) * most
        if not (more or len(seen - known) > NEW_SHARE * len(seen)):
            return self
        look = RecordedLook(
            prompts=len(seen), answers=len(answered), declared=declared, seen=tuple(sorted(seen))
        )
        return LookBook(looks=(*self.looks, look))


def design_of(looks: Sequence[Look]) -> GroupSequential | None:
    """Return what the tests of the last look must allow for; None where its looks do not allow it.

    They do where all were declared alike before the first, are no more than that, and each rests on
    more answers than the one before it.
    """
    if not looks or _why_not(looks):
        return None
    return GroupSequential(looks[0].declared or 1, tuple(float(look.answers) for look in looks))


def _why_not(looks: Sequence[Look]) -> str:
    """Say why the error of several looks is not controlled; empty where it is."""
    declared = looks[0].declared
    if len(looks) == 1:
        return ""
    if declared is None:
        return "none was declared before the first"
    if any(look.declared != declared for look in looks):
        return "their number was declared anew in between"
    if len(looks) > declared:
        return f"only {declared} were declared"
    if any(a.answers >= b.answers for a, b in itertools.pairwise(looks)):
        return "the prompts were exchanged, not added to"
    return ""


def look_words(looks: Sequence[Look]) -> str | None:
    """Say what a reader must know of the looks at a run; None after one look that was the only one."""
    if not looks:
        return None
    sizes = listing([f"{look.prompts:,}" for look in looks])
    reason = _why_not(looks)
    if reason:
        rate = false_alarm(_rising(looks), ALPHA)
        return (
            f"This is look {len(looks)} at a growing run (after {sizes} prompts), and {reason}: a test"
            f" at 5% made at each of them errs in {figure(100 * rate, 0)}% of runs where nothing is"
            " true. Declare the looks beforehand (suite.looks), or confirm the finding on new prompts."
        )
    declared = looks[0].declared
    if declared is None or declared == 1:
        return None
    return (
        f"Look {len(looks)} of {plural(declared, 'declared look')} (after {sizes} prompts): tests and"
        " intervals of differences allow for all of them together."
    )


def _rising(looks: Sequence[Look]) -> list[float]:
    """Return the answers behind each look; where they did not grow, as if all of them were new."""
    sizes: list[float] = []
    for look in looks:
        last = sizes[-1] if sizes else 0.0
        sizes.append(float(look.answers) if look.answers > last else last + look.answers)
    return sizes
