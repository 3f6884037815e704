"""Traffic lights: one question each, answered green, amber, red, or grey where nobody measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.analysis.correction_words import human_labels, worth_of_judge
from harness.analysis.evidence import Evidence, VerdictBasis, direction, too_few
from harness.analysis.margins import margin_words, no_margin
from harness.analysis.sentences import bound, immaterial, not_provable, nothing_to_lose
from harness.analysis.summary_schema import AuditCount, Direction, LightColour, TrafficLight
from harness.judging.traits import JudgeInfo
from harness.util.formatting import decimals, figure, plural, with_interval

PLAIN_WORDS: Mapping[LightColour, str] = {
    "green": "yes",
    "amber": "not settled",
    "red": "no",
    "grey": "not measured",
}
WORDS: Mapping[str, Mapping[LightColour, str]] = {
    "Better?": {"green": "yes", "amber": "not seen", "red": "worse", "grey": "not measured"},
    "Leaked?": {"green": "no", "amber": "in part", "red": "yes", "grey": "not checked"},
    "Judge checked?": {"green": "yes", "amber": "in part", "red": "no", "grey": "not checked"},
}
"""One word for a colour where "yes, not settled, no" would not answer the question."""

TOO_FEW = "too few prompts"


class LightAnswer(NamedTuple):
    """A colour, the sentence behind it, and a word where the colour's own would not do."""

    colour: LightColour
    text: str
    word: str | None = None


def run_lights(
    basis: VerdictBasis, audit: AuditCount, judges: Sequence[JudgeInfo]
) -> tuple[TrafficLight, ...]:
    """Return four lights for each compared subject, and two for the run."""
    by_subject = []
    for evidence in basis.lead:
        subject = evidence.subject
        answers = {
            "Better?": better(evidence),
            "Robust?": robust(evidence),
            "Consistent?": consistent(basis, subject),
            "Safe?": safe(basis, subject),
        }
        by_subject += [
            make_light(name, answer.colour, answer.text, subject, answer.word)
            for name, answer in answers.items()
        ]
    leak = leaked(audit, basis.scope.name)
    return (
        *by_subject,
        make_light("Leaked?", leak.colour, leak.text),
        checked_by_people(basis) or judged(judges),
    )


def make_light(
    question: str,
    colour: LightColour,
    answer: str,
    subject: str | None = None,
    word: str | None = None,
) -> TrafficLight:
    """Make a light; without ``subject`` it concerns the whole run."""
    return TrafficLight(
        question=question,
        light=colour,
        word=word or WORDS.get(question, PLAIN_WORDS)[colour],
        answer=answer,
        subject=subject,
    )


_BETTER: Mapping[Direction, tuple[LightColour, str]] = {
    "better": ("green", "Better on the original prompts"),
    "worse": ("red", "Worse on the original prompts"),
    "unclear": ("amber", "No difference seen on the original prompts"),
    "not measured": ("grey", "No original prompt has scores of both"),
}


def better(evidence: Evidence) -> LightAnswer:
    """Answer: is the fine-tune better on the original prompts, and nothing else when reworded?"""
    gain, reworded = evidence.gain_originals, evidence.gain_variants
    figures = with_interval(gain, sign=True)
    colour, words = _BETTER[evidence.original]
    if evidence.original == "not measured":
        return LightAnswer(colour, f"{words}: not measured.")
    if {evidence.original, evidence.reworded} == {"better", "worse"}:
        turned = f"{evidence.reworded} on reworded ones"
        text = f"{words} ({figures}), but {turned} ({with_interval(reworded, sign=True)})."
        return LightAnswer("amber", text, "mixed")
    if evidence.original == "unclear":
        if gain is not None and too_few(gain):
            text = f"On the original prompts {figures}, {not_provable(gain)}."
            return LightAnswer(colour, text, TOO_FEW)
        return LightAnswer(colour, f"{words} ({figures}){_hidden(evidence)}.")
    return LightAnswer(colour, f"{words} ({figures}).")


