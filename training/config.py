"""A training config: the field names of ``TrainingArguments`` and ``LoraConfig``, in one flat file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from harness.config import DataSpec, Section, load_yaml
from harness.errors import ConfigError
from harness.models.checkpoints import Dtype, Quantization
from harness.models.prompting import check_template

Method = Literal["full", "lora", "qlora-4bit", "qlora-8bit"]
ObjectiveName = Literal["sft", "dpo", "reward"]
Interval = Literal["no", "steps", "epoch"]

FORBIDDEN_ARGUMENTS = (
    "push_to_hub",
    "hub_",
    "report_to",
    "trackio",
    "run_name",
    "project",
    "resume_from_checkpoint",
    "local_rank",
    "do_",
)
"""``TrainingArguments`` (by prefix) that would leave the machine or that are set elsewhere."""


class GenerationMetrics(Section):
    """A few validation prompts that are answered and judged at every evaluation.

    Gives ``eval_rouge_l`` (mean ROUGE-L F against the reference) and ``eval_refusal_rate``, through
    the same rendering, generation and judges as a suite.

    Attributes:
        samples: Number of validation prompts, drawn by the seed.
        max_new_tokens: Most tokens of an answer.
    """

    samples: int = Field(default=16, ge=1)
    max_new_tokens: int = Field(default=64, ge=1)


class TrainingConfig(Section):
    """Everything that ``jostle train`` needs to know.

    Attributes:
        model: ``embedded:smollm2-135m``, a local folder or a hub id.
        objective: ``sft`` on prompt and response; ``dpo`` and ``reward`` on prompt, chosen, rejected.
        method: All weights, LoRA, or LoRA on a base held in 4 or 8 bits.
        dtype: Type of the base weights. ``auto``: float32 on CPU; on GPU bfloat16 where it is
            supported and float16 elsewhere, except that weights under training stay in float32.
        output_dir: Folder of the adapter (or model), its log and its checkpoints.
        train_data: Data to learn from; the same forms as a suite's ``data``.
        validation_data: Data to measure the loss on.
        validation_fraction: Without ``validation_data``: this share of the training prompts is
            held out, all rows of one prompt on one side.
        allow_overlap: Continue although validation prompts are in the training data.
        template: Plain prompt template; None takes the tokenizer's chat template.
        max_length: Most tokens of an example; the log counts what is cut.
        assistant_turns: In a conversation, learn from every assistant turn or only from the last.
        early_stopping_patience: Stop after this many evaluations without improvement.
        generation_metrics: Answer and judge a few validation prompts at every evaluation too.
        extra_arguments: Further ``TrainingArguments`` by name.
        beta: DPO's beta: strength of the tie to the reference model.
    """

    model: str
    revision: str | None = None
    objective: ObjectiveName = "sft"
    method: Method = "lora"
    dtype: Dtype = "auto"
    output_dir: str
    train_data: DataSpec
    validation_data: DataSpec | None = None
    validation_fraction: float = Field(default=0.0, ge=0.0, lt=1.0)
    allow_overlap: bool = False
    template: str | None = None
    system_prompt: str | None = None
    max_length: int = Field(default=512, ge=8)
    assistant_turns: Literal["all", "last"] = "all"
    generation_metrics: GenerationMetrics | None = None
    early_stopping_patience: int | None = Field(default=None, ge=1)
    early_stopping_threshold: float = Field(default=0.0, ge=0.0)
    beta: float = Field(default=0.1, gt=0.0)

    # LoraConfig
    r: int = Field(default=8, ge=1)
    lora_alpha: int = Field(default=32, ge=1)
    lora_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    target_modules: str | tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    modules_to_save: tuple[str, ...] | None = None
    layers_to_transform: tuple[int, ...] | None = None
    bias: Literal["none", "all", "lora_only"] = "none"
    use_rslora: bool = False
    use_dora: bool = False

    # TrainingArguments
    per_device_train_batch_size: int = Field(default=4, ge=1)
    per_device_eval_batch_size: int = Field(default=8, ge=1)
    gradient_accumulation_steps: int = Field(default=1, ge=1)
    num_train_epochs: float = Field(default=1.0, gt=0.0)
    max_steps: int = Field(default=-1, ge=-1)
    learning_rate: float = Field(default=2e-4, gt=0.0)
    weight_decay: float = Field(default=0.0, ge=0.0)
    lr_scheduler_type: str = "linear"
    warmup_steps: float = Field(default=0.0, ge=0.0)
    max_grad_norm: float = Field(default=1.0, ge=0.0)
    optim: str = "adamw_torch"
    bf16: bool = False
    fp16: bool = False
    gradient_checkpointing: bool = False
    logging_steps: int = Field(default=5, ge=1)
    eval_strategy: Interval = "steps"
    eval_steps: int = Field(default=50, ge=1)
    eval_on_start: bool = True
    save_strategy: Interval = "steps"
    save_steps: int = Field(default=50, ge=1)
    save_total_limit: int = Field(default=2, ge=2)
    load_best_model_at_end: bool = False
    metric_for_best_model: str = "eval_loss"
    greater_is_better: bool | None = None
    seed: int = Field(default=0, ge=0)
    use_cpu: bool = False
    report_to: Literal["tensorboard", "none"] = "tensorboard"
    extra_arguments: dict[str, Any] = Field(default_factory=dict)

    @field_validator("template")
    @classmethod
    def _usable_template(cls, template: str | None) -> str | None:
        try:
            return template if template is None else check_template(template)
        except ConfigError as error:
            raise ValueError(str(error)) from error

    @field_validator("eval_strategy", "save_strategy", mode="before")
    @classmethod
    def _no_is_a_word(cls, value: Any) -> Any:
        """Turn false into ``no``: YAML reads a bare ``no`` as false."""
        return "no" if value is False else value

    @field_validator("train_data", "validation_data")
    @classmethod
    def _every_answer(cls, spec: DataSpec | None) -> DataSpec | None:
        """Allow several answers to one prompt, unless the config says otherwise."""
        if spec is None or "duplicates" in spec.model_fields_set:
            return spec
        return spec.model_copy(update={"duplicates": "keep"})

    @field_validator("extra_arguments")
    @classmethod
    def _known_arguments(cls, extra: dict[str, Any]) -> dict[str, Any]:
        for name in extra:
            if name.startswith(FORBIDDEN_ARGUMENTS):
                raise ValueError(f"{name!r} cannot be set here: nothing leaves this machine")
            if name in cls.model_fields:
                raise ValueError(
                    f"{name!r} is a field of the config: move it out of extra_arguments"
                )
        return extra

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.bf16 and self.fp16:
            raise ValueError("bf16 and fp16 exclude each other; set one of them")
        if self.validation_data is not None and self.validation_fraction:
            raise ValueError("validation_fraction and validation_data exclude each other")
        if not self.has_validation:
            self._without_validation()
        if self.load_best_model_at_end or self.early_stopping_patience is not None:
            self._best_needs_checkpoints()
        generated = {"eval_rouge_l", "eval_refusal_rate"}
        if self.best_metric in generated and self.generation_metrics is None:
            raise ValueError(
                f"metric_for_best_model {self.metric_for_best_model!r} needs generation_metrics:"
                " write 'generation_metrics: {samples: 16}'"
            )
        if self.objective == "reward" and self.quantization is not None:
            raise ValueError(f"objective reward takes method lora or full, not {self.method}")
        if self.objective != "sft" and self.generation_metrics is not None:
            raise ValueError(f"generation_metrics is for objective sft, not {self.objective}")
        return self

    def _without_validation(self) -> None:
        needing = {
            "load_best_model_at_end": self.load_best_model_at_end,
            "early_stopping_patience": self.early_stopping_patience,
            "generation_metrics": self.generation_metrics,
        }
        for name, value in needing.items():
            if value:
                raise ValueError(
                    f"{name} needs validation data: name validation_data or set validation_fraction"
                )

    def _best_needs_checkpoints(self) -> None:
        field = (
            "load_best_model_at_end" if self.load_best_model_at_end else "early_stopping_patience"
        )
        if self.eval_strategy == "no":
            raise ValueError(f"{field} needs evaluations: set eval_strategy to steps or epoch")
        if not self.load_best_model_at_end:
            return
        if self.save_strategy != self.eval_strategy:
            raise ValueError(
                "load_best_model_at_end needs a checkpoint at every evaluation: set save_strategy"
                f" to {self.eval_strategy!r} as eval_strategy is"
            )
        if self.eval_strategy == "steps" and self.save_steps % self.eval_steps:
            raise ValueError(
                f"save_steps ({self.save_steps}) must be a multiple of eval_steps"
                f" ({self.eval_steps}) with load_best_model_at_end"
            )

    @property
    def has_validation(self) -> bool:
        """Return whether a validation loss will be measured."""
        return self.validation_data is not None or self.validation_fraction > 0

    @property
    def best_metric(self) -> str:
        """Return ``metric_for_best_model`` with its ``eval_`` prefix."""
        name = self.metric_for_best_model
        return name if name.startswith("eval_") else f"eval_{name}"

    @property
    def higher_metric_is_better(self) -> bool:
        """Return ``greater_is_better``, or what the metric's name implies."""
        if self.greater_is_better is not None:
            return self.greater_is_better
        return not self.best_metric.endswith(("loss", "perplexity", "refusal_rate"))

    @property
    def quantization(self) -> Quantization | None:
        """Return the quantisation of the base; None where it is not quantised."""
        if self.method == "qlora-4bit":
            return "4bit"
        return "8bit" if self.method == "qlora-8bit" else None


def load_training(path: Path, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Read a training config.

    Raises:
        ConfigError: One line that names file, line and field.
    """
    return load_yaml(path, overrides, TrainingConfig)
