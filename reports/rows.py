"""What the template shows, worked out from the summary: rows chosen, figures put into words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.analysis import ALL
from harness.records import IDENTITY, ORIGINAL, Manifest
from harness.util.formatting import MINUS, decimals, figure, listing
from reports.samples import SampleView, drops
from reports.sanitise import clipped, highlighted, visible

Row = dict[str, Any]
EXAMPLES = 6
EXAMPLE_CHARACTERS = 1500
MISSING_SHOWN = 0.10


def figure_of(
    estimate: Mapping[str, Any], which: str, sign: bool = False, flip: bool = False
) -> str:
    """One figure of an estimate at the digits its interval carries."""
    value = estimate[which]
    if value is not None and flip:
        value = -value
    return figure(value, _digits(estimate), sign=sign)


def interval_of(estimate: Mapping[str, Any], flip: bool = False) -> str:
    """``[0.25, 0.60]``, or nothing where there is no interval."""
    low, high = estimate.get("low"), estimate.get("high")
    if low is None or high is None:
        return ""
    if flip:
        low, high = -high, -low
    digits = _digits(estimate)
    return f"[{figure(low, digits)}, {figure(high, digits)}]"


def _digits(estimate: Mapping[str, Any]) -> int:
    low, high = estimate.get("low"), estimate.get("high")
    return 2 if low is None or high is None else decimals(high - low)


def p_value(estimate: Mapping[str, Any] | None) -> str:
    """An adjusted p-value as people print it."""
    p = estimate.get("p_holm") if estimate else None
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def detectable(estimate: Mapping[str, Any] | None) -> str:
    """``±0.06``."""
    effect = estimate.get("mde") if estimate else None
    return "–" if effect is None else f"±{figure(effect, decimals(2 * effect))}"


def missing_note(row: Mapping[str, Any]) -> str:
    """`` (12 % missing)`` where enough scores are missing to matter."""
    share = max(row["missing"]["share"] or 0, row["missing_originals"]["share"] or 0)
    return f" ({figure(100 * share, 0)}% missing)" if share > MISSING_SHOWN else ""


KINDS = {
    "synonym": "other words of the same sense",
    "reorder": "the same words in another order",
    "typo": "slips of the keyboard",
    "role": "another person in the same place of the story",
    "dialect": "US or UK spelling and vocabulary",
    "surface": "case, punctuation, white space, contractions",
    "filler": "greetings, hesitations, thanks",
    "identity": "the same prompt asked again: the noise",
    "compose": "several rewordings in turn",
    "paraphrase": "reworded by a language model",
}
"""What the kinds of ours do, for a reader who never saw their guide."""


def kind_words(summary: Mapping[str, Any]) -> str:
    """``synonym: other words of the same sense; typo: ...`` for the kinds of this run."""
    named = [k["name"] for k in summary["kinds"] if k["name"] in KINDS]
    return "; ".join(f"{name}: {KINDS[name]}" for name in named)


def labels(summary: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Names of the measures for people."""
    return {(m["judge"], m["dimension"]): m["label"] for m in summary["measures"]}


def headline_tables(summary: Mapping[str, Any]) -> list[Row]:
    """The rows of each headline measure."""
    names = labels(summary)
    scope = summary["headline"]["scope"]
    return [
        {
            "label": names[judge, dimension],
            "contrasts": [
                c
                for c in summary["contrasts"]
                if (c["judge"], c["dimension"], c["scope"]) == (judge, dimension, scope)
            ],
            "cells": [
                c for c in summary["cells"] if (c["judge"], c["dimension"]) == (judge, dimension)
            ],
        }
        for judge, dimension in map(tuple, summary["headline"]["measures"])
    ]


