"""What went wrong, in one line that says what to do about it."""

from __future__ import annotations


class JostleError(Exception):
    """Bad input or a machine's refusal; the command line prints it as one line and exits with 2."""


class ConfigError(JostleError):
    """A YAML file or a ``key=value`` override that cannot be used."""


class DataError(JostleError):
    """A data set that cannot be read; the message names file, line and field."""


class PluginError(JostleError):
    """A perturbation, judge or model name that is unknown, registered twice or wrongly configured."""


class ModelError(JostleError):
    """Weights, an adapter or a tokenizer that cannot be loaded or do not fit together."""


class StoreError(JostleError):
    """A run directory or cache that cannot be read or written."""


class BudgetExceeded(JostleError):
    """The money or token budget of a judge or endpoint is spent; what was done is kept."""


class MissingPackage(JostleError):
    """An optional package that this work needs is not installed; the message has the command."""
