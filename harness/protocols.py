"""The contract of plug-ins. A plug-in needs this module, ``records`` and ``registry``."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from harness.errors import PluginError
from harness.records import (
    SEVERITIES,
    Completion,
    Dimension,
    Edit,
    JudgeItem,
    Judgement,
    Request,
    Scored,
    Severity,
    TokenLogprobs,
)

if TYPE_CHECKING:
    from harness.text.parse import Text


@runtime_checkable
class Perturbation(Protocol):
    """Rewords a prompt without changing what it means.

    Pure: no globals, no I/O, no randomness but ``rng``. A plain function of ``(text, rng)`` will do.
    """

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | str | None:
        """Propose one candidate.

        Returns:
            The edits by character span; or the whole new text (the harness finds the edits); or
            None where this perturbation does not apply to this text.
        """
        ...


@dataclass(frozen=True)
class Limits:
    """Limits on what a kind of perturbation may change before the gate rejects a variant.

    Attributes:
        floor: Least MiniLM cosine between the changed passages before and after.
        words: Greatest share of a prompt's words that may be replaced, inserted or deleted, by
            severity; three words are always allowed.
        exempt: Names of gate checks that this kind does not have to pass.
        same_words: The words must be the same as before, in any order.
    """

    floor: float = 0.75
    words: Mapping[str, float] = field(
        default_factory=lambda: {"light": 0.15, "medium": 0.3, "heavy": 0.5}
    )
    exempt: frozenset[str] = frozenset()
    same_words: bool = False


@dataclass(frozen=True)
class PerturbationTraits:
    """Facts about a perturbation that the harness uses; all have defaults.

    A perturbation declares them as a class attribute ``traits``; where options decide some of them,
    the instance has its own.

    Attributes:
        description: One line for a reader of the report.
        version: To be changed whenever the same prompt and random stream could give another
            proposal. Variants made with another version are made again.
        label: Name in records, where options make several kinds of one plug-in
            (``nlpaug.KeyboardAug``); the registered name if empty.
        limits: How far it may go.
        same_text: It asks the prompt again unchanged: no candidates, no gate.
        last_resort: It applies nearly everywhere and says least: it fills up a prompt's variants
            only when no other kind is left.
        packages: Distributions whose installed versions decide its proposals as well.
        severities: Those that differ. A kind with one says so: another is refused.
        one_story: It changes who or what the user speaks of, so that all turns of a conversation
            would have to change alike: it leaves alone those of which several may change.
        example: Where it cannot be built without options, some that will do, as YAML in one line
            (``{steps: [synonym, typo]}``): a user who gives none is shown them.
        danger: Severities at which it may change a sentence of somebody in danger; none by default.
    """

    description: str = ""
    version: str = ""
    label: str = ""
    limits: Limits = field(default_factory=Limits)
    same_text: bool = False
    last_resort: bool = False
    packages: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = SEVERITIES
    danger: frozenset[Severity] = frozenset()
    one_story: bool = False
    example: str = ""


@runtime_checkable
class DescribedPerturbation(Protocol):
    """A perturbation that declares its traits."""

    traits: PerturbationTraits


@runtime_checkable
class DeclaresLimits(Protocol):
    """A perturbation without ``traits`` that declares ``limits`` alone."""

    limits: Limits | None


@runtime_checkable
class DeclaresLabel(Protocol):
    """A perturbation without ``traits`` that declares ``label`` alone."""

    label: str


@runtime_checkable
class DeclaresVersion(Protocol):
    """A perturbation without ``traits`` that declares ``version`` alone."""

    version: str


@runtime_checkable
class ProposesMany(Protocol):
    """A perturbation that is cheaper to ask for many candidates at once, such as an endpoint."""

    def many(
        self, items: Iterable[tuple[Text, random.Random]]
    ) -> Sequence[Sequence[Edit] | str | PluginError | None]:
        """Propose one candidate for each item, in order; a failure is an error in its place."""
        ...


@runtime_checkable
class Model(Protocol):
    """Source of answers: one load of base weights, with any number of adapters on it."""

    def fingerprint(self, adapter: str | None = None) -> dict[str, str]:
        """Return the digests that decide an answer: weights, tokenizer, dtype, adapter and so on.

        Never a path or a name. An endpoint gives provider, model and declared revision.

        Args:
            adapter: Name of a loaded adapter; None is the base model, whose fingerprint does not
                depend on which adapters are loaded beside it.
        """
        ...

    @property
    def durable(self) -> bool:
        """Return whether answers are valid across runs (not for endpoints without a revision)."""
        ...

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Answer every request; yield (index, completion) as they finish, each index once.

        A request that fails yields a completion with its ``error``; it never raises for one item.
        """
        ...

    def logprobs(self, requests: Sequence[Scored]) -> Iterator[tuple[int, TokenLogprobs]]:
        """Rate continuations; yield (index, log-probabilities) as they finish, each index once."""
        ...


