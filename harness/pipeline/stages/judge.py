"""Stage ``scores``: every judge grades every answer, blind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from harness.judging.metered import Metered
from harness.judging.self_judging import check_self_judging
from harness.judging.traits import shown_texts, traits_of
from harness.pipeline.assemble import NamedJudge
from harness.pipeline.judge_ledger import ledger_entry, member_stores
from harness.pipeline.session import Session, StageReport
from harness.pipeline.stage import Stage, StageContext
from harness.protocols import CachesMembers
from harness.records import (
    ORIGINAL,
    Comparison,
    Dimension,
    Generation,
    JudgeItem,
    Judgement,
    Sample,
    Score,
    Variant,
    VariantKey,
    key_fields,
)
from harness.util.digest import derived_seed, digest
from harness.util.progress import Task


class ScoreSink(Protocol):
    """Takes scores as they come, as the stage's file does."""

    def append(self, *records: Score) -> None:
        """Take these scores."""
        ...


@dataclass(frozen=True)
class Expected:
    """A score that is wanted, and the item that it is given for; without, the score says why."""

    score: Score
    dimension: Dimension
    item: JudgeItem | None = None


@dataclass(frozen=True)
class AnswerLookup:
    """What a judge is shown beside an answer: samples, variants and other answers, by their keys."""

    samples: Mapping[str, Sample]
    variants: Mapping[VariantKey, Variant]
    answers: Mapping[tuple[Hashable, ...], Generation]
    baseline: str
    seed: int

    def original(self, generation: Generation) -> Generation | None:
        """Return the same subject's answer to the original prompt."""
        key = VariantKey(generation.sample_id, ORIGINAL, "none", 0)
        return self.answers.get((generation.subject, key, generation.repeat))

    def opponent(self, generation: Generation) -> Generation | None:
        """Return the baseline's answer to the same variant."""
        return self.answers.get((self.baseline, generation.variant_key, generation.repeat))


def judge(context: StageContext, report: StageReport) -> None:
    """Have every judge grade every answer; scores that are up to date are kept.

    A dimension whose needs cannot be met by the data (no reference) gives no record; one whose
    needs failed (no answer to the original) gives a record with the reason.

    Raises:
        PluginError: A judge has the base weights of a subject and the suite does not allow it.
    """
    session, judges, run = context.session, context.parts.judges, context.session.run
    for named in judges:
        warning = check_self_judging(named.label, named.judge, session.manifest.models)
        if warning is not None:
            session.warn(warning)
    generations = run.read(Generation)
    lookup = AnswerLookup(
        samples={sample.id: sample for sample in run.read(Sample)},
        variants={variant.variant_key: variant for variant in run.read(Variant)},
        answers={g.key: g for g in generations},
        baseline=session.suite.baseline_name,
        seed=session.suite.suite.seed,
    )
    wanted = {
        named.label: [e for g in generations for e in expected_scores(named, g, lookup)]
        for named in judges
    }
    digests = {e.score.key: e.score.made_from for expected in wanted.values() for e in expected}
    file = run.file(Score)
    with closing(file):
        scores = file.keep(
            lambda score: (
                digests.get(score.key) == score.made_from
                and not (score.status == "error" and (score.transient or session.retry_failed))
                and not (score.status in ("unparsed", "refused") and session.retry_failed)
            )
        )
        done = {score.key for score in scores}
        report.counts["already_there"] += len(done)
        for named in judges:
            expected = wanted[named.label]
            todo = [e for e in expected if e.score.key not in done]
            with session.progress.stage(f"judge: {named.label}", len(expected)) as task:
                task.advance(len(expected) - len(todo))
                grade(session, named, todo, file, task, report)
    for score in run.read(Score):
        report.counts[score.status] += 1
    report.made_from = digest(sorted(digests.values()))


def expected_scores(
    named: NamedJudge, generation: Generation, lookup: AnswerLookup
) -> Iterator[Expected]:
    """Yield the scores that a judge can give an answer, each with the item to be judged."""
    version, texts = named.judge.version, shown_texts(named.judge)
    for dimension in named.judge.dimensions:
        compares = "opponent" in dimension.needs
        absent = {
            "reference": lookup.samples[generation.sample_id].reference is None,
            "original_answer": generation.variant_key.perturbation == ORIGINAL,
            "opponent": generation.subject == lookup.baseline,
        }
        if any(absent.get(need) for need in dimension.needs):
            continue
        missing = _missing_answer(generation, dimension, lookup)
        for repeat in range(named.repeats):
            item = None if missing else _item(generation, dimension, lookup, repeat, texts)
            shown = {"missing": missing} if item is None else item.model_dump(mode="json")
            if not compares:
                shown.pop("seed", None)
            yield Expected(
                Score(
                    **key_fields(generation.variant_key),
                    judge=named.label,
                    dimension=dimension.name,
                    version=version,
                    subject=generation.subject,
                    repeat=generation.repeat,
                    judge_repeat=repeat,
                    comparison=Comparison(opponent=lookup.baseline, order="both")
                    if compares
                    else None,
                    status="error",
                    reason=missing,
                    transient=bool(missing),
                    made_from=digest([version, named.source, dimension.name, repeat, shown]),
                ),
                dimension,
                item,
            )


