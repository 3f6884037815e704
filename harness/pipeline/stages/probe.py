"""The stage that asks: every subject is rated, continues and answers; what is there already stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from harness.config import SubjectSpec
from harness.data.loading import load
from harness.memorisation.canaries import Canary, read_key
from harness.memorisation.copying import TOO_SHORT
from harness.memorisation.probe_requests import (
    Ask,
    Training,
    answered,
    of_canaries,
    of_items,
    rated,
)
from harness.memorisation.prompt_choice import Item, choose
from harness.pipeline.session import Session, StageReport
from harness.pipeline.stage import Stage, StageContext
from harness.pipeline.stage_file import StageFile
from harness.records import Completion, Probe, Request, Sample, Scored, TokenLogprobs
from harness.util.digest import digest
from harness.util.formatting import listing
from harness.util.progress import Task

_ENDPOINT = "openai:"
_OF_THE_BASE = ("model", "revision", "dtype", "quantization")


def probe(context: StageContext, report: StageReport) -> None:
    """Probe every subject of the suite; a probe that fails is a record with its reason.

    Raises:
        DataError: The training data or the key of the canaries cannot be read.
    """
    session, parts = context.session, context.parts
    suite, spec = session.suite, session.suite.probes
    assert spec is not None
    _warn_of_other_bases(session)
    rows = [row for data in suite.training_data for row in load(data)]
    secrets = _secrets(session, rows)
    planted = {canary.prompt for canary in secrets}
    items = choose(
        [sample for sample in rows if sample.prompt not in planted],
        context.records(Sample),
        spec,
        parts.kinds,
        seed=suite.suite.seed,
        gate=parts.gate,
    )
    training = Training(rows, items)
    file = session.run.file(Probe)
    wanted: dict[Any, str] = {}
    with closing(file):
        for group in suite.subjects_by_base():
            _group(context, group, items, secrets, training, file, wanted, report)
        probes = file.keep(lambda record: wanted.get(record.key) == record.made_from)
    for record in probes:
        report.count(_ended(record))
    for name in ("training", "clean"):
        report.counts[name] = sum((i.group, i.form) == (name, "original") for i in items)
    report.counts["variants"] = sum(item.form == "variant" for item in items)
    report.made_from = digest(sorted(wanted.values()))


def _ended(record: Probe) -> str:
    """How a probe ended, for the counts of the stage."""
    if record.error is None:
        return "done"
    return "not_applicable" if record.error.kind == TOO_SHORT else f"failed_{record.error.kind}"


def _warn_of_other_bases(session: Session) -> None:
    """Say, before anything is asked, where a subject is not the baseline with adapters on top."""
    suite = session.suite
    baseline = next(one for one in suite.subjects if one.name == suite.baseline_name)
    for one in suite.subjects:
        differ = [name for name in _OF_THE_BASE if getattr(one, name) != getattr(baseline, name)]
        if differ:
            session.warn(
                f"{one.name} and the baseline {baseline.name} differ in {listing(differ)}: the probes"
                f" take {baseline.name} for the model that {one.name} was trained from, and put every"
                " difference between the two down to the training"
            )


def _secrets(session: Session, rows: Sequence[Sample]) -> Sequence[Canary]:
    """The planted canaries; a warning where the training data do not hold them as planted."""
    spec = session.suite.probes
    if spec is None or spec.canaries is None:
        return ()
    secrets = read_key(spec.canaries).canaries
    trained = [(s.prompt, s.reference) for s in rows]
    for canary in secrets:
        found = trained.count((canary.prompt, canary.response()))
        if found != canary.repeats:
            session.warn(
                f"{spec.canaries}: {canary.id} should stand {canary.repeats} times in the training"
                f" data, but stands there {found} times; name the file that --plant wrote"
            )
    return secrets


def _group(
    context: StageContext,
    group: Sequence[SubjectSpec],
    items: Sequence[Item],
    secrets: Sequence[Canary],
    training: Training,
    file: StageFile[Probe],
    wanted: dict[Any, str],
    report: StageReport,
) -> None:
    """All probes of the subjects that share one load."""
    session, spec = context.session, context.session.suite.probes
    assert spec is not None
    with closing(context.open_model(group)) as subjects:
        asks: list[Ask] = []
        for one in group:
            common: dict[str, Any] = {
                "subject": one.name,
                "renderer": subjects.renderer(one.name),
                "adapter": subjects.adapter(one.name),
                "fingerprint": subjects.fingerprint(one.name),
            }
            asks += of_items(
                items,
                spec,
                generation=one.generation,
                continues=not one.model.startswith(_ENDPOINT),
                training=training,
                **common,
            )
            asks += of_canaries(secrets, spec, seed=session.suite.suite.seed, **common)
        own = {ask.blank.key: ask.blank.made_from for ask in asks}
        wanted |= own
        names = {one.name for one in group}

        def stands(record: Probe) -> bool:
            if record.subject not in names:
                return True
            if record.error is not None and (record.error.transient or session.retry_failed):
                return False
            return own.get(record.key) == record.made_from

        done = {record.key for record in file.keep(stands) if record.subject in names}
        with session.progress.stage("probe", len(asks)) as task:
            task.advance(len(done))
            report.count("already_there", len(done))
            todo = [ask for ask in asks if ask.blank.key not in done]
            _work(context, subjects, todo, training, file, task)


def _work(
    context: StageContext,
    subjects: Any,
    todo: Sequence[Ask],
    training: Training,
    file: StageFile[Probe],
    task: Task,
) -> None:
    """Ask for what is neither there nor in the cache, and write each record as it comes."""
    from judges.rouge import RougeL

    rouge = RougeL().score
    session = context.session
    ready = [ask for ask in todo if ask.request is None]
    file.append(*(ask.blank for ask in ready))
    task.advance(len(ready))
    asks = [ask for ask in todo if ask.request is not None]
    cached = session.cache.get(ask.content for ask in asks) if subjects.durable else {}

    def write(ask: Ask, found: Completion | TokenLogprobs) -> None:
        if isinstance(found, TokenLogprobs):
            file.append(rated(ask, found))
        else:
            file.append(answered(ask, found, training, rouge))
        task.advance()

    for kind, reply, ask_model in (
        (Scored, TokenLogprobs, subjects.model.logprobs),
        (Request, Completion, subjects.model.complete),
    ):
        own = [ask for ask in asks if isinstance(ask.request, kind)]
        for ask in own:
            if ask.content in cached:
                write(ask, reply.model_validate_json(cached[ask.content]))
        missing = [ask for ask in own if ask.content not in cached]
        for index, found in _replies(ask_model, missing):
            write(missing[index], found)
            if subjects.durable and found.error is None:
                session.cache.put({missing[index].content: found.model_dump_json()})


def _replies(ask_model: Any, asks: Sequence[Ask]) -> Iterable[tuple[int, Any]]:
    return ask_model([ask.request for ask in asks]) if asks else ()


STAGE = Stage("probes", probe, applies=lambda session: session.suite.probes is not None)
