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
from typing import NamedTuple

import numpy as np

from harness.analysis.memorisation_schema import GroupDifference, PairedDifference, ProbeLevel
from harness.analysis.test_family import BootstrapSettings, number
from harness.memorisation.copying import Closeness
from harness.records import Probe
from harness.stats.bootstrap import studentised_bootstrap
from harness.stats.closed_forms import Floats
from harness.stats.significance import minimum_detectable_effect
from harness.stats.two_groups import two_groups
from harness.util.digest import derived_seed

ValueByPrompt = dict[str, float]
"""One value a prompt, by sample id."""


class Selector(NamedTuple):
    """Selects one value of some records."""

    probe: str
    group: str
    form: str
    value: str


def loss_selector(group: str, form: str = "original") -> Selector:
    """Select the mean log-probability of the responses."""
    return Selector("loss", group, form, "loss")


def by_prompt(records: Iterable[Probe], selector: Selector) -> ValueByPrompt:
    """Average a value over the records of each prompt."""
    probe, group, form, name = selector
    values: dict[str, list[float]] = defaultdict(list)
    for r in records:
        if (r.probe, r.group, r.form) == (probe, group, form) and name in r.values:
            values[r.sample_id].append(r.values[name])
    return {key: sum(column) / len(column) for key, column in values.items()}


def weighted_difference(
    first: ValueByPrompt, second: ValueByPrompt, weight: float = 1.0
) -> ValueByPrompt:
    """Return ``weight * first - second`` for the prompts that both have."""
    return {k: weight * first[k] - second[k] for k in sorted(first.keys() & second.keys())}


def token_counts(base: Iterable[Probe], tuned: Iterable[Probe]) -> list[tuple[int, int]]:
    """Pair the token counts of each text that both models rated: the base's and the subject's."""
    known = {r.key[:-1]: len(r.logprobs) for r in base if r.probe == "loss" and r.logprobs}
    return [
        (known[r.key[:-1]], len(r.logprobs))
        for r in tuned
        if r.probe == "loss" and r.logprobs and r.key[:-1] in known
    ]


