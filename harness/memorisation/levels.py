"""Values of probe records by prompt, their estimates, and the table of levels made from them.

Lines of the table that are read against each other (a response under its prompt and under the
reworded one) rest on the prompts that both have. Where those are fewer than the first line's, the
first line is repeated on those prompts alone, between the two: neither hides what the verdict rests
on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harness.analysis.memorisation_schema import GroupDifference, PairedDifference, ProbeLevel
from harness.analysis.test_family import BootstrapSettings, number
from harness.memorisation.copying import Closeness
from harness.records import Probe
from harness.stats.bootstrap import studentised_bootstrap
from harness.stats.closed_forms import Floats
from harness.stats.significance import minimum_detectable_effect
from harness.stats.skewed_groups import cautious_two_groups
from harness.util.digest import derived_seed

ValueByPrompt = dict[str, float]
"""One value a prompt, by sample id."""


class Selector(NamedTuple):
    """Selects one value of some records."""

    probe: str
    group: str
    value: str
    form: str = "original"


def loss_selector(group: str, form: str = "original") -> Selector:
    """Select the mean log-probability of the responses."""
    return Selector("loss", group, "loss", form)


def by_prompt(records: Iterable[Probe], selector: Selector) -> ValueByPrompt:
    """Average a value over the records of each prompt."""
    probe, group, name, form = selector
    values: dict[str, list[float]] = defaultdict(list)
    for r in records:
        if (r.probe, r.group, r.form) == (probe, group, form) and name in r.values:
            values[r.sample_id].append(r.values[name])
    return {key: sum(column) / len(column) for key, column in values.items()}


def response_sums(records: Iterable[Probe], group: str) -> ValueByPrompt:
    """Return the log-likelihood of each response, the sum over its tokens."""
    return {
        r.sample_id: r.values["loss"] * len(r.logprobs)
        for r in records
        if (r.probe, r.group, r.form) == ("loss", group, "original") and "loss" in r.values
    }


def weighted_difference(
    first: ValueByPrompt, second: ValueByPrompt, weight: float = 1.0
) -> ValueByPrompt:
    """Return ``weight * first - second`` for the prompts that both have."""
    return {k: weight * first[k] - second[k] for k in sorted(first.keys() & second.keys())}


@dataclass(frozen=True)
class PromptMeans:
    """Means over prompts with their intervals; each has a random stream of its own."""

    subject: str
    settings: BootstrapSettings

    def paired(self, name: str, values: ValueByPrompt) -> PairedDifference | None:
        """Estimate the mean of paired values; None where there are none."""
        if not values:
            return None
        column = _column(values)
        interval = studentised_bootstrap(column, **self._how(name))
        n, se = int(interval.n[0]), float(interval.se[0])
        low, high = float(interval.low[0]), float(interval.high[0])
        if n >= 2 and not np.ptp(column):  # equal to the last digit: the interval is that value
            low = high = float(column[0, 0])
        return PairedDifference(
            mean=number(float(interval.mean[0])),
            low=number(low),
            high=number(high),
            n=n,
            # At 5 %, as the verdict's rules read single 95 % intervals and no corrected test.
            mde=number(minimum_detectable_effect(se * n**0.5, n)) if n >= 3 else None,
        )

    def unpaired(
        self,
        name: str,
        training: ValueByPrompt,
        clean: ValueByPrompt,
        weights: tuple[float, float] = (1.0, -1.0),
    ) -> GroupDifference | None:
        """Estimate a weighted sum of two groups' means; None where a group is empty."""
        if not training or not clean:
            return None
        interval = cautious_two_groups(
            _column(training)[:, 0], _column(clean)[:, 0], weights=weights, **self._how(name)
        )
        return GroupDifference(
            mean=number(interval.mean),
            low=number(interval.low),
            high=number(interval.high),
            training=len(training),
            clean=len(clean),
            skew=number(interval.skew) or 0.0,
            low_holds=interval.low_holds,
            high_holds=interval.high_holds,
        )

    def _how(self, name: str) -> dict[str, Any]:
        settings = self.settings
        rng = np.random.default_rng(derived_seed(settings.seed, "memorisation", self.subject, name))
        return {"rng": rng, "resamples": settings.resamples, "level": settings.level}


