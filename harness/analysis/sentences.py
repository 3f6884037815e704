"""The verdict in words. No word may claim more than the tests and intervals behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.analysis.table import Measure, Table
from harness.judging.derived import OVERALL
from harness.util.formatting import decimals, figure, listing, plural, with_interval

ALPHA = 0.05
MARGIN = 0.025
"""Share of a scale that counts as "about the same": a tenth of a point from 1 to 5."""

WEAK = 0.5
"""Rank correlation with labels under which a judge's measure is called weak where it is named."""

FEW_PROMPTS = 30
CUT_SHARE = 0.25
MOST_SHARE = 0.9

Direction = Literal["better", "worse", "unclear"]


def choose_headline(table: Table) -> list[Measure]:
    """The measures that the finding rests on, the leading one first.

    LLM judges before a fitted judge before semantic closeness and ROUGE-L before anything else
    that has a better end and was measured on originals as well as on variants.
    """

    def usable(measure: Measure) -> bool:
        dimension = table.dimensions[measure]
        return (
            dimension.higher_is_better is not None
            # Who wins a comparison has no level of the baseline to be set against.
            and not {"original_answer", "opponent"} & set(dimension.needs)
            and bool((table.values[measure] == table.values[measure]).any())
        )

    measures = [m for m in table.dimensions if usable(m)]
    for group in (
        [m for m in measures if m[0] in table.llm and m[1] == OVERALL],
        [m for m in measures if m[0] in table.llm],
        [m for m in measures if m[0] in table.learned and m[1] == OVERALL],
        [m for m in measures if m[0] in table.learned],
    ):
        if group:
            return group[:1]
    plain = [
        m
        for wanted in (("semantic", "closeness"), ("rouge_l", "rouge_l"))
        if (m := next((x for x in measures if x == wanted), None))
    ]
    return plain or measures[:1]


def direction(estimate: dict[str, Any] | None, sign: int) -> Direction:
    """What may be said of a difference: only what passed the correction for all tests shown."""
    if estimate is None or estimate.get("p_holm") is None or estimate["p_holm"] > ALPHA:
        return "unclear"
    low, high = estimate["low"], estimate["high"]
    if low is None or low <= 0 <= high:
        return "unclear"
    return "better" if estimate["mean"] * sign > 0 else "worse"


def suggestive(estimate: dict[str, Any] | None) -> bool:
    """Whether the interval excludes zero although the corrected test does not."""
    if estimate is None or estimate["low"] is None:
        return False
    return not estimate["low"] <= 0 <= estimate["high"]


def no_difference(estimate: dict[str, Any] | None) -> str:
    """What to call a difference that did not pass the corrected test."""
    return "no certain difference" if suggestive(estimate) else "no difference"


def unclear(estimate: dict[str, Any] | None) -> str:
    """``−0.01 [−0.05, 0.03]; this run could have seen ±0.06``."""
    text = with_interval(estimate, sign=True)
    if suggestive(estimate):
        return f"{text}, which may be chance among all the tests on this page"
    if estimate and estimate.get("mde") is not None:
        digits = decimals(2 * estimate["mde"])
        text += f"; this run could have seen ±{figure(estimate['mde'], digits)}"
    return text


@dataclass(frozen=True)
class Evidence:
    """What one verdict is made of.

    Attributes:
        subject: Whom it is about.
        baseline: Whom it is compared with.
        measure: The measure's name for people.
        sign: 1 where higher is better, else -1.
        margin: What counts as "about the same", in the measure's units.
        contrast: The differences for all kinds together.
        drops: The subject's own changes by kind.
    """

    subject: str
    baseline: str
    measure: str
    sign: int
    margin: float
    contrast: dict[str, Any]
    drops: list[dict[str, Any]]

    @property
    def original(self) -> Direction:
        """Against the baseline on the original prompts."""
        return direction(self.contrast["gain_originals"], self.sign)

    @property
    def reworded(self) -> Direction:
        """Against the baseline on the reworded prompts."""
        return direction(self.contrast["gain_variants"], self.sign)

    @property
    def robustness(self) -> Direction:
        """Whether rewording costs the subject less (better) or more (worse) than the baseline."""
        return direction(self.contrast["did"], self.sign)

    @property
    def extra_loss(self) -> float | None:
        """The most that rewording may cost the subject beyond what it costs the baseline."""
        did = self.contrast["did"]
        if did is None or did["low"] is None:
            return None
        return float(max(0.0, -did["low"] if self.sign > 0 else did["high"]))

    @property
    def equivalent(self) -> bool:
        """Whether any extra loss is within the margin: not a difference test but a bound."""
        return self.extra_loss is not None and self.extra_loss < self.margin

    @property
    def costliest(self) -> dict[str, Any] | None:
        """The kind with the largest drop of the subject that passed the correction."""
        seen = [cell for cell in self.drops if direction(cell["change"], self.sign) == "worse"]
        return max(seen, key=lambda c: abs(c["change"]["mean"]), default=None)


