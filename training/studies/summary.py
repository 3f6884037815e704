"""The figures of a study: all of its ``summary.json`` and of its page, typed."""

from __future__ import annotations

from harness.analysis.estimates import Estimate
from harness.memorisation.counterfactual import Counterfactual
from harness.records import Record
from training.studies.config import StudyConfig

Points = tuple[tuple[int, float], ...]
"""``(step, value)``, in order of the steps."""


class StudyTraining(Record):
    """One training of a study; a failed one has no figures.

    Attributes:
        labels: Axis to label.
        error: One line if it failed.
        validation: Data of the validation loss; equal where losses are comparable.
        eval_loss_before: Validation loss before training, in nats per token as all losses.
        eval_loss_after: Validation loss of the finished weights.
        loss_last: Training loss at the end.
        tokens_per_second: Median of the logged rates.
        weights_bytes: Bytes on disk of what was trained.
        base_bytes: Bytes on disk of its base; None for method ``full``.
        memory_footprint_bytes: Bytes of the weights in memory.
        device: ``cpu`` or ``cuda``.
        loss: Training loss by step.
        eval_loss: Validation loss by step.
        gap: Validation loss minus training loss by step.
        best_step: Step of the lowest validation loss.
        turned_at: Step after which the validation loss turned up.
    """

    name: str
    labels: dict[str, str]
    method: str
    folder: str
    error: str | None = None
    validation: str
    steps: int | None = None
    eval_loss_before: float | None = None
    eval_loss_after: float | None = None
    eval_perplexity_after: float | None = None
    loss_last: float | None = None
    tokens_per_second: float | None = None
    seconds: float | None = None
    trainable_parameters: int | None = None
    parameters: int | None = None
    weights_bytes: int | None = None
    base_bytes: int | None = None
    memory_footprint_bytes: int | None = None
    peak_cpu_mib: float | None = None
    peak_gpu_mib: float | None = None
    device: str | None = None
    loss: Points = ()
    eval_loss: Points = ()
    gap: Points = ()
    best_step: int | None = None
    best_eval_loss: float | None = None
    turned_at: int | None = None
    warnings: tuple[str, ...] = ()

    @property
    def final_gap(self) -> float | None:
        """Return the gap at the last evaluation."""
        return self.gap[-1][1] if self.gap else None


def mib(size: int | None) -> float | None:
    """Return bytes as MiB."""
    return None if size is None else size / 2**20


class StudyMeasure(Record):
    """A measure of a suite, by its name for people and its judge's label.

    Attributes:
        higher_is_better: Which end is good; None where neither is.
        headline: The finding rests on it.
    """

    label: str
    judge: str
    higher_is_better: bool | None
    headline: bool


class SubjectLevel(Record):
    """Levels of one subject on one measure, over all kinds of rewording.

    Attributes:
        subject: A training, or the base model.
        measure: The measure's label.
        headline: The finding rests on it.
        n: Source prompts.
        change: Variants minus originals.
    """

    subject: str
    measure: str
    headline: bool
    n: int
    originals: Estimate | None
    variants: Estimate | None
    change: Estimate | None


class ConfigurationPair(Record):
    """Paired difference between two trainings on one measure: second minus first.

    Attributes:
        measure: The measure's label.
        n: Source prompts.
        robustness: Variants minus originals.
    """

    first: str
    second: str
    measure: str
    n: int
    originals: Estimate | None
    variants: Estimate | None
    robustness: Estimate | None


class StudySuite(Record):
    """One suite of a study; a failed one has no figures.

    Attributes:
        name: Names the run's folder.
        error: One line if it failed.
        run: The run's folder.
        prompts: Source prompts.
    """

    name: str
    error: str | None = None
    run: str = ""
    prompts: int = 0
    finding: str = ""
    measures: tuple[StudyMeasure, ...] = ()
    levels: tuple[SubjectLevel, ...] = ()
    pairs: tuple[ConfigurationPair, ...] = ()


class StudySummary(Record):
    """Everything that a study's page shows: plan and findings are lines of text.

    Attributes:
        counterfactual: Of a study of halves; ``summary.json`` leaves it to ``counterfactual.json``.
    """

    study: StudyConfig
    plan: tuple[str, ...]
    cells: tuple[StudyTraining, ...]
    suites: tuple[StudySuite, ...]
    findings: tuple[str, ...]
    counterfactual: Counterfactual | None = None
