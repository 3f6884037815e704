"""Makes the adapters under test: thin over TRL and PEFT."""

from training.run import train

__all__ = ["train"]
