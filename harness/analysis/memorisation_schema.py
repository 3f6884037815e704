"""What the probes found, as ``summary.json`` and ``probes.json`` hold it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from harness.analysis.estimates import Interval
from harness.records import Record, StageRecord

MemorisationVerdict = Literal[
    "learned", "partly memorised", "memorised", "no effect", "cannot tell"
]


class PairedDifference(Interval):
    """A mean over prompts of subject and base, paired prompt by prompt."""

    n: int = Field(description="Prompts.")
    mde: float | None = Field(description="Smallest effect seen at 80 %; None under three prompts.")


class GroupDifference(Interval):
    """A weighted sum of the means of training and of clean prompts, which are not paired."""

    training: int = Field(description="Training prompts.")
    clean: int = Field(description="Clean prompts.")
    skew: float = Field(default=0.0, description="Skewness of the estimate, by the prompts.")
    low_holds: bool = Field(
        default=True,
        description="Whether the lower end is relied on; not where few prompts carry it.",
    )
    high_holds: bool = Field(default=True, description="The same of the upper end.")


class MemorisationContrasts(Record):
    """The estimates behind a verdict; formulas in ``harness/memorisation/README.md``."""

    gain_training: PairedDifference | None = Field(
        description="Loss of the base less that of the subject, on training responses."
    )
    gain_reworded: PairedDifference | None = Field(
        description="The same under reworded prompts, for the prompts of the line above."
    )
    gain_clean: PairedDifference | None = Field(description="The same on clean responses.")
    gap: GroupDifference | None = Field(description="Gain on training less gain on clean ones.")
    lost: GroupDifference | None = Field(description="A share of training gain less clean gain.")
    kept: GroupDifference | None = Field(description="Clean gain less a share of training gain.")
    gain_training_response: PairedDifference | None = Field(
        description="Gain on training responses in nats a response: the sum over its tokens."
    )
    gain_clean_response: PairedDifference | None = Field(description="The same on clean ones.")
    gap_response: GroupDifference | None = Field(description="As gap, in nats a response.")
    lost_response: GroupDifference | None = Field(description="As lost, in nats a response.")
    kept_response: GroupDifference | None = Field(description="As kept, in nats a response.")
    neighbour: PairedDifference | None = Field(
        description="Gain on a training response less that on other wordings of it, or on other"
        " responses to its prompt; None where there are none."
    )
    relation: PairedDifference | None = Field(
        description="Whether clean responses gain no more under another sample's prompt."
    )
    specific: PairedDifference | None = Field(
        description="Gain of clean responses under their own prompt less that under another's."
    )
    form: PairedDifference | None = Field(description="Clean gain less a share of the base's loss.")
    recited: GroupDifference | None = Field(
        description="Share recited by the subject less by the base, on training less on clean prompts."
    )
    recited_clean: PairedDifference | None = Field(
        description="Share of clean responses recited by the subject less by the base: of the words"
        " that neither the prompt nor many training responses hold, where that was measured."
    )
    base_recited: GroupDifference | None = Field(
        description="Share that the base recites of training less of clean responses."
    )
    base_knows_clean: GroupDifference | None = Field(
        description="A share of the base's loss on training responses less its loss on clean ones."
    )
    base_knows_training: GroupDifference | None = Field(description="The reverse.")
    rouge_lost: PairedDifference | None = Field(
        description="What rewording costs the subject in closeness to the training response, beyond the base."
    )


Likeness = Literal["alike", "different", "unclear"]


class SeparationAuc(Record):
    """How well training and clean texts are told apart by some of their features alone."""

    features: str = Field(description="``length``, ``words`` or ``topic``.")
    value: float | None = Field(description="Cross-validated area under the ROC curve.")
    low: float | None = Field(description="Lower end; the three intervals hold together at 95 %.")
    high: float | None = Field(description="Upper end.")


class BalanceRow(Record):
    """One feature of training and of clean texts."""

    what: str = Field(description="Name for people.")
    training: float | None = Field(description="Mean of the training texts.")
    clean: float | None = Field(description="Mean of the clean texts.")
    difference: float | None = Field(
        description="Difference of the mean logs in standard deviations; None where there is none."
    )


class TextComparison(Record):
    """Training and clean texts beside each other, without a model."""

    training: int = Field(description="Training texts.")
    clean: int = Field(description="Clean texts.")
    likeness: Likeness = Field(
        description="``alike``; ``different``: told apart; ``unclear``: too few texts to say."
    )
    aucs: tuple[SeparationAuc, ...] = Field(description="By length, words and topic.")
    balance: tuple[BalanceRow, ...] = Field(description="Means and standardised differences.")


class TextShift(StageRecord):
    """How alike training and clean texts are, and the pairs of them that are."""

    FILE: ClassVar = "text_shift"

    whole: TextComparison = Field(description="All texts.")
    matched: TextComparison | None = Field(
        default=None,
        description="Pairs matched on length and topic; None where not needed, or few.",
    )
    pairs: tuple[tuple[str, str], ...] = Field(
        default=(), description="Ids of a training and a clean prompt each."
    )
    match: Literal["auto", "always", "never"] = Field(
        default="auto", description="When pairs were looked for."
    )
    made_from: str = Field(default="", description="Digest of the texts.")

    @property
    def key(self) -> str:
        """Name this record within a run: there is one."""
        return self.FILE


class RuleThresholds(Record):
    """The thresholds that the rules of the verdict were stated with."""

    version: int = Field(description="Of the rules.")
    least_prompts: int = Field(description="Fewer rated prompts of a group say nothing.")
    still: float = Field(description="Nats a token: moving no reference by more is no effect.")
    changed: float = Field(description="Share of changed answers up to which there is no effect.")
    least_gain: float = Field(description="Nats a token: a smaller gain alone is no verdict.")
    lost: float = Field(description="Memorised: less than this share of the gain on clean ones.")
    kept: float = Field(description="Learned: at least this share arrives.")
    foreign: float = Field(description="Learned: may gain so much more under another's prompt.")
    form: float = Field(description="Learned as a form: this share of the base's loss is gone.")
    recited: float = Field(description="Reciting counts from this share of the rest on.")
    recited_alone: float = Field(
        description="Reciting clean responses counts from this share on, whatever training ones do."
    )
    base_knows: float = Field(
        description="The base knows responses whose loss is less than this share of the others'."
    )
    least_pairs: int = Field(description="Matched pairs from which a verdict may rest on them.")


class Condition(Record):
    """One condition of the rules."""

    name: str = Field(description="Its name in the rules.")
    holds: bool = Field(description="Whether it holds.")
    words: str = Field(description="The condition in words, with its figures.")


class ProbeLevel(Record):
    """One line of the evidence table: base and subject on the same prompts."""

    key: str = Field(description="Its name; ``…_common`` stands on the prompts of the line below.")
    label: str = Field(description="Name for people.")
    unit: str = Field(description="``nats a token``, ``share`` or ``words``.")
    base: float | None = Field(description="The base's mean.")
    subject: float | None = Field(description="The subject's mean.")
    difference: PairedDifference | None = Field(description="Subject less base.")


class MembershipAuc(Record):
    """How well one score tells training from clean prompts."""

    score: str = Field(description="``loss``, ``min_k`` or ``min_k_pp``.")
    how: Literal["base", "raw", "relative"] = Field(
        description="The base's score, the subject's, or the subject's less the base's."
    )
    value: float | None = Field(description="Area under the ROC curve.")
    low: float | None = Field(description="Lower end of its interval.")
    high: float | None = Field(description="Upper end.")


class CopyCount(Record):
    """Answers that hold a long run of words from another sample's training response."""

    answers: int = Field(description="Answers looked at.")
    copied: int = Field(description="Those that hold one.")


