"""What the probes found, as ``summary.json`` and ``probes.json`` hold it."""

from __future__ import annotations

from typing import Literal

from harness.analysis.estimates import Interval
from harness.records import Record

MemorisationVerdict = Literal[
    "learned", "partly memorised", "memorised", "no effect", "cannot tell"
]


class PairedDifference(Interval):
    """A mean over prompts of subject and base, paired prompt by prompt.

    Attributes:
        n: Prompts.
        mde: Smallest effect that is seen with 80 % probability; None under three prompts.
    """

    n: int
    mde: float | None


class GroupDifference(Interval):
    """A weighted sum of the means of training and of clean prompts, which are not paired.

    Attributes:
        training: Training prompts.
        clean: Clean prompts.
    """

    training: int
    clean: int


class MemorisationContrasts(Record):
    """The estimates behind a verdict; formulas in ``harness/memorisation/README.md``.

    Attributes:
        gain_training: Loss of the base less that of the subject, on training responses.
        gain_reworded: The same under reworded prompts, for the prompts of the line above.
        gain_clean: The same on clean responses.
        gap: Gain on training less gain on clean responses.
        lost: A share of the gain on training less the gain on clean responses.
        kept: The gain on clean less a share of the gain on training responses.
        relation: Whether clean responses gain no more under another sample's prompt.
        specific: Gain of clean responses under their own prompt less that under another's.
        form: Gain on clean responses less a share of the base model's loss on them.
        recited: Share recited by the subject less by the base, on training less on clean prompts.
        rouge_lost: What rewording costs the subject in closeness to the training response, beyond
            the base.
    """

    gain_training: PairedDifference | None
    gain_reworded: PairedDifference | None
    gain_clean: PairedDifference | None
    gap: GroupDifference | None
    lost: GroupDifference | None
    kept: GroupDifference | None
    relation: PairedDifference | None
    specific: PairedDifference | None
    form: PairedDifference | None
    recited: GroupDifference | None
    rouge_lost: PairedDifference | None


class RuleThresholds(Record):
    """The thresholds that the rules of the verdict were stated with.

    Attributes:
        version: Of the rules.
        least_prompts: Fewer rated prompts of a group say nothing.
        still: Nats a token: a subject that moves no reference by more had no effect.
        changed: Share of changed answers up to which there is no effect.
        least_gain: Nats a token: a smaller gain carries no verdict by itself.
        lost: Memorised: less than this share of the gain arrives on clean prompts.
        kept: Learned: at least this share arrives.
        foreign: Learned: a response may gain by this share more under another sample's prompt.
        form: Learned as a form: this share of the base model's loss is gone.
        recited: Reciting counts from this share of the rest of a response on.
    """

    version: int
    least_prompts: int
    still: float
    changed: float
    least_gain: float
    lost: float
    kept: float
    foreign: float
    form: float
    recited: float


class Condition(Record):
    """One condition of the rules.

    Attributes:
        name: Its name in the rules.
        holds: Whether it holds.
        words: The condition in words, with its figures.
    """

    name: str
    holds: bool
    words: str


class ProbeLevel(Record):
    """One line of the evidence table: base and subject on the same prompts.

    Attributes:
        key: Name of the line; one that ends in ``_common`` stands on the prompts of the line below.
        label: Name for people.
        unit: ``nats a token``, ``share`` or ``words``.
        base: The base's mean.
        subject: The subject's mean.
        difference: Subject less base.
    """

    key: str
    label: str
    unit: str
    base: float | None
    subject: float | None
    difference: PairedDifference | None


class MembershipAuc(Record):
    """How well one score tells training from clean prompts.

    Attributes:
        score: ``loss``, ``min_k`` or ``min_k_pp``.
        how: The base's score, the subject's, or the subject's less the base's.
        value: Area under the ROC curve.
        low: Lower end of its interval.
        high: Upper end.
    """

    score: str
    how: Literal["base", "raw", "relative"]
    value: float | None
    low: float | None
    high: float | None


class CopyCount(Record):
    """Answers that hold a long run of words from another sample's training response.

    Attributes:
        answers: Answers looked at.
        copied: Those that hold one.
    """

    answers: int
    copied: int


class CopiedAnswers(Record):
    """Copying from other samples, on one group of prompts.

    Attributes:
        group: Training or clean prompts.
        base: The base's answers.
        subject: The subject's answers.
        words: A run of so many words counts.
    """

    group: Literal["training", "clean"]
    base: CopyCount
    subject: CopyCount
    words: int


class RecitedExample(Record):
    """A continuation that recites.

    Attributes:
        sample_id: The training prompt.
        span: Longest run of words of the rest of the response.
        share: Share of the rest that is recited.
        base_span: The base's longest run; None where it was not asked.
        text: The beginning of what was written.
    """

    sample_id: str
    span: float
    share: float | None
    base_span: float | None
    text: str


class SubjectMemorisation(Record):
    """Evidence and verdict of one subject beside the baseline.

    Attributes:
        subject: The subject.
        baseline: The control.
        verdict: By the rules.
        sentence: Verdict and first reason in one line.
        reasons: Why, a line each.
        conditions: Every condition of the rules.
        training: Training prompts that both could rate.
        clean: Clean prompts that both could rate.
        largest_change: Over the probed prompts, the largest mean change of a token's
            log-probability, in nats; None where nothing was rated.
        answers_changed: Share of answers that are not the base's letter for letter.
        levels: The evidence table.
        contrasts: The estimates behind the verdict.
        membership: Whether training prompts can be told from clean ones.
        copied: Copying from other samples.
        recited_examples: The continuations that recite most.
        cautions: What may mislead in the comparison, a line each.
    """

    subject: str
    baseline: str
    verdict: MemorisationVerdict
    sentence: str
    reasons: tuple[str, ...]
    conditions: tuple[Condition, ...]
    training: int
    clean: int
    largest_change: float | None
    answers_changed: float | None
    levels: tuple[ProbeLevel, ...]
    contrasts: MemorisationContrasts
    membership: tuple[MembershipAuc, ...]
    copied: tuple[CopiedAnswers, ...]
    recited_examples: tuple[RecitedExample, ...]
    cautions: tuple[str, ...]


class CanaryExposure(Record):
    """How far a planted secret is likelier than its rivals, in bits.

    Attributes:
        subject: The subject.
        canary: The secret's name.
        repeats: How often it was planted.
        exposure: From a skew-normal fitted to the rivals (Carlini et al. 2019).
        sampled: By the rank within the sample.
        rank: That rank, 1 being the likeliest.
        rivals: Rivals rated.
        most: The greatest possible exposure.
    """

    subject: str
    canary: str
    repeats: int
    exposure: float | None
    sampled: float | None
    rank: int
    rivals: int
    most: float


class ProbeFailureCount(Record):
    """Probes of one subject that failed alike.

    Attributes:
        subject: The subject.
        probe: The probe's name.
        kind: The failure's kind.
        message: One line for people.
        count: How many.
    """

    subject: str
    probe: str
    kind: str
    message: str
    count: int


class Memorisation(Record):
    """What the probes found.

    Attributes:
        version: Of this part.
        rules: The thresholds of the verdict.
        subjects: Every subject but the baseline.
        canaries: Every canary for every subject.
        failures: Probes that failed.
        not_applicable: Probes that cannot be asked, because the response is too short.
    """

    version: int
    rules: RuleThresholds
    subjects: tuple[SubjectMemorisation, ...]
    canaries: tuple[CanaryExposure, ...]
    failures: tuple[ProbeFailureCount, ...]
    not_applicable: tuple[ProbeFailureCount, ...]