def sentence(evidence: Evidence) -> str:
    """The one sentence a reader takes home about one subject."""
    name, base = evidence.subject, evidence.baseline
    first, second = evidence.contrast["gain_originals"], evidence.contrast["gain_variants"]
    o, v = with_interval(first, sign=True), with_interval(second, sign=True)
    o = f"{evidence.measure} {o}"
    match evidence.original, evidence.reworded:
        case ("better", "better") | ("worse", "worse"):
            text = (
                f"{name} is {evidence.original} than {base} on the original prompts ({o}) and"
                f" stays {evidence.original} when they are reworded ({v})"
            )
        case ("better" | "worse" as seen, "unclear"):
            text = (
                f"{name} is {seen} than {base} on the original prompts ({o}), but on reworded"
                f" ones {no_difference(second)} was seen ({unclear(second)})"
            )
        case ("unclear", "better" | "worse" as seen):
            text = (
                f"On the original prompts {no_difference(first)} between {name} and {base} was seen"
                f" ({evidence.measure} {unclear(first)}); on reworded ones {name} is {seen} ({v})"
            )
        case ("unclear", "unclear"):
            certain = " certain" if suggestive(first) or suggestive(second) else ""
            text = (
                f"No{certain} difference between {name} and {base} was seen, neither on the"
                f" original prompts ({evidence.measure} {unclear(first)}) nor on reworded ones"
                f" ({unclear(second)})"
            )
        case (o_seen, v_seen):
            text = (
                f"{name} is {o_seen} than {base} on the original prompts ({o}) but {v_seen} when"
                f" they are reworded ({v})"
            )
    worst = evidence.costliest
    if worst is not None:
        cost = with_interval(worst["change"], flip=evidence.sign > 0)
        text += f"; {worst['kind']} costs it most ({cost})"
    return text + "."


def robustness_sentence(evidence: Evidence) -> str:
    """What rewording costs the subject beside the baseline, and what share of the gain it keeps."""
    name, base, did = evidence.subject, evidence.baseline, evidence.contrast["did"]
    figures = with_interval(did, sign=True)
    match evidence.robustness:
        case "worse":
            text = f"Rewording costs {name} more than it costs {base} (difference {figures})"
        case "better":
            text = f"Rewording costs {name} less than it costs {base} (difference {figures})"
        case _ if evidence.equivalent:
            text = bound(evidence)
        case _:
            text = (
                f"This run cannot say whether rewording costs {name} more or less than {base}"
                f" (difference {unclear(did)})"
            )
    kept = evidence.contrast.get("kept")
    if kept:
        share = [figure(100 * kept[k], 0) for k in ("mean", "low", "high")]
        text += (
            f"; of its gain on the original prompts it keeps {share[0]}% [{share[1]}, {share[2]}]"
        )
    return text + "."


def bound(evidence: Evidence) -> str:
    """How little rewording can cost the subject beyond what it costs the baseline."""
    most = evidence.extra_loss or 0.0
    digits = decimals(evidence.margin - most)  # enough to tell the two apart
    return (
        f"Rewording costs {evidence.subject} at most {figure(most, digits)} more than it costs"
        f" {evidence.baseline}, less than the {evidence.margin:g} that would matter"
        f" (difference {with_interval(evidence.contrast['did'], sign=True)})"
    )


def levels(evidence: Evidence, standing: Mapping[str, Any]) -> str | None:
    """Where baseline and subject stand on the originals: ``base has 0.36 [...], tuned 0.25 [...]``.

    Args:
        evidence: The two subjects and the measure.
        standing: By subject, the level on the originals of the prompts that the finding rests on.
    """
    own, base = standing.get(evidence.subject), standing.get(evidence.baseline)
    if not own or not base:
        return None
    return (
        f"On the original prompts {evidence.baseline} has {with_interval(base)} and"
        f" {evidence.subject} {with_interval(own)} in {evidence.measure}."
    )


