"""Preference pairs: which of two answers to a prompt is the better one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.errors import ConfigError, DataError
from harness.models.prompting import Renderer
from harness.records import Message, Sample
from training.callbacks import Progress
from training.config import TrainingConfig
from training.data import TrainingData
from training.loading import Loaded, renderer_of
from training.masking import EncodingCounts, fit
from training.objective import Objective
from training.result import TrainingResult
from training.run import run


class Pair(NamedTuple):
    """A conversation with a better and a worse answer."""

    messages: tuple[Message, ...]
    chosen: str
    rejected: str


class PairIds(NamedTuple):
    """Token ids of a prompt and of its two answers."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


def pairs(samples: Sequence[Sample]) -> list[Pair]:
    """The pairs of rows ``{"prompt", "chosen", "rejected"}``.

    Raises:
        DataError: A row without the two texts, or with the same text twice.
    """
    found = []
    for sample in samples:
        texts = {}
        for field in ("chosen", "rejected"):
            text = sample.metadata.get(field)
            if not isinstance(text, str) or not text.strip():
                raise DataError(
                    f"sample {sample.id} (prompt begins {sample.prompt[:60]!r}): field {field!r} must"
                    " be a text; a preference row is {prompt, chosen, rejected}"
                )
            texts[field] = text
        if texts["chosen"].strip() == texts["rejected"].strip():
            raise DataError(
                f"sample {sample.id} (prompt begins {sample.prompt[:60]!r}): chosen and rejected are"
                " the same text: there is nothing to prefer; remove the row"
            )
        found.append(Pair(sample.messages, **texts))
    return found


def encode_pairs(
    found: Sequence[Pair], renderer: Renderer, max_length: int
) -> tuple[list[PairIds], EncodingCounts]:
    """Token ids, rendered as evaluation renders them; both answers follow the very same prompt.

    Raises:
        ConfigError: No pair fits.
    """
    counts = EncodingCounts()
    encoded = []
    for pair in found:
        answers = [pair.chosen, pair.rejected]
        fitted = fit(pair.messages, answers, renderer, max_length, counts)
        if fitted is not None:
            encoded.append(PairIds(fitted[0], *fitted[1]))
    if not encoded:
        raise ConfigError(f"max_length {max_length} leaves no room for an answer; raise it")
    counts.rows = len(encoded)
    counts.response_tokens = sum(len(ids.chosen) + len(ids.rejected) for ids in encoded)
    counts.tokens = counts.response_tokens + 2 * sum(len(ids.prompt) for ids in encoded)
    return encoded, counts


def train(
    config: TrainingConfig, *, progress: Progress | None = None, fresh: bool = False
) -> TrainingResult:
    """Train by preferences: ``objective: dpo`` or ``objective: reward``; see :func:`training.sft.train`.

    Raises:
        JostleError: Bad input, or a machine that cannot do it.
    """
    objective = DPO() if config.objective == "dpo" else Reward()
    return run(config, objective, progress=progress, fresh=fresh)


class _Preference(Objective):
    def _encoded(self, side: str, samples: list[Sample], renderer: Renderer, length: int) -> Any:
        from datasets import Dataset

        if not samples:
            return None
        encoded, counts = encode_pairs(pairs(samples), renderer, length)
        self.counts[side] = counts.as_dict()
        return Dataset.from_list([self._row(ids) for ids in encoded])

    def _row(self, ids: PairIds) -> dict[str, list[int]]:
        raise NotImplementedError

    def _sides(self, config: TrainingConfig, loaded: Loaded, data: TrainingData) -> dict[str, Any]:
        renderer = renderer_of(config, loaded.tokenizer)
        return {
            "model": loaded.model,
            "processing_class": loaded.tokenizer,
            "train_dataset": self._encoded("train", data.train, renderer, config.max_length),
            "eval_dataset": self._encoded(
                "validation", data.validation, renderer, config.max_length
            ),
        }


class DPO(_Preference):
    """Direct preference optimisation (Rafailov et al. 2023); the reference is the model untuned."""

    def _row(self, ids: PairIds) -> dict[str, list[int]]:
        return {"prompt_ids": ids.prompt, "chosen_ids": ids.chosen, "rejected_ids": ids.rejected}

    def trainer(
        self, config: TrainingConfig, loaded: Loaded, data: TrainingData, arguments: dict[str, Any]
    ) -> Any:
        """TRL's ``DPOTrainer`` on pairs that are encoded already."""
        from trl import DPOConfig

        from training.trainer import PreferenceTrainer

        options = {"beta": config.beta, "max_length": None, "disable_dropout": True}
        # With all weights in training, the untuned model's figures are worked out before it starts.
        options["precompute_ref_log_probs"] = config.method == "full"
        return PreferenceTrainer(
            args=DPOConfig(**arguments, **options), **self._sides(config, loaded, data)
        )


class Reward(_Preference):
    """A reward model in Bradley and Terry's sense; rewards are drawn towards a mean of zero."""

    def _row(self, ids: PairIds) -> dict[str, list[int]]:
        return {
            "chosen_ids": ids.prompt + ids.chosen,
            "rejected_ids": ids.prompt + ids.rejected,
        }

    def trainer(
        self, config: TrainingConfig, loaded: Loaded, data: TrainingData, arguments: dict[str, Any]
    ) -> Any:
        """TRL's ``RewardTrainer`` on pairs that are encoded already."""
        from trl import RewardConfig

        from training.trainer import RewardModelTrainer

        options = {"max_length": None, "center_rewards_coefficient": 0.01}
        return RewardModelTrainer(
            args=RewardConfig(**arguments, **options), **self._sides(config, loaded, data)
        )