def all_rows(summary: Mapping[str, Any]) -> list[Row]:
    """Every cell with the contrast of the same subject, measure and kind beside it."""
    names = labels(summary)
    scope = summary["headline"]["scope"]
    contrast = {
        (c["subject"], c["judge"], c["dimension"], c["kind"]): c
        for c in summary["contrasts"]
        if c["scope"] == scope
    }
    nothing: Row = {"gain_variants": None, "did": None}
    rows = []
    for cell in summary["cells"]:
        found = contrast.get(
            (cell["subject"], cell["judge"], cell["dimension"], cell["kind"]), nothing
        )
        rows.append(
            cell
            | {"label": names[cell["judge"], cell["dimension"]]}
            | {name: found[name] for name in nothing}
        )
    return rows


def light_groups(summary: Mapping[str, Any]) -> list[Row]:
    """Lights by subject; with one compared subject all lights stand together."""
    names = list(dict.fromkeys(light["subject"] for light in summary["traffic_lights"]))
    if len(names) <= 2:
        return [{"subject": None, "lights": summary["traffic_lights"]}]
    return [
        {"subject": name, "lights": [x for x in summary["traffic_lights"] if x["subject"] == name]}
        for name in names
    ]


def leak_rows(summary: Mapping[str, Any]) -> list[Row]:
    """Headline contrasts on clean and on leaked prompts."""
    names = labels(summary)
    headline = [tuple(m) for m in summary["headline"]["measures"]]
    return [
        c | {"label": names[c["judge"], c["dimension"]]}
        for c in summary["contrasts"]
        if c["scope"] != "all" and c["kind"] == ALL and (c["judge"], c["dimension"]) in headline
    ]


def leak_gaps(summary: Mapping[str, Any]) -> list[Row]:
    """Headline scores on all, clean and leaked prompts: on the originals and on all rewordings."""
    names = labels(summary)
    headline = [tuple(m) for m in summary["headline"]["measures"]]
    return [
        row | {"label": names[row["judge"], row["dimension"]]}
        for row in summary.get("leak_gaps", ())
        if row["kind"] in (ORIGINAL, ALL) and (row["judge"], row["dimension"]) in headline
    ]


def noise_lines(summary: Mapping[str, Any]) -> list[str]:
    """What asking the same prompt again changed, in words."""
    noise = summary["noise"]
    if noise is None:
        return [
            "Not measured: the suite does not ask the kind “identity”, which puts the unchanged"
            " prompt again."
        ]
    names, lines = labels(summary), []
    for row in noise["subjects"]:
        if row["zero_by_construction"]:
            lines.append(
                f"{row['subject']}: zero by construction; it answers greedily in fp32, so the same"
                " prompt gives the same answer."
            )
            continue
        if not row["repeated"]:
            lines.append(f"{row['subject']}: no prompt was answered twice.")
            continue
        changes = listing(
            [
                f"{names[c['judge'], c['dimension']]} by {figure_of(c, 'mean', sign=True)}"
                f" {interval_of(c)}"
                for c in row["changes"]
            ]
            or ["no measure"]
        )
        share = figure(100 * row["identical"], 0)
        lines.append(
            f"{row['subject']}: of {row['repeated']} prompts asked again unchanged, {share}% came"
            f" back letter for letter; asking again changed {changes}."
        )
    return lines


def identity_worst(summary: Mapping[str, Any]) -> list[str]:
    """The worst case of unchanged prompts, the floor of the worst-case curves."""
    names, lines = labels(summary), []
    headline = [tuple(m) for m in summary["headline"]["measures"]]
    for cell in summary["cells"]:
        key = (cell["judge"], cell["dimension"])
        if (
            cell["kind"] == IDENTITY
            and key in headline
            and cell["worst"]
            and cell["worst"]["k"] > 1
        ):
            worst = cell["worst"]
            lines.append(
                f"Identity floor, {cell['subject']}, {names[key]}: worst of {worst['k']} unchanged"
                f" askings {figure_of(worst, 'mean')} {interval_of(worst)}."
            )
    return lines


