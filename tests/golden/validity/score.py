"""Scores a blind reading; see the README beside this file."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from statsmodels.stats.proportion import proportion_confint

VERDICTS = ("yes", "borderline", "no")
QUESTIONS = ("meaning", "grammatical")

Row = Mapping[str, str]


def verdicts_of(folder: Path) -> dict[str, Row]:
    """Return the verdicts by item.

    Raises:
        SystemExit: A verdict is none of yes, borderline and no.
    """
    verdicts: dict[str, Row] = {}
    for path in sorted(folder.glob("verdicts-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                clean = {k: (v or "").strip() for k, v in row.items() if k}
                for question in QUESTIONS:
                    clean[question] = clean[question].lower()
                    if clean[question] not in VERDICTS:
                        sys.exit(f"{path}: {clean['item']}: {question} is {clean[question]!r}")
                verdicts[clean["item"]] = clean
    return verdicts


def worst(row: Row) -> str:
    """Return the worse of an item's two verdicts."""
    return max((row[question] for question in QUESTIONS), key=VERDICTS.index)


def report(sheet: str, items: Mapping[str, Row], verdicts: Mapping[str, Row]) -> None:
    """Print one sheet's shares by the strict and the lenient count, and what was at fault."""
    real = [i for i, entry in items.items() if entry["sheet"] == sheet and not entry["planted"]]
    bad = [i for i, entry in items.items() if entry["sheet"] == sheet and entry["planted"]]
    counts = Counter(worst(verdicts[i]) for i in real)
    strict, lenient, n = counts["yes"], counts["yes"] + counts["borderline"], len(real)
    low, high = proportion_confint(strict, n, method="wilson") if n else (0.0, 1.0)
    caught = sum(worst(verdicts[i]) == "no" for i in bad)
    sys.stdout.write(
        f"| {sheet} | {strict}/{n} | {strict / max(n, 1):.0%} ({low:.0%} to {high:.0%})"
        f" | {lenient / max(n, 1):.0%} | {caught}/{len(bad)} |\n"
    )


def faults(items: Mapping[str, Row], verdicts: Mapping[str, Row]) -> None:
    """Print every genuine item that was not yes in both, with its sentence and the remark."""
    for item, entry in items.items():
        row = verdicts[item]
        if not entry["planted"] and worst(row) != "yes":
            sys.stdout.write(
                f"\n## {item} ({entry['source']}) meaning {row['meaning']},"
                f" grammatical {row['grammatical']}: {row.get('remark', '')}\n"
                f"- {entry['before']}\n+ {entry['after']}\n"
            )


def main() -> None:
    """Print the shares and write the sheet without text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--verdicts", type=Path, required=True, help="folder of verdicts-*.csv")
    parser.add_argument("--faults", action="store_true", help="print the texts at fault as well")
    parser.add_argument("--out", type=Path, help="where to write the sheet without text")
    given = parser.parse_args()
    key = json.loads(given.key.read_text(encoding="utf-8"))
    verdicts = verdicts_of(given.verdicts)
    items = {
        i: entry
        for i, entry in key["items"].items()
        if i in verdicts or any(v.rpartition("-")[0] == entry["sheet"] for v in verdicts)
    }
    missing = sorted(set(items) - set(verdicts))
    if missing:
        sys.exit(f"{given.verdicts}: no verdict on {len(missing)} items, first {missing[0]}")
    if given.out:
        with given.out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["item", "sheet", "source", "prompt", "planted", *QUESTIONS])
            for item, entry in items.items():
                row = verdicts[item]
                writer.writerow(
                    [item, entry["sheet"], entry["source"], entry["prompt"], entry["planted"] or "",
                     *(row[question] for question in QUESTIONS)]
                )  # fmt: skip
    sys.stdout.write("| kind | good | strict (95 %) | borderline as good | planted found |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    for sheet in dict.fromkeys(entry["sheet"] for entry in items.values()):
        report(sheet, items, verdicts)
    if given.faults:
        faults(items, verdicts)


if __name__ == "__main__":
    main()