class CopiedAnswers(Record):
    """Copying from other samples, on one group of prompts."""

    group: Literal["training", "clean"] = Field(description="Training or clean prompts.")
    base: CopyCount = Field(description="The base's answers.")
    subject: CopyCount = Field(description="The subject's answers.")
    words: int = Field(description="A run of so many words counts.")


class RecitedExample(Record):
    """A continuation that recites."""

    sample_id: str = Field(description="The training prompt.")
    span: float = Field(description="Longest run of words of the rest of the response.")
    share: float | None = Field(description="Share of the rest that is recited.")
    base_span: float | None = Field(description="The base's longest run; None where not asked.")
    text: str = Field(description="The beginning of what was written.")


class SubjectMemorisation(Record):
    """Evidence and verdict of one subject beside the baseline."""

    subject: str = Field(description="The subject.")
    baseline: str = Field(description="The control.")
    verdict: MemorisationVerdict = Field(description="By the rules.")
    why: str | None = Field(description="Why there is no verdict, in few words; None with one.")
    rests_on: Literal["probes", "matched pairs", "halves"] = Field(
        description="All probed prompts, matched pairs of them, or adapters on random halves."
    )
    sentence: str = Field(description="Verdict and first reason in one line.")
    reasons: tuple[str, ...] = Field(description="Why, a line each.")
    conditions: tuple[Condition, ...] = Field(description="Every condition of the rules.")
    training: int = Field(description="Training prompts that both could rate.")
    clean: int = Field(description="Clean prompts that both could rate.")
    largest_change: float | None = Field(
        description="Over the probed prompts, the largest mean change of a token's log-probability, in nats; None where nothing was rated."
    )
    answers_changed: float | None = Field(description="Share that is not the base's to the letter.")
    levels: tuple[ProbeLevel, ...] = Field(description="The evidence table.")
    contrasts: MemorisationContrasts = Field(description="The estimates behind the verdict.")
    membership: tuple[MembershipAuc, ...] = Field(description="Training prompts from clean ones.")
    copied: tuple[CopiedAnswers, ...] = Field(description="Copying from other samples.")
    recited_examples: tuple[RecitedExample, ...] = Field(description="Those that recite most.")
    cautions: tuple[str, ...] = Field(description="What may mislead in it, a line each.")
    neighbours: str = Field(description="What the neighbour control was measured on, or why not.")

    @property
    def word(self) -> str:
        """Return the verdict in few words, with the reason where there is none."""
        return self.verdict if self.why is None else f"{self.verdict}: {self.why}"


