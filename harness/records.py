"""Frozen, validated records: everything that is written to disk. No torch, no pandas.

Every record that a stage writes carries ``made_from``, the digest of what it was made from, so
that records left over from other inputs are seen as stale and are never mixed in.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

SCHEMA_VERSION = 1

ORIGINAL = "original"
IDENTITY = "identity"

Severity = Literal["none", "light", "medium", "heavy"]
SEVERITIES: tuple[Severity, ...] = ("light", "medium", "heavy")
VariantStatus = Literal["valid", "unchanged", "inapplicable", "rejected"]
Turns = Literal["last", "all"]
"""The user turns of a conversation that are perturbed."""

ScoreStatus = Literal["scored", "unparsed", "refused", "error"]
FinishReason = Literal["stop", "length", "content_filter", "error"]


class Record(BaseModel):
    """Base of everything below: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StageRecord(Record):
    """Base of what the stages of a run write, one JSON line a record.

    Attributes:
        FILE: Stem of the file in the run folder.
    """

    FILE: ClassVar[str]

    @property
    @abstractmethod
    def key(self) -> Hashable:
        """Name this record within a run: of two with one key, the later one counts."""


class Message(Record):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Leak(Record):
    """The place in the training data where the audit found a prompt, or its answer alone.

    Attributes:
        kind: How the prompt is there: word for word; after normalisation; or nearly (see
            ``harness.audit.similar``). ``response``: it is not, but the reference answer is, under
            another prompt (see ``harness.audit.trained_answers``).
        row: Row of the training data, counted from 1 over all its files in order.
        id: That row's sample id.
        similarity: Share of characters in common, in [0, 1]; of an answer alone, the share of its
            own words.
        pair: How prompt and reference answer occur together, in this row or another: the weaker of
            the two kinds; None where no matching prompt has that answer.
        response: How the answer is there, of a leak by the answer alone.
    """

    kind: Literal["exact", "normalised", "near", "response"]
    row: int = Field(ge=1)
    id: str
    similarity: float = 1.0
    pair: Literal["exact", "normalised", "near"] | None = None
    response: Literal["exact", "normalised", "near"] | None = None


class Sample(StageRecord):
    """One prompt under test.

    Attributes:
        id: The id given in the data, else a digest of the content, so that runs can be compared.
        messages: One user turn, or a conversation that ends in one.
        reference: The answer in the data set, or None.
        metadata: Further fields of the row (``topic`` and the like).
        audit: The audit's verdict: ``clean``, ``leaked`` (the prompt or its answer is in the
            training data) or ``unchecked`` (the suite names no training data, or the prompt is like
            too many of its rows to be compared with each).
        leak: Where a leaked prompt, or its answer, is in the training data.
        family: Id of one of the prompts that are nearly the same as this one, the same for all of
            them and for a prompt without any its own; empty where nobody looked.
        group: Value of the field that the suite names as ``data.group_by``.
    """

    FILE: ClassVar = "samples"

    id: str
    messages: tuple[Message, ...] = Field(min_length=1)
    reference: str | None = None
    metadata: dict[str, JsonValue] = {}
    audit: Literal["clean", "leaked", "unchecked"] = "unchecked"
    leak: Leak | None = None
    family: str = ""
    group: str | None = None
    made_from: str = ""

    @property
    def key(self) -> str:
        """Name this record within a run."""
        return self.id

    @property
    def prompt(self) -> str:
        """Return the last user turn: what gets perturbed."""
        return self.messages[-1].content

    @property
    def user_turns(self) -> tuple[int, ...]:
        """Return where in ``messages`` the user speaks; the last of them is the prompt."""
        earlier = (i for i, message in enumerate(self.messages[:-1]) if message.role == "user")
        return (*earlier, len(self.messages) - 1)

    def with_prompt(self, text: str) -> tuple[Message, ...]:
        """Return the conversation with its last user turn replaced by ``text``."""
        return (*self.messages[:-1], Message(role="user", content=text))

    def with_turns(self, texts: Mapping[int, str]) -> tuple[Message, ...]:
        """Return the conversation with the turns at these places replaced by their ``texts``."""
        return tuple(
            Message(role=message.role, content=texts[i]) if i in texts else message
            for i, message in enumerate(self.messages)
        )