@dataclass(frozen=True)
class PromptMeans:
    """Means over prompts with their intervals; each has a random stream of its own.

    Attributes:
        subject: The subject whose values they are.
        settings: How the intervals are made.
    """

    subject: str
    settings: BootstrapSettings

    def paired(self, name: str, values: ValueByPrompt) -> PairedDifference | None:
        """Estimate the mean of paired values; None where there are none."""
        if not values:
            return None
        column = _column(values)
        interval = studentised_bootstrap(
            column,
            rng=self._rng(name),
            resamples=self.settings.resamples,
            level=self.settings.level,
        )
        n, se = int(interval.n[0]), float(interval.se[0])
        low, high = float(interval.low[0]), float(interval.high[0])
        if n >= 2 and not np.ptp(column):  # equal to the last digit: the interval is that value
            low = high = float(column[0, 0])
        return PairedDifference(
            mean=number(float(interval.mean[0])),
            low=number(low),
            high=number(high),
            n=n,
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
        interval = two_groups(
            (_column(training), _column(clean)),
            rng=self._rng(name),
            weights=weights,
            resamples=self.settings.resamples,
            level=self.settings.level,
        )
        return GroupDifference(
            mean=number(float(interval.mean[0])),
            low=number(float(interval.low[0])),
            high=number(float(interval.high[0])),
            training=int(interval.n[0, 0]),
            clean=int(interval.n[1, 0]),
        )

    def _rng(self, name: str) -> np.random.Generator:
        seed = derived_seed(self.settings.seed, "memorisation", self.subject, name)
        return np.random.default_rng(seed)


def _column(values: ValueByPrompt) -> Floats:
    return np.array([[values[key]] for key in sorted(values)])


class LevelLine(NamedTuple):
    """One line of the table.

    Attributes:
        key: Its name in the summary.
        unit: ``loss`` turns the sign of a log-probability.
        label: Its name for people.
        selector: Selects its values.
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
        LevelLine("loss_training", "loss", "Loss on training responses",
                  loss_selector("training")),
        LevelLine("loss_reworded", "loss", "… under the reworded prompt",
                  loss_selector("training", "variant"),
                  "loss_training", "Those whose prompt was reworded, as trained"),
        LevelLine("loss_clean", "loss", "Loss on clean responses",
                  loss_selector("clean")),
        LevelLine("loss_foreign", "loss", "… under a stranger's prompt",
                  loss_selector("clean", "foreign"),
                  "loss_clean", "Those rated under a stranger's prompt too, under their own"),
        LevelLine("recited_training", "share", "Recited of the rest, training",
                  Selector("continuation", "training", "original", "share")),
        LevelLine("recited_clean", "share", "Recited of the rest, clean",
                  Selector("continuation", "clean", "original", "share")),
        LevelLine("span_training", "words", "Longest run recited, training",
                  Selector("continuation", "training", "original", "span")),
        LevelLine("span_clean", "words", "Longest run recited, clean",
                  Selector("continuation", "clean", "original", "span")),
        LevelLine("rouge_training", "share", f"{closeness.label} to the training response",
                  Selector("answer", "training", "original", closeness.name)),
        LevelLine("rouge_reworded", "share", "… when the prompt is reworded",
                  Selector("answer", "training", "variant", closeness.name),
                  "rouge_training", "Those whose prompt was reworded, as trained"),
        LevelLine("other_training", "words",
                  "Run shared with another training response, training prompts",
                  Selector("answer", "training", "original", "other_span")),
        LevelLine("other_clean", "words", "Run shared with a training response, clean prompts",
                  Selector("answer", "clean", "original", "other_span")),
    )
    # fmt: on


COMMON = "_common"
"""Ends the key of a line that is repeated on the common prompts."""


class LevelTable:
    """The table of one subject beside its base.

    Args:
        base: Records of the base model.
        tuned: Records of the subject.
        lines: Its lines; those without a prompt that both models have a value for are left out.
        means: Estimates the differences.
    """

    def __init__(
        self,
        base: Sequence[Probe],
        tuned: Sequence[Probe],
        lines: Sequence[LevelLine],
        means: PromptMeans,
    ) -> None:
        self._lines, self._means = {line.key: line for line in lines}, means
        self._sides = {
            line.key: (by_prompt(base, line.selector), by_prompt(tuned, line.selector))
            for line in lines
        }

    def rows(self) -> tuple[ProbeLevel, ...]:
        """Return the table, from top to bottom."""
        return tuple(row for line in self._lines.values() for row in self._rows(line))

    def _rows(self, line: LevelLine) -> Iterator[ProbeLevel]:
        prompts = self._prompts(line)
        if line.beside:
            first = self._lines[line.beside]
            prompts &= self._prompts(first)
            if prompts != self._prompts(first):
                yield from self._row(first, prompts, line.common_label, COMMON)
        yield from self._row(line, prompts, line.label)

    def _prompts(self, line: LevelLine) -> set[str]:
        """Return the prompts that both models have a value for."""
        base, tuned = self._sides[line.key]
        return base.keys() & tuned.keys()

    def _row(
        self, line: LevelLine, prompts: Collection[str], label: str, suffix: str = ""
    ) -> Iterator[ProbeLevel]:
        if not prompts:
            return
        sign = -1.0 if line.unit == "loss" else 1.0
        base, tuned = self._sides[line.key]
        keys = sorted(prompts)
        yield ProbeLevel(
            key=f"{line.key}{suffix}",
            label=label,
            unit="nats a token" if line.unit == "loss" else line.unit,
            base=number(sign * float(np.mean([base[k] for k in keys]))),
            subject=number(sign * float(np.mean([tuned[k] for k in keys]))),
            difference=self._means.paired(line.key, {k: sign * (tuned[k] - base[k]) for k in keys}),
        )
