"""Stage ``searches``: for each subject, the accepted rewording of a kind that hurts it most.

Kept apart from the random variants: its rewordings are chosen for their harm, so they say nothing
about a mean. Every subject gets the same budget of answers; candidates are answered and judged as all
else in a run is, from the same cache.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from harness.config import SubjectSpec
from harness.errors import DataError
from harness.models.subjects import OpenSubjects
from harness.pipeline.assemble import KindSearch
from harness.pipeline.session import Session, StageReport
from harness.pipeline.stage import Stage, StageContext, keep_current
from harness.pipeline.stages.generate import AnswerRequest, answer_requests, answers
from harness.pipeline.stages.judge import AnswerLookup, expected_scores, grade
from harness.records import (
    ORIGINAL,
    Failure,
    Generation,
    Sample,
    Score,
    Search,
    Variant,
)
from harness.util.digest import derived_rng, digest
from harness.variants.edit_units import PROPOSALS, EditUnits
from harness.variants.expand import prepare
from harness.variants.greedy import Candidate, GreedySearch, passed

VERSION = "1"
"""To be raised whenever a search may end otherwise: it is then made again."""

PROMPTS_AT_A_TIME = 32
"""Prompts searched together, in shared batches; an interruption loses at most so many."""


@dataclass(frozen=True)
class SearchJob:
    """One search that is wanted: who, on which prompt, by which kind."""

    sample: Sample
    subject: str
    search: KindSearch
    original: Generation
    made_from: str

    def record(self, greedy: GreedySearch | None, failure: Failure | None) -> Search:
        """Build the record of the finished search; without one, the original has no score."""
        kind, search = self.search.kind, self.search
        bare = Search(
            sample_id=self.sample.id,
            perturbation=kind.name,
            severity=kind.severity,
            subject=self.subject,
            judge=search.judge.label,
            dimension=search.dimension.name,
            budget=search.spec.budget,
            ended="not_scored",
            error=failure,
            made_from=self.made_from,
        )
        if greedy is None:
            return bare
        worst = greedy.worst
        return bare.model_copy(
            update={
                "ended": greedy.ended,
                "calls": len(greedy.trials),
                "before": greedy.before,
                "after": greedy.before if worst is None else worst.value,
                "worst": worst,
                "answer": greedy.worst_answer,
                "rejected": greedy.rejected,
                "trials": tuple(greedy.trials),
            }
        )

    @property
    def key(self) -> tuple[Hashable, ...]:
        """Name the search within a run, as :attr:`Search.key` does."""
        return (self.sample.id, self.search.kind.name, self.search.kind.severity, self.subject)


def search(context: StageContext, report: StageReport) -> None:
    """Search for every subject's worst case of every kind that the suite searches.

    Raises:
        DataError: A judge needs reference answers and no prompt has one.
    """
    session, suite = context.session, context.session.suite
    digests: list[str] = []
    file = session.run.file(Search)
    jobs = list(_jobs(context, report))
    with closing(file), session.progress.stage("search", len(jobs)) as task:
        for group in suite.subjects_by_base():
            names = [spec.name for spec in group]
            of_group = [job for job in jobs if job.subject in names]
            wanted = {job.key: job.made_from for job in of_group}
            digests += wanted.values()
            done = keep_current(session, file, names, wanted, lambda record: record.error)
            task.advance(len(done))
            report.counts["already_there"] += len(done)
            todo = [job for job in of_group if job.key not in done]
            if not todo:
                continue
            with closing(context.open_model(group)) as subjects:
                step = PROMPTS_AT_A_TIME
                for some in (todo[at : at + step] for at in range(0, len(todo), step)):
                    for record in _SearchRound(context, subjects, group).finish(some):
                        file.append(record)
                        task.advance()
    for record in session.run.read(Search):
        report.counts[record.ended] += 1
        report.counts["calls"] += record.calls
    report.made_from = digest(sorted(digests))


def _jobs(context: StageContext, report: StageReport) -> Iterator[SearchJob]:
    """Yield the searches that are wanted; a prompt without the reference that one needs is counted."""
    session, suite = context.session, context.session.suite
    samples = context.records(Sample)
    originals = {
        (g.subject, g.sample_id): g
        for g in session.run.read(Generation)
        if g.perturbation == ORIGINAL and g.repeat == 0
    }
    for wanted in context.parts.searches:
        drawn = _drawn(samples, wanted.spec.prompts, suite.suite.seed)
        if "reference" in wanted.dimension.needs:
            usable = [sample for sample in drawn if sample.reference is not None]
            report.counts["no_reference"] += len(drawn) - len(usable)
            if not usable:
                raise DataError(
                    f"search of {wanted.kind.name!r}: judge {wanted.judge.label!r} needs reference"
                    " answers, which the data have not; name another, as search: {judge: NAME}"
                )
            drawn = usable
        settings = [
            VERSION, PROPOSALS, suite.suite.seed, wanted.spec.budget, wanted.kind.name,
            [[kind.severity, kind.fingerprint] for kind in (wanted.kind, *wanted.lighter)], context.parts.gate.fingerprint,
            wanted.judge.label, wanted.judge.judge.version, wanted.judge.source, wanted.dimension.name,
        ]  # fmt: skip
        for spec in suite.subjects:
            for sample in drawn:
                original = originals.get((spec.name, sample.id))
                if original is not None:
                    made_from = digest([original.made_from, sample.made_from, settings])
                    yield SearchJob(sample, spec.name, wanted, original, made_from)


def _drawn(samples: Sequence[Sample], count: int | None, seed: int) -> list[Sample]:
    if count is None or count >= len(samples):
        return list(samples)
    places = derived_rng(seed, "search").sample(range(len(samples)), count)
    return [samples[place] for place in sorted(places)]


@dataclass
class _Collected:
    """Scores as they come."""

    scores: list[Score] = field(default_factory=list)

    def append(self, *records: Score) -> None:
        self.scores += records


class _NoTask:
    def advance(self, n: int = 1) -> None:
        pass


@dataclass
class _SearchRound:
    """Searches of one group of subjects, taken further round by round in shared batches."""

    context: StageContext
    subjects: OpenSubjects
    group: Sequence[SubjectSpec]
    transient: dict[int, Failure] = field(default_factory=dict)

    def finish(self, jobs: Sequence[SearchJob]) -> list[Search]:
        """Carry these searches to their end."""
        before = self._scores([(job, job.original, None) for job in jobs])
        running: dict[int, GreedySearch] = {}
        units: dict[tuple[str, int], tuple[EditUnits, GreedySearch]] = {}
        for number, (job, value) in enumerate(zip(jobs, before, strict=True)):
            if value is not None:
                running[number] = self._begun(job, value, units)
        gate = self.context.parts.gate
        while ready := passed(list(running.values()), gate):
            self._try({id(greedy): batch for greedy, batch in ready}, running, jobs)
        return [
            job.record(running.get(number), self._failure(job, running.get(number), number))
            for number, job in enumerate(jobs)
        ]

    def _begun(
        self,
        job: SearchJob,
        before: float,
        known: dict[tuple[str, int], tuple[EditUnits, GreedySearch]],
    ) -> GreedySearch:
        """Begin a search; subjects share the candidates of a prompt and kind."""
        kind, seed = job.search.kind, self.context.session.suite.suite.seed
        place = (job.sample.id, id(job.search))
        if place not in known:
            (prompt,) = prepare([job.sample], seed, "last")
            text = prompt.turns[-1].text
            if kind.severity in kind.traits.danger:
                text = text.without_danger
            units = EditUnits.of([kind, *job.search.lighter], job.sample, text, seed)
        else:
            units, text = known[place][0], known[place][1].text
        greedy = GreedySearch(text, kind, units, job.search.spec.budget, before, job.search.sign)
        known.setdefault(place, (units, greedy))
        return greedy

    def _try(
        self,
        ready: Mapping[int, Sequence[Candidate]],
        running: Mapping[int, GreedySearch],
        jobs: Sequence[SearchJob],
    ) -> None:
        """Ask one round of candidates of all searches, have them scored, and tell the searches."""
        tried: list[tuple[int, Candidate, Variant]] = []
        for number, greedy in running.items():
            for place, candidate in enumerate(ready.get(id(greedy), ())):
                tried.append((number, candidate, _variant(jobs[number], greedy, candidate, place)))
        generations = self._answers(tried, jobs)
        scores = self._scores(
            [
                (jobs[number], generation, variant)
                for (number, _, variant), generation in zip(tried, generations, strict=True)
            ]
        )
        for (number, candidate, _), generation, value in zip(
            tried, generations, scores, strict=True
        ):
            error = generation.completion.error
            if error is not None and error.transient:
                self.transient.setdefault(number, error)
            running[number].tell(candidate, value, generation.completion.text)
        for greedy in running.values():
            if id(greedy) in ready:
                greedy.close_round()

    def _answers(
        self, tried: Sequence[tuple[int, Candidate, Variant]], jobs: Sequence[SearchJob]
    ) -> list[Generation]:
        suite = self.context.session.suite
        requests: list[AnswerRequest] = []
        for spec in self.group:
            variants = [v for number, _, v in tried if jobs[number].subject == spec.name]
            asked = answer_requests(suite, self.subjects, [spec], variants)
            requests += (request for request in asked if request.repeat == 0)
        generations = {
            (request.subject, request.variant.variant_key): request.record(answered.completion)
            for answered in answers(self.context.session, self.subjects, requests)
            for request in answered.requests
        }
        return [generations[jobs[number].subject, v.variant_key] for number, _, v in tried]

    def _scores(
        self, judged: Sequence[tuple[SearchJob, Generation, Variant | None]]
    ) -> list[float | None]:
        """Score answers, to the original (no variant) or to a candidate; None where there is none."""
        values: list[float | None] = [None] * len(judged)
        # Apart by subject: two of them may be asked other texts under one key.
        by_search: dict[tuple[int, str], list[int]] = {}
        for place, (job, generation, variant) in enumerate(judged):
            if variant is None and job.search.before is not None:
                ok = generation.completion.error is None
                values[place] = job.search.before if ok else None
            else:
                by_search.setdefault((id(job.search), job.subject), []).append(place)
        for places in by_search.values():
            part = [judged[place] for place in places]
            for place, value in zip(places, _graded(self.context.session, part), strict=True):
                values[place] = value
        return values

    def _failure(self, job: SearchJob, greedy: GreedySearch | None, number: int) -> Failure | None:
        if greedy is not None:
            return self.transient.get(number)
        return job.original.completion.error or Failure(
            kind="no_score", message="the answer to the original was not scored", transient=True
        )


def _graded(
    session: Session, judged: Sequence[tuple[SearchJob, Generation, Variant | None]]
) -> list[float | None]:
    """Have the judge of one search grade answers, as the stage of the judges does."""
    wanted = judged[0][0].search
    lookup = AnswerLookup(
        samples={job.sample.id: job.sample for job, _, _ in judged},
        variants={
            generation.variant_key: variant or _original(job.sample)
            for job, generation, variant in judged
        },
        answers={job.original.key: job.original for job, _, _ in judged}
        | {generation.key: generation for _, generation, _ in judged},
        baseline=session.suite.baseline_name,
        seed=session.suite.suite.seed,
    )
    expected = [
        one
        for _, generation, _ in judged
        for one in expected_scores(wanted.judge, generation, lookup)
        if one.dimension.name == wanted.dimension.name and one.score.judge_repeat == 0
    ]
    collected = _Collected()
    grade(session, wanted.judge, expected, collected, _NoTask(), StageReport(interrupted=False))
    values = {(s.subject, s.variant_key): s.value for s in collected.scores}
    return [values.get((g.subject, g.variant_key)) for _, g, _ in judged]


def _original(sample: Sample) -> Variant:
    return Variant(sample_id=sample.id, perturbation=ORIGINAL, messages=sample.messages)


def _variant(job: SearchJob, greedy: GreedySearch, candidate: Candidate, place: int) -> Variant:
    """Return a candidate as a variant, named apart from the random ones."""
    return Variant(
        sample_id=job.sample.id,
        perturbation=f"search:{job.search.kind.name}",
        severity=job.search.kind.severity,
        replicate=len(greedy.trials) + place,
        messages=job.sample.with_prompt(greedy.raw(candidate)),
        edits=candidate.edits,
    )


def _has_searches(session: Session) -> bool:
    return any(spec.search is not None for spec in session.suite.perturbations)


STAGE = Stage("searches", search, applies=_has_searches)
