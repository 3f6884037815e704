"""The verdict in words. No word may claim more than the tests and intervals behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.analysis.cautions import balanced_words, mix_words
from harness.analysis.correction_words import correction_lines
from harness.analysis.estimates import Estimate, Measure
from harness.analysis.evidence import Evidence, VerdictBasis, direction, suggestive, too_few
from harness.analysis.margins import margin_words, no_margin
from harness.analysis.summary_schema import (
    Direction,
    RunFinding,
    SubjectFinding,
    TippingPoint,
)
from harness.analysis.table import ALL, Table
from harness.analysis.tipping import tipping_words
from harness.util.formatting import decimals, figure, listing, with_interval

WEAK = 0.5
"""Rank correlation with labels under which a judge's measure is called weak where it is named."""

MOST_OTHERS = 3
"""Other measures that a line names; the rest is counted."""


def run_finding(
    basis: VerdictBasis,
    cautions: Sequence[str],
    leak: str | None,
    agreement: Mapping[Measure, float],
    tipping: Sequence[TippingPoint] = (),
) -> RunFinding:
    """Put the verdict into words: the leak, one sentence a subject, and what is behind it.

    Args:
        basis: What the verdict rests on.
        cautions: What a reader must know first, a line each.
        leak: That prompts leaked, where any did.
        agreement: Rank correlation of a judge's measure with labels, where it was checked.
        tipping: What missing scores would have to be; plausible ones become cautions.
    """
    lines = [(point, tipping_words(point, basis.table.label(point.measure))) for point in tipping]
    cautions = [*cautions, *(line for point, line in lines if point.plausible)]
    subjects = tuple(
        _subject_finding(
            basis,
            evidence,
            agreement,
            [
                line
                for point, line in lines
                if point.subject == evidence.subject and not point.plausible
            ],
        )
        for evidence in basis.lead
    )
    if subjects:
        text = " ".join(subject.sentence for subject in subjects)
    elif basis.headline:
        text = "Only one subject was asked: nothing to compare it with."
    else:
        text = "Nothing was scored that could carry a finding."
    return RunFinding(
        sentence=f"{leak} {text}" if leak else text,
        leak=leak,
        subjects=subjects,
        rests_on=" ".join(filter(None, [rests_on(basis.table, basis.headline), mix_words(basis)])),
        cautions=tuple(cautions),
    )


def _subject_finding(
    basis: VerdictBasis,
    evidence: Evidence,
    agreement: Mapping[Measure, float],
    missing: Sequence[str],
) -> SubjectFinding:
    also = [
        second_measure(evidence, other)
        for measure in basis.headline[1:]
        for other in basis.evidence(measure)
        if other.subject == evidence.subject
    ]
    if line := elsewhere(basis, evidence.subject, agreement):
        also.append(line)
    if balanced := balanced_words(evidence):
        also.insert(0, balanced)
    also += missing
    costliest = evidence.costliest
    return SubjectFinding(
        subject=evidence.subject,
        sentence=sentence(evidence),
        levels=levels(evidence, basis.levels()),
        robustness=robustness_sentence(evidence),
        also=tuple(also),
        corrected=tuple(
            line
            for measure in basis.headline
            for other in basis.evidence(measure)
            if other.subject == evidence.subject
            for line in correction_lines(basis.table.label(measure), other.contrast)
        ),
        original=evidence.original,
        reworded=evidence.reworded,
        robust=evidence.robustness,
        costliest=costliest.kind if costliest else None,
        margin=evidence.margin,
    )


def no_difference(estimate: Estimate | None) -> str:
    """Name a difference that did not pass the corrected test."""
    return "no certain difference" if suggestive(estimate) else "no difference"


def unclear(estimate: Estimate | None) -> str:
    """Describe a difference that may be none: ``−0.01 [−0.05, 0.03]; this run could have seen ±0.06``."""
    text = with_interval(estimate, sign=True)
    if estimate is not None and too_few(estimate):
        return f"{text}, {not_provable(estimate)}"
    if suggestive(estimate):
        return f"{text}, which may be chance among all the tests on this page"
    if estimate and estimate.mde is not None:
        digits = decimals(2 * estimate.mde)
        text += f"; this run could have seen ±{figure(estimate.mde, digits)}"
    return text


def not_provable(estimate: Estimate) -> str:
    """Say that so few prompts can show no difference: a clause that follows the figures."""
    few = estimate.observations < (estimate.needed or 0)
    ties = "" if few else f" that differ; {estimate.moved} of {estimate.observations} do"
    return f"which cannot be shown with fewer than {estimate.needed} {_prompts(estimate)}{ties}"


def _prompts(estimate: Estimate) -> str:
    return "unrelated prompts" if estimate.observations < estimate.n else "prompts"


