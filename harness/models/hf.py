"""Hugging Face models with LoRA adapters: one load of the base weights answers for all subjects.

Answers are written continuously (:mod:`harness.models.continuous`) where the model allows it, and by
``generate`` in padded batches elsewhere.

Exactness. In fp32 an answer is a function of its request alone, whatever the batch size, order or
resume. Proper positions get within rounding of that: a batch of another shape sums in another
order, as does an adapter that is merged into the weights. Rounding decides a token only where the two best are nearly tied, so every
row's smallest gap is watched, and a row that came closer than ``NEAR_TIE`` is decoded again alone.
In bf16, fp16 and quantised models the rounding is too coarse for that: there the other rows of a
batch can move near ties, which the ``identity`` perturbation measures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from harness.config import Dtype, Quantization
from harness.errors import ModelError
from harness.models.adapters import PROBE, Adapters, Mixtures
from harness.models.batching import (
    Batch,
    BatchRow,
    cost,
    is_out_of_memory,
    plan,
    process,
    release_memory,
)
from harness.models.checkpoints import LoadedBase, load_base, locate
from harness.models.constrained import Grammar
from harness.models.continuous import EndedAnswer, decode_continuously, works
from harness.models.decoding import DecodedAnswer, Decoder, decode
from harness.models.digests import config_digest, tokenizer_digest, weights_digest
from harness.models.merging import merged
from harness.models.prompting import Renderer, encode, encode_example
from harness.models.scoring import rate
from harness.records import Completion, Failure, GenerationSettings, Request, Scored, TokenLogprobs

NEAR_TIE = 1e-3
"""Gap in logits under which fp32 answers are decoded again alone.