def _hidden(evidence: Evidence) -> str:
    """Say where the ends of the scale hide a difference; empty where they do not."""
    ends = evidence.extremes
    if len(ends) < 2:
        return ""
    base = ends[evidence.baseline]
    if base.nothing_to_gain:
        share = f"{100 * base.best:.0f}%"
        return f"; {evidence.baseline} has the best score already on {share} of them"
    if all(one.nothing_to_lose for one in ends.values()):
        share = f"{100 * min(one.worst for one in ends.values()):.0f}%"
        return f"; both have the worst score on {share} of them or more, so it could not show"
    return ""


def robust(evidence: Evidence) -> LightAnswer:
    """Answer: does rewording cost it more than it costs the baseline?"""
    figures = with_interval(evidence.did, sign=True)
    if evidence.robustness == "not measured":
        return LightAnswer(
            "grey", "No prompt has scores of both on an original and a rewording: not measured."
        )
    if evidence.floored is not None:
        return LightAnswer("amber", f"{nothing_to_lose(evidence)}.", "at the floor")
    if evidence.robustness == "worse":
        small = immaterial(evidence)
        text = f"Rewording costs it more than the baseline ({figures}){small}."
        return LightAnswer("green" if small else "red", text)
    if evidence.robustness == "better":
        return LightAnswer("green", f"Rewording costs it less than the baseline ({figures}).")
    if evidence.equivalent:
        return LightAnswer("green", f"{bound(evidence)}.")
    did = evidence.did
    if did is not None and too_few(did):
        text = f"Not settled: {figures}, {not_provable(did)}."
        return LightAnswer("amber", f"{text}{_why_open(evidence)}", TOO_FEW)
    return LightAnswer("amber", f"Not settled by this run ({figures}).{_why_open(evidence)}")


def _why_open(evidence: Evidence) -> str:
    """Say what green would have taken."""
    if evidence.margin is None:
        return f" No green: {no_margin(evidence.asked_again)}."
    most = evidence.extra_loss
    if most is None:
        return ""
    digits = decimals(most - evidence.margin.value)
    return (
        f" Rewording may cost it up to {figure(most, digits)} more, not less than the"
        f" {margin_words(evidence.margin, most)}."
    )


def consistent(basis: VerdictBasis, subject: str) -> LightAnswer:
    """Answer: are its answers to rewordings alike, at least as much as the baseline's?"""
    table = basis.table
    compared = (
        measure
        for measure, dimension in table.dimensions.items()
        if "original_answer" in dimension.needs and dimension.higher_is_better
    )
    measure = next(compared, None)
    if measure is None:
        return LightAnswer("grey", "No judge measured consistency.")
    contrast, cell = basis.contrast(measure, subject), basis.cell(measure, subject)
    gain = contrast.gain_variants if contrast else None
    if gain is None or gain.low is None:
        return LightAnswer("grey", "Consistency could not be estimated.")
    level = with_interval(cell.variants) if cell else "–"
    text = (
        f"Its answers to rewordings are {level} like its answer to the original (1 is the same);"
        f" difference from the baseline {with_interval(gain, sign=True)}."
    )
    verdict = direction(gain, 1)
    if verdict == "better":
        return LightAnswer("green", f"More than the baseline. {text}")
    margin = basis.margin(measure, subject)
    less = max(0.0, -gain.low)
    within = margin is not None and less < margin.value
    if verdict == "worse" and not (within and margin is not None and margin.source == "suite"):
        return LightAnswer("red", f"Less than the baseline. {text}")
    if margin is None:
        why = no_margin(basis.asked_again)
        return LightAnswer("amber", f"Not settled by this run. {text} No green: {why}.")
    bounds = (
        f"by {figure(less, decimals(abs(margin.value - less)))} at most, {'' if within else 'not '}below"
        f" the {margin_words(margin, less)}"
    )
    if within:
        return LightAnswer("green", f"Less than the baseline {bounds}. {text}")
    return LightAnswer("amber", f"Not settled by this run. {text} It may be less {bounds}.")


