"""What the sentences of an answer do: they react, understand, ask, advise, judge, dismiss and so on.

Each act is a logistic regression on the MiniLM embedding of one sentence, so that a score can rest on
what is done rather than on how its authors word it. Those of ``acts.txt`` were learned from sentences
written for it; those named ``tone_…`` from the comments of GoEmotions, which several people each
labelled with feelings (Demszky et al. 2020, https://aclanthology.org/2020.acl-main.372, CC BY 4.0).
``tests/support/fit_acts.py`` makes the file of weights.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.errors import PluginError
from harness.text import embedding

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_name("acts.safetensors")
SENTENCES = Path(__file__).with_name("acts.txt")


class SentenceActs(NamedTuple):
    """Logistic regressions, one an act.

    Attributes:
        names: Of the acts.
        weights: Shape ``(acts, 384)``.
        bias: Shape ``(acts,)``.
    """

    names: tuple[str, ...]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def __call__(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of each act, shape ``(sentences, acts)``."""
        return np.asarray(1 / (1 + np.exp(-(vectors @ self.weights.T + self.bias))))


@cache
def sentence_acts(path: Path = WEIGHTS) -> SentenceActs:
    """Read the weights, once a process.

    Raises:
        PluginError: Not such a file, or for another embedding.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
            weights, bias = file.get_tensor("weights"), file.get_tensor("bias")
            names = tuple(about["acts"].split())
    except (OSError, SafetensorError, KeyError) as error:
        raise PluginError(f"{path} holds no acts of sentences: {error}") from error
    if about.get("embedding") != embedding.VERSION:
        raise PluginError(f"{path} was fitted on another embedding than {embedding.VERSION}")
    return SentenceActs(names, weights.astype(np.float64), bias.astype(np.float64))
