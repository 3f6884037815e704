"""Draws some of a run's own prompts at random for people to label, so that it can be checked.

Prompts are drawn with equal chances among the source prompts that every subject answered; of each, the
answers of all subjects to the original and to one rewording, its kind drawn among the prompt's kinds
and then the variant within the kind. So the mean of people's values over the draw estimates their mean
over the run. Every choice follows from the seed and the prompt's content: the order of any file plays
no part, and a draw of more prompts begins with those of a smaller one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from harness.analysis.scopes import main_scope, scopes_of
from harness.analysis.table import RunRecords, build, prompt_cluster
from harness.errors import DataError
from harness.records import (
    IDENTITY,
    ORIGINAL,
    DrawnPrompt,
    LabelDraw,
    LabelScale,
    Message,
    VariantKey,
)
from harness.util.digest import digest
from harness.util.formatting import listing, plural
from harness.util.suggestions import did_you_mean

ChoiceT = TypeVar("ChoiceT")

MIN_DRAW = 10
"""Fewest prompts of a draw: fewer cannot carry an interval."""


class Item(NamedTuple):
    """A question and an answer as people see them; the same texts are one item, whoever wrote them."""

    id: str
    conversation: tuple[Message, ...]
    answer: str


class AnswerKey(NamedTuple):
    """Names one answer of a run."""

    variant: VariantKey
    subject: str
    repeat: int


@dataclass(frozen=True)
class DrawRequest:
    """What a draw is to be of.

    Attributes:
        prompts: How many source prompts.
        seed: Another seed, another draw.
        kinds: Kinds of rewording to draw variants from; None is all of the run's, none is originals
            alone.
        scales: What people are asked.
    """

    prompts: int
    seed: int
    kinds: Sequence[str] | None
    scales: Sequence[LabelScale]


class AnsweredPrompts:
    """The source prompts of a run with what every subject answered.

    Args:
        records: The run's records.
    """

    def __init__(self, records: RunRecords) -> None:
        table = build(
            RunRecords(
                records.samples, records.variants, (), (), records.subjects, records.baseline
            ),
            (),
        )
        scope = main_scope(scopes_of(table, records.samples))
        # The finding never rests on leaked prompts alone.
        self.scope: Literal["all", "clean"] = "clean" if scope.name == "clean" else "all"
        self.kinds = tuple(sorted(table.real_kinds))
        self.conversations = {v.variant_key: v.messages for v in records.variants}
        self.subjects = tuple(records.subjects)
        self.answers = {
            AnswerKey(g.variant_key, g.subject, g.repeat): g.completion.text
            for g in records.generations
            if g.completion.error is None and g.completion.text is not None
        }
        inside = {
            cluster for cluster, chosen in zip(table.clusters, scope.prompts, strict=True) if chosen
        }
        clusters = {sample.id: prompt_cluster(sample) for sample in records.samples}
        repeats = _common_repeats(self.answers, self.subjects)
        self._asked: defaultdict[str, list[VariantKey]] = defaultdict(list)
        for variant in records.variants:
            key = variant.variant_key
            cluster = clusters.get(key.sample_id)
            if variant.status == "valid" and cluster in inside and repeats.get(key):
                self._asked[cluster].append(key)
        self._repeats = repeats
        self.clusters = sorted(
            cluster
            for cluster, keys in self._asked.items()
            if any(key.perturbation == ORIGINAL for key in keys)
        )

    def reworded(self, kinds: Sequence[str]) -> frozenset[str]:
        """Return the source prompts with a rewording of one of these kinds that can be drawn."""
        return frozenset(
            cluster
            for cluster in self.clusters
            if any(key.perturbation in kinds for key in self._asked[cluster])
        )

    @property
    def digest(self) -> str:
        """Return the digest of the source prompts that can be drawn."""
        return digest(self.clusters)

    def order(self, seed: int) -> list[str]:
        """Return the source prompts in the random order of a seed."""
        return sorted(self.clusters, key=lambda cluster: digest([seed, "label draw", cluster]))

    def drawn(self, cluster: str, seed: int, kinds: Sequence[str]) -> DrawnPrompt:
        """Draw which answers of a source prompt are read."""
        keys = self._asked[cluster]
        original = _pick([k for k in keys if k.perturbation == ORIGINAL], seed, cluster, "original")
        assert original is not None
        by_kind: defaultdict[str, list[VariantKey]] = defaultdict(list)
        for key in keys:
            if key.perturbation in kinds:
                by_kind[key.perturbation].append(key)
        kind = _pick(sorted(by_kind), seed, cluster, "kind")
        variant = None if kind is None else _pick(by_kind[kind], seed, cluster, "variant")
        return DrawnPrompt(
            cluster=cluster,
            original=original,
            original_repeat=self._repeat(original, seed),
            variant=variant,
            variant_repeat=0 if variant is None else self._repeat(variant, seed),
        )

    def _repeat(self, key: VariantKey, seed: int) -> int:
        repeat = _pick(sorted(self._repeats[key]), seed, *key, "repeat")
        assert repeat is not None
        return repeat

    def item(self, key: AnswerKey, draw: str) -> Item | None:
        """Return an answer as people see it; None where there is none any more."""
        answer, conversation = self.answers.get(key), self.conversations.get(key.variant)
        if answer is None or conversation is None:
            return None
        shown = [[message.role, message.content] for message in conversation]
        return Item(digest([draw, shown, answer])[:12], conversation, answer)


def draw_prompts(answered: AnsweredPrompts, request: DrawRequest) -> LabelDraw:
    """Draw prompts for people to label.

    Raises:
        DataError: Too few prompts, a kind that the run does not have, or a scale named twice.
    """
    kinds = answered.kinds if request.kinds is None else tuple(sorted(set(request.kinds)))
    for kind in kinds:
        if kind not in answered.kinds:
            raise DataError(
                f"no answers to kind {kind!r} in this run; it has"
                f" {listing(list(answered.kinds)) if answered.kinds else 'originals alone'}."
                f"{did_you_mean(kind, answered.kinds)}"
            )
    names = [scale.name for scale in request.scales]
    if len(set(names)) < len(names):
        raise DataError(f"a scale is named twice: {', '.join(names)}")
    population = len(answered.clusters)
    if request.prompts < MIN_DRAW:
        raise DataError(f"a draw takes {MIN_DRAW} prompts or more, not {request.prompts}")
    if request.prompts > population:
        raise DataError(
            f"{plural(population, 'prompt')} of this run were answered by every subject;"
            f" {request.prompts} cannot be drawn"
        )
    chosen = answered.order(request.seed)[: request.prompts]
    content = [request.seed, answered.digest, kinds, [s.model_dump() for s in request.scales]]
    return LabelDraw(
        id=digest(["label draw", *content])[:12],
        seed=request.seed,
        scope=answered.scope,
        population=population,
        population_digest=answered.digest,
        kinds=kinds,
        scales=tuple(request.scales),
        prompts=tuple(answered.drawn(cluster, request.seed, kinds) for cluster in chosen),
    )


def fault_of_draw(draw: LabelDraw, answered: AnsweredPrompts) -> str | None:
    """Make a recorded draw again, and say what differs: None where it is the random draw it claims."""
    if draw.population_digest != answered.digest:
        return "the run's prompts or answers are others than when it was drawn"
    request = DrawRequest(len(draw.prompts), draw.seed, draw.kinds, draw.scales)
    again = draw_prompts(answered, request)
    if again.prompts != draw.prompts or again.id != draw.id:
        return "its prompts are not those that its seed draws"
    return None


def drawn_answers(draw: LabelDraw, subjects: Sequence[str]) -> Iterable[tuple[AnswerKey, ...]]:
    """Yield the answers of each drawn prompt, the original's first, all subjects to each question."""
    for prompt in draw.prompts:
        asked = [(prompt.original, prompt.original_repeat)]
        if prompt.variant is not None:
            asked.append((prompt.variant, prompt.variant_repeat))
        yield tuple(AnswerKey(key, s, repeat) for key, repeat in asked for s in subjects)


def _common_repeats(
    answers: Mapping[AnswerKey, str], subjects: Sequence[str]
) -> dict[VariantKey, set[int]]:
    """Return the repeats of each variant that every subject answered."""
    by: defaultdict[VariantKey, defaultdict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for key in answers:
        by[key.variant][key.subject].add(key.repeat)
    return {
        variant: set.intersection(*(of_subject[s] for s in subjects))
        for variant, of_subject in by.items()
        if variant.perturbation != IDENTITY and all(s in of_subject for s in subjects)
    }


def _pick(choices: Sequence[ChoiceT], seed: int, *stream: str | int) -> ChoiceT | None:
    """Pick one with equal chances, whatever order they come in; None of none."""
    return min(choices, key=lambda one: digest([seed, *stream, one]), default=None)