def safe(basis: VerdictBasis, subject: str) -> LightAnswer:
    """Answer: did any measure of safety get worse?"""
    table = basis.table
    measures = [m for m, d in table.dimensions.items() if d.role == "safety" and table.sign(m) != 0]
    if not measures:
        return LightAnswer("grey", "No judge or guard measured safety.")
    worse, unsettled, unmeasured = [], [], []
    for measure in measures:
        row = basis.contrast(measure, subject)
        gains = (row.gain_originals, row.gain_variants) if row else ()
        directions = [direction(gain, table.sign(measure)) for gain in gains]
        if "worse" in directions:
            gain = gains[directions.index("worse")]
            worse.append(f"{table.label(measure)} ({with_interval(gain, sign=True)})")
        elif set(directions) <= {"not measured"}:
            unmeasured.append(table.label(measure))
        elif set(directions) != {"better"}:
            unsettled.append(table.label(measure))
    missing = f" Not measured: {', '.join(unmeasured)}." if unmeasured else ""
    if worse:
        return LightAnswer("red", f"Worse than the baseline: {', '.join(worse)}.{missing}")
    if unsettled:
        words = f"No change seen, but none proven either: {', '.join(unsettled)}."
        return LightAnswer("amber", f"{words}{missing}")
    if len(unmeasured) == len(measures):
        return LightAnswer("grey", missing.strip())
    if unmeasured:
        return LightAnswer("amber", f"Better than the baseline where it was measured.{missing}")
    if all(measure.judge in table.learned for measure in measures):
        answer = "Better than the baseline, but only by a judge learned from a few hundred labels."
        return LightAnswer("amber", answer)
    return LightAnswer("green", "Better than the baseline on every safety measure.")


def leaked(audit: AuditCount, scope: str) -> LightAnswer:
    """Answer: are test prompts in the training data?"""
    if not audit.leaked and not audit.clean:
        return LightAnswer("grey", "Nobody checked: the suite names no training data.")
    if audit.leaked:
        counts = f"{audit.leaked} of {plural(audit.total, 'test prompt')} stand in the training"
        if scope == "clean":
            return LightAnswer("amber", f"{counts} data; the finding rests on the others.")
        answer = f"{counts} data and too few do not: the finding measures memory too."
        return LightAnswer("red", answer)
    if audit.unchecked:
        unchecked = plural(audit.unchecked, "test prompt")
        return LightAnswer("amber", f"{unchecked} were not checked; the rest are clean.")
    clean = plural(audit.clean, "test prompt")
    return LightAnswer(
        "green", f"None of {clean} was found in the training data, word for word or nearly."
    )


def checked_by_people(basis: VerdictBasis) -> TrafficLight | None:
    """Answer: was the judge checked? By labels of this run's own prompts, where they correct it."""
    if not basis.lead or not all(evidence.corrected for evidence in basis.lead):
        return None
    whole = all(evidence.contrast.corrected_did is not None for evidence in basis.lead)
    answers = []
    for evidence in basis.lead:
        first = evidence.contrast.corrected_gain_originals
        assert first is not None
        answers.append(
            f"{evidence.subject}: the finding rests on {human_labels(first)} of this run, drawn at"
            f" random and labelled blind. {worth_of_judge(first)}"
        )
    if not whole:
        answers.append("What rewording costs rests on the judge alone: no rewordings were drawn.")
    return make_light(
        "Judge checked?",
        "green" if whole else "amber",
        " ".join(answers),
        word="corrected by people" if whole else None,
    )


def judged(judges: Sequence[JudgeInfo]) -> TrafficLight:
    """Answer: was the judge checked against people? Asked of language models and fitted judges."""
    question = "Judge checked?"
    rating = sorted((j for j in judges if j.llm or j.learned), key=lambda judge: judge.label)
    if not rating:
        answer = (
            "No LLM judge: the finding rests on automatic text metrics, which measure likeness to"
            " a reference, not quality."
        )
        return make_light(question, "amber", answer, word="no LLM judge")
    checked = {j.label: j.calibration for j in rating if j.calibration is not None}
    if not checked:
        answer = "No judge of this run was checked against human labels (jostle calibrate)."
        return make_light(question, "grey", answer)
    parts = [f"{label}: {calibration.summary}" for label, calibration in checked.items()]
    trusted = all(calibration.trusted for calibration in checked.values())
    authors_only = all(calibration.authors_only for calibration in checked.values())
    return make_light(
        question,
        "green" if trusted and len(checked) == len(rating) else "amber",
        "; ".join(parts) + ".",
        word="by its authors only" if authors_only else None,
    )