def rests_on(table: Table, headline: list[Measure]) -> str:
    """What the words above are measured with."""
    described = []
    for measure in headline:
        dimension = table.dimensions[measure]
        what = label(measure)
        better = "higher" if dimension.higher_is_better else "lower"
        described.append(
            f"{what} (scale {figure(dimension.low, 0)} to {figure(dimension.high, 0)},"
            f" {better} is better)"
        )
    if not described:
        return "No measure with a better and a worse end was scored on originals and variants."
    return f"Measured by {listing(described)}."


def label(measure: Measure) -> str:
    """A measure's name for people: ``semantic closeness``, ``ROUGE-L``."""
    judge, dimension = measure
    if measure == ("rouge_l", "rouge_l"):
        return "ROUGE-L"
    if judge == dimension:
        return judge.replace("_", " ")
    return f"{judge} {dimension}".replace("_", " ")


def agreement(lead: Evidence, other: Evidence, measure: Measure) -> str:
    """Whether a second headline measure says the same as the leading one."""
    figures = (
        f"originals {with_interval(other.contrast['gain_originals'], sign=True)},"
        f" reworded {with_interval(other.contrast['gain_variants'], sign=True)}"
    )
    same = (lead.original, lead.reworded) == (other.original, other.reworded)
    clash = {"better", "worse"} in (
        {lead.original, other.original},
        {lead.reworded, other.reworded},
    )
    if same:
        verb = "says the same"
    elif clash:
        verb = "contradicts this"
    elif (other.original, other.reworded) == ("unclear", "unclear"):
        verb = "shows no certain difference on either"
    else:
        verb = "agrees only in part"
    return f"{label(measure)} {verb} ({figures})."


def elsewhere(
    table: Table,
    subject: str,
    rows: Sequence[Mapping[str, Any]],
    headline: Sequence[Measure],
    agreement: Mapping[Measure, float] | None = None,
) -> str | None:
    """Certain differences by measures that the finding does not rest on, or None.

    Args:
        table: The scores.
        subject: Whom it is about.
        rows: The contrasts of all kinds together, on the prompts that the finding rests on.
        headline: The measures of the finding.
        agreement: Rank correlation of a judge's measure with labels, where it was checked.
    """
    parts = []
    for row in rows:
        measure = (row["judge"], row["dimension"])
        better_end = table.dimensions[measure].higher_is_better
        if row["subject"] != subject or measure in headline or better_end is None:
            continue
        gains = {"originals": row["gain_originals"], "reworded": row["gain_variants"]}
        seen = {k: direction(g, 1 if better_end else -1) for k, g in gains.items()}
        certain = [k for k, v in seen.items() if v != "unclear"]
        if certain:
            figures = ", ".join(f"{k} {with_interval(gains[k], sign=True)}" for k in certain)
            rho = (agreement or {}).get(measure)
            weak = (
                "" if rho is None or rho >= WEAK else f" (a measure with a rho of {rho:.2f} only)"
            )
            parts.append(f"{label(measure)}{weak} is {seen[certain[0]]} ({figures})")
    if not parts:
        return None
    more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
    return f"Certain by other measures: {'; '.join(parts[:3])}{more}."


def cautions(
    evidence: Mapping[Measure, list[Evidence]], prompts: int, answers: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What a reader must know before believing the words: few prompts, cut answers, missing scores."""
    lines = []
    if prompts < FEW_PROMPTS:
        lines.append(
            f"Only {plural(prompts, 'source prompt')}: intervals are wide and their coverage is"
            f" less certain than from {FEW_PROMPTS} on."
        )
    cut = [a for a in answers if a["truncated"] > CUT_SHARE * a["answers"]]
    if cut:
        counts = listing([f"{a['truncated']} of {a['answers']} from {a['subject']}" for a in cut])
        most = all(a["truncated"] > MOST_SHARE * a["answers"] for a in cut)
        lines.append(
            f"{'Nearly all' if most else 'Many'} answers were cut at the token limit ({counts}):"
            " only their beginnings were scored, so the finding is about beginnings. Raise"
            " generation.max_new_tokens and run again, or see that the model ends its answers."
        )
    for measure, items in evidence.items():
        for item in items:
            bounds = item.contrast["bounds"]
            if bounds is None:
                continue
            share = max(
                item.contrast[name]["share"] or 0.0 for name in ("missing", "missing_originals")
            )
            low, high = (figure(x, 2, sign=True) for x in bounds["variants"])
            lines.append(
                f"{figure(100 * share, 0)}% of the paired scores of {label(measure)} behind"
                f" {item.subject} are missing; were all of them at one end of the scale, its"
                f" difference on reworded prompts would be {low}, at the other {high}."
            )
    return lines
