"""Conclusions from the figures of a study, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from harness.analysis.estimates import Estimate
from harness.memorisation.conditions import RULES
from harness.memorisation.counterfactual import Counterfactual
from harness.util.formatting import figure, with_interval
from training.studies.summary import ConfigurationPair, StudySuite, StudyTraining

LEAST_EVALUATIONS = 3
"""With fewer a validation loss cannot be seen to turn."""

_QUESTIONS: tuple[tuple[Callable[[ConfigurationPair], Estimate | None], str], ...] = (
    (lambda pair: pair.variants, "on variants"),
    (lambda pair: pair.robustness, "in robustness (variants − originals)"),
)


def findings(cells: Sequence[StudyTraining], suites: Sequence[StudySuite]) -> list[str]:
    """Return the sentences at the top of a study's page."""
    trained = [cell for cell in cells if cell.best_eval_loss is not None]
    sentences = [*_lowest(trained), *_turns(trained)]
    failed = [cell.name for cell in cells if cell.error]
    if failed:
        sentences.append(f"{len(failed)} of {len(cells)} trainings failed: {', '.join(failed)}.")
    for suite in suites:
        sentences += _differences(suite)
    return sentences


def memorisation_findings(record: Counterfactual) -> Iterator[str]:
    """Yield what a study of halves shows: memorised, generalised, and the rows beyond chance."""
    rows, adapters = record.memorised.rows, 2 * len(record.seeds)
    low = record.memorised.low
    if low is None or low <= 0:
        opening = "No memorisation is shown"
    elif low <= RULES.least_gain:
        opening = f"Memorised, though not shown to be by {RULES.least_gain:g} nats a token or more"
    else:
        opening = "Memorised"
    yield (
        f"{opening}: the responses of {rows} training rows are"
        f" {with_interval(record.memorised, sign=True)} nats a token"
        f" ({with_interval(record.memorised_response, sign=True)} nats a response) likelier under"
        f" adapters that were trained with the row than under those trained without it"
        f" ({adapters} adapters, {record.memorised.families} families of near-duplicates;"
        f" by seed {', '.join(figure(value, sign=True) for value in record.by_seed)})."
    )
    yield (
        "Generalised: rows that were left out gained"
        f" {with_interval(record.gain_outside, sign=True)} nats a token over the base, those that"
        f" were in {with_interval(record.gain_inside, sign=True)}."
    )
    above = record.above
    yield (
        f"{above.rows} of {rows} rows ({above.mean or 0:.0%}) are memorised by more than"
        f" {above.threshold:g} nats a token; rows without memorisation would be so in"
        f" {above.expected:.0%} (permutation test: p = {above.p:.2g})."
    )
    for estimate, what in ((record.recited, "recited"), (record.closeness, "answered")):
        if estimate is not None:
            yield (
                f"Share of a response that is {what}, in less out:"
                f" {with_interval(estimate, sign=True)}."
            )


def _lowest(trained: Sequence[StudyTraining]) -> Iterator[str]:
    """Name the best loss and the widest gap; losses on different data are not compared."""
    for data in sorted({cell.validation for cell in trained}):
        rows = [cell for cell in trained if cell.validation == data]
        of = f" (of {len(rows)} configurations)" if len(rows) > 1 else ""
        losses = {row.name: row.best_eval_loss for row in rows if row.best_eval_loss is not None}
        lowest = min(losses.values())
        names = _alike(losses, lowest)
        steps = sorted({cell.best_step or 0 for cell in rows if cell.name in names})
        yield (
            f"Lowest validation loss on {short_path(data)}: {', '.join(names)}, {lowest:.3f} at step"
            f" {'/'.join(map(str, steps))}{of}."
        )
        gaps = {cell.name: cell.final_gap for cell in rows if cell.final_gap is not None}
        if gaps:
            widest = max(gaps.values())
            yield (
                f"Widest gap between validation and training loss at the end on {short_path(data)}:"
                f" {', '.join(_alike(gaps, widest))}, {figure(widest, 3)}{of}."
            )


def _alike(figures: Mapping[str, float], value: float) -> list[str]:
    """Return the names whose figure equals ``value`` at the three decimals of the page."""
    return [name for name, other in figures.items() if f"{other:.3f}" == f"{value:.3f}"]


def _turns(trained: Sequence[StudyTraining]) -> Iterator[str]:
    turned = [cell for cell in trained if cell.turned_at is not None]
    for cell in turned:
        yield (
            f"{cell.name}: the validation loss turns up after step {cell.turned_at} while the"
            " training loss goes on falling."
        )
    watched = [cell for cell in trained if len(cell.eval_loss) >= LEAST_EVALUATIONS]
    if watched and not turned:
        yield f"In none of {len(watched)} trainings did the validation loss turn up."
    unwatched = len(trained) - len(watched)
    if unwatched:
        yield (
            f"{unwatched} of {len(trained)} trainings were evaluated fewer than"
            f" {LEAST_EVALUATIONS} times: whether their validation loss turns up cannot be seen"
            " (lower eval_steps)."
        )


def _differences(suite: StudySuite) -> Iterator[str]:
    if suite.error:
        yield f"Suite {suite.name} failed: {suite.error}"
        return
    headline = {measure.label for measure in suite.measures if measure.headline}
    for estimate_of, where in _QUESTIONS:
        pairs = [
            (pair, estimate)
            for pair in suite.pairs
            if pair.measure in headline and (estimate := estimate_of(pair)) is not None
            if estimate.low is not None
        ]
        clear = [(pair, e) for pair, e in pairs if not (e.low or 0) <= 0 <= (e.high or 0)]
        for pair, estimate in clear:
            yield f"{suite.name}: {_difference(pair, estimate)} {where}."
        if pairs and len(clear) < len(pairs):
            which, can = (f"{len(pairs) - len(clear)}", "cannot") if clear else ("none", "can")
            counts = sorted({pair.n for pair, _ in pairs})
            prompts = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
            yield (
                f"{suite.name}: {which} of {len(pairs)} differences between configurations {where}"
                f" {can} be distinguished from zero with {prompts} prompts."
            )


def _difference(pair: ConfigurationPair, estimate: Estimate) -> str:
    mean = estimate.mean or 0.0
    more = "higher" if mean > 0 else "lower"
    return (
        f"{pair.measure} of {pair.second} is {abs(mean):.3f} {more} than that of {pair.first}"
        f" (interval {figure(estimate.low, 3)} to {figure(estimate.high, 3)}, {pair.n} prompts)"
    )


def short_path(path: str) -> str:
    """Shorten a data set's path to its end: the folder is the topic, the name is the side."""
    scheme, _, rest = path.rpartition(":")
    return path if scheme == "hub" else "/".join(rest.split("/")[-2:])
