"""Stage ``generations``: every subject answers every variant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.config import SubjectSpec, Suite
from harness.models.provenance import mismatches
from harness.models.subjects import OpenSubjects
from harness.pipeline.session import Session, StageReport
from harness.pipeline.stage import Stage, StageContext, keep_current
from harness.pipeline.stage_file import StageFile
from harness.records import IDENTITY, Completion, Generation, Request, Variant, key_fields
from harness.util.digest import derived_seed, digest
from harness.util.progress import Task


@dataclass(frozen=True)
class AnswerRequest:
    """One answer that is wanted.

    Attributes:
        made_from: Digest of all that decides the answer; requests that share it are asked once.
    """

    subject: str
    variant: Variant
    repeat: int
    request: Request
    made_from: str

    @property
    def key(self) -> tuple[Hashable, ...]:
        """Name the answer within a run, as :attr:`Generation.key` does."""
        return (self.subject, self.variant.variant_key, self.repeat)

    def record(self, completion: Completion) -> Generation:
        """Build the record of the answer."""
        return Generation(
            **key_fields(self.variant.variant_key),
            subject=self.subject,
            repeat=self.repeat,
            completion=completion,
            made_from=self.made_from,
        )


def generate(context: StageContext, report: StageReport) -> None:
    """Have every subject answer every valid variant; answers that are up to date are kept.

    Subjects that share base weights share one load. Identical requests are asked once, except
    ``identity`` variants, which bypass cache and de-duplication and go in a batch of their own.
    """
    session, suite = context.session, context.session.suite
    variants = [variant for variant in context.records(Variant) if variant.status == "valid"]
    asked = sum(suite.suite.answers_to(variant.perturbation) for variant in variants)
    total = asked * len(suite.subjects)
    digests: list[str] = []
    models: dict[str, dict[str, str]] = {}
    file = session.run.file(Generation)
    with closing(file), session.progress.stage("generate", total) as task:
        for group in suite.subjects_by_base():
            with closing(context.open_model(group)) as subjects:
                for warning in (*subjects.warnings, *_mismatches(session, subjects, group)):
                    session.warn(warning)
                models |= {spec.name: subjects.fingerprint(spec.name) for spec in group}
                session.update(models=models)
                requests = list(answer_requests(suite, subjects, group, variants))
                digests += [request.made_from for request in requests]
                wanted = {request.key: request.made_from for request in requests}
                names = [spec.name for spec in group]
                done = keep_current(session, file, names, wanted, lambda g: g.completion.error)
                task.advance(len(done))
                report.counts["already_there"] += len(done)
                todo = [request for request in requests if request.key not in done]
                _answer(session, subjects, todo, file, task, report)
    for generation in session.run.read(Generation):
        failure = generation.completion.error
        report.counts[f"failed_{failure.kind}" if failure else "answered"] += 1
    report.made_from = digest(sorted(digests))


def _mismatches(
    session: Session, subjects: OpenSubjects, group: Iterable[SubjectSpec]
) -> Iterator[str]:
    """Yield where an adapter or model of ours is used otherwise than it was trained."""
    training_data = [
        data[key]
        for data in session.manifest.data.get("training", ())
        for key in ("file_sha256", "content_sha256")
        if key in data
    ]
    for spec in group:
        rendering = subjects.renderer(spec.name).fingerprint
        # An endpoint has no weights to show.
        base = subjects.fingerprint(spec.name).get("weights")
        for path, weights in (*((part.path, base) for part in spec.adapters), (spec.model, None)):
            yield from mismatches(
                Path(path).expanduser(),
                base_weights_sha256=weights,
                rendering=rendering,
                training_data=training_data,
            )


def answer_requests(
    suite: Suite, subjects: OpenSubjects, group: Iterable[SubjectSpec], variants: Sequence[Variant]
) -> Iterator[AnswerRequest]:
    """Yield what is asked of each subject for each variant, repeats included."""
    for spec in group:
        renderer = subjects.renderer(spec.name)
        fingerprint = subjects.fingerprint(spec.name)
        for variant in variants:
            prompt = renderer.prompt(variant.messages)
            conversation = renderer.conversation(variant.messages)
            for repeat in range(suite.suite.answers_to(variant.perturbation)):
                seed = (
                    derived_seed(suite.suite.seed, *variant.variant_key, repeat)
                    if spec.generation.temperature > 0
                    else 0
                )
                request = Request(
                    prompt=prompt,
                    messages=conversation,
                    settings=spec.generation,
                    seed=seed,
                    adapter=subjects.adapter(spec.name),
                )
                content = request.model_dump(exclude={"adapter"}, mode="json")
                identity = variant.replicate + 1 if variant.perturbation == IDENTITY else 0
                made_from = digest([fingerprint, content, identity])
                yield AnswerRequest(spec.name, variant, repeat, request, made_from)


def _answer(
    session: Session,
    subjects: OpenSubjects,
    todo: Sequence[AnswerRequest],
    file: StageFile[Generation],
    task: Task,
    report: StageReport,
) -> None:
    """Answer all requests and write each answer as it comes."""
    for answered in answers(session, subjects, todo):
        same = answered.requests
        file.append(*(wanted.record(answered.completion) for wanted in same))
        task.advance(len(same))
        if answered.cached:
            report.counts["from_cache"] += len(same)
        else:
            report.counts["asked"] += 1
            report.counts["shared"] += len(same) - 1


class Answered(NamedTuple):
    """An answer, the requests that it is for, and whether the cache had it."""

    requests: Sequence[AnswerRequest]
    completion: Completion
    cached: bool


def answers(
    session: Session, subjects: OpenSubjects, todo: Iterable[AnswerRequest]
) -> Iterator[Answered]:
    """Answer from the cache what it holds, then ask for the rest; identical requests are one."""
    shared: dict[str, list[AnswerRequest]] = defaultdict(list)
    unshared: list[list[AnswerRequest]] = []
    for wanted in todo:
        if wanted.variant.perturbation == IDENTITY:
            unshared.append([wanted])
        else:
            shared[wanted.made_from].append(wanted)
    if subjects.durable:
        for made_from, value in session.cache.get(shared).items():
            completion = Completion.model_validate_json(value)
            yield Answered(shared.pop(made_from), completion, cached=True)
    for batch, kept in ((list(shared.values()), subjects.durable), (unshared, False)):
        if not batch:
            continue
        for index, completion in subjects.model.complete([same[0].request for same in batch]):
            same = batch[index]
            if kept and completion.error is None:
                session.cache.put({same[0].made_from: completion.model_dump_json()})
            yield Answered(same, completion, cached=False)


STAGE = Stage("generations", generate)
