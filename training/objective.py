"""What differs between the kinds of training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from training.config import TrainingConfig
from training.data import TrainingData
from training.loading import Loaded


class Objective(ABC):
    """What differs between fine-tuning, preference tuning and reward modelling.

    Attributes:
        counts: For each side of the data, what became of its rows; filled by :meth:`trainer`.
    """

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = {}

    @abstractmethod
    def trainer(
        self, config: TrainingConfig, loaded: Loaded, data: TrainingData, arguments: dict[str, Any]
    ) -> Any:
        """A ``transformers`` trainer for these data."""
