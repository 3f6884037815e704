"""A few validation prompts, answered and judged while training: through the suite's own parts."""

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
"""Metric: the judge and its dimension whose mean it is."""


class Probe:
    """Answers with the model as it stands and gives the mean scores.

    Args:
        model: The model in training, in eval mode whenever the probe is called.
        renderer: Renders the prompts; its tokenizer encodes them.
        samples: The validation rows to draw from.
        settings: How many, and how long the answers.
        seed: Seed of the draw.
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
        opened = LoadedBase(
            model, renderer.tokenizer, str(parameter.device), str(parameter.dtype)[6:]
        )
        self._answering = HFModel(opened, "in training", adapters={})
        limits = GenerationSettings(max_new_tokens=settings.max_new_tokens)
        self._requests = [
            Request(prompt=renderer.prompt(s.messages), messages=s.messages, settings=limits)
            for s in self._samples
        ]
        self._judges = {name: judges.create(name) for name, _ in METRICS.values()}

    def __call__(self) -> dict[str, float]:
        """Mean of every metric over what could be scored, and how many answers failed.

        Raises:
            ModelError: Nothing could be scored on one of the metrics.
        """
        items: list[JudgeItem] = []
        failures: list[str] = []
        for index, completion in self._answering.complete(self._requests):
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
        found = {"generation_failures": float(len(failures))}
        for metric, (judge, dimension) in METRICS.items():
            values = [
                graded.value
                for graded in self._judges[judge].grade(items)
                if graded.dimension == dimension and graded.value is not None
            ]
            if not values:
                why = failures[0] if failures else "no judgement"
                raise ModelError(
                    f"generation_metrics: none of {len(self._requests)} answers could be scored on"
                    f" {metric} ({why})"
                )
            found[metric] = sum(values) / len(values)
        return found
