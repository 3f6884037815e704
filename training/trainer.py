"""TRL's trainers, watched, over rows that are encoded already."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from trl import DPOTrainer, RewardTrainer, SFTTrainer

from harness.errors import JostleError
from training.curves import perplexity
from training.masking import IGNORED
from training.throughput import Meter, peak_memory


class NonFiniteLoss(JostleError):
    """The loss or its gradient is NaN or infinite; the weights are those before the step."""


class Watched:
    """Mix-in of a TRL trainer over encoded rows: stops on losses that are not finite, logs costs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model = self.model  # type: ignore[attr-defined]
        if getattr(model, "is_quantized", False):
            # On a quantised base TRL makes LoRA weights bf16, which loses small steps.
            for parameter in model.parameters():
                if parameter.requires_grad and parameter.dtype == torch.bfloat16:
                    parameter.data = parameter.data.float()
        self.meter = Meter()

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Do one forward and backward pass.

        Raises:
            NonFiniteLoss: The loss is NaN or infinite.
        """
        self.meter.add(int(inputs["attention_mask"].sum()))
        loss = super().training_step(model, inputs, *args, **kwargs)  # type: ignore[misc]
        if not bool(torch.isfinite(loss)):
            raise NonFiniteLoss(self._not_finite("loss", float(loss)))
        return loss

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Run the base class's loop, whose time is not training."""
        with self.meter.pause():
            return super().evaluation_loop(*args, **kwargs)  # type: ignore[misc]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with throughput beside every training loss."""
        if "loss" in logs:
            logs.update(self.meter.read())
        logs.update(peak_memory())
        super().log(logs, start_time)  # type: ignore[misc]

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: :mod:`training.card` writes the card of the finished folder."""

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        with self.meter.pause():
            super()._save_checkpoint(*args, **kwargs)  # type: ignore[misc]

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[misc]
        # With fp16 the scaler skips such steps itself while it adjusts its scale.
        fp16 = self.args.fp16  # type: ignore[attr-defined]
        if norm is not None and not fp16 and not math.isfinite(float(norm)):
            raise NonFiniteLoss(self._not_finite("gradient", float(norm)))
        return norm

    def _not_finite(self, what: str, value: float) -> str:
        step = self.state.global_step + 1  # type: ignore[attr-defined]
        return (
            f"training stopped at step {step}: the {what} is {value}."
            " Lower learning_rate, set max_grad_norm: 1.0 or dtype: float32, and look for broken rows"
        )


class ResponseTrainer(Watched, SFTTrainer):
    """``SFTTrainer`` with two further differences.

    - The validation loss is the mean over response *tokens*. ``transformers`` averages batch means,
      which makes it depend on the batch size.
    - On CPU only the positions of responses go through the language-model head; TRL's fused head
      scores every position there.
    """

    def __init__(
        self,
        *args: Any,
        extra_metrics: Callable[[], dict[str, float]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._extra_metrics = extra_metrics
        self._nll = torch.zeros(2, dtype=torch.float64)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the mean negative log-likelihood of the response tokens, in nats."""
        log_probs, mask = self._log_probs(model, inputs)
        if not model.training:
            self._count(log_probs, mask)
        tokens = mask.sum() if num_items_in_batch is None else num_items_in_batch
        loss = -log_probs.sum() / torch.as_tensor(tokens, device=log_probs.device).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            # num_items_in_batch counts every process's tokens, and DDP averages gradients.
            loss = loss * self.accelerator.num_processes
        return (loss, None) if return_outputs else loss

    def _log_probs(self, model: Any, inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Return log-probabilities (zero where masked) and mask, both (batch, length - 1)."""
        batch = {key: inputs[key] for key in ("input_ids", "attention_mask")}
        if self.args.device.type != "cpu":
            scored = model(**batch, labels=inputs["labels"], use_cache=False, fused_lm_head=True)
            return scored.log_probs, scored.label_mask
        labels = inputs["labels"][:, 1:]
        mask = labels != IGNORED
        # Columns in which any row has a response token; before them are only prompts.
        columns = mask.any(dim=0).nonzero()[:, 0]
        keep = {"logits_to_keep": columns} if self._can_keep_logits else {}
        logits = model(**batch, use_cache=False, **keep).logits
        if not keep:
            logits = logits[:, columns]
        chosen = mask[:, columns]
        losses = cross_entropy(logits[chosen].float(), labels[:, columns][chosen], reduction="none")
        empty = torch.zeros(mask.shape, dtype=losses.dtype, device=losses.device)
        return empty.masked_scatter(mask, -losses), mask

    @property
    def _can_keep_logits(self) -> bool:
        base = self.accelerator.unwrap_model(self.model)
        base = base.get_base_model() if hasattr(base, "get_base_model") else base
        return "logits_to_keep" in inspect.signature(type(base).forward).parameters

    def _count(self, log_probs: torch.Tensor, mask: torch.Tensor) -> None:
        rows = torch.stack([-log_probs.double().sum(dim=1), mask.double().sum(dim=1)], dim=1)
        # Drops the duplicates that fill the last batch of several processes.
        self._nll += self.accelerator.gather_for_metrics(rows).sum(dim=0).cpu()

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Run the base class's loop with a token-weighted loss, its perplexity and further metrics."""
        self._nll.zero_()
        output = super().evaluation_loop(*args, **kwargs)
        prefix = kwargs.get("metric_key_prefix", "eval")
        nll, tokens = self._nll.tolist()
        loss = nll / max(tokens, 1.0)
        output.metrics[f"{prefix}_loss"] = loss
        output.metrics[f"{prefix}_perplexity"] = perplexity(loss)
        if self._extra_metrics is not None:
            with self.meter.pause():
                extra = {f"{prefix}_{key}": value for key, value in self._extra_metrics().items()}
            output.metrics.update(extra)
        return output

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with the perplexity beside every training loss."""
        if "loss" in logs:
            logs["perplexity"] = perplexity(logs["loss"])
        super().log(logs, start_time)


class PreferenceTrainer(Watched, DPOTrainer):
    """``DPOTrainer`` over ``prompt_ids``, ``chosen_ids`` and ``rejected_ids``."""


class RewardModelTrainer(Watched, RewardTrainer):
    """``RewardTrainer`` over ``chosen_ids`` and ``rejected_ids``."""
