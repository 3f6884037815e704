"""How small a difference counts as none: by the user's word, or by the run's own noise.

"About the same" needs a margin, and a share of a scale is none: 2.5 % of a cosine's scale is more
than any of its differences. So the margin is what the suite sets for a measure; else the noise that
kind ``identity`` shows: half the width of the interval of the same difference when the very same
prompts are asked again. Where there is neither, nothing is called the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.analysis.estimates import Estimate, Measure
from harness.analysis.summary_schema import Margin
from harness.errors import ConfigError
from harness.judging.derived import OVERALL, overall_parts
from harness.judging.traits import JudgeInfo
from harness.util.formatting import decimals, figure
from harness.util.suggestions import did_you_mean

MIN_MOVED = 8
"""Fewest prompts whose score must have changed on asking again: fewer do not show how far it moves."""


def no_margin(asked_again: bool) -> str:
    """Say why nothing can be called the same, where there is no margin.

    ``asked_again`` says that the suite has the kind ``identity``, which did not change enough answers.
    """
    noise = (
        f"asking again (kind identity) changed the scores of fewer than {MIN_MOVED} prompts"
        if asked_again
        else "the suite has no kind identity, which would show the noise"
    )
    return f"how much would matter is not known: set it in the suite (margins); {noise}"


def margin_of(chosen: float | None, again: Estimate | None) -> Margin | None:
    """Return the margin of a difference; None where nobody set one and the noise is not known.

    Args:
        chosen: What the suite sets for the measure, in its units.
        again: The same difference between the unchanged prompts asked again and the originals.
    """
    if chosen is not None:
        return Margin(value=chosen, source="suite")
    if again is None or again.low is None or again.high is None or again.moved < MIN_MOVED:
        return None
    return Margin(value=(again.high - again.low) / 2, source="identity")


def margin_words(margin: Margin, least: float = 0.0) -> str:
    """Name a margin and where it comes from, with digits enough to tell it from ``least``."""
    value = figure(margin.value, decimals(abs(margin.value - least)))
    if margin.source == "suite":
        return f"{value} that would matter (set in the suite)"
    return f"{value} that asking the very same prompts again leaves open (kind identity)"


def resolve_margins(
    given: Mapping[str, float], judges: Sequence[JudgeInfo]
) -> dict[Measure, float]:
    """Return the suite's margins by measure; ``judge`` alone names the only dimension of a judge.

    Raises:
        ConfigError: A name is no measure of the suite, or names several.
    """
    measures = [measure for judge in judges for measure in _measures(judge)]
    by_name = {".".join(measure): measure for measure in measures}
    margins = {}
    for name, value in given.items():
        of_judge = [measure for measure in measures if measure.judge == name]
        if name not in by_name and len(of_judge) != 1:
            what = (
                f"names {len(of_judge)} measures; choose one of {', '.join(map('.'.join, of_judge))}"
                if of_judge
                else f"is no measure of the suite.{did_you_mean(name, [*by_name])}"
            )
            raise ConfigError(f"margins: {name!r} {what}")
        margins[by_name.get(name) or of_judge[0]] = value
    return margins


def _measures(judge: JudgeInfo) -> list[Measure]:
    """Return the measures of a judge, the mean over its dimensions included."""
    names = [dimension.name for dimension in judge.dimensions]
    if (judge.llm or judge.learned) and overall_parts(judge.dimensions) and OVERALL not in names:
        names.append(OVERALL)
    return [Measure(judge.label, name) for name in names]
