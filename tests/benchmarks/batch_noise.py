"""How much a row's logits move with the company it keeps, on the embedded model.

Teacher-forced: prompts and 64 tokens of their greedy answers are read alone, then in padded
batches, and the logits at the answer's positions are compared. ``NEAR_TIE`` in
``harness/models/hf.py`` must lie well above the greatest change of a gap between two tokens in
fp32, which is at most twice the greatest change of a logit.

    python tests/benchmarks/batch_noise.py [float32|bfloat16] [path/to/prompts.jsonl]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from harness.models.hf import NEAR_TIE, HFModel
from harness.models.prompting import encode
from harness.records import GenerationSettings, Message, Request

OWN = ["Why do I feel tired?", "Write a haiku about rain. " * 9, "How do I sort a list in Python?"]


def logits(net: Any, rows: list[list[int]], kept: int) -> torch.Tensor:
    """Logits (rows, kept, vocabulary) of left-padded rows."""
    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    positions = (mask.cumsum(-1) - 1).clamp_min(0)
    with torch.inference_mode():
        out = net(input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=kept)
    return out.logits.float()  # type: ignore[no-any-return]


def main(dtype: Any = "float32", path: str = "") -> None:
    """Print the greatest changes for several batch sizes."""
    prompts = (
        [json.loads(line)["prompt"] for line in Path(path).read_text().splitlines()[:32]]
        if path
        else [f"{text} ({i})" for i in range(8) for text in OWN]
    )
    model = HFModel.load("embedded:smollm2-135m", dtype=dtype)
    render = model.renderer().prompt
    requests = [
        Request(
            prompt=render([Message(role="user", content=prompt)]),
            settings=GenerationSettings(max_new_tokens=64),
        )
        for prompt in prompts
    ]
    answers = dict(model.complete(requests))
    # The answer's text encoded again: the same positions for every batch size, which is the point.
    read = [
        encode(model.tokenizer, r.prompt + (answers[i].text or "")) for i, r in enumerate(requests)
    ]
    with model._adapters.active(None) as net:
        alone = [logits(net, [row], 32)[0] for row in read]
        print(f"{dtype}, {len(read)} prompts, NEAR_TIE = {NEAR_TIE}")
        for size in (2, 8, 16, 32):
            change = gap = 0.0
            flips = positions = near = 0
            for start in range(0, len(read), size):
                batch = logits(net, read[start : start + size], 32)
                for one, many in zip(alone[start : start + size], batch, strict=True):
                    change = max(change, float((one - many).abs().max()))
                    best, same = one.topk(2), many.topk(2)
                    gaps = best.values[:, 0] - best.values[:, 1]
                    moved = many.gather(1, best.indices)
                    gap = max(gap, float((gaps - (moved[:, 0] - moved[:, 1])).abs().max()))
                    flips += int((best.indices[:, 0] != same.indices[:, 0]).sum())
                    near += int((gaps < NEAR_TIE).sum())
                    positions += len(gaps)
            print(
                f"batch {size:2}: largest change of a logit {change:.2e}, of a top-2 gap {gap:.2e};"
                f" argmax flips {flips} of {positions}; gaps under NEAR_TIE {near}"
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
