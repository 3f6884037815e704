"""Every training row rated under the base and under every adapter on a half; replies are cached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from harness.analysis.test_family import BootstrapSettings
from harness.config import ProbesSection, SubjectSpec, grouped_by_base
from harness.errors import ModelError
from harness.memorisation.copying import Closeness
from harness.memorisation.counterfactual import Counterfactual, CounterfactualBase, recipe_of
from harness.memorisation.halves import HalfScores, HalvesTrainings, ScoredRows, counterfactual
from harness.memorisation.probe_requests import (
    ProbedSubject,
    PromptProbes,
    answer_record,
    rating_record,
)
from harness.memorisation.prompt_choice import ProbedPrompt
from harness.memorisation.training_responses import TrainingResponses
from harness.models.subjects import OpenSubjects
from harness.pipeline.cache import Cache
from harness.pipeline.stages.probe import replies
from harness.records import Probe, TokenLogprobs
from harness.stats.closed_forms import Floats
from harness.util.progress import Progress, Task
from training.config import TrainingConfig
from training.loading import device_of, dtype_of
from training.spec import specify
from training.studies.config import StudyCell, StudyConfig
from training.studies.halves import LEAST_FAMILIES, HalvedRows
from training.studies.suites import BASE, with_trainings

OpenModel = Callable[[Sequence[SubjectSpec]], OpenSubjects]


@dataclass(frozen=True)
class RowScorer:
    """Rates every row under every subject, with what that takes.

    Attributes:
        open_model: Loads the subjects that share base weights.
        closeness: Compares a greedy answer with the response.
    """

    open_model: OpenModel
    closeness: Closeness
    progress: Progress

    def counterfactual(
        self, study: StudyConfig, halved: HalvedRows, cells: Sequence[StudyCell]
    ) -> Counterfactual:
        """Score all rows and estimate what of them was memorised.

        ``cells`` are the trainings of the study, both halves of each seed in turn.

        Raises:
            ModelError: Weights that cannot be loaded, or too few rows that could be rated.
        """
        assert study.halves is not None
        whole = study.whole()
        records = self._records(study, halved, with_trainings(base_subject(whole), cells))
        rows, missing = _scored_rows(halved, records, [cell.name for cell in cells], self.closeness)
        if len(set(rows.families)) < LEAST_FAMILIES:
            raise ModelError(
                f"only {len(rows.samples)} of {len(halved.samples)} rows could be rated under every"
                f" adapter{_first_error(records)}"
            )
        cautions = list(halved.cautions)
        if missing:
            cautions.append(
                f"{missing} of {len(halved.samples)} rows are left out: they could not be rated"
                f" under every adapter{_first_error(records)}"
            )
        base = specify(whole).base
        trainings = HalvesTrainings(
            study=study.study.name,
            base=CounterfactualBase(**base),
            training=halved.described,
            recipe=recipe_of(whole.model_dump(mode="json")),
            seeds=study.halves.seeds,
            cautions=tuple(cautions),
        )
        settings = BootstrapSettings(whole.seed)
        return counterfactual(trainings, rows, study.halves.threshold, settings)

    def _records(
        self, study: StudyConfig, halved: HalvedRows, subjects: Sequence[SubjectSpec]
    ) -> dict[str, list[Probe]]:
        """Return the records of every subject, by its name."""
        assert study.halves is not None
        prompts = [
            ProbedPrompt("training", "original", s.id, 0, s.messages, s.reference or "")
            for s in halved.samples
        ]
        training = TrainingResponses(halved.samples, prompts)
        spec = ProbesSection(max_new_tokens=study.halves.max_new_tokens)
        kinds = ("loss", "continuation", "answer") if study.halves.answers else ("loss",)
        total = len(prompts) * len(subjects) * len(kinds)
        records: dict[str, list[Probe]] = defaultdict(list)
        with (
            closing(Cache()) as cache,
            self.progress.stage("rate rows in and out", total) as task,
        ):
            for group in grouped_by_base(subjects):
                with closing(self.open_model(group)) as opened:
                    for one in group:
                        probes = PromptProbes(_probed(opened, one), spec, training.content)
                        requests = [r for r in probes.requests(prompts) if r.record.probe in kinds]
                        impossible = [r.record for r in requests if r.request is None]
                        _advance(task, records[one.name], impossible)
                        for request, reply in replies(cache, opened, requests):
                            record = (
                                rating_record(request, reply)
                                if isinstance(reply, TokenLogprobs)
                                else answer_record(request, reply, training, self.closeness)
                            )
                            _advance(task, records[one.name], [record])
        return records


def base_subject(whole: TrainingConfig) -> SubjectSpec:
    """Return the base model in the format and type that it is trained in."""
    return SubjectSpec(
        name=BASE,
        model=whole.model,
        revision=whole.revision,
        dtype=dtype_of(whole, device_of(whole)),
        quantization=whole.quantization,
        template=whole.template,
        system_prompt=whole.system_prompt,
    )


def _probed(opened: OpenSubjects, spec: SubjectSpec) -> ProbedSubject:
    return ProbedSubject(
        name=spec.name,
        renderer=opened.renderer(spec.name),
        adapter=opened.adapter(spec.name),
        fingerprint=opened.fingerprint(spec.name),
        generation=spec.generation,
        continues=True,
    )


def _advance(task: Task, records: list[Probe], more: Sequence[Probe]) -> None:
    records.extend(more)
    task.advance(len(more))


def _scored_rows(
    halved: HalvedRows,
    records: dict[str, list[Probe]],
    adapters: Sequence[str],
    closeness: Closeness,
) -> tuple[ScoredRows, int]:
    """Arrange the records by row and adapter; return them, and how many rows are left out."""
    seeds = len(adapters) // 2

    def table(probe: str, value: str) -> Floats:
        """Return one value under base and adapters, shape (n, 1 + 2 seeds); NaN where missing."""
        columns = []
        for name in (BASE, *adapters):
            values = {r.sample_id: r.values[value] for r in records[name] if _has(r, probe, value)}
            columns.append([values.get(sample.id, np.nan) for sample in halved.samples])
        return np.array(columns).T

    means, tokens = table("loss", "loss"), table("loss", "tokens")
    present = ~np.isnan(means).any(axis=1)
    half = halved.half[present]

    def scores(values: Floats) -> HalfScores:
        chosen = values[present]
        return HalfScores(chosen[:, 0], chosen[:, 1:].reshape(-1, seeds, 2), half)

    shares = table("continuation", "share"), table("answer", closeness.name)
    recited, close = (None if np.isnan(one).all() else scores(one) for one in shares)
    kept = np.flatnonzero(present).tolist()
    rows = ScoredRows(
        samples=[halved.samples[index] for index in kept],
        families=[halved.families[index] for index in kept],
        tokens=tokens[present, 0],
        likelihood=scores(means * tokens),
        recited=recited,
        closeness=close,
    )
    return rows, int((~present).sum())


def _has(record: Probe, probe: str, value: str) -> bool:
    return record.probe == probe and record.error is None and value in record.values


def _first_error(records: dict[str, list[Probe]]) -> str:
    """Return the first reason why a rating failed, to be put behind a sentence."""
    for of_subject in records.values():
        for record in of_subject:
            if record.probe == "loss" and record.error is not None:
                return f" ({record.error.message})"
    return ""