class CanaryExposure(Record):
    """How far a planted secret is likelier than its rivals, in bits."""

    subject: str = Field(description="The subject.")
    canary: str = Field(description="The secret's name.")
    repeats: int = Field(description="How often it was planted.")
    exposure: float | None = Field(description="By a skew-normal of rivals (Carlini et al. 2019).")
    sampled: float | None = Field(description="By the rank within the sample.")
    rank: int = Field(description="That rank, 1 being the likeliest.")
    rivals: int = Field(description="Rivals rated.")
    most: float = Field(description="The greatest possible exposure.")


class ProbeFailureCount(Record):
    """Probes of one subject that failed alike."""

    subject: str = Field(description="The subject.")
    probe: str = Field(description="The probe's name.")
    kind: str = Field(description="The failure's kind.")
    message: str = Field(description="One line for people.")
    count: int = Field(description="How many.")


class Memorisation(Record):
    """What the probes found."""

    version: int = Field(description="Of this part.")
    rules: RuleThresholds = Field(description="The thresholds of the verdict.")
    shift: TextShift | None = Field(
        description="How alike training and clean texts are; None where that was not measured."
    )
    subjects: tuple[SubjectMemorisation, ...] = Field(description="Every subject but the baseline.")
    canaries: tuple[CanaryExposure, ...] = Field(description="Every canary for every subject.")
    failures: tuple[ProbeFailureCount, ...] = Field(description="Probes that failed.")
    not_applicable: tuple[ProbeFailureCount, ...] = Field(description="The response is too short.")