def sentence(evidence: Evidence) -> str:
    """Write the one sentence that a reader remembers about one subject."""
    if "not measured" in (evidence.original, evidence.reworded):
        return _unmeasured(evidence)
    name, base = evidence.subject, evidence.baseline
    first, second = evidence.gain_originals, evidence.gain_variants
    o, v = with_interval(first, sign=True), with_interval(second, sign=True)
    o = f"{evidence.named} {o}"
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
                f" ({evidence.named} {unclear(first)}); on reworded ones {name} is {seen} ({v})"
            )
        case ("unclear", "unclear") if too_few(first) and too_few(second):
            text = (
                f"Whether {name} differs from {base} {_not_shown(first)} (originals: {o};"
                f" reworded: {v})"
            )
        case ("unclear", "unclear"):
            certain = " certain" if suggestive(first) or suggestive(second) else ""
            text = (
                f"No{certain} difference between {name} and {base} was seen, neither on the"
                f" original prompts ({evidence.named} {unclear(first)}) nor on reworded ones"
                f" ({unclear(second)})"
            )
        case (o_seen, v_seen):
            text = (
                f"{name} is {o_seen} than {base} on the original prompts ({o}) but {v_seen} when"
                f" they are reworded ({v})"
            )
    worst = evidence.costliest
    if worst is not None:
        cost = with_interval(worst.change, flip=evidence.sign > 0)
        text += (
            f"; {worst.kind} costs it most ({cost}{' by the judge' if evidence.corrected else ''})"
        )
    return text + "."


def _not_shown(estimate: Estimate | None) -> str:
    """Say that nothing can be shown with so few prompts: a clause that ends before the figures."""
    if estimate is None:
        return "cannot be shown"
    start = f"cannot be shown with fewer than {estimate.needed} {_prompts(estimate)}"
    if estimate.observations < (estimate.needed or 0):
        return f"{start}; this run has {estimate.observations}"
    return f"{start} that differ; {estimate.moved} of {estimate.observations} do"


def _unmeasured(evidence: Evidence) -> str:
    """Write the sentence where a difference was not measured: that is not "no difference"."""
    name, base = evidence.subject, evidence.baseline
    if evidence.unscored:
        have = "has" if len(evidence.unscored) == 1 else "have"
        return (
            f"Not measured: {listing(list(evidence.unscored))} {have} no score in"
            f" {evidence.label}, so whether {name} differs from {base} is not known."
        )
    if evidence.original == evidence.reworded:
        return (
            f"Not measured: no prompt has scores of both {name} and {base} in {evidence.label}, so"
            " whether they differ is not known."
        )
    if evidence.original == "not measured":
        seen, where, unseen = evidence.gain_variants, "reworded prompts", "original prompts"
    else:
        seen, where, unseen = evidence.gain_originals, "original prompts", "reworded ones"
    verdict = direction(seen, evidence.sign)
    if verdict == "unclear":
        clause = f"on the {where} {no_difference(seen)} between {name} and {base} was seen"
        figures = unclear(seen)
    else:
        clause, figures = (
            f"{name} is {verdict} than {base} on the {where}",
            with_interval(seen, sign=True),
        )
    text = f"{clause} ({evidence.label} {figures}); on the {unseen} nothing was measured."
    return text[0].upper() + text[1:] if verdict == "unclear" else text


def robustness_sentence(evidence: Evidence) -> str:
    """Say what rewording costs beside the baseline, and what share of the gain is kept."""
    name, base, did = evidence.subject, evidence.baseline, evidence.did
    figures = with_interval(did, sign=True)
    match evidence.robustness:
        case "not measured":
            return f"Whether rewording costs {name} more or less than {base} was not measured."
        case _ if evidence.floored is not None:
            text = nothing_to_lose(evidence)
        case "worse":
            text = f"Rewording costs {name} more than it costs {base} (difference {figures})"
            text += immaterial(evidence)
        case "better":
            text = f"Rewording costs {name} less than it costs {base} (difference {figures})"
        case _ if evidence.equivalent:
            text = bound(evidence)
        case _:
            why = "" if evidence.margin else f"; {no_margin(evidence.asked_again)}"
            text = (
                f"This run cannot say whether rewording costs {name} more or less than {base}"
                f" (difference {unclear(did)}{why})"
            )
    kept = evidence.contrast.kept
    if kept:
        share, low, high = (
            "–" if end is None else figure(100 * end, 0) for end in (kept.mean, kept.low, kept.high)
        )
        text += f"; of its gain on the original prompts it keeps {share}% [{low}, {high}]"
    return text + "."


def bound(evidence: Evidence) -> str:
    """Say how little rewording can cost the subject beyond what it costs the baseline."""
    assert evidence.margin is not None
    most = evidence.extra_loss or 0.0
    digits = decimals(evidence.margin.value - most)  # enough to tell the two apart
    return (
        f"Rewording costs {evidence.subject} at most {figure(most, digits)} more than it costs"
        f" {evidence.baseline}, less than the {margin_words(evidence.margin, most)}"
        f" (difference {with_interval(evidence.did, sign=True)})"
    )


