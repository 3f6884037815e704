"""Speed of a training step on this machine, as ratios against a named alternative.

    python tests/benchmarks/train_speed.py [--rows 4] [--length 256]

- our loss (only response positions go through the head) against TRL's fused head, on CPU
- LoRA on the upper half of the layers against LoRA on all of them
- all weights, 4 bits and 8 bits against LoRA

CPU seconds of the process are compared, not wall time, so that a busy machine does not matter much.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from training.config import TrainingConfig
from training.loading import base_folder, load
from training.run import quiet, seeded

REPEATS = 3


def build(folder: Path, rows: int, length: int, **fields: Any) -> Any:
    """A trainer over random rows of which the second half is response."""
    from datasets import Dataset
    from trl import SFTConfig

    from training.objectives import training_arguments
    from training.trainer import ResponseTrainer

    config = TrainingConfig(
        model="embedded:smollm2-135m", output_dir=str(folder), train_data="unused", **fields
    )
    loaded = load(config, base_folder(config))
    ids = [[(7 * i + 13 * row) % 40_000 + 50 for i in range(length)] for row in range(rows)]
    labels = [[-100] * (length // 2) + row[length // 2 :] for row in ids]
    return ResponseTrainer(
        model=loaded.model,
        args=SFTConfig(
            **training_arguments(config, loaded.device), max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
        train_dataset=Dataset.from_dict({"input_ids": ids, "labels": labels}),
        processing_class=loaded.tokenizer,
    )  # fmt: skip


def step_seconds(trainer: Any, rows: int, *, fused: bool = False) -> float:
    """CPU seconds of one forward and backward pass, the median of some."""
    from trl import SFTTrainer

    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(rows)])
    loss_of = SFTTrainer.compute_loss if fused else type(trainer).compute_loss
    trainer.model.train()
    times = []
    for _ in range(REPEATS + 1):
        began = time.process_time()
        loss_of(trainer, trainer.model, dict(batch)).backward()
        times.append(time.process_time() - began)
        trainer.model.zero_grad()
    return median(times[1:])


def main() -> None:
    """Print one line a comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--length", type=int, default=256)
    chosen = parser.parse_args()
    rows, length = chosen.rows, chosen.length
    with tempfile.TemporaryDirectory() as name, quiet(), seeded(0):
        folder = Path(name)
        plain = build(folder, rows, length)
        lora = step_seconds(plain, rows)
        fused = step_seconds(plain, rows, fused=True)
        print(
            f"LoRA, {rows} x {length}: {lora:.2f} CPU s a step, {rows * length / lora:.0f} tokens/s"
        )
        print(f"TRL's fused head / ours: {fused / lora:.2f}")
        del plain
        for label, fields in (
            (
                "LoRA on the upper half / on all layers",
                {"layers_to_transform": tuple(range(15, 30))},
            ),
            ("all weights / LoRA", {"method": "full"}),
            ("4 bits / LoRA", {"method": "qlora-4bit"}),
            ("8 bits / LoRA", {"method": "qlora-8bit"}),
        ):
            trainer = build(folder, rows, length, **fields)
            print(f"{label}: {step_seconds(trainer, rows) / lora:.2f}", flush=True)
            del trainer


if __name__ == "__main__":
    main()
