"""Subject through vLLM on a GPU: ``vllm:MODEL``, with LoRA adapters on one load of the base.

Prompts go in as token ids from :func:`harness.models.prompting.encode`, as everywhere in Jostle.
vLLM chooses its batches itself, so answers are exact only up to its rounding.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.config import Dtype, Quantization
from harness.errors import MissingPackage, ModelError
from harness.models.adapter_files import read_config, read_shapes
from harness.models.adapters import Mixtures, mixtures
from harness.models.checkpoints import check_safetensors, load_tokenizer, locate, pick_dtype
from harness.models.digests import adapter_digest, config_digest, tokenizer_digest, weights_digest
from harness.models.libraries import first_line
from harness.models.prompting import Renderer, encode, encode_example
from harness.records import Completion, Failure, Request, Scored, TokenLogprobs
from harness.util.digest import digest

PREFIX = "vllm:"
_SHARE = 512  # Requests at a time: the most that an interruption loses.


class VLLMModel:
    """Implements :class:`harness.protocols.Model` over ``vllm.LLM``.

    ``context_length`` is the most tokens of prompt and answer together.
    """

    durable = True

    def __init__(
        self,
        model: str,
        *,
        adapters: Mixtures,
        dtype: Dtype = "auto",
        quantization: Quantization | None = None,
        revision: str | None = None,
    ) -> None:
        """Load the model.

        Args:
            model: As for :meth:`harness.models.hf.HFModel.load`.
            adapters: Likewise, but one part of weight 1 each: vLLM does not mix adapters.
            dtype: Likewise.
            quantization: ``4bit`` through vLLM's bitsandbytes loader; it has no 8-bit one.
            revision: Of a hub id.

        Raises:
            MissingPackage: vLLM is not installed.
            ModelError: Something is missing, does not fit, or cannot be done by vLLM.
        """
        if importlib.util.find_spec("vllm") is None:
            raise MissingPackage(f"{PREFIX}{model} needs vLLM and a GPU: pip install vllm")
        if quantization == "8bit":
            raise ModelError(f"{PREFIX}{model}: vLLM loads no 8bit weights; take 4bit, or no vllm:")
        from transformers import AutoConfig

        folder = locate(model, revision)
        check_safetensors(folder, "model.safetensors*", f"model {model}")
        self.tokenizer = load_tokenizer(folder, model)
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        self.context_length = int(config.get_text_config().max_position_embeddings)
        chosen = pick_dtype(dtype, "cuda:0")
        turn = encode(self.tokenizer, Renderer(self.tokenizer).end_of_turn)
        self._stops = [turn[-1]] if turn else []
        self._base = {
            "engine": "vllm",
            "weights": weights_digest(folder),
            "config": config_digest(config.to_dict(), self._stops),
            "tokenizer": tokenizer_digest(self.tokenizer),
            "dtype": chosen,
            "quantization": quantization or "none",
        }
        self._digests: dict[str, str] = {}
        self._lora: dict[str, Any] = {}
        rank = self._find_adapters(adapters)
        self._engine = _start(str(folder), chosen, quantization, len(self._lora), rank)

    def fingerprint(self, adapter: str | None = None) -> dict[str, str]:
        """Return the digests that decide an answer; see :class:`harness.protocols.Model`."""
        self._request_for(adapter)
        return self._base | ({"adapter": self._digests[adapter]} if adapter else {})

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Answer every request, a share at a time."""
        prompts = [encode(self.tokenizer, request.prompt) for request in requests]
        fitting = []
        for index, (request, ids) in enumerate(zip(requests, prompts, strict=True)):
            failure = self._too_long(len(ids) + request.settings.max_new_tokens)
            if failure is None:
                fitting.append(index)
            else:
                yield index, Completion.failed(failure, len(ids))
        settings = {index: _sampling(requests[index], self._stops) for index in fitting}
        for index, output in self._generate(requests, prompts, settings):
            yield index, _completion(output, len(prompts[index]))

    def logprobs(self, requests: Sequence[Scored]) -> Iterator[tuple[int, TokenLogprobs]]:
        """Rate continuations; vLLM gives no means and deviations over the vocabulary."""
        from vllm import SamplingParams

        pairs = [encode_example(self.tokenizer, r.prompt, r.continuation) for r in requests]
        fitting = []
        for index, (before, after) in enumerate(pairs):
            # One more token is written and ignored: vLLM rates prompts only while generating.
            failure = self._too_long(len(before) + len(after) + 1)
            if failure is None:
                fitting.append(index)
            else:
                yield index, TokenLogprobs(error=failure)
        settings = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=1)
        texts = [[*before, *after] for before, after in pairs]
        for index, output in self._generate(requests, texts, dict.fromkeys(fitting, settings)):
            yield index, _ratings(output, *pairs[index])

    def _generate(
        self,
        requests: Sequence[Request] | Sequence[Scored],
        prompts: Sequence[list[int]],
        settings: Mapping[int, Any],
    ) -> Iterator[tuple[int, Any]]:
        """Yield vLLM's output for every index of ``settings``, a share at a time."""
        fitting = list(settings)
        for start in range(0, len(fitting), _SHARE):
            share = fitting[start : start + _SHARE]
            outputs = self._engine.generate(
                [{"prompt_token_ids": prompts[i]} for i in share],
                [settings[i] for i in share],
                lora_request=[self._request_for(requests[i].adapter) for i in share],
                use_tqdm=False,
            )
            yield from zip(share, outputs, strict=True)

    def _find_adapters(self, adapters: Mixtures) -> int:
        """Check every adapter folder; return the greatest rank."""
        from vllm.lora.request import LoRARequest

        rank = 0
        for number, (name, parts) in enumerate(adapters.items(), 1):
            if len(parts) != 1 or parts[0].weight != 1.0:
                raise ModelError(f"adapter {name!r}: vLLM does not mix adapters; take no vllm:")
            what = f"adapter of {name!r}"
            folder = locate(parts[0].path, what=what)
            rank = max(rank, int(read_config(folder, what).get("r", 0)))
            read_shapes(folder, what)
            self._digests[name] = digest([[adapter_digest(folder), 1.0]])
            self._lora[name] = LoRARequest(f"adapter{number}", number, str(folder))
        return rank

    def _request_for(self, adapter: str | None) -> Any:
        if adapter is None:
            return None
        if adapter not in self._lora:
            raise ModelError(f"adapter {adapter!r} is not loaded; loaded: {', '.join(self._lora)}")
        return self._lora[adapter]

    def _too_long(self, length: int) -> Failure | None:
        if length <= self.context_length:
            return None
        return Failure(
            kind="context_length",
            message=f"{length} tokens do not fit into the model's context of {self.context_length}",
        )


