"""The local judge: any Hugging Face causal model rates by a rubric, without a server.

``weighted``: the model is asked for a score, and the value is the mean of the scale's steps under
the probabilities it gives them (as G-Eval does): one pass a dimension, and a score between steps.
``written``: it writes reason and score as JSON, held to the schema token by token, and validated
afterwards all the same.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple

from harness.models.hf import HFModel
from harness.models.prompting import Renderer
from harness.protocols import Closable, JudgeTraits, Model, TokenizesLocally
from harness.records import (
    Completion,
    Cost,
    Dimension,
    GenerationSettings,
    JudgeItem,
    Judgement,
    Message,
    Request,
    Scored,
    TokenLogprobs,
)
from harness.text.refusals import Refusals
from harness.util.digest import digest
from judges.llm import prompts
from judges.llm.rubric_file import Criterion, load_rubric, schema
from judges.rubric import RubricCall, asks, failed, judgements

Mode = Literal["weighted", "written"]

CHUNK = 64
"""Items given to the model at a time, so that finished ones are handed on."""

LEAST_MASS = 1e-6
"""Probability of all steps together below which the model is not answering with a step at all."""

REASON = 300
"""Characters of a reason that is written under a schema."""


class Rating(NamedTuple):
    """One dimension of one item, to be rated by the probabilities of its steps."""

    item: int
    criterion: Criterion
    prompt: str


class Local:
    """Any Hugging Face causal model rates by a rubric, without a server.

    Args:
        rubric: A shipped rubric by name, or a YAML file by its path.
        model: ``embedded:NAME``, a folder or a hub id; or a loaded model.
        mode: ``weighted`` for the probability-weighted score, ``written`` for JSON.
        dimensions: Only these of the rubric's dimensions; all by default.
        dtype: As for subjects, like ``quantization`` and ``revision``.
        quantization: See there.
        revision: See there.
        max_tokens: Of a written verdict.
        max_characters: Of one shown text; the middle of a longer one is left out.
        allow_self_judging: Let the model judge answers that came from its own base weights.

    Raises:
        ConfigError: The rubric cannot be read.
        ValueError: An option does not fit.
    """

    traits = JudgeTraits(llm=True)

    def __init__(
        self,
        rubric: str,
        model: str | Model,
        mode: Mode = "weighted",
        dimensions: Sequence[str] | None = None,
        dtype: Any = "auto",
        quantization: Any = None,
        revision: str | None = None,
        max_tokens: int = 512,
        max_characters: int = 4000,
        allow_self_judging: bool = False,
    ) -> None:
        if mode not in ("weighted", "written"):
            raise ValueError(f"mode must be weighted or written, not {mode!r}")
        self.rubric = load_rubric(rubric, dimensions)
        self.traits = JudgeTraits(
            llm=True,
            named_model=model if isinstance(model, str) else None,
            allow_self_judging=allow_self_judging,
            shows=self.rubric.texts,
        )
        self._load: Callable[[], Any] = lambda: (
            HFModel.load(model, dtype=dtype, quantization=quantization, revision=revision)
            if isinstance(model, str)
            else model
        )
        self._mode = mode
        self._max_tokens = max_tokens
        self._max_characters = max_characters
        self._refusals = Refusals(similarity=None)
        self.dimensions: Sequence[Dimension] = self.rubric.graded

    @cached_property
    def model(self) -> Any:
        """Return the model, loaded on first use."""
        return self._load()

    @cached_property
    def _renderer(self) -> Renderer:
        tokenizer = self.model.tokenizer if isinstance(self.model, TokenizesLocally) else None
        return Renderer(tokenizer)

    @property
    def durable(self) -> bool:
        """Return whether judgements may be kept across runs."""
        return bool(self.model.durable)

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """Return content digests of the model that judges."""
        return dict(self.model.fingerprint())

    @cached_property
    def version(self) -> str:
        """Name rubric, mode, the model's weights and how it is asked."""
        decides = [
            self.fingerprint,
            self._renderer.fingerprint,
            self._max_tokens if self._mode == "written" else None,
            self._max_characters,
            prompts.PROMPT_VERSION,
        ]
        return f"local {self._mode} {self.rubric.label}, model {digest(decides)[:16]}"

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Grade every item on every dimension it has the needs for."""
        work = self._weighted if self._mode == "weighted" else self._written
        for start in range(0, len(items), CHUNK):
            for judgement in work(items[start : start + CHUNK]):
                yield judgement.model_copy(update={"item": start + judgement.item})

    def close(self) -> None:
        """Release the weights."""
        if "model" in self.__dict__:
            if isinstance(self.model, Closable):
                self.model.close()
            del self.__dict__["model"]

    def _prompt(self, messages: Sequence[Message]) -> str:
        # In one turn: some chat templates know no system turn, and base models no turns at all.
        text = "\n\n".join(message.content for message in messages)
        return self._renderer.prompt((Message(role="user", content=text),))

    def _weighted(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        ratings = [
            Rating(index, criterion, self._prompt(self._score_messages(item, criterion)))
            for index, item in enumerate(items)
            for criterion in self.rubric.dimensions
            if prompts.shows_all(item, self.rubric.required(self.rubric.shown(criterion)))
        ]
        places = [(rating, step) for rating in ratings for step in rating.criterion.steps]
        requests = [
            Scored(prompt=rating.prompt, continuation=_spelled(rating.criterion, step))
            for rating, step in places
        ]
        waiting: dict[tuple[int, str], dict[int, TokenLogprobs]] = defaultdict(dict)
        for index, logprobs in self.model.logprobs(requests):
            rating, step = places[index]
            key = (rating.item, rating.criterion.name)
            waiting[key][step] = logprobs
            if len(waiting[key]) == len(rating.criterion.steps):
                yield weigh(rating, waiting.pop(key))

    def _score_messages(self, item: JudgeItem, criterion: Criterion) -> tuple[Message, ...]:
        texts = prompts.shown_texts(item, self.rubric.shown(criterion))
        return prompts.score_messages(self.rubric, criterion, texts, self._max_characters)

    def _written(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        groups: dict[tuple[str, ...], list[RubricCall]] = defaultdict(list)
        for ask in asks(self.rubric, items, self._max_characters):
            groups[tuple(c.name for c in ask.criteria)].append(ask)
        settings = GenerationSettings(max_new_tokens=self._max_tokens)
        for of_group in groups.values():
            requests = [
                Request(prompt=self._prompt(ask.messages), settings=settings) for ask in of_group
            ]
            form = schema(of_group[0].criteria, REASON)
            for index, completion in self.model.complete(requests, schema=form):
                yield from self._read(of_group[index], completion)

    def _read(self, ask: RubricCall, completion: Completion) -> Iterator[Judgement]:
        cost = Cost(
            prompt_tokens=completion.prompt_tokens or 0,
            completion_tokens=completion.completion_tokens or 0,
            seconds=completion.seconds or 0.0,
        )
        if completion.text is None:
            yield from (failed(ask.item, one, completion.error) for one in ask.criteria)
        else:
            yield from judgements(
                ask, completion.text, cost, self._refusals, completion.finish_reason
            )


def weigh(rating: Rating, logprobs: Mapping[int, TokenLogprobs]) -> Judgement:
    """Average the steps under the probabilities that the model gives them.

    Source: Liu et al. (2023), "G-Eval", section 2.3, with the probabilities normalised over the
    scale's steps.
    """
    error = next((given.error for given in logprobs.values() if given.error), None)
    if error is not None:
        return failed(rating.item, rating.criterion, error)
    logs = {step: sum(given.logprobs) for step, given in logprobs.items()}
    best = max(logs.values())
    shares = {step: math.exp(value - best) for step, value in logs.items()}
    total = sum(shares.values())
    mass = total * math.exp(best)
    shares_in_words = ", ".join(
        f"{step}: {share / total:.3f}" for step, share in sorted(shares.items())
    )
    if not mass >= LEAST_MASS:  # also where it is not a number
        return Judgement(
            item=rating.item,
            dimension=rating.criterion.name,
            value=None,
            status="unparsed",
            reason=f"the model gives the scale's steps a probability of {mass:.1e} together",
            raw=shares_in_words,
        )
    # To 4 decimals: batches of other shapes move the fifth.
    value = round(sum(step * share for step, share in shares.items()) / total, 4)
    return Judgement(
        item=rating.item,
        dimension=rating.criterion.name,
        value=value,
        reason=f"steps {shares_in_words} (together {mass:.2g} of all tokens)",
        raw=shares_in_words,
    )


def _spelled(criterion: Criterion, step: int) -> str:
    """Return a step as the model would write it; with an end where one step begins another's number."""
    names = [str(other) for other in criterion.steps]
    ambiguous = any(a != b and b.startswith(a) for a in names for b in names)
    return f"{step}\n" if ambiguous else str(step)
