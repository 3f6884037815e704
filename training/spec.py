"""What a training makes, and of what: known before any model is loaded."""

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
class Order:
    """What is to be made, and of what.

    Attributes:
        config: The training config.
        data: Its rows.
        folder: Holds the base weights.
        base: Name, revision and ``weights_sha256`` of the base model.
    """

    config: TrainingConfig
    data: TrainingData
    folder: Path
    base: dict[str, Any]

    @property
    def output(self) -> Path:
        """Where it goes."""
        return Path(self.config.output_dir).expanduser()

    @cached_property
    def made_from(self) -> str:
        """Digest of all that decides the weights; where the files lie does not."""
        places = {"output_dir", "report_to", "model", "train_data", "validation_data"}
        described = [self.data.train_described, self.data.validation_described]
        return digest(
            {
                "config": self.config.model_dump(mode="json", exclude=places),
                "data": [side and side.content_sha256 for side in described],
                "base": self.base,
            }
        )

    def result(self) -> TrainingResult | None:
        """What lies there finished, if it does.

        Raises:
            ConfigError: A complete training of another config or other data lies there.
        """
        return finished(self.output, self.made_from)


def place(config: TrainingConfig) -> Order:
    """Read the data and find the base weights.

    Raises:
        JostleError: Data or a model that cannot be found, or an overlap that is not allowed.
    """
    folder = base_folder(config)
    weights = weights_digest(folder)
    base = {"model": config.model, "revision": config.revision, "weights_sha256": weights}
    return Order(config, load_data(config), folder, base)