def open_vllm(specs: Sequence[Any]) -> VLLMModel:
    """Open the model behind ``vllm:MODEL`` for these subjects of a suite."""
    first = specs[0]
    return VLLMModel(
        first.model.removeprefix(PREFIX),
        adapters=mixtures(specs),
        dtype=first.dtype,
        quantization=first.quantization,
        revision=first.revision,
    )


def _start(
    folder: str, dtype: str, quantization: Quantization | None, adapters: int, rank: int
) -> Any:
    from vllm import LLM

    options: dict[str, Any] = {}
    if adapters:
        # vLLM accepts only these bounds on the rank.
        bound = next((size for size in (8, 16, 32, 64, 128, 256) if size >= rank), rank)
        options = {"enable_lora": True, "max_loras": adapters, "max_lora_rank": bound}
    if quantization == "4bit":
        options["quantization"] = "bitsandbytes"
    else:
        options["load_format"] = "safetensors"
    try:
        return LLM(model=folder, dtype=dtype, trust_remote_code=False, seed=0, **options)
    except (ValueError, RuntimeError, OSError) as error:
        raise ModelError(f"{PREFIX}{folder}: {first_line(error)}") from error


def _sampling(request: Request, stops: Sequence[int]) -> Any:
    from vllm import SamplingParams

    settings = request.settings
    return SamplingParams(
        max_tokens=settings.max_new_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k or -1,
        repetition_penalty=settings.repetition_penalty,
        stop=list(settings.stop) or None,
        stop_token_ids=list(stops),
        seed=request.seed if settings.temperature > 0 else None,
    )


def _completion(output: Any, prompt_tokens: int) -> Completion:
    answer = output.outputs[0]
    return Completion(
        text=answer.text,
        finish_reason="length" if answer.finish_reason == "length" else "stop",
        prompt_tokens=prompt_tokens,
        completion_tokens=len(answer.token_ids),
    )


def _ratings(output: Any, before: list[int], after: list[int]) -> TokenLogprobs:
    rated = output.prompt_logprobs[len(before) :]
    return TokenLogprobs(
        token_ids=tuple(after),
        logprobs=tuple(float(at[token].logprob) for at, token in zip(rated, after, strict=True)),
    )
