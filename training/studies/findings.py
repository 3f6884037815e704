"""What the figures of a study say, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LEAST_EVALUATIONS = 3
"""With fewer a validation loss cannot be seen to turn."""

_QUESTIONS = (("variants", "on variants"), ("robustness", "in robustness (variants − originals)"))

Row = Mapping[str, Any]


def findings(cells: Sequence[Row], suites: Sequence[Row]) -> list[str]:
    """The sentences at the top of a study's page.

    Args:
        cells: One row a training, as :func:`training.studies.compare.training_figures` makes it,
            with the ``validation`` data's path.
        suites: As :func:`training.studies.compare.suite_figures` makes them.
    """
    said = []
    trained = [cell for cell in cells if cell.get("best_eval_loss") is not None]
    if trained:
        said += [*_lowest(trained), *_turns(trained)]
    failed = [cell["name"] for cell in cells if cell["error"]]
    if failed:
        said.append(f"{len(failed)} of {len(cells)} trainings failed: {', '.join(failed)}.")
    for suite in suites:
        said += _differences(suite)
    return said


def _lowest(trained: Sequence[Row]) -> Iterator[str]:
    """The best loss and the widest gap; losses on different validation sets are not compared."""
    for data in sorted({str(cell["validation"]) for cell in trained}):
        rows = [cell for cell in trained if cell["validation"] == data]
        of = f" (of {len(rows)} configurations)" if len(rows) > 1 else ""
        losses = {cell["name"]: float(cell["best_eval_loss"]) for cell in rows}
        names, lowest = _alike(losses, min(losses.values()))
        steps = sorted({int(cell["best_step"]) for cell in rows if cell["name"] in names})
        where = "/".join(map(str, steps))
        yield (
            f"Lowest validation loss on {short_path(data)}: {', '.join(names)}, {lowest:.3f} at step"
            f" {where}{of}."
        )
        gaps = {cell["name"]: cell["gap"][-1][1] for cell in rows if cell.get("gap")}
        if gaps:
            names, widest = _alike(gaps, max(gaps.values()))
            yield (
                f"Widest gap between validation and training loss at the end on {short_path(data)}:"
                f" {', '.join(names)}, {minus(f'{widest:.3f}')}{of}."
            )


def _alike(figures: Mapping[str, float], value: float) -> tuple[list[str], float]:
    """Those that show the same figure as ``value`` at the three decimals of the page."""
    return [name for name, found in figures.items() if f"{found:.3f}" == f"{value:.3f}"], value


def _turns(trained: Sequence[Row]) -> Iterator[str]:
    turned = [cell for cell in trained if cell["turned_at"] is not None]
    for cell in turned:
        yield (
            f"{cell['name']}: the validation loss turns up after step {cell['turned_at']} while the"
            " training loss goes on falling."
        )
    watched = [cell for cell in trained if len(cell["eval_loss"]) >= LEAST_EVALUATIONS]
    if watched and not turned:
        yield f"In none of {len(watched)} trainings did the validation loss turn up."
    unwatched = len(trained) - len(watched)
    if unwatched:
        yield (
            f"{unwatched} of {len(trained)} trainings were evaluated fewer than"
            f" {LEAST_EVALUATIONS} times: whether their validation loss turns up cannot be seen"
            " (lower eval_steps)."
        )


def _differences(suite: Row) -> Iterator[str]:
    if suite.get("error"):
        yield f"Suite {suite['name']} failed: {suite['error']}"
        return
    headline = {m["label"] for m in suite["measures"] if m["headline"]}
    for key, where in _QUESTIONS:
        pairs = [
            pair
            for pair in suite["pairs"]
            if pair["measure"] in headline and pair[key] and pair[key]["low"] is not None
        ]
        clear = [pair for pair in pairs if not pair[key]["low"] <= 0 <= pair[key]["high"]]
        for pair in clear:
            yield f"{suite['name']}: {_difference(pair, pair[key])} {where}."
        if pairs and len(clear) < len(pairs):
            which = "none" if not clear else f"{len(pairs) - len(clear)}"
            can = "can" if not clear else "cannot"
            yield (
                f"{suite['name']}: {which} of {len(pairs)} differences between configurations"
                f" {where} {can} be told from zero with {_prompts(pairs)} prompts."
            )


def _difference(pair: Row, estimate: Row) -> str:
    low, high = (minus(f"{estimate[end]:.3f}") for end in ("low", "high"))
    more = "higher" if estimate["mean"] > 0 else "lower"
    return (
        f"{pair['measure']} of {pair['second']} is {abs(estimate['mean']):.3f} {more} than that of"
        f" {pair['first']} (interval {low} to {high},"
        f" {pair['n']} prompts)"
    )


def _prompts(pairs: Sequence[Row]) -> str:
    counts = sorted({int(pair["n"]) for pair in pairs})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def minus(figure: str) -> str:
    """A formatted number with a minus that is one; a hyphen breaks lines and is shorter."""
    return f"\N{MINUS SIGN}{figure[1:]}" if figure.startswith("-") else figure


def short_path(path: str) -> str:
    """A data set by the end of its path: its folder says what it is about, its name which side."""
    scheme, _, rest = path.rpartition(":")
    return path if scheme == "hub" else "/".join(rest.split("/")[-2:])