class Edit(Record):
    """One replacement by character span.

    Attributes:
        start: First character replaced, counted in code points of the original turn.
        end: One past the last character replaced; equal to ``start`` for an insertion.
        text: What replaces them.
    """

    start: int = Field(ge=0)
    end: int = Field(ge=0)
    text: str


class VariantKey(NamedTuple):
    """Names one variant of one prompt within a run."""

    sample_id: str
    perturbation: str
    severity: Severity
    replicate: int


class _OfVariant(StageRecord):
    """The fields that join a record to its variant, kept flat so that tables read easily."""

    sample_id: str
    perturbation: str
    severity: Severity = "none"
    replicate: int = Field(default=0, ge=0)

    @property
    def variant_key(self) -> VariantKey:
        """Return the key of the variant that this record belongs to."""
        return VariantKey(self.sample_id, self.perturbation, self.severity, self.replicate)


def key_fields(key: VariantKey) -> dict[str, Any]:
    """Return the fields of a record that joins to this variant, by name."""
    return key._asdict()


class Variant(_OfVariant):
    """A prompt as it is asked, or the reason why this variant could not be made.

    The original is a variant named ``original`` with severity ``none``.

    Attributes:
        messages: The conversation with the perturbed turns.
        edits: What was changed in the last turn, by span in the original prompt; applying them
            rebuilds the text.
        earlier_edits: The same for earlier user turns, by their place in ``messages``, where the
            suite says ``turns: all``.
        untouched: User turns that stay as they are though others changed, by their place, and why.
        status: ``valid``, or why there is no such variant.
        reason: One line for every status but ``valid``.
        filler: Added only to reach the wanted number of variants.
        similarity: Cosine of MiniLM embeddings to the original, where the gate measured it; of
            several changed turns the least.
        acceptability: Probability, by the second gate, that a strict reader would pass it, likewise;
            None for kinds without a threshold, where the gate is off, and in older files.
        danger: Set on the original: the prompt holds a sentence that may come from somebody in
            danger, which few kinds may touch.
    """

    FILE: ClassVar = "variants"

    messages: tuple[Message, ...] = ()
    edits: tuple[Edit, ...] = ()
    earlier_edits: dict[int, tuple[Edit, ...]] = {}
    untouched: dict[int, str] = {}
    status: VariantStatus = "valid"
    reason: str | None = None
    filler: bool = False
    similarity: float | None = None
    acceptability: float | None = None
    danger: bool = False
    made_from: str = ""

    @property
    def key(self) -> VariantKey:
        """Name this record within a run."""
        return self.variant_key

    @property
    def prompt(self) -> str:
        """Return the text that is asked."""
        return self.messages[-1].content

    @property
    def edits_by_turn(self) -> dict[int, tuple[Edit, ...]]:
        """Return the edits of every changed turn, by its place in ``messages``."""
        last = {len(self.messages) - 1: self.edits} if self.edits else {}
        return self.earlier_edits | last


class Failure(Record):
    """The reason why there is no answer or no judgement.

    Attributes:
        kind: A short stable name, e.g. ``context_length``, ``timeout``, ``out_of_memory``.
        message: One line for people.
        transient: Worth trying again on resume; otherwise only with ``--retry-failed``.
    """

    kind: str
    message: str
    transient: bool = False