def _missing_answer(
    generation: Generation, dimension: Dimension, lookup: AnswerLookup
) -> str | None:
    needed: list[tuple[str, Generation | None]] = [("no answer", generation)]
    if "original_answer" in dimension.needs:
        needed.append(("no answer to the original prompt", lookup.original(generation)))
    if "opponent" in dimension.needs:
        needed.append((f"no answer of {lookup.baseline}", lookup.opponent(generation)))
    for what, answer in needed:
        if answer is None:
            return what
        if answer.completion.error is not None:
            return f"{what}: {answer.completion.error.kind}"
    return None


def _item(
    generation: Generation,
    dimension: Dimension,
    lookup: AnswerLookup,
    repeat: int,
    texts: Collection[str],
) -> JudgeItem:
    """Build what the judge sees: no text that it does not look at, so that cached verdicts fit."""
    variant = lookup.variants[generation.variant_key]
    sample = lookup.samples[generation.sample_id]
    is_original = variant.perturbation == ORIGINAL
    original = lookup.original(generation) if not is_original else None
    opponent = lookup.opponent(generation) if "opponent" in dimension.needs else None
    beside = {
        "reference": sample.reference,
        "original_question": None if is_original else sample.prompt,
        "original_answer": None if original is None else original.completion.text,
    }
    return JudgeItem(
        question=variant.prompt,
        answer=generation.completion.text or "",
        conversation=variant.messages[:-1],
        **{name: text for name, text in beside.items() if name in texts},
        opponent_answer=None if opponent is None else opponent.completion.text,
        finish_reason=generation.completion.finish_reason,
        is_original=is_original,
        seed=derived_seed(lookup.seed, *generation.variant_key, generation.repeat, repeat),
    )


def grade(
    session: Session,
    named: NamedJudge,
    todo: Sequence[Expected],
    file: ScoreSink,
    task: Task,
    report: StageReport,
) -> None:
    """Grade what is wanted, from the cache or by the judge, and hand each score to ``file``."""
    durable = traits_of(named.judge).durable
    meter = Metered(named.judge)
    cached = session.cache.get(e.score.made_from for e in todo if e.item is not None)
    rows: dict[tuple[object, ...], list[Expected]] = defaultdict(list)
    for expected in todo:
        if expected.item is None:
            file.append(expected.score)
            task.advance()
        elif expected.score.made_from in cached:
            judgement = Judgement.model_validate_json(cached[expected.score.made_from])
            # It was paid for by the run that asked.
            file.append(_scored(expected, judgement.model_copy(update={"cost": None})))
            task.advance()
            report.counts["from_cache"] += 1
        else:
            rows[_row(expected)].append(expected)
    calls = _calls(rows.values())
    with (
        ledger_entry(session, named.label, meter) as update_ledger,
        member_stores(session) as store_for,
        # Closed before the ledger is: what is cancelled under way is charged all the same.
        closing(meter.grade([call[0].item for call in calls if call[0].item])) as grading,
    ):
        if isinstance(named.judge, CachesMembers):
            named.judge.keep_in(store_for)
        for judgement in grading:
            update_ledger()
            call = calls[judgement.item]
            matched = [e for e in call if e.score.dimension == judgement.dimension]
            # Nothing matches where that dimension has its score and only its siblings were missing.
            call[:] = [e for e in call if e.score.dimension != judgement.dimension]
            # One call, one cost: answers that share it do not pay it again.
            unpaid = judgement.model_copy(update={"cost": None})
            file.append(*(_scored(e, unpaid if n else judgement) for n, e in enumerate(matched)))
            if matched and judgement.status == "scored" and durable:
                session.cache.put({matched[0].score.made_from: judgement.model_dump_json()})
            task.advance(len(matched))
            report.counts["judged"] += min(1, len(matched))
            report.counts["shared"] += max(0, len(matched) - 1)
    for expected in (left for call in calls for left in call):
        lost = {"reason": "the judge returned nothing for this item", "transient": True}
        file.append(expected.score.model_copy(update=lost))
        task.advance()


def _row(expected: Expected) -> tuple[object, ...]:
    """Name what one call of the judge covers: all dimensions of an answer that need the same texts."""
    score = expected.score
    compares = score.comparison is not None
    return (score.subject, score.variant_key, score.repeat, score.judge_repeat, compares)


def _calls(rows: Iterable[list[Expected]]) -> list[list[Expected]]:
    """Join rows that show the judge the very same texts into one call."""
    calls: dict[tuple[str, ...], list[Expected]] = {}
    for row in rows:
        calls.setdefault(tuple(e.score.made_from for e in row), []).extend(row)
    return list(calls.values())


def _scored(expected: Expected, judgement: Judgement) -> Score:
    dimension = expected.dimension
    value, status, reason = judgement.value, judgement.status, judgement.reason
    if status == "scored" and (value is None or not dimension.low <= value <= dimension.high):
        status, reason = "error", f"value {value} is outside {dimension.low} to {dimension.high}"
    return expected.score.model_copy(
        update={
            "value": value if status == "scored" else None,
            "status": status,
            "reason": reason,
            "raw": judgement.raw,
            "transient": judgement.transient,
            "cost": judgement.cost,
        }
    )


STAGE = Stage("scores", judge)
