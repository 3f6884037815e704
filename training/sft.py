"""Supervised fine-tuning: the responses of a data set, on all weights or on a LoRA adapter."""

from __future__ import annotations

from typing import Any

from training.callbacks import Progress
from training.config import TrainingConfig
from training.data import TrainingData
from training.loading import Loaded, renderer_of
from training.masking import Row, encode_samples
from training.objective import Objective
from training.result import TrainingResult
from training.run import run


def train(
    config: TrainingConfig, *, progress: Progress | None = None, fresh: bool = False
) -> TrainingResult:
    """Train, or go on with a training that was interrupted, or return one that is complete.

    Args:
        config: What to do.
        progress: Called with one small dictionary an event (see ``callbacks.Logbook``).
        fresh: Remove what an earlier training left in ``output_dir`` first.

    Returns:
        Where the adapter lies and every figure of the training.

    Raises:
        JostleError: Bad input, or a machine that cannot do it; one line that says what to do.
    """
    return run(config, SFT(), progress=progress, fresh=fresh)


class SFT(Objective):
    """Prompts masked, responses learned."""

    def trainer(
        self, config: TrainingConfig, loaded: Loaded, data: TrainingData, arguments: dict[str, Any]
    ) -> Any:
        """The trainer over encoded rows; fills :attr:`counts`."""
        from datasets import Dataset
        from trl import SFTConfig

        from training.generation_metrics import Probe
        from training.trainer import Trainer

        renderer = renderer_of(config, loaded.tokenizer)

        def encoded(side: str, samples: list[Any]) -> Any:
            rows, counts = encode_samples(
                samples, renderer, config.max_length, config.assistant_turns
            )
            self.counts[side] = counts.as_dict()
            return Dataset.from_dict(_columns(rows))

        train = encoded("train", data.train)
        validation = encoded("validation", data.validation) if data.validation else None
        probe = None
        if config.generation_metrics is not None:
            settings = config.generation_metrics
            probe = Probe(loaded.model, renderer, data.validation, settings, config.seed)
        return Trainer(
            extra_metrics=probe,
            model=loaded.model,
            args=SFTConfig(
                **arguments, max_length=None, dataset_kwargs={"skip_prepare_dataset": True}
            ),
            train_dataset=train,
            eval_dataset=validation,
            processing_class=loaded.tokenizer,
        )


def _columns(rows: list[Row]) -> dict[str, list[list[int]]]:
    return {
        "input_ids": [row.input_ids for row in rows],
        "labels": [row.labels for row in rows],
    }
