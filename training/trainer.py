"""TRL's ``SFTTrainer`` with an exact validation loss and a loss that costs no more than it must."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from trl import SFTTrainer

from harness.errors import JostleError
from training.masking import IGNORED


class NonFiniteLoss(JostleError):
    """The loss or its gradient is NaN or infinite; the weights have not taken the step."""


class Trainer(SFTTrainer):
    """``SFTTrainer`` that differs in four points.

    - The validation loss is the mean over response *tokens*. ``transformers`` averages batch means,
      which makes it depend on the batch size.
    - On CPU only the positions of responses go through the language-model head; TRL's fused head
      scores every position there.
    - A loss or gradient that is not finite stops the training before the step is taken.
    - What is logged holds tokens per second, perplexity and peak memory.
    """

    def __init__(
        self, *args: Any, extra_metrics: Callable[[], dict[str, float]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        # TRL holds LoRA weights on a quantised base in bfloat16, where small steps are lost.
        for parameter in self.model.parameters():
            if parameter.requires_grad and parameter.dtype == torch.bfloat16 and self._quantised:
                parameter.data = parameter.data.float()
        self._extra_metrics = extra_metrics
        self._meter = Meter()
        self._nll = torch.zeros(2, dtype=torch.float64)

    @property
    def _quantised(self) -> bool:
        return bool(getattr(self.model, "is_quantized", False))

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean negative log-likelihood of the response tokens, in nats."""
        log_probs, mask = self._log_probs(model, inputs)
        if not model.training:
            self._count(log_probs, mask)
        else:
            self._meter.add(int(inputs["attention_mask"].sum()))
        tokens = mask.sum() if num_items_in_batch is None else num_items_in_batch
        loss = -log_probs.sum() / torch.as_tensor(tokens, device=log_probs.device).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            # num_items_in_batch counts every process's tokens, and DDP averages gradients.
            loss = loss * self.accelerator.num_processes
        return (loss, None) if return_outputs else loss

    def _log_probs(self, model: Any, inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities (zero where masked) and mask, both of shape (batch, length - 1)."""
        batch = {key: inputs[key] for key in ("input_ids", "attention_mask")}
        if self.args.device.type != "cpu":
            scored = model(**batch, labels=inputs["labels"], use_cache=False, fused_lm_head=True)
            return scored.log_probs, scored.label_mask
        labels = inputs["labels"][:, 1:]
        mask = labels != IGNORED
        # Columns in which any row has a response token; what lies before them is prompts only.
        columns = mask.any(dim=0).nonzero()[:, 0]
        keep = {"logits_to_keep": columns} if self._keeps_logits else {}
        logits = model(**batch, use_cache=False, **keep).logits
        if not keep:
            logits = logits[:, columns]
        chosen = mask[:, columns]
        losses = cross_entropy(logits[chosen].float(), labels[:, columns][chosen], reduction="none")
        empty = torch.zeros(mask.shape, dtype=losses.dtype, device=losses.device)
        return empty.masked_scatter(mask, -losses), mask

    @property
    def _keeps_logits(self) -> bool:
        base = self.accelerator.unwrap_model(self.model)
        base = base.get_base_model() if hasattr(base, "get_base_model") else base
        return "logits_to_keep" in inspect.signature(type(base).forward).parameters

    def _count(self, log_probs: torch.Tensor, mask: torch.Tensor) -> None:
        rows = torch.stack([-log_probs.double().sum(dim=1), mask.double().sum(dim=1)], dim=1)
        # Drops the rows that several processes were given twice to fill the last batch.
        self._nll += self.accelerator.gather_for_metrics(rows).sum(dim=0).cpu()

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """The base class's loop with a token-weighted loss, its perplexity and further metrics."""
        self._nll.zero_()
        began = time.perf_counter()
        output = super().evaluation_loop(*args, **kwargs)
        prefix = kwargs.get("metric_key_prefix", "eval")
        nll, tokens = self._nll.tolist()
        loss = nll / max(tokens, 1.0)
        output.metrics[f"{prefix}_loss"] = loss
        output.metrics[f"{prefix}_perplexity"] = perplexity(loss)
        if self._extra_metrics is not None:
            found = self._extra_metrics()
            output.metrics.update({f"{prefix}_{key}": value for key, value in found.items()})
        self._meter.leave_out(time.perf_counter() - began)
        return output

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """One forward and backward pass.

        Raises:
            NonFiniteLoss: The loss is NaN or infinite.
        """
        loss = super().training_step(*args, **kwargs)
        if not bool(torch.isfinite(loss)):
            raise NonFiniteLoss(self._not_finite("loss", float(loss)))
        return loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        # With fp16 the scaler skips such steps itself while it looks for its scale.
        if norm is not None and not self.args.fp16 and not math.isfinite(float(norm)):
            raise NonFiniteLoss(self._not_finite("gradient", float(norm)))
        return norm

    def _not_finite(self, what: str, value: float) -> str:
        return (
            f"training stopped at step {self.state.global_step + 1}: the {what} is {value}."
            " Lower learning_rate, set max_grad_norm: 1.0 or dtype: float32, and look for broken rows"
        )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with throughput beside every training loss."""
        if "loss" in logs:
            logs["perplexity"] = perplexity(logs["loss"])
            logs.update(self._meter.read())
        logs.update(peak_memory())
        super().log(logs, start_time)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        began = time.perf_counter()
        super()._save_checkpoint(*args, **kwargs)
        self._meter.leave_out(time.perf_counter() - began)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the card of the finished folder is written by :mod:`training.card`."""


class Meter:
    """Tokens per second of training alone: evaluations and checkpoints do not count."""

    def __init__(self) -> None:
        self._tokens = 0
        self._since = time.perf_counter()

    def add(self, tokens: int) -> None:
        """Count the tokens of one batch, padding left out."""
        self._tokens += tokens

    def leave_out(self, seconds: float) -> None:
        """Take time that was not training out of the account."""
        self._since += seconds

    def read(self) -> dict[str, float]:
        """Tokens since the last reading, and their rate."""
        now = time.perf_counter()
        tokens, seconds = self._tokens, max(now - self._since, 1e-9)
        self._tokens, self._since = 0, now
        return {"tokens_per_second": tokens / seconds, "tokens": float(tokens)}


def perplexity(loss: float) -> float:
    """``exp`` of a loss in nats; infinity where that overflows."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def peak_memory() -> dict[str, float]:
    """Peak resident memory of this process and peak GPU memory of torch, in MiB."""
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"peak_cpu_mib": peak / (2**20 if sys.platform == "darwin" else 2**10)}
    if torch.cuda.is_available():
        found["peak_gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20
    return found
