"""Third stage: every subject answers every variant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from harness.config import SubjectSpec
from harness.models.provenance import mismatches
from harness.models.subjects import OpenSubjects
from harness.pipeline.session import Session, StageReport
from harness.pipeline.store import StageFile, generation_key
from harness.records import IDENTITY, Completion, Generation, Request, Variant, key_fields
from harness.util.digest import canonical_json, derived_seed, digest
from harness.util.progress import Task

OpenModel = Callable[[Sequence[SubjectSpec]], OpenSubjects]


class Ask(NamedTuple):
    """One answer that is wanted."""

    subject: str
    variant: Variant
    repeat: int
    request: Request
    content: str

    @property
    def key(self) -> tuple[object, ...]:
        """As ``store.generation_key``."""
        return (self.subject, self.variant.variant_key, self.repeat)

    def record(self, completion: Completion) -> Generation:
        """The answer as it is stored."""
        return Generation(
            **key_fields(self.variant.variant_key),
            subject=self.subject,
            repeat=self.repeat,
            completion=completion,
            made_from=self.content,
        )


def generate(session: Session, variants: Sequence[Variant], open_model: OpenModel) -> None:
    """Have every subject answer every valid variant; what is there already is not asked again.

    Subjects that share base weights share one load. Identical requests are asked once, except
    ``identity`` variants, which bypass cache and de-duplication and go in a batch of their own.
    """
    asked = [variant for variant in variants if variant.status == "valid"]
    groups: dict[str, list[SubjectSpec]] = defaultdict(list)
    for subject in session.suite.subjects:
        groups[canonical_json(subject.base)].append(subject)
    total = len(asked) * len(session.suite.subjects) * session.suite.suite.repeats
    file = session.run.file(Generation)
    with session.stage("generations") as report, closing(file):
        contents: list[str] = []
        models: dict[str, dict[str, str]] = {}
        with session.progress.stage("generate", total) as task:
            for group in groups.values():
                with closing(open_model(group)) as subjects:
                    for warning in (*subjects.warnings, *_provenance(session, subjects, group)):
                        session.warn(warning)
                    models |= {spec.name: subjects.fingerprint(spec.name) for spec in group}
                    session.update(models=models)
                    asks = list(_asks(session, subjects, group, asked))
                    contents += [ask.content for ask in asks]
                    done = _keep_current(session, file, group, asks)
                    task.advance(len(done))
                    report.count("already_there", len(done))
                    todo = [ask for ask in asks if ask.key not in done]
                    _answer(session, subjects, todo, file, task, report)
        file.close()
        for generation in session.run.read(Generation):
            failure = generation.completion.error
            report.count(f"failed_{failure.kind}" if failure else "answered")
        report.made_from = digest(sorted(contents))


def _provenance(
    session: Session, subjects: OpenSubjects, group: Iterable[SubjectSpec]
) -> Iterator[str]:
    """Where what Jostle trained, an adapter or a whole model, is used otherwise than it was trained."""
    named = [
        data[key]
        for data in session.manifest.data.get("training", ())
        for key in ("file_sha256", "content_sha256")
        if key in data
    ]
    for spec in group:
        rendering = subjects.renderer(spec.name).fingerprint
        # An endpoint has no weights to show.
        base = subjects.fingerprint(spec.name).get("weights")
        for part in spec.adapters:
            yield from mismatches(
                Path(part.path).expanduser(),
                base_weights_sha256=base,
                rendering=rendering,
                training_data=named,
            )
        whole = Path(spec.model).expanduser()
        yield from mismatches(whole, rendering=rendering, training_data=named)


def _keep_current(
    session: Session,
    file: StageFile[Generation],
    group: Sequence[SubjectSpec],
    asks: Sequence[Ask],
) -> set[tuple[object, ...]]:
    """Keys of this group's answers that stand; records of other groups are not touched."""
    others = {spec.name for spec in session.suite.subjects} - {spec.name for spec in group}
    wanted = {ask.key: ask.content for ask in asks}

    def is_current(record: Generation) -> bool:
        failure = record.completion.error
        if failure is not None and (failure.transient or session.retry_failed):
            return record.subject in others
        return record.subject in others or wanted.get(generation_key(record)) == record.made_from

    return {
        generation_key(record) for record in file.keep(is_current) if record.subject not in others
    }


def _asks(
    session: Session,
    subjects: OpenSubjects,
    group: Iterable[SubjectSpec],
    variants: Sequence[Variant],
) -> Iterable[Ask]:
    suite = session.suite.suite
    for spec in group:
        renderer = subjects.renderer(spec.name)
        fingerprint = subjects.fingerprint(spec.name)
        for variant in variants:
            prompt = renderer.prompt(variant.messages)
            conversation = renderer.conversation(variant.messages)
            for repeat in range(suite.repeats):
                seed = (
                    derived_seed(suite.seed, *variant.variant_key, repeat)
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
                yield Ask(spec.name, variant, repeat, request, made_from)


def _answer(
    session: Session,
    subjects: OpenSubjects,
    todo: Sequence[Ask],
    file: StageFile[Generation],
    task: Task,
    report: StageReport,
) -> None:
    again = [ask for ask in todo if ask.variant.perturbation == IDENTITY]
    first: dict[str, list[Ask]] = defaultdict(list)
    for ask in todo:
        if ask.variant.perturbation != IDENTITY:
            first[ask.content].append(ask)
    if subjects.durable:
        for content, value in session.cache.get(first).items():
            asks = first.pop(content)
            completion = Completion.model_validate_json(value)
            file.append(*(ask.record(completion) for ask in asks))
            task.advance(len(asks))
            report.count("from_cache", len(asks))
    for batch in (list(first.values()), [[ask] for ask in again]):
        if not batch:
            continue
        requests = [asks[0].request for asks in batch]
        for index, completion in subjects.model.complete(requests):
            asks = batch[index]
            file.append(*(ask.record(completion) for ask in asks))
            if subjects.durable and completion.error is None and batch[index][0] not in again:
                session.cache.put({asks[0].content: completion.model_dump_json()})
            task.advance(len(asks))
            report.count("asked")
            report.count("shared", len(asks) - 1)