On the embedded model batches move logits by up to 5e-5 (``tests/benchmarks/batch_noise.py``), so
this is twenty times what is needed. Of 1,024 positions 4 had a gap under 1e-2, so about one answer
of 64 tokens in forty should come under it and be decoded twice.
"""

_VERSION = "2"  # Part of the fingerprint: raise it when the same request is answered otherwise.
# Positions and rows of a padded batch. 16 to 32 rows keep a CPU busy; more long prompts at once only
# leave its caches.
_CPU_BUDGET, _GPU_BUDGET = 4_096, 65_536
_CPU_ROWS, _GPU_ROWS = 32, 256
# Answers that are written at once, and positions of their cache: a step's matrix products gain from
# more rows (on an AVX2 CPU, fp32, 1.5 times the tokens/s at 128 as at 32).
_CPU_SLOTS, _GPU_SLOTS = 128, 256
_CPU_CACHE, _GPU_CACHE = 32_768, 262_144
_SCORED_BYTES = 512 * 1024**2  # Most memory for the logits of one rated batch.


class HFModel:
    """A causal language model from the hub, a folder or a package, and adapters on it.

    Attributes:
        tokenizer: Its tokenizer, padding on the left.
        context_length: Most tokens of prompt and answer together; None if the model names no limit.
        dtype: Of its weights, by torch's name.
        token_budget: Most positions (prompt and answer, rows × longest) in one padded batch; may be
            set.
        max_rows: Most rows in one padded batch; may be set.
        slots: Most answers that are written at once; may be set.
        warnings: Warnings for the report: adapters that change nothing.
    """

    durable = True

    def __init__(
        self,
        loaded: LoadedBase,
        weights: str,
        *,
        adapters: Mixtures,
        reload: Callable[[], LoadedBase],
        quantization: Quantization | None = None,
    ) -> None:
        """Use :meth:`load`."""
        from transformers import GenerationConfig

        gpu = not loaded.device.startswith("cpu")
        self.tokenizer = loaded.tokenizer
        self.device = loaded.device
        self.dtype = loaded.dtype
        self.quantization = quantization
        self.token_budget = _GPU_BUDGET if gpu else _CPU_BUDGET
        self.max_rows = _GPU_ROWS if gpu else _CPU_ROWS
        self.slots = _GPU_SLOTS if gpu else _CPU_SLOTS
        self._cache_positions = _GPU_CACHE if gpu else _CPU_CACHE
        self.context_length = _context_length(loaded)
        self._stops = _stops(loaded)
        # Only the request's settings count: `generate` would use those that came with the model
        # where the request sets nothing (Qwen's have a repetition penalty).
        loaded.model.generation_config = GenerationConfig()
        self._base = {
            "weights": weights,
            "config": config_digest(loaded.model.config.to_dict(), list(self._stops)),
            "tokenizer": tokenizer_digest(self.tokenizer),
            "dtype": self.dtype,
            "quantization": quantization or "none",
            "decoding": _VERSION,
        }
        self._grammars: dict[str, Grammar] = {}
        self._continuous = self._decodes_continuously(loaded.model)
        self._adapters = Adapters(
            loaded.model, adapters, reload=lambda: reload().model, probe=self._probe
        )
        self.warnings = tuple(
            f"adapter {name!r} changes nothing: with it the logits of a probe text are exactly the"
            " base model's (was it trained, and is it the right folder?)"
            for name in self._adapters.inactive()
        )

    @classmethod
    def load(
        cls,
        model: str,
        *,
        adapters: Mixtures | None = None,
        dtype: Dtype = "auto",
        quantization: Quantization | None = None,
        device: str = "auto",
        revision: str | None = None,
    ) -> HFModel:
        """Load base weights once, and every adapter on top of them.

        No code of the model is run, and pickled weights are refused. Only a hub id goes to the
        network, because the config asked for it.

        Args:
            model: ``embedded:NAME``, a folder, or a hub id ``owner/name``.
            adapters: Several parts of one are summed with their weights.
            dtype: ``auto``: see :func:`harness.models.checkpoints.pick_dtype`.
            quantization: Load the base in 4 or 8 bits (bitsandbytes).
            device: ``auto``, ``cpu``, ``cuda:0``.
            revision: Of a hub id.

        Raises:
            ModelError: Something is missing, broken or does not fit; one line that says what.
            MissingPackage: An optional package is needed; the line has the command.
        """
        folder = locate(model, revision)
        load = partial(
            load_base, folder, model, dtype=dtype, quantization=quantization, device=device
        )
        return cls(
            load(),
            weights_digest(folder),
            adapters=adapters or {},
            reload=load,
            quantization=quantization,
        )

    @property
    def exact(self) -> bool:
        """Return whether greedy answers are guaranteed not to depend on batches: in fp32 they are."""
        return self.dtype == "float32" and self.quantization is None

    def fingerprint(self, adapter: str | None = None) -> dict[str, str]:
        """Return the digests that decide an answer; see :class:`harness.protocols.Model`."""
        if adapter is None:
            return dict(self._base)
        return {**self._base, "adapter": self._adapters.digest(adapter)}

    def renderer(self, template: str | None = None, system_prompt: str | None = None) -> Renderer:
        """Return the renderer of prompts for this model."""
        return Renderer(self.tokenizer, template, system_prompt)

    def close(self) -> None:
        """Release the weights."""
        del self._adapters
        release_memory()

    def complete(
        self, requests: Sequence[Request], schema: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[int, Completion]]:
        """Answer every request, batch by batch; a failed one yields its failure.

        ``completion_tokens`` counts the token that ends an answer. Sampled answers depend on the
        request's seed alone, except for rounding at the edge of ``top_p``.

        Args:
            requests: The requests.
            schema: A JSON schema that every answer must follow, for judges; None for none.
        """
        grammar = None if schema is None else self._grammar(schema)
        groups: dict[tuple[str | None, GenerationSettings], list[BatchRow]] = {}
        for index, request in enumerate(requests):
            row = BatchRow(
                index, encode(self.tokenizer, request.prompt), request.settings.max_new_tokens
            )
            failure = self._too_long(len(row.ids), row.room)
            if failure is not None:
                yield index, Completion.failed(failure, len(row.ids))
            else:
                groups.setdefault((request.adapter, request.settings), []).append(row)
        for rows in groups.values():
            if grammar is None and self._continuous:
                yield from self._complete_continuously(rows, requests)
            else:
                yield from self._complete(rows, requests, grammar)

    def logprobs(self, requests: Sequence[Scored]) -> Iterator[tuple[int, TokenLogprobs]]:
        """Rate continuations token by token; see :class:`harness.records.TokenLogprobs`.

        The tokens are those of a training example (:func:`encode_example`). Values agree over
        batch sizes up to rounding. Continuations of one token after the same prompt (the steps of
        a judge's scale) share one pass.
        """
        groups: dict[str | None, list[BatchRow]] = {}
        shared: dict[tuple[str | None, tuple[int, ...]], int] = {}
        others: dict[int, list[tuple[int, int]]] = {}
        for index, request in enumerate(requests):
            before, after = encode_example(self.tokenizer, request.prompt, request.continuation)
            failure = self._too_long(len(before), len(after))
            if not before or not after:
                failure = failure or _NOTHING
            if failure is not None:
                yield index, TokenLogprobs(error=failure)
                continue
            if len(after) == 1:
                first = shared.setdefault((request.adapter, tuple(before)), index)
                if first != index:
                    others.setdefault(first, []).append((index, after[0]))
                    continue
            row = BatchRow(index, [*before, *after], len(after))
            groups.setdefault(request.adapter, []).append(row)
        tokens = {index: [token for _, token in more] for index, more in others.items()}
        for adapter, rows in groups.items():
            work = partial(self._rate, adapter, tokens)
            for batch, ratings in process(plan(rows, self._fits_rated), work):
                for i, row in enumerate(batch):
                    indices = [row.index, *(index for index, _ in others.get(row.index, ()))]
                    failed = TokenLogprobs(error=_memory(row))
                    rated = ratings[i] if ratings is not None else [failed] * len(indices)
                    yield from zip(indices, rated, strict=True)

    def _probe(self, net: Any) -> Any:
        """Return the logits of a probe text, shape (1, tokens, vocabulary)."""
        import torch

        ids = torch.tensor([self.tokenizer(PROBE)["input_ids"]], device=self.device)
        with torch.inference_mode():
            return net(input_ids=ids).logits

    def _decodes_continuously(self, net: Any) -> bool:
        ids = self.tokenizer(PROBE)["input_ids"]
        decoder = Decoder(net, self.tokenizer, self._stops, self.device)
        return works(decoder, ids, self._probe(net)[0])

    def _complete(
        self, rows: Sequence[BatchRow], requests: Sequence[Request], grammar: Grammar | None
    ) -> Iterator[tuple[int, Completion]]:
        """Answer rows whose requests share adapter and settings."""
        work = partial(self._decode, requests, grammar)
        began = time.perf_counter()
        for batch, answers in process(plan(rows, self._fits), work):
            seconds = (time.perf_counter() - began) / len(batch)
            for i, row in enumerate(batch):
                if answers is None:
                    yield row.index, Completion.failed(_memory(row), len(row.ids), seconds)
                else:
                    yield row.index, _completion(answers[i], len(row.ids), seconds)
            began = time.perf_counter()

    def _complete_continuously(
        self, rows: Sequence[BatchRow], requests: Sequence[Request]
    ) -> Iterator[tuple[int, Completion]]:
        """Answer rows whose requests share adapter and settings; near ties come last."""
        first = requests[rows[0].index]
        left = {row.index: row for row in rows}
        near_ties: list[BatchRow] = []
        most = self.slots
        while left:
            try:
                for row, answer, seconds in self._decode_continuously(left, first, requests, most):
                    del left[row.index]
                    if self.exact and answer.gap < NEAR_TIE:
                        near_ties.append(row)
                    else:
                        yield row.index, _completion(answer, len(row.ids), seconds)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                # Alone, a row is halved no further: the other way tells of it.
                near_ties += left.values() if most == 1 else ()
                left = {} if most == 1 else left
                most = max(1, min(most, len(left)) // 2)
            release_memory()
        yield from self._complete_alone(near_ties, requests)

    def _decode_continuously(
        self,
        left: Mapping[int, BatchRow],
        first: Request,
        requests: Sequence[Request],
        most: int,
    ) -> Iterator[EndedAnswer]:
        rows = list(left.values())
        seeds = [requests[row.index].seed for row in rows]
        with self._adapters.active(first.adapter) as net, merged(net):
            decoder = Decoder(net, self.tokenizer, self._stops, self.device, watch=self.exact)
            yield from decode_continuously(
                decoder, rows, first.settings, seeds, (most, self._cache_positions)
            )

    def _complete_alone(
        self, rows: Sequence[BatchRow], requests: Sequence[Request]
    ) -> Iterator[tuple[int, Completion]]:
        """Answer each row by itself, by the model's own ``generate``."""
        for row in rows:
            yield from self._complete([row], requests, None)

    def _decode(
        self, requests: Sequence[Request], grammar: Grammar | None, batch: Batch
    ) -> list[DecodedAnswer]:
        first = requests[batch[0].index]
        seeds = [requests[row.index].seed for row in batch]
        with self._adapters.active(first.adapter) as net:
            decoder = Decoder(
                net, self.tokenizer, self._stops, self.device, watch=self.exact, grammar=grammar
            )
            answers = decode(decoder, [row.ids for row in batch], first.settings, seeds)
            if len(batch) == 1:
                return answers
            return [
                decode(decoder, [row.ids], first.settings, [seed])[0]
                if answer.gap < NEAR_TIE
                else answer
                for row, seed, answer in zip(batch, seeds, answers, strict=True)
            ]

    def _grammar(self, schema: Mapping[str, Any]) -> Grammar:
        """Return the grammar of a schema, compiled once: that takes a second."""
        key = json.dumps(schema)
        if key not in self._grammars:
            self._grammars[key] = Grammar(self.tokenizer, schema, self._stops)
        return self._grammars[key]

    def _rate(
        self, adapter: str | None, others: Mapping[int, Sequence[int]], batch: Batch
    ) -> list[list[TokenLogprobs]]:
        with self._adapters.active(adapter) as net:
            return rate(net, batch, self.tokenizer.pad_token_id, self.device, others)

    def _fits(self, batch: Sequence[BatchRow]) -> bool:
        return len(batch) <= self.max_rows and cost(batch) <= self.token_budget

    def _fits_rated(self, batch: Sequence[BatchRow]) -> bool:
        """Bound the logits too: rows × (longest continuation + 1) × vocabulary, in fp32."""
        positions = len(batch) * (max(row.room for row in batch) + 1)
        return self._fits(batch) and positions * len(self.tokenizer) * 4 <= _SCORED_BYTES

    def _too_long(self, prompt: int, answer: int) -> Failure | None:
        if self.context_length is None or prompt + answer <= self.context_length:
            return None
        return Failure(
            kind="context_length",
            message=(
                f"prompt of {prompt} tokens and answer of {answer} do not fit into the model's"
                f" context of {self.context_length}"
            ),
        )


_NOTHING = Failure(kind="empty", message="nothing to rate: prompt or continuation has no tokens")
_BROKEN = Failure(
    kind="not_a_number",
    message="the model's scores are not numbers (overflow in fp16? try dtype: bfloat16 or float32)",
)


def _memory(row: BatchRow) -> Failure:
    return Failure(
        kind="out_of_memory",
        message=f"out of memory with this request alone ({row.length} tokens)",
        transient=True,
    )


def _completion(answer: DecodedAnswer, prompt_tokens: int, seconds: float) -> Completion:
    if answer.broken:
        return Completion.failed(_BROKEN, prompt_tokens, seconds)
    return Completion(
        text=answer.text,
        finish_reason="stop" if answer.stopped else "length",
        prompt_tokens=prompt_tokens,
        completion_tokens=answer.tokens,
        seconds=round(seconds, 6),
    )


def _context_length(loaded: LoadedBase) -> int | None:
    config = loaded.model.config.get_text_config()
    limits = [
        getattr(config, "max_position_embeddings", None),
        getattr(loaded.tokenizer, "model_max_length", None),
    ]
    # Tokenizers without a limit say 10^30.
    known = [int(limit) for limit in limits if limit and limit < 10**9]
    return min(known, default=None)


def _stops(loaded: LoadedBase) -> tuple[int, ...]:
    """Return every token that ends an answer: the model's, the tokenizer's, the chat template's."""
    given = loaded.model.generation_config.eos_token_id
    tokens = set(given if isinstance(given, list) else [given])
    tokens.add(loaded.tokenizer.eos_token_id)
    turn = encode(loaded.tokenizer, Renderer(loaded.tokenizer).end_of_turn)
    tokens.add(turn[-1] if turn else None)
    stops = tuple(sorted(token for token in tokens if token is not None))
    if not stops:
        raise ModelError("this model names no token that ends an answer (eos_token_id)")
    return stops