# What a model may also have; a model without them is one, too.


@runtime_checkable
class TokenizesLocally(Protocol):
    """A model with a Hugging Face tokenizer here; prompts of other models are rendered without."""

    tokenizer: Any


@runtime_checkable
class WarnsUsers(Protocol):
    """A model with warnings for the report, for example of an adapter that changes nothing."""

    warnings: Sequence[str]


@runtime_checkable
class Closable(Protocol):
    """Anything that holds memory, files or connections until it is closed."""

    def close(self) -> None:
        """Release them; harmless twice."""
        ...


@runtime_checkable
class Judge(Protocol):
    """Grades answers. Blind: a ``JudgeItem`` names no model."""

    @property
    def dimensions(self) -> Sequence[Dimension]:
        """Return what is measured, on which scales."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same item could be graded differently (rubric, model, settings)."""
        ...

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Grade every item on every dimension it has the needs for; yields as they finish.

        An item that cannot be graded yields a judgement with its status and reason; it never
        raises for one item.
        """
        ...


class LearnedFrom(NamedTuple):
    """The labels that a judge was learned from: their digest, and which split (None: all)."""

    labels_digest: str
    split: str | None


@dataclass(frozen=True)
class JudgeTraits:
    """Facts about a judge that the harness cannot read off its scores; every one has a default.

    A judge has them as its attribute ``traits``; one without has the defaults.

    Attributes:
        llm: A language model judges: the report counts it as one.
        learned: It was learned from people's labels.
        durable: Judgements may be kept across runs.
        fingerprint: Digests of the model that judges, as ``Model.fingerprint`` gives them, so that
            no model judges itself. Empty where no model judges.
        named_model: The local model that it names, before anything is loaded; None without one.
        allow_self_judging: The suite lets the model judge answers of its own weights.
        members: Of a panel, by label; empty for every other judge.
        learned_from: The labels that it must not be checked on.
        shows: Texts of an item that it looks at beyond what its dimensions need.
        priced: Whether prices are named for the endpoint that it asks; None where it asks none.
    """

    llm: bool = False
    learned: bool = False
    durable: bool = True
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    named_model: str | None = None
    allow_self_judging: bool = False
    members: Mapping[str, Judge] = field(default_factory=dict)
    learned_from: LearnedFrom | None = None
    shows: tuple[str, ...] = ()
    priced: bool | None = None


@runtime_checkable
class DescribedJudge(Protocol):
    """A judge that declares its traits."""

    traits: JudgeTraits


@runtime_checkable
class DeclaresLlm(Protocol):
    """A judge that says by an attribute of its own whether it is a language model."""

    llm: bool


@runtime_checkable
class DeclaresDurability(Protocol):
    """A judge that says itself whether judgements may be kept across runs; may load its model."""

    durable: bool


@runtime_checkable
class DeclaresFingerprint(Protocol):
    """A judge that says itself, by digests, which model judges; may load it."""

    fingerprint: Mapping[str, str]


class Spending(NamedTuple):
    """What judging used, added up over calls.

    Attributes:
        seconds: Of the single calls, added up: several of them may have run at a time.
        uncounted: Attempts whose tokens the server did not count: they are estimates here.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    money: float = 0.0
    seconds: float = 0.0
    uncounted: int = 0

    def plus(self, other: Spending) -> Spending:
        """Add another sum."""
        return Spending._make(one + two for one, two in zip(self, other, strict=True))

    def minus(self, other: Spending) -> Spending:
        """Subtract an earlier sum."""
        return Spending._make(one - two for one, two in zip(self, other, strict=True))


@runtime_checkable
class MetersSpending(Protocol):
    """A judge that counts what it used so far, calls without a judgement included.

    Where ``seconds`` is 0, those of the judgements count.
    """

    spent: Spending


class VerdictStore(Protocol):
    """Texts by key: ``harness.pipeline.cache.Cache`` is one."""

    def get(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the values of those keys that it holds."""
        ...

    def put(self, entries: Mapping[str, str]) -> None:
        """Store these values under their keys."""
        ...


@runtime_checkable
class CachesMembers(Protocol):
    """A panel that can keep the verdicts of every member."""

    def keep_in(self, store_for: Callable[[Judge], VerdictStore | None]) -> None:
        """Keep every member's verdicts in the store for that member; None: keep nothing."""
        ...


@runtime_checkable
class ReportsStructure(Protocol):
    """A judge that finds out how an endpoint can be held to JSON; None before it is known."""

    level: str | None
