"""A reward model that ``jostle train`` made, as a judge."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.digest import digest
from harness.errors import ModelError
from harness.records import Dimension, JudgeItem, Judgement, Message
from training import provenance


class RewardJudge:
    """A reward model's opinion of an answer, squeezed into 0 to 1.

    The value is the logistic function of the reward: the probability, in Bradley and Terry's
    model, that the answer is preferred to one of reward zero, which is about the average of what
    the model was trained on.

    Args:
        path: Folder of a training with ``objective: reward``.
        batch_size: Answers rated at once.
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
        made = provenance.read(self._folder)
        if made is None or made.objective != "reward":
            raise ModelError(
                f"reward judge: {self._folder} is not the folder of a training with"
                " 'objective: reward'"
            )
        self._made = made
        self.version = f"1, {digest([made.weights, made.base, made.rendering])[:12]}"

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Rate every answer after the conversation that it was given in."""
        import torch

        from harness.prompting import encode_example

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
    def _renderer(self) -> Any:
        from harness.models.checkpoints import load_tokenizer, locate
        from harness.prompting import Renderer

        config = self._made.config
        folder = locate(str(config["model"]), config.get("revision"))
        tokenizer = load_tokenizer(folder, str(config["model"]))
        return Renderer(tokenizer, config.get("template"), config.get("system_prompt"))

    @cached_property
    def _model(self) -> Any:
        from harness.models.checkpoints import locate, pick_device
        from harness.models.quiet import quiet
        from training.loading import load_classifier

        name, device = str(self._made.config["model"]), pick_device("auto")
        whole = self._made.method == "full"
        folder = self._folder if whole else locate(name, self._made.config.get("revision"))
        with quiet():
            model = load_classifier(folder, name, "float32", device).model
            if not whole:
                from peft import PeftModel

                model = PeftModel.from_pretrained(model, str(self._folder))
        model.config.get_text_config().pad_token_id = self._renderer.tokenizer.pad_token_id
        return model.eval()
