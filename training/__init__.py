"""Makes the adapters under test: thin over TRL and PEFT."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.callbacks import Progress
    from training.config import TrainingConfig
    from training.result import TrainingResult

__all__ = ["train"]


def train(
    config: TrainingConfig, *, progress: Progress | None = None, fresh: bool = False
) -> TrainingResult:
    """Train as ``config.objective`` says; see :func:`training.sft.train`.

    Raises:
        JostleError: Bad input, or a machine that cannot do it; one line that says what to do.
    """
    if config.objective == "sft":
        from training.sft import train as fit
    else:
        from training.preference import train as fit
    return fit(config, progress=progress, fresh=fresh)