def listed_measure(summary: Mapping[str, Any]) -> Row | None:
    """The measure by which single answers are ranked: the leading headline one, else any."""
    by_key = {(m["judge"], m["dimension"]): m for m in summary["measures"]}
    for key in map(tuple, summary["headline"]["measures"]):
        return dict(by_key[key])
    measures = list(by_key.values())
    oriented = [m for m in measures if m["higher_is_better"] is not None]
    return dict((oriented or measures)[0]) if measures else None


def examples(views: Sequence[SampleView], measure: Row | None, baseline: str) -> list[Row]:
    """The largest drops of compared subjects, one a prompt, with the edits marked."""
    if measure is None:
        return []
    found = [d for d in drops(views, measure) if d.drop > 0 and d.shown.variant.edits]
    compared = [d for d in found if d.subject != baseline] or found
    compared.sort(key=lambda d: (-d.drop, d.view.sample.id, d.shown.variant.variant_key, d.subject))
    rows, seen = [], set()
    for one in compared:
        if one.view.sample.id in seen:
            continue
        seen.add(one.view.sample.id)
        original = one.view.original
        assert original is not None
        variant = one.shown.variant
        before, after = highlighted(one.view.sample.prompt, variant.edits)
        rows.append(
            {
                "subject": one.subject,
                "kind": variant.perturbation,
                "severity": variant.severity,
                "before": score(one.before),
                "after": score(one.after),
                "prompt_before": before,
                "prompt_after": after,
                "answer_before": _first(original.answers[one.subject].texts),
                "answer_after": _first(one.shown.answers[one.subject].texts),
            }
        )
        if len(rows) == EXAMPLES:
            break
    return rows


def score(value: float) -> str:
    """One score as it was given: ``4``, ``0.713``."""
    return figure(value, 0) if value == round(value) else figure(value, 3)


def _first(texts: Sequence[str | None]) -> str:
    text = next((t for t in texts if t is not None), None)
    return "No answer." if text is None else clipped(visible(text), EXAMPLE_CHARACTERS)


def facts(manifest: Manifest, summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Run details worth a line each."""
    git = manifest.git
    commit = str(git.get("commit") or "unknown") + (
        " with local changes" if git.get("dirty") else ""
    )
    found = [
        ("Started", manifest.created),
        ("Finished", manifest.finished or ""),
        ("Subjects", ", ".join(summary["subjects"]) + f" (baseline: {summary['baseline']})"),
        ("Seed", str(manifest.seed)),
        ("Code", commit),
        ("Data", _flat(manifest.data)),
        ("Models", _flat(manifest.models)),
        ("Hardware", _flat(manifest.hardware)),
        ("Packages", ", ".join(f"{k} {v}" for k, v in sorted(manifest.packages.items()))),
    ]
    return [(name, clipped(value, 700)) for name, value in found if value]


def _flat(values: Mapping[str, Any]) -> str:
    """A small nested mapping on one line."""
    return ", ".join(
        f"{k}: {v if isinstance(v, str | int | float | bool) else json.dumps(v, ensure_ascii=False, default=str)}"
        for k, v in values.items()
        if v not in (None, "", {}, [])
    )


def sort_key(estimate: Mapping[str, Any] | None, which: str = "mean") -> str:
    """What a table sorts a figure by; empty where there is none."""
    value = estimate.get(which) if estimate else None
    return "" if value is None else repr(value)


def scale_of(dimension: Mapping[str, Any]) -> str:
    """``1 to 5``."""
    low, high = (f"{dimension[end]:g}".replace("-", MINUS) for end in ("low", "high"))
    return f"{low} to {high}"


HELPERS: dict[str, Callable[..., Any]] = {
    "fig": figure_of,
    "ci": interval_of,
    "pvalue": p_value,
    "mde": detectable,
    "missing": missing_note,
    "sortkey": sort_key,
    "scale": scale_of,
}
