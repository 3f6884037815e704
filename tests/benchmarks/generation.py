"""Answers a second by base and adapter: ours beside ``generate``, alone and in padded batches.

    python -m tests.benchmarks.generation [--prompts 24] [--variants 3] [--tokens 64] [--dtype float32]

The prompts are bundled held-out counselling prompts and rewordings of them. The named alternatives are
what people have: one request at a time (a ``pipeline``), and padded batches of equal requests sorted by
length through ``generate`` with the adapter unmerged, as lm-evaluation-harness's ``hf`` class does it, at
the better of two batch sizes. All in one process, one after the other; greedy, the same requests. Prints
answers a second, tokens a second beside the machine's limit for matrix products of the model's size,
each ratio, and how many answers differ from those asked alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from harness.config import AdapterSpec
from harness.models.hf import HFModel
from harness.models.libraries import quiet
from harness.records import Completion, GenerationSettings, Message, Request, Sample
from harness.util.resources import resolve
from harness.variants.expand import expand, make_kind
from harness.variants.gate import Gate

_BATCHES = (8, 32)
_ALONE = 6  # Requests that are asked one by one: more would take minutes.


def prompts(count: int, variants: int) -> list[str]:
    """Return bundled prompts, each with up to so many rewordings."""
    path = resolve("configs/data/counseling/heldout.jsonl")
    rows = [json.loads(line) for line in Path(path).read_text().splitlines()][:count]
    samples = [
        Sample(id=str(i), messages=(Message(role="user", content=row["prompt"]),))
        for i, row in enumerate(rows)
    ]
    kinds = [make_kind("typo"), make_kind("surface"), make_kind("filler")][:variants]
    expanded = expand(samples, kinds, seed=5, variants_per_prompt=0, gate=Gate(similarity=False))
    return [v.messages[-1].content or "" for v in expanded if v.status == "valid"]


def make_adapter(model: str, folder: Path) -> Path:
    """Save a LoRA adapter of rank 8 on the attention and MLP layers with small random values."""
    import torch
    from peft import LoraConfig, get_peft_model

    net = HFModel.load(model, dtype="float32")._adapters._base.net
    layers = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    torch.manual_seed(1)
    with quiet():
        peft = get_peft_model(net, LoraConfig(r=8, lora_alpha=16, target_modules=layers))
    for name, parameter in peft.named_parameters():
        if "lora_B" in name:
            parameter.data = torch.randn_like(parameter) * 0.003
    peft.save_pretrained(folder)
    return folder


def timed(model: HFModel, requests: Sequence[Request]) -> tuple[float, list[Completion]]:
    """Return the seconds and the answers."""
    began = time.perf_counter()
    answers = dict(model.complete(requests))
    return time.perf_counter() - began, [answers[i] for i in range(len(requests))]


def matrix_limit(model: HFModel) -> float:
    """Return tokens a second if a pass were matrix products alone, measured at 128 rows."""
    import torch

    net = model._adapters._base.net
    shapes = [p.shape for n, p in net.named_parameters() if p.dim() == 2 and "embed" not in n]
    shapes.append(net.get_output_embeddings().weight.shape)
    dtype = next(net.parameters()).dtype
    seconds = 0.0
    for shape in {tuple(shape) for shape in shapes}:
        rows, weight = torch.randn(128, shape[1], dtype=dtype), torch.randn(shape, dtype=dtype)
        torch.nn.functional.linear(rows, weight)
        began = time.perf_counter()
        for _ in range(3):
            torch.nn.functional.linear(rows, weight)
        seconds += (time.perf_counter() - began) / 3 * [tuple(s) for s in shapes].count(shape)
    return 128 / seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--variants", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--model", default="embedded:smollm2-135m")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        adapter = make_adapter(options.model, Path(folder))
        parts = {"tuned": [AdapterSpec(path=str(adapter))]}
        model = HFModel.load(options.model, adapters=parts, dtype=options.dtype)
    render = model.renderer().prompt
    requests = [
        Request(
            prompt=render([Message(role="user", content=text)]),
            settings=GenerationSettings(max_new_tokens=options.tokens),
            adapter=name,
        )
        for name in (None, "tuned")
        for text in prompts(options.prompts, options.variants)
    ]
    half = len(requests) // 2
    few = [*requests[: _ALONE // 2], *requests[half : half + _ALONE // 2]]
    rows: list[tuple[str, float]] = []
    model._continuous = False
    model.max_rows = 1
    seconds, alone = timed(model, few)
    rows.append(("one at a time", len(few) / seconds))
    for size in _BATCHES:
        model.max_rows = size
        seconds, padded = timed(model, requests)
        rows.append((f"padded batches of {size}", len(requests) / seconds))
    model._continuous = True
    seconds, ours = timed(model, requests)
    rows.append(("ours", len(requests) / seconds))
    best = max(rate for name, rate in rows[1:-1])
    tokens = sum(answer.completion_tokens or 0 for answer in ours)
    print(f"{len(requests)} answers of up to {options.tokens} tokens, {options.dtype}")
    for name, rate in rows:
        print(f"{name:24} {rate:6.2f} answers/s   ours is {rows[-1][1] / rate:5.2f} times this")
    print(
        f"ours: {tokens / seconds:.0f} tokens/s written; matrix products alone: {matrix_limit(model):.0f}"
    )
    print(f"ours over the better padded size: {rows[-1][1] / best:.2f}")
    differ = sum(a.text != b.text for a, b in zip(ours, padded, strict=True))
    first = [*ours[: _ALONE // 2], *ours[half : half + _ALONE // 2]]
    one = sum(a.text != b.text for a, b in zip(first, alone, strict=True))
    print(
        f"answers that differ: {differ} of {len(ours)} from padded, {one} of {len(few)} from alone"
    )


if __name__ == "__main__":
    main()