class GenerationSettings(Record):
    """Decoding of an answer. ``temperature`` 0 is greedy."""

    max_new_tokens: int = Field(default=256, ge=1)
    temperature: float = Field(default=0.0, ge=0.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    top_k: int = Field(default=0, ge=0)
    repetition_penalty: float = Field(default=1.0, gt=0.0)
    stop: tuple[str, ...] = ()


class Request(Record):
    """One thing to ask of a model.

    Attributes:
        prompt: The rendered prompt (special tokens spelled out).
        messages: The conversation, for endpoints that render it themselves.
        settings: How to decode.
        seed: Seed of this request's own random stream; without effect when greedy.
        adapter: Name of a loaded adapter; None is the base model.
    """

    prompt: str
    messages: tuple[Message, ...] = ()
    settings: GenerationSettings = GenerationSettings()
    seed: int = 0
    adapter: str | None = None


class Completion(Record):
    """The answer to a request. Exactly one of ``text`` and ``error`` is None.

    Attributes:
        seconds: Wall time of the batch or call divided by its number of requests.
    """

    text: str | None
    finish_reason: FinishReason
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float | None = None
    error: Failure | None = None

    @classmethod
    def failed(
        cls, error: Failure, prompt_tokens: int | None = None, seconds: float | None = None
    ) -> Self:
        """Return the answer that a failure stands for."""
        return cls(
            text=None,
            finish_reason="error",
            prompt_tokens=prompt_tokens,
            seconds=seconds,
            error=error,
        )


class Scored(Record):
    """A continuation whose tokens are to be rated under a prompt."""

    prompt: str
    continuation: str
    adapter: str | None = None


class TokenLogprobs(Record):
    """Log-probabilities (natural log) of a continuation's tokens, in order.

    Attributes:
        token_ids: The tokens of the continuation, length n.
        logprobs: log p(token | everything before), length n.
        means: Mean of log p over the vocabulary under p at each position (for Min-K%++), length n.
        stds: Its standard deviation, length n.
    """

    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    means: tuple[float, ...] = ()
    stds: tuple[float, ...] = ()
    error: Failure | None = None


class Generation(_OfVariant):
    """One subject's answer to one variant."""

    FILE: ClassVar = "generations"

    subject: str
    repeat: int = Field(default=0, ge=0)
    completion: Completion
    made_from: str = ""

    @property
    def key(self) -> tuple[Hashable, ...]:
        """Name this record within a run."""
        return (self.subject, self.variant_key, self.repeat)


class Probe(StageRecord):
    """One subject's result on one probed prompt (see ``harness/memorisation/README.md``).

    Attributes:
        probe: ``loss`` rates the reference; ``continuation`` goes on from its beginning; ``answer``
            answers the prompt; ``canary`` rates a planted secret or one of its rivals.
        group: ``training`` prompts, ``clean`` ones, or ``canary``.
        form: The prompt as it stands, reworded, or another sample's prompt in its place; ``neighbour``:
            another response in the place of the reference.
        replicate: Number of the rewording; of a neighbour 0 for another response to the same prompt in
            the data and 1 for a rewording; of a canary's rival, 0 being the secret itself.
        values: The scores by name.
        logprobs: Of the reference's tokens, for ``loss``.
        text: What the subject wrote.
        error: Why there is no value.
    """

    FILE: ClassVar = "probes"

    probe: Literal["loss", "continuation", "answer", "canary"]
    group: Literal["training", "clean", "canary"]
    form: Literal["original", "variant", "foreign", "neighbour"] = "original"
    sample_id: str
    replicate: int = Field(default=0, ge=0)
    subject: str
    values: dict[str, float] = {}
    logprobs: tuple[float, ...] = ()
    text: str | None = None
    error: Failure | None = None
    made_from: str = ""

    @property
    def key(self) -> tuple[str | int, ...]:
        """Names this record within a run."""
        return (
            self.probe, self.group, self.form, self.sample_id, self.replicate, self.subject,
        )  # fmt: skip


class SearchTrial(Record):
    """One rewording that a search asked a subject.

    Attributes:
        edits: What was changed, by span in the original prompt.
        value: The score of the answer; None where there is no answer or no score.
        harm: How much worse it is than the score of the original; negative where it is better.
    """

    edits: tuple[Edit, ...]
    value: float | None
    harm: float | None


class Search(StageRecord):
    """The search for the rewording of one kind that hurts one subject most on one prompt.

    Attributes:
        budget: Answers that it might ask for.
        calls: Answers that it asked for.
        before: Score of the original prompt's answer.
        after: Score of the worst rewording's answer; that of the original where none was worse.
        worst: The worst rewording; None where none was worse than the original.
        answer: The answer to it.
        ended: ``settled``: no further edit hurts more; ``budget``: it was spent before that;
            ``no_candidate``: no rewording passed the gates; ``not_scored``: the original has no score.
        rejected: Candidates that a gate stopped.
        trials: All that was asked, in order.
        error: Why the search has to be made again; None where nothing failed for the moment only.
    """

    FILE: ClassVar = "searches"

    sample_id: str
    perturbation: str
    severity: Severity
    subject: str
    judge: str
    dimension: str
    budget: int
    calls: int = 0
    before: float | None = None
    after: float | None = None
    worst: SearchTrial | None = None
    answer: str | None = None
    ended: Literal["settled", "budget", "no_candidate", "not_scored"]
    rejected: int = 0
    trials: tuple[SearchTrial, ...] = ()
    error: Failure | None = None
    made_from: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """Name this record within a run."""
        return (self.sample_id, self.perturbation, self.severity, self.subject)

    @property
    def drop(self) -> float | None:
        """Return how much worse the worst rewording is, 0 where none is; None without a score."""
        if self.before is None:
            return None
        return 0.0 if self.worst is None else self.worst.harm


class Cost(Record):
    """Usage of a judgement. ``money`` is in the currency of the configured prices."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    money: float = 0.0
    seconds: float = 0.0


class Comparison(Record):
    """The other answer of a pairwise judgement, and the order in which the two were shown."""

    opponent: str
    order: Literal["first", "second", "both"]


class Score(_OfVariant):
    """One judge's value on one dimension for one answer, or why there is none."""

    FILE: ClassVar = "scores"

    judge: str
    dimension: str
    version: str
    subject: str
    repeat: int = Field(default=0, ge=0)
    judge_repeat: int = Field(default=0, ge=0)
    comparison: Comparison | None = None
    value: float | None = None
    status: ScoreStatus
    reason: str | None = None
    raw: str | None = None
    transient: bool = False
    cost: Cost | None = None
    made_from: str = ""

    @property
    def key(self) -> tuple[Hashable, ...]:
        """Name this record within a run."""
        return (
            self.judge, self.dimension, self.subject, self.variant_key,
            self.repeat, self.judge_repeat, self.comparison,
        )  # fmt: skip


Need = Literal["reference", "original_answer", "opponent"]
Role = Literal["safety", "refusal"]
_SAFETY_WORDS = ("safe", "harm", "toxic", "guard", "crisis")


def role_of_name(name: str) -> Role | None:
    """Guess the role of a dimension, or of all of a judge's, that declares none from its name."""
    if name == "refusal":
        return "refusal"
    return "safety" if any(word in name.lower() for word in _SAFETY_WORDS) else None


class Dimension(Record):
    """One thing that a judge measures, with its scale.

    Attributes:
        name: Unique within the judge.
        low: Least possible value.
        high: Greatest possible value.
        higher_is_better: Which end is good; None where neither is.
        needs: What an item must hold for this dimension to apply.
        description: One line for the report.
        role: What the harness may conclude from it: ``safety`` decides the traffic light "Safe?",
            ``refusal`` (on a scale from 0 to 1) says that an answer refuses. Where none is declared
            the name decides, see :func:`role_of_name`.
        label: Name for people, e.g. ``ROUGE-L``; by default made of judge and name.
        headline: Rank with which it asks to carry the report's finding; the smallest leads, and
            those declared in the same hundred lead together. None leaves the rank to what the
            judge is, see ``harness.analysis.evidence.choose_headline``.
    """

    name: str
    low: float
    high: float
    higher_is_better: bool | None = True
    needs: tuple[Need, ...] = ()
    description: str = ""
    role: Role | None = None
    label: str = ""
    headline: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_role_from_name(cls, fields: Any) -> Any:
        """Fill in the role of a dimension that was written before roles could be declared."""
        if isinstance(fields, dict) and fields.get("role") is None:
            return fields | {"role": role_of_name(str(fields.get("name")))}
        return fields


class JudgeItem(Record):
    """The item that a judge is shown. It carries no model name: judges are blind by type.

    Attributes:
        question: The variant that was asked.
        answer: The answer to be judged.
        conversation: The turns before the question, if any.
        reference: The answer in the data set.
        original_question: The prompt before it was perturbed.
        original_answer: What the same subject answered to the original prompt.
        opponent_answer: Another subject's answer to the same question.
        finish_reason: How the answer ended.
        is_original: The question is the original prompt itself.
        seed: Seed for choices the judge makes about this item (which answer is shown first).
    """

    question: str
    answer: str
    conversation: tuple[Message, ...] = ()
    reference: str | None = None
    original_question: str | None = None
    original_answer: str | None = None
    opponent_answer: str | None = None
    finish_reason: FinishReason = "stop"
    is_original: bool = False
    seed: int = 0


class Judgement(Record):
    """A judge's verdict on one item and dimension; the harness turns it into a ``Score``.

    Attributes:
        item: Index into the sequence of items that was given to the judge.
        order: For pairwise judgements, whether the judged answer was shown first or second.
    """

    item: int
    dimension: str
    value: float | None
    status: ScoreStatus = "scored"
    reason: str | None = None
    raw: str | None = None
    order: Literal["first", "second", "both"] | None = None
    transient: bool = False
    cost: Cost | None = None


class LabelScale(Record):
    """One thing that people are asked about an answer.

    Attributes:
        name: The dimension's name in the sheet.
        low: Least value that they may give; people's own scale, whatever the judge's is.
        high: Greatest value.
        description: What the value means, one line.
    """

    name: str = Field(min_length=1)
    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    description: str = ""

    @model_validator(mode="after")
    def _has_width(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"the scale of {self.name!r} runs from {self.low:g} to {self.high:g}")
        return self


class DrawnPrompt(Record):
    """A source prompt that was drawn for labelling, and which of its answers people read.

    Attributes:
        cluster: Digest of the source prompt.
        original: The original as it was asked.
        original_repeat: Which of the answers to it.
        variant: One rewording, drawn among its kinds and then within the kind; None where the draw is
            of originals alone, or the prompt has no rewording that all subjects answered.
        variant_repeat: Which of the answers to that.
    """

    cluster: str
    original: VariantKey
    original_repeat: int = 0
    variant: VariantKey | None = None
    variant_repeat: int = 0


class LabelDraw(Record):
    """A random draw of a run's own prompts, to be labelled blind: ``label_draw.json`` of a run.

    Attributes:
        id: Names the draw in every sheet made from it.
        seed: Every choice follows from it and the prompt's own content, so that the draw can be made
            again and compared.
        scope: The prompts that it was drawn from: ``all``, or ``clean`` ones where prompts leaked.
        population: Source prompts in that scope that every subject answered.
        population_digest: Digest of their digests.
        kinds: The kinds of rewording that variants were drawn from; none asks for originals alone.
        scales: What people are asked.
        prompts: Those drawn, in the order of the draw: the first k of them are a random draw, too.
    """

    schema_version: Literal[1] = 1
    id: str
    seed: int
    scope: Literal["all", "clean"]
    population: int = Field(ge=1)
    population_digest: str
    kinds: tuple[str, ...]
    scales: tuple[LabelScale, ...] = Field(min_length=1)
    prompts: tuple[DrawnPrompt, ...] = Field(min_length=1)


class AnswerLabel(StageRecord):
    """One person's value on one dimension of one answer of a run, given blind.

    Attributes:
        draw: Id of the draw that the answer was shown in.
        item: Id of question and answer: the same texts are one item, whoever wrote them.
        annotator: Who labelled.
        dimension: Name of the scale.
    """

    FILE: ClassVar = "labels"

    draw: str
    item: str
    annotator: str = Field(min_length=1)
    dimension: str
    value: float = Field(allow_inf_nan=False)

    @property
    def key(self) -> tuple[str, ...]:
        """Name this record within a run."""
        return (self.draw, self.item, self.annotator, self.dimension)


class StageState(Record):
    """State of a stage: what it was made from and how its items ended."""

    status: Literal["running", "complete"]
    made_from: str = ""
    counts: dict[str, int] = {}
    seconds: float = 0.0


class Manifest(Record):
    """Everything that the run was made from; ``status`` turns ``complete`` last."""

    schema_version: int = SCHEMA_VERSION
    name: str
    status: Literal["running", "complete"] = "running"
    created: str
    finished: str | None = None
    command: str = ""
    suite: dict[str, Any] = {}
    seed: int = 0
    git: dict[str, Any] = {}
    packages: dict[str, str] = {}
    hardware: dict[str, Any] = {}
    data: dict[str, Any] = {}
    models: dict[str, Any] = {}
    judges: dict[str, Any] = {}
    audit: dict[str, Any] = {}
    stages: dict[str, StageState] = {}
    warnings: tuple[str, ...] = ()
