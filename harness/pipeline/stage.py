"""What a stage of a run is, and what it works with.

To add a stage: write a file in ``harness/pipeline/stages/`` that ends in a ``STAGE``, add its record
to ``harness/records.py`` (a :class:`~harness.records.StageRecord`, which names its own file), and
put the stage into the list in ``harness/pipeline/runner.py``. Its state in the manifest, resuming
and the command line follow from the list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from harness.config import SubjectSpec
from harness.models.subjects import OpenSubjects
from harness.pipeline.assemble import Parts
from harness.pipeline.session import Session, StageReport
from harness.pipeline.stage_file import StageFile
from harness.records import Failure, Generation, Probe, Search, StageRecord

R = TypeVar("R", bound=StageRecord)
AnswerT = TypeVar("AnswerT", Generation, Probe, Search)
OpenModel = Callable[[Sequence[SubjectSpec]], OpenSubjects]


@dataclass(frozen=True)
class StageContext:
    """What every stage works with.

    Attributes:
        render: Writes the report of a run folder and returns its path.
        open_model: Loads a group of subjects that share base weights.
    """

    session: Session
    parts: Parts
    render: Callable[[Path], Path]
    open_model: OpenModel
    _handed_on: dict[type[StageRecord], Sequence[Any]] = field(default_factory=dict)

    def hand_on(self, kind: type[R], records: Iterable[R]) -> None:
        """Give a stage's records to the stages after it, in the order in which they are to be used."""
        self._handed_on[kind] = list(records)

    def records(self, kind: type[R]) -> Sequence[R]:
        """Return what an earlier stage handed on, or what the run's file holds."""
        if kind in self._handed_on:
            return self._handed_on[kind]
        return self.session.run.read(kind)


def keep_current(
    session: Session,
    file: StageFile[AnswerT],
    subjects: Collection[str],
    made_from: Mapping[tuple[Hashable, ...], str],
    failure_of: Callable[[AnswerT], Failure | None],
) -> set[tuple[Hashable, ...]]:
    """Keep what some subjects gave where it is up to date, and return its keys.

    Records of the suite's other subjects stay as they are; all others are set aside.
    """
    others = {spec.name for spec in session.suite.subjects}.difference(subjects)

    def stays(record: AnswerT) -> bool:
        if record.subject in others:
            return True
        failure = failure_of(record)
        if failure is not None and (failure.transient or session.retry_failed):
            return False
        return made_from.get(record.key) == record.made_from

    return {record.key for record in file.keep(stays) if record.subject not in others}


@dataclass(frozen=True)
class Stage:
    """One step from data to report; it resumes from its own records.

    Attributes:
        name: Names its state in the manifest.
        run: Does the work, and fills in the report.
        applies: Whether a run has this stage at all.
    """

    name: str
    run: Callable[[StageContext, StageReport], None]
    applies: Callable[[Session], bool] = lambda _: True
