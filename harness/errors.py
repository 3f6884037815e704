"""Errors for the user: one line that says what is wrong and what to do about it."""

from __future__ import annotations


class JostleError(Exception):
    """The base of all: the command line prints it as one line and exits with code 2."""


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
    """The money or token budget of a judge or endpoint is spent; finished work is kept."""


class MissingPackage(JostleError):
    """A package that this work needs is not installed; the message has the command."""
