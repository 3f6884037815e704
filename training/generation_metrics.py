"""Metrics of generated answers: a few validation prompts, answered and judged while training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.errors import ModelError
from harness.models.checkpoints import LoadedBase
from harness.models.hf import HFModel
from harness.models.prompting import Renderer
from harness.records import GenerationSettings, JudgeItem, Request, Sample
from harness.registry import judges
from harness.util.digest import derived_rng
from training.config import GenerationMetrics

METRICS = {"rouge_l": ("rouge_l", "rouge_l"), "refusal_rate": ("answer_checks", "refusal")}
"""From a metric to the judge and the dimension of which it is the mean."""


class GenerationScorer:
    """Scorer of the answers of a model in training, by the judges of a suite.

    The model is that in training, in eval mode at every call; the seed is that of the draw from
    the validation samples.
    """

    def __init__(
        self,
        model: Any,
        renderer: Renderer,
        samples: Sequence[Sample],
        settings: GenerationMetrics,
        seed: int,
    ) -> None:
        drawn = derived_rng(seed, "probe").sample(samples, min(settings.samples, len(samples)))
        self._samples = [sample for sample in drawn if sample.reference is not None]
        parameter = next(model.parameters())
        loaded = LoadedBase(
            model, renderer.tokenizer, str(parameter.device), str(parameter.dtype)[6:]
        )
        # No adapter is attached here, so no second load of the base is ever asked for.
        self._model = HFModel(loaded, "in training", adapters={}, reload=lambda: loaded)
        limits = GenerationSettings(max_new_tokens=settings.max_new_tokens)
        self._requests = [
            Request(prompt=renderer.prompt(s.messages), messages=s.messages, settings=limits)
            for s in self._samples
        ]
        self._judges = {name: judges.create(name) for name, _ in METRICS.values()}

    def __call__(self) -> dict[str, float]:
        """Return the mean of every metric over the scored answers, and the number of failed ones.

        Raises:
            ModelError: Nothing could be scored on one of the metrics.
        """
        items: list[JudgeItem] = []
        failures: list[str] = []
        for index, completion in self._model.complete(self._requests):
            if completion.text is None:
                failures.append(completion.error.message if completion.error else "no text")
                continue
            sample = self._samples[index]
            items.append(
                JudgeItem(
                    question=sample.prompt,
                    conversation=sample.messages[:-1],
                    answer=completion.text,
                    reference=sample.reference,
                    finish_reason=completion.finish_reason,
                    is_original=True,
                )
            )
        means = {"generation_failures": float(len(failures))}
        for metric, (judge, dimension) in METRICS.items():
            values = [
                graded.value
                for graded in self._judges[judge].grade(items)
                if graded.dimension == dimension and graded.value is not None
            ]
            if not values:
                reason = failures[0] if failures else "no judgement"
                raise ModelError(
                    f"generation_metrics: none of {len(self._requests)} answers could be scored on"
                    f" {metric} ({reason})"
                )
            means[metric] = sum(values) / len(values)
        return means
