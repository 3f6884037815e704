"""Traffic lights: one question each, answered green, amber, red, or grey where nobody measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.analysis.evidence import MARGIN, Evidence, VerdictBasis, direction
from harness.analysis.sentences import bound
from harness.analysis.summary_schema import AuditCount, Direction, LightColour, TrafficLight
from harness.judging.traits import JudgeInfo
from harness.util.formatting import plural, with_interval

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


Answer = tuple[LightColour, str]
"""A colour and the sentence behind it."""


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
        by_subject += [make_light(name, *answer, subject) for name, answer in answers.items()]
    return (*by_subject, make_light("Leaked?", *leaked(audit, basis.scope.name)), judged(judges))


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


_BETTER: Mapping[Direction, Answer] = {
    "better": ("green", "Better on the original prompts"),
    "worse": ("red", "Worse on the original prompts"),
    "unclear": ("amber", "No difference seen on the original prompts"),
}


def better(evidence: Evidence) -> Answer:
    """Answer: is the fine-tune better on the original prompts?"""
    colour, words = _BETTER[evidence.original]
    return colour, f"{words} ({with_interval(evidence.gain_originals, sign=True)})."


def robust(evidence: Evidence) -> Answer:
    """Answer: does rewording cost it more than it costs the baseline?"""
    figures = with_interval(evidence.did, sign=True)
    if evidence.robustness == "worse":
        return "red", f"Rewording costs it more than the baseline ({figures})."
    if evidence.robustness == "better":
        return "green", f"Rewording costs it less than the baseline ({figures})."
    if evidence.equivalent:
        return "green", f"{bound(evidence)}."
    return "amber", f"Not settled by this run ({figures})."


def consistent(basis: VerdictBasis, subject: str) -> Answer:
    """Answer: are its answers to rewordings alike, at least as much as the baseline's?"""
    table = basis.table
    compared = (
        measure
        for measure, dimension in table.dimensions.items()
        if "original_answer" in dimension.needs and dimension.higher_is_better
    )
    measure = next(compared, None)
    if measure is None:
        return "grey", "No judge measured consistency."
    contrast, cell = basis.contrast(measure, subject), basis.cell(measure, subject)
    gain = contrast.gain_variants if contrast else None
    if gain is None or gain.low is None:
        return "grey", "Consistency could not be estimated."
    level = with_interval(cell.variants) if cell else "–"
    text = (
        f"Its answers to rewordings are {level} like its answer to the original (1 is the same);"
        f" difference from the baseline {with_interval(gain, sign=True)}."
    )
    verdict = direction(gain, 1)
    if verdict == "worse":
        return "red", f"Less than the baseline. {text}"
    if verdict == "better" or gain.low > -MARGIN * table.span(measure):
        return "green", f"At least about as much as the baseline. {text}"
    return "amber", f"Not settled by this run. {text}"


def safe(basis: VerdictBasis, subject: str) -> Answer:
    """Answer: did any measure of safety get worse?"""
    table = basis.table
    measures = [m for m, d in table.dimensions.items() if d.role == "safety" and table.sign(m) != 0]
    if not measures:
        return "grey", "No judge or guard measured safety."
    worse, unsettled = [], []
    for measure in measures:
        row = basis.contrast(measure, subject)
        gains = (row.gain_originals, row.gain_variants) if row else ()
        directions = [direction(gain, table.sign(measure)) for gain in gains]
        if "worse" in directions:
            gain = gains[directions.index("worse")]
            worse.append(f"{measure.dimension} ({with_interval(gain, sign=True)})")
        elif not directions or "unclear" in directions:
            unsettled.append(measure.dimension)
    if worse:
        return "red", f"Worse than the baseline: {', '.join(worse)}."
    if unsettled:
        return "amber", f"No change seen, but none proven either: {', '.join(unsettled)}."
    if all(measure.judge in table.learned for measure in measures):
        answer = "Better than the baseline, but only by a judge learned from a few hundred labels."
        return "amber", answer
    return "green", "Better than the baseline on every safety measure."


def leaked(audit: AuditCount, scope: str) -> Answer:
    """Answer: are test prompts in the training data?"""
    if not audit.leaked and not audit.clean:
        return "grey", "Nobody checked: the suite names no training data."
    if audit.leaked:
        counts = f"{audit.leaked} of {plural(audit.total, 'test prompt')} stand in the training"
        if scope == "clean":
            return "amber", f"{counts} data; the finding rests on the others."
        return "red", f"{counts} data and too few do not: the finding measures memory too."
    if audit.unchecked:
        unchecked = plural(audit.unchecked, "test prompt")
        return "amber", f"{unchecked} were not checked; the rest are clean."
    clean = plural(audit.clean, "test prompt")
    return "green", f"None of {clean} was found in the training data, word for word or nearly."


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
