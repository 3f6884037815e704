"""A reward model that ``jostle train`` made, as a judge."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import ModelError
from harness.models import provenance
from harness.models.checkpoints import load_base
from harness.models.digests import weights_digest
from harness.models.libraries import quiet
from harness.models.prompting import Renderer, encode_example
from harness.records import Dimension, JudgeItem, Judgement, Message
from harness.util.digest import digest
from training.config import TrainingConfig
from training.loading import base_folder, renderer_of


class RewardJudge:
    """Reward model's rating of an answer, mapped into 0 to 1.

    The value is the logistic function of the reward: the probability, in Bradley and Terry's
    model, that the answer is preferred to one of reward zero, which is about the average of what
    the model was trained on.

    Args:
        path: Folder of a training with ``objective: reward``.
        batch_size: Answers in a batch.
    """

    def __init__(self, path: str, batch_size: int = 8) -> None:
        self.dimensions = (
            Dimension(
                name="reward",
                low=0,
                high=1,
                description="A reward model's preference for the answer over an average one.",
            ),
        )
        self._folder = Path(path).expanduser()
        self._batch_size = batch_size
        trained = provenance.read(self._folder)
        if trained is None or trained.objective != "reward":
            raise ModelError(
                f"reward judge: {self._folder} is not the folder of a training with"
                " 'objective: reward'"
            )
        self._trained = trained
        self.version = f"1, {digest([trained.weights, trained.base, trained.rendering])[:12]}"

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Rate every answer after the conversation that it was given in."""
        import torch

        renderer, model = self._renderer, self._model
        rows = []
        for item in items:
            turns = (*item.conversation, Message(role="user", content=item.question))
            before, after = encode_example(
                renderer.tokenizer, *renderer.example(turns, item.answer)
            )
            rows.append(before + after)
        limit = int(model.config.get_text_config().max_position_embeddings)
        fitting = [index for index, ids in enumerate(rows) if len(ids) <= limit]
        for index in sorted(set(range(len(rows))) - set(fitting)):
            yield self._judgement(
                index, reason=f"{len(rows[index])} tokens exceed the reward model's {limit}"
            )
        fitting.sort(key=lambda index: len(rows[index]))
        for start in range(0, len(fitting), self._batch_size):
            batch = fitting[start : start + self._batch_size]
            width = len(rows[batch[-1]])
            pad = renderer.tokenizer.pad_token_id
            ids = torch.tensor([rows[i] + [pad] * (width - len(rows[i])) for i in batch])
            mask = torch.tensor([[1] * len(rows[i]) + [0] * (width - len(rows[i])) for i in batch])
            with torch.inference_mode():
                rewards = model(
                    input_ids=ids.to(model.device), attention_mask=mask.to(model.device)
                ).logits[:, 0]
            for index, reward in zip(batch, rewards.tolist(), strict=True):
                yield self._judgement(index, reward)

    def _judgement(
        self, item: int, reward: float | None = None, reason: str | None = None
    ) -> Judgement:
        if reward is None or not math.isfinite(reward):
            return Judgement(
                item=item,
                dimension="reward",
                value=None,
                status="error",
                reason=reason or f"the reward is {reward}",
            )
        value = 1 / (1 + math.exp(-max(min(reward, 60.0), -60.0)))
        return Judgement(
            item=item, dimension="reward", value=value, status="scored", raw=f"reward {reward:.4f}"
        )

    @cached_property
    def _renderer(self) -> Renderer:
        return renderer_of(self._config)

    @cached_property
    def _config(self) -> TrainingConfig:
        try:
            return TrainingConfig.model_validate(self._trained.config)
        except ValidationError as error:
            raise ModelError(
                f"reward judge: {self._folder} has a config that this version cannot read; train"
                " it again"
            ) from error

    @cached_property
    def _model(self) -> Any:
        full = self._trained.method == "full"
        folder = self._folder if full else base_folder(self._config)
        if not full and weights_digest(folder) != self._trained.base.get("weights_sha256"):
            raise ModelError(
                f"reward judge: {self._folder} was trained on other weights than"
                f" {self._config.model} has now; train it again, or bring its base back"
            )
        name = self._config.model
        model = load_base(folder, name, dtype="float32", head="scalar").model
        if not full:
            from peft import PeftModel

            with quiet():
                model = PeftModel.from_pretrained(model, str(self._folder))
        return model.eval()
