"""The figures of a study: all of its ``summary.json`` and of its page, typed."""

from __future__ import annotations

from harness.analysis.estimates import Estimate
from harness.records import Record
from training.studies.config import StudyConfig

Points = tuple[tuple[int, float], ...]
"""``(step, value)``, in order of the steps."""

_MIB = 2.0**20


class StudyTraining(Record):
    """One training of a study; a failed one has no figures.

    Attributes:
        name: The cell's name.
        labels: Axis to label.
        method: The config's method.
        folder: Folder of the training.
        error: One line if it failed.
        validation: Data of the validation loss; equal where losses are comparable.
        steps: Optimizer steps.
        eval_loss_before: Validation loss before training, in nats per token.
        eval_loss_after: Validation loss of the finished weights.
        eval_perplexity_after: Its perplexity.
        loss_last: Training loss at the end.
        tokens_per_second: Median of the logged rates.
        seconds: Duration.
        trainable_parameters: Parameters that are trained.
        parameters: All parameters.
        weights_bytes: Bytes on disk of what was trained.
        base_bytes: Bytes on disk of its base; None for method ``full``.
        memory_footprint_bytes: Bytes of the weights in memory.
        peak_cpu_mib: Peak CPU memory of the process.
        peak_gpu_mib: Peak GPU memory.
        device: ``cpu`` or ``cuda``.
        loss: Training loss by step.
        eval_loss: Validation loss by step.
        gap: Validation loss minus training loss by step.
        best_step: Step of the lowest validation loss.
        best_eval_loss: The lowest validation loss.
        turned_at: Step after which the validation loss turned up.
        warnings: Warnings of the training.
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

    @property
    def trained_mib(self) -> float | None:
        """Return the size on disk of what was trained, in MiB."""
        return None if self.weights_bytes is None else self.weights_bytes / _MIB

    @property
    def base_mib(self) -> float | None:
        """Return the size on disk of the base, in MiB."""
        return None if self.base_bytes is None else self.base_bytes / _MIB

    @property
    def footprint_mib(self) -> float | None:
        """Return the size of the weights in memory, in MiB."""
        return None if self.memory_footprint_bytes is None else self.memory_footprint_bytes / _MIB


class StudyMeasure(Record):
    """A measure of a suite.

    Attributes:
        label: Name for people.
        judge: The judge's label.
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
        originals: Level on the originals.
        variants: Level on the variants.
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
        first: The training in the place of the baseline.
        second: The training that is compared with it.
        measure: The measure's label.
        n: Source prompts.
        originals: On the originals.
        variants: On the variants.
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
        finding: The run's finding.
        measures: Its measures.
        levels: Levels by subject and measure.
        pairs: Differences between trainings.
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
    """Everything that a study's page shows.

    Attributes:
        study: The config.
        plan: The estimated cost, one line an item.
        cells: The trainings.
        suites: The suites over them.
        findings: The conclusions, in sentences.
    """

    study: StudyConfig
    plan: tuple[str, ...]
    cells: tuple[StudyTraining, ...]
    suites: tuple[StudySuite, ...]
    findings: tuple[str, ...]