def immaterial(evidence: Evidence) -> str:
    """Say that a certain extra loss is less than the user minds; empty where it is not."""
    margin = evidence.margin
    if margin is None or margin.source != "suite" or not evidence.equivalent:
        return ""
    most = evidence.extra_loss or 0.0
    digits = decimals(margin.value - most)
    return f", but by {figure(most, digits)} at most, less than the {margin_words(margin, most)}"


def nothing_to_lose(evidence: Evidence) -> str:
    """Say that losses cannot be compared: one of the two scores the worst already."""
    name = evidence.floored
    assert name is not None
    share = figure(100 * evidence.extremes[name].worst, 0)
    return (
        f"{name} has nothing left to lose on {share}% of the original prompts, which score the"
        f" {'lowest' if evidence.sign > 0 else 'highest'} value, so what rewording costs"
        f" {evidence.subject} and {evidence.baseline} cannot be compared"
        f" (difference {with_interval(evidence.did, sign=True)})"
    )


def levels(evidence: Evidence, originals: Mapping[str, Estimate | None]) -> str | None:
    """Give both levels on the originals: ``base has 0.36 [...] and tuned 0.25 [...]``."""
    subject, base = originals.get(evidence.subject), originals.get(evidence.baseline)
    if not subject or not base:
        return None
    by_judge = " by the judge" if evidence.corrected else ""
    return (
        f"On the original prompts {evidence.baseline} has {with_interval(base)} and"
        f" {evidence.subject} {with_interval(subject)} in {evidence.label}{by_judge}."
    )


def rests_on(table: Table, headline: Sequence[Measure]) -> str:
    """Name the measures of the verdict with their scales."""
    if not headline:
        return "No measure with a better and a worse end was scored on originals and variants."
    described = []
    for measure in headline:
        low, high = (figure(end, 0) for end in table.scale(measure))
        better = "higher" if table.sign(measure) > 0 else "lower"
        described.append(f"{table.label(measure)} (scale {low} to {high}, {better} is better)")
    return f"Measured by {listing(described)}."


def second_measure(lead: Evidence, other: Evidence) -> str:
    """Say if a second headline measure says the same as the leading one."""
    figures = (
        f"originals {with_interval(other.gain_originals, sign=True)},"
        f" reworded {with_interval(other.gain_variants, sign=True)}"
    )
    if (other.original, other.reworded) == ("not measured", "not measured"):
        return f"{other.label} was not measured."
    originals, reworded = {lead.original, other.original}, {lead.reworded, other.reworded}
    opposed = [
        where
        for where, pair in (("originals", originals), ("reworded prompts", reworded))
        if pair == {"better", "worse"}
    ]
    if len(originals) == len(reworded) == 1:
        verb = "says the same"
    elif opposed:
        verb = "contradicts this" if len(opposed) == 2 else f"contradicts this on {opposed[0]}"
    elif (other.original, other.reworded) == ("unclear", "unclear"):
        verb = "shows no certain difference on either"
    else:
        verb = "agrees only in part"
    return f"{other.named} {verb} ({figures})."


def elsewhere(basis: VerdictBasis, subject: str, agreement: Mapping[Measure, float]) -> str | None:
    """Name certain differences by measures that the finding does not rest on; None without any."""
    table, parts = basis.table, []
    for row in basis.contrasts:
        measure, sign = row.measure, basis.table.sign(row.measure)
        if (row.subject, row.kind) != (subject, ALL) or measure in basis.headline or not sign:
            continue
        gains = {
            "originals": row.corrected_gain_originals or row.gain_originals,
            "reworded": row.corrected_gain_variants or row.gain_variants,
        }
        directions = {where: direction(gain, sign) for where, gain in gains.items()}
        verdicts = _by_direction(directions, gains)
        if verdicts:
            rho = agreement.get(measure)
            weak = (
                "" if rho is None or rho >= WEAK else f" (a measure with a rho of {rho:.2f} only)"
            )
            parts.append(f"{table.label(measure)}{weak} is {verdicts}")
    if not parts:
        return None
    more = f" and {len(parts) - MOST_OTHERS} more" if len(parts) > MOST_OTHERS else ""
    return f"Certain by other measures: {'; '.join(parts[:MOST_OTHERS])}{more}."


def _by_direction(directions: Mapping[str, Direction], gains: Mapping[str, Estimate | None]) -> str:
    """Say ``better (originals …, reworded …)``, or both where they differ; empty without any."""
    certain: dict[Direction, list[str]] = {}
    for where, verdict in directions.items():
        if verdict in ("better", "worse"):
            figures = f"{where} {with_interval(gains[where], sign=True)}"
            certain.setdefault(verdict, []).append(figures)
    return " but ".join(f"{verdict} ({', '.join(of)})" for verdict, of in certain.items())
