"""Stage ``probes``: every subject rates, continues and answers; finished probes stay."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from harness.analysis.memorisation_schema import TextShift
from harness.config import SubjectSpec
from harness.data.loading import load
from harness.errors import MissingPackage
from harness.memorisation.canaries import Canary, read_canary_key
from harness.memorisation.copying import TOO_SHORT, Closeness
from harness.memorisation.probe_requests import (
    ProbedSubject,
    ProbeRequest,
    PromptProbes,
    answer_record,
    canary_requests,
    rating_record,
)
from harness.memorisation.prompt_choice import ProbedPrompt, choose_prompts
from harness.memorisation.text_shift import SHIFT_VERSION, ComparedTexts, compared_texts, text_shift
from harness.memorisation.training_responses import TrainingResponses
from harness.models.subjects import OpenSubjects
from harness.pipeline.cache import Cache
from harness.pipeline.session import Session, StageReport
from harness.pipeline.stage import Stage, StageContext, keep_current
from harness.pipeline.stage_file import StageFile
from harness.records import Completion, Probe, Request, Sample, Scored, TokenLogprobs
from harness.text.embedding import embed, model_folder
from harness.util.digest import digest
from harness.util.formatting import listing
from harness.util.progress import Task

_ENDPOINT = "openai:"
_OF_THE_BASE = ("model", "revision", "dtype", "quantization")


@dataclass(frozen=True)
class _ProbeMaterial:
    """What every subject is probed with, and what its answers are compared with."""

    prompts: Sequence[ProbedPrompt]
    canaries: Sequence[Canary]
    training: TrainingResponses
    closeness: Closeness
    texts: ComparedTexts


def probe(context: StageContext, report: StageReport) -> None:
    """Probe every subject of the suite; a probe that fails is a record with its reason.

    Raises:
        DataError: The training data or the key of the canaries cannot be read.
    """
    session = context.session
    _warn_of_other_bases(session)
    material = _material(context)
    current: dict[tuple[Hashable, ...], str] = {}
    with closing(session.run.file(Probe)) as file:
        for group in session.suite.subjects_by_base():
            with closing(context.open_model(group)) as subjects:
                models = {one.name: subjects.fingerprint(one.name) for one in group}
                session.update(models=session.manifest.models | models)
                requests = list(_requests(session, subjects, group, material))
                current |= {r.record.key: r.record.made_from for r in requests}
                names = [one.name for one in group]
                done = keep_current(session, file, names, current, lambda record: record.error)
                with session.progress.stage("probe", len(requests)) as task:
                    task.advance(len(done))
                    report.counts["already_there"] += len(done)
                    todo = [r for r in requests if r.record.key not in done]
                    _ask(session, subjects, todo, material, file, task)
        for record in file.keep(lambda record: current.get(record.key) == record.made_from):
            report.counts[_ending(record)] += 1
    _compare_texts(session, material.texts)
    prompts = material.prompts
    for name in ("training", "clean"):
        report.counts[name] = sum((p.group, p.form) == (name, "original") for p in prompts)
    report.counts["variants"] = sum(p.form == "variant" for p in prompts)
    report.made_from = digest(sorted(current.values()))


def _warn_of_other_bases(session: Session) -> None:
    """Warn, before any request, where a subject is not the baseline with adapters on top."""
    suite = session.suite
    baseline = next(one for one in suite.subjects if one.name == suite.baseline_name)
    for subject in suite.subjects:
        differ = [name for name in _OF_THE_BASE if subject.base[name] != baseline.base[name]]
        if differ:
            session.warn(
                f"{subject.name} and the baseline {baseline.name} differ in {listing(differ)}: the"
                f" probes take {baseline.name} for the model that {subject.name} was trained from,"
                " and attribute every difference between the two to the training"
            )


def _material(context: StageContext) -> _ProbeMaterial:
    session, parts = context.session, context.parts
    suite, spec = session.suite, session.suite.probes
    assert spec is not None
    rows = [row for data in suite.training_data for row in load(data)]
    canaries = _canaries(session, spec.canaries, rows)
    planted = {canary.prompt for canary in canaries}
    prompts = choose_prompts(
        [row for row in rows if row.prompt not in planted],
        context.records(Sample),
        spec,
        suite.suite.seed,
        parts.kinds,
        parts.gate,
    )
    usable = [row for row in rows if row.prompt not in planted]
    return _ProbeMaterial(
        prompts,
        canaries,
        TrainingResponses(rows, prompts),
        Closeness(parts.closeness),
        compared_texts(usable, context.records(Sample), prompts, suite.suite.seed),
    )


def _compare_texts(session: Session, texts: ComparedTexts) -> None:
    """Measure how alike training and clean texts are, unless that is recorded of these texts."""
    assert session.suite.probes is not None
    wanted = digest([SHIFT_VERSION, session.suite.probes.match, texts.training, texts.clean])
    with closing(session.run.file(TextShift)) as file:
        if any(file.keep(lambda record: record.made_from == wanted)):
            return
        try:
            model_folder()
        except MissingPackage as error:
            session.warn(f"training and clean texts are not compared by topic: {error}")
            topics = None
        else:
            topics = embed
        file.append(
            text_shift(
                texts,
                seed=session.suite.suite.seed,
                embed=topics,
                match=session.suite.probes.match,
                made_from=wanted,
            )
        )


def _canaries(session: Session, key: str | None, rows: Sequence[Sample]) -> Sequence[Canary]:
    """Read the planted canaries; warn where the training data do not hold them as planted."""
    if key is None:
        return ()
    canaries = read_canary_key(key).canaries
    trained = [(s.prompt, s.reference) for s in rows]
    for canary in canaries:
        count = trained.count((canary.prompt, canary.response()))
        if count != canary.repeats:
            session.warn(
                f"{key}: {canary.id} should be in the training data {canary.repeats}"
                f" times, but is there {count} times; name the file that --plant wrote"
            )
    return canaries


def _requests(
    session: Session, subjects: OpenSubjects, group: Sequence[SubjectSpec], material: _ProbeMaterial
) -> Iterator[ProbeRequest]:
    spec = session.suite.probes
    assert spec is not None
    for one in group:
        subject = ProbedSubject(
            name=one.name,
            renderer=subjects.renderer(one.name),
            adapter=subjects.adapter(one.name),
            fingerprint=subjects.fingerprint(one.name),
            generation=one.generation,
            continues=not one.model.startswith(_ENDPOINT),
        )
        probes = PromptProbes(subject, spec, material.training.content)
        yield from probes.requests(material.prompts)
        yield from canary_requests(material.canaries, spec, subject, session.suite.suite.seed)


def _ask(
    session: Session,
    subjects: OpenSubjects,
    requests: Sequence[ProbeRequest],
    material: _ProbeMaterial,
    file: StageFile[Probe],
    task: Task,
) -> None:
    """Send the requests that are neither recorded nor in the cache."""

    def write(*records: Probe) -> None:
        file.append(*records)
        task.advance(len(records))

    write(*(r.record for r in requests if r.request is None))
    for request, reply in replies(session.cache, subjects, requests):
        if isinstance(reply, TokenLogprobs):
            write(rating_record(request, reply))
        else:
            write(answer_record(request, reply, material.training, material.closeness))


def replies(
    cache: Cache, subjects: OpenSubjects, requests: Sequence[ProbeRequest]
) -> Iterator[tuple[ProbeRequest, Completion | TokenLogprobs]]:
    """Yield the reply to every request that has one to send: from the cache, else from the model.

    What the model gives is put into the cache as it comes, failures aside.
    """
    requests = [r for r in requests if r.request is not None]
    cached = cache.get(r.content for r in requests) if subjects.durable else {}

    ways: Sequence[tuple[type, Any, Any]] = (
        (Scored, TokenLogprobs, subjects.model.logprobs),
        (Request, Completion, subjects.model.complete),
    )
    for kind, reply_type, send in ways:
        of_kind = [r for r in requests if isinstance(r.request, kind)]
        for request in of_kind:
            if request.content in cached:
                yield request, reply_type.model_validate_json(cached[request.content])
        missing = [r for r in of_kind if r.content not in cached]
        if not missing:
            continue
        for index, reply in send([r.request for r in missing]):
            if subjects.durable and reply.error is None:
                cache.put({missing[index].content: reply.model_dump_json()})
            yield missing[index], reply


def _ending(record: Probe) -> str:
    """Return how a probe ended, for the counts of the stage."""
    if record.error is None:
        return "done"
    return "not_applicable" if record.error.kind == TOO_SHORT else f"failed_{record.error.kind}"


STAGE = Stage("probes", probe, applies=lambda session: session.suite.probes is not None)
