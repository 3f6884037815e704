"""Estimated cost of a study, before it starts."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.data.loading import load
from harness.models.checkpoints import count_parameters
from harness.records import Sample
from harness.util.formatting import duration
from training.config import TrainingConfig
from training.data import load_data
from training.loading import base_folder, renderer_of
from training.masking import EncodingCounts, encode_samples
from training.studies.config import HALVES, StudyCell, StudyConfig
from training.studies.halves import HalvedRows
from training.studies.suites import SuiteGroup

_FLOPS = {"full": 6.0, "lora": 4.0, "qlora-4bit": 4.0, "qlora-8bit": 4.0}
"""Floating-point operations a token and parameter: forward 2, backward 2 for the activations and,
where all weights are trained, 2 for the weights (Kaplan et al. 2020, section 2.1)."""


@dataclass(frozen=True)
class TrainingCost:
    """Cost of one training.

    Attributes:
        tokens: Tokens that go through the model for training, padding left out.
        evaluation_tokens: Tokens for all evaluations together.
        seconds: An estimate from this machine's speed in matrix products.
    """

    name: str
    steps: int
    tokens: int
    evaluation_tokens: int
    seconds: float


@dataclass(frozen=True)
class SuiteCost:
    """Most that one suite can cost: not every kind of rewording applies to every prompt."""

    name: str
    subjects: int
    answers: int
    tokens: int


@dataclass(frozen=True)
class RatingCost:
    """Cost of rating every row of a halves study under every adapter.

    Attributes:
        families: Families of near-duplicates that the rows fall into.
        models: The base and the adapters.
        tokens: Tokens that are rated.
        new_tokens: Tokens that are written at most, where answers are asked for.
        seconds: An estimate for the ratings alone; writing is slower by an unknown factor.
    """

    rows: int
    families: int
    models: int
    tokens: int
    new_tokens: int
    seconds: float

    def line(self) -> str:
        """Return the cost in one line."""
        written = f"; up to {self.new_tokens:,} new tokens" if self.new_tokens else ""
        return (
            f"ratings: {self.rows} rows in {self.families} families under {self.models} models, {self.tokens:,} tokens, about"
            f" {duration(self.seconds)}{written}"
        )


@dataclass(frozen=True)
class StudyPlan:
    """Cost of a study."""

    trainings: tuple[TrainingCost, ...]
    suites: tuple[SuiteCost, ...]
    ratings: RatingCost | None = None

    def lines(self) -> list[str]:
        """Return the plan as text, one line an item and one for the sum."""
        seconds = sum(cost.seconds for cost in self.trainings)
        return [
            *(
                f"{cost.name}: {cost.steps} steps, {cost.tokens:,} tokens, about"
                f" {duration(cost.seconds)}"
                for cost in self.trainings
            ),
            *(
                f"suite {cost.name}: {cost.subjects} subjects, up to {cost.answers:,} answers and"
                f" {cost.tokens:,} new tokens"
                for cost in self.suites
            ),
            *([self.ratings.line()] if self.ratings else []),
            f"in all {len(self.trainings)} trainings, {sum(c.tokens for c in self.trainings):,}"
            f" tokens, about {duration(seconds)} of training one after the other on this machine;"
            f" {sum(c.answers for c in self.suites):,} answers at most",
        ]


def plan(cells: Sequence[StudyCell], groups: Sequence[SuiteGroup]) -> StudyPlan:
    """Estimate the cost of a study; read data and tokenizers, load no model.

    Raises:
        JostleError: Data or a model that cannot be found, before any training has started.
    """
    speed = matmul_speed()
    trainings = tuple(_training(cell.name, cell.config, speed) for cell in cells)
    return StudyPlan(trainings, tuple(_suite(group) for group in groups))


def plan_halves(study: StudyConfig, halved: HalvedRows) -> StudyPlan:
    """Estimate the cost of a study of halves; every training has half of the rows.

    Raises:
        JostleError: Data or a model that cannot be found.
    """
    assert study.halves is not None
    whole, cells, speed = study.whole(), study.cells(), matmul_speed()
    half = _training("", whole, speed, share=1 / len(HALVES))
    counts = encode_samples(halved.samples, renderer_of(whole), whole.max_length)[1]
    models = 1 + len(cells)
    tokens = models * counts.tokens
    written = 2 * study.halves.max_new_tokens if study.halves.answers else 0
    ratings = RatingCost(
        rows=len(halved.samples),
        families=len(set(halved.families)),
        models=models,
        tokens=tokens,
        new_tokens=written * models * len(halved.samples),
        seconds=2.0 * tokens * count_parameters(base_folder(whole)) / speed,
    )
    return StudyPlan(tuple(replace(half, name=cell.name) for cell in cells), (), ratings)


def steps_of(config: TrainingConfig, rows: int) -> int:
    """Return the optimizer steps of a training on ``rows`` rows in one process."""
    if config.max_steps > 0:
        return config.max_steps
    batches = math.ceil(rows / config.per_device_train_batch_size)
    return math.ceil(
        math.ceil(batches / config.gradient_accumulation_steps) * config.num_train_epochs
    )


def evaluations_of(config: TrainingConfig, steps: int) -> int:
    """Count the evaluations of a training of ``steps`` steps, start and end included."""
    between = {
        "no": 1,
        "steps": math.ceil(steps / config.eval_steps),
        "epoch": math.ceil(config.num_train_epochs),
    }
    return int(config.eval_on_start) + between[config.eval_strategy]


def matmul_speed() -> float:
    """Measure the floating-point operations a second of fp32 matrix products on this machine."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = 4096 if device == "cuda" else 1024
    a = torch.ones(size, size, device=device)
    a @ a
    began, rounds = time.perf_counter(), 8
    for _ in range(rounds):
        a @ a
    if device == "cuda":
        torch.cuda.synchronize()
    return rounds * 2 * size**3 / (time.perf_counter() - began)


def _training(name: str, config: TrainingConfig, speed: float, share: float = 1.0) -> TrainingCost:
    """Estimate a training on a share of its rows."""
    data = load_data(config)
    renderer = renderer_of(config)

    def encoded(samples: Sequence[Sample]) -> EncodingCounts:
        return encode_samples(samples, renderer, config.max_length, config.assistant_turns)[1]

    counts = encoded(data.train)
    steps = steps_of(config, math.ceil(share * counts.rows))
    batch = config.per_device_train_batch_size * config.gradient_accumulation_steps
    tokens = round(steps * batch * counts.tokens / counts.rows)
    evaluated = 0
    if data.validation:
        evaluated = encoded(data.validation).tokens * evaluations_of(config, steps)
    parameters = count_parameters(base_folder(config))
    seconds = (_FLOPS[config.method] * tokens + 2.0 * evaluated) * parameters / speed
    return TrainingCost(name, steps, tokens, evaluated, seconds)


def _suite(group: SuiteGroup) -> SuiteCost:
    suite = group.suite
    prompts = len(load(suite.data))
    if suite.data.limit is not None:
        prompts = min(prompts, suite.data.limit)
    kinds = sum(len(kind.severities) for kind in suite.perturbations)
    variants = max(kinds * suite.suite.variants_per_kind, suite.suite.variants_per_prompt)
    per_subject = prompts * (1 + variants) * suite.suite.repeats
    answers = per_subject * len(suite.subjects)
    tokens = sum(per_subject * subject.generation.max_new_tokens for subject in suite.subjects)
    return SuiteCost(group.name, len(suite.subjects), answers, tokens)