def _column(values: ValueByPrompt) -> Floats:
    return np.array([[values[key]] for key in sorted(values)])


class LevelLine(NamedTuple):
    """One line of the table.

    Attributes:
        key: Its name in the summary.
        unit: ``loss`` turns the sign of a log-probability.
        beside: Key of the line that it is read against.
        common_label: Label of that line on the common prompts.
    """

    key: str
    unit: str
    label: str
    selector: Selector
    beside: str = ""
    common_label: str = ""


def level_lines(closeness: Closeness) -> tuple[LevelLine, ...]:
    """List the lines of the table, from top to bottom."""
    # fmt: off
    return (
        LevelLine("loss_training", "loss", "Loss on training responses", loss_selector("training")),
        LevelLine("loss_reworded", "loss", "… under the reworded prompt",
                  loss_selector("training", "variant"),
                  "loss_training", "Those whose prompt was reworded, as trained"),
        LevelLine("loss_neighbour", "loss", "… of another response, or another wording",
                  loss_selector("training", "neighbour"),
                  "loss_training", "Those with such a neighbour, as trained"),
        LevelLine("loss_clean", "loss", "Loss on clean responses", loss_selector("clean")),
        LevelLine("loss_foreign", "loss", "… under a stranger's prompt",
                  loss_selector("clean", "foreign"),
                  "loss_clean", "Those rated under a stranger's prompt too, under their own"),
        LevelLine("recited_training", "share", "Recited of the rest, training",
                  Selector("continuation", "training", "share")),
        LevelLine("recited_clean", "share", "Recited of the rest, clean",
                  Selector("continuation", "clean", "share")),
        LevelLine("own_clean", "share", "… of the words that nothing else explains",
                  Selector("continuation", "clean", "own_share"),
                  "recited_clean", "Those with such words, all words"),
        LevelLine("span_training", "words", "Longest run recited, training",
                  Selector("continuation", "training", "span")),
        LevelLine("span_clean", "words", "Longest run recited, clean",
                  Selector("continuation", "clean", "span")),
        LevelLine("rouge_training", "share", f"{closeness.label} to the training response",
                  Selector("answer", "training", closeness.name)),
        LevelLine("rouge_reworded", "share", "… when the prompt is reworded",
                  Selector("answer", "training", closeness.name, "variant"),
                  "rouge_training", "Those whose prompt was reworded, as trained"),
        LevelLine("other_training", "words",
                  "Run shared with another training response, training prompts",
                  Selector("answer", "training", "other_span")),
        LevelLine("other_clean", "words", "Run shared with a training response, clean prompts",
                  Selector("answer", "clean", "other_span")),
    )
    # fmt: on


COMMON = "_common"
"""Ends the key of a line that is repeated on the common prompts."""


def level_rows(
    base: Sequence[Probe], tuned: Sequence[Probe], lines: Sequence[LevelLine], means: PromptMeans
) -> Iterator[ProbeLevel]:
    """Yield the table of one subject beside its base, from top to bottom.

    Lines without a prompt that both models have a value for are left out.
    """
    by_key = {line.key: line for line in lines}
    sides = {
        key: (by_prompt(base, line.selector), by_prompt(tuned, line.selector))
        for key, line in by_key.items()
    }
    rated = {key: values.keys() & others.keys() for key, (values, others) in sides.items()}

    def row(
        line: LevelLine, prompts: Collection[str], label: str, suffix: str = ""
    ) -> Iterator[ProbeLevel]:
        if not prompts:
            return
        sign = -1.0 if line.unit == "loss" else 1.0
        first, second = sides[line.key]
        keys = sorted(prompts)
        yield ProbeLevel(
            key=f"{line.key}{suffix}",
            label=label,
            unit="nats a token" if line.unit == "loss" else line.unit,
            base=number(sign * float(np.mean([first[k] for k in keys]))),
            subject=number(sign * float(np.mean([second[k] for k in keys]))),
            difference=means.paired(line.key, {k: sign * (second[k] - first[k]) for k in keys}),
        )

    for line in lines:
        prompts = rated[line.key]
        if line.beside:
            prompts = prompts & rated[line.beside]
            if prompts != rated[line.beside]:
                yield from row(by_key[line.beside], prompts, line.common_label, COMMON)
        yield from row(line, prompts, line.label)
