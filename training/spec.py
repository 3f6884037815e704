"""Specification of a training: config, data and base, known before any model is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.models.digests import weights_digest
from harness.util.digest import digest
from training.config import TrainingConfig
from training.data import TrainingData, load_data
from training.loading import base_folder
from training.result import TrainingResult, finished


@dataclass(frozen=True)
class TrainingSpec:
    """Everything that decides a training.

    Attributes:
        folder: Where the base weights are.
        base: Name, revision and ``weights_sha256`` of the base model.
    """

    config: TrainingConfig
    data: TrainingData
    folder: Path
    base: dict[str, Any]

    @property
    def output(self) -> Path:
        """Return the folder of the finished training."""
        return Path(self.config.output_dir).expanduser()

    @cached_property
    def made_from(self) -> str:
        """Return the digest of all that decides the weights; the places of files do not."""
        irrelevant = {"output_dir", "report_to", "model", "train_data", "validation_data"}
        sides = [self.data.train_described, self.data.validation_described]
        return digest(
            {
                "config": self.config.model_dump(mode="json", exclude=irrelevant),
                "data": [side and side.content_sha256 for side in sides],
                "base": self.base,
            }
        )

    def result(self) -> TrainingResult | None:
        """Return the finished training in :attr:`output`; None if there is none.

        Raises:
            ConfigError: The training there is of another config or other data.
        """
        return finished(self.output, self.made_from)


def specify(config: TrainingConfig) -> TrainingSpec:
    """Read the data and locate the base weights.

    Raises:
        JostleError: Data or a model that cannot be found, or an overlap that is not allowed.
    """
    folder = base_folder(config)
    weights = weights_digest(folder)
    base = {"model": config.model, "revision": config.revision, "weights_sha256": weights}
    return TrainingSpec(config, load_data(config), folder, base)
