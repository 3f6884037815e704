"""Scores a blind reading; see the README beside this file."""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from pathlib import Path


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval for a share (Wilson 1927)."""
    if not n:
        return 0.0, 1.0
    z, p = 1.959964, hits / n
    middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)


def main() -> None:
    """Print the shares and write the sheet without text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--verdicts", type=Path, required=True)
    arguments = parser.parse_args()
    key = json.loads(arguments.key.read_text(encoding="utf-8"))
    with arguments.verdicts.open(encoding="utf-8", newline="") as file:
        verdicts = {row["item"]: row for row in csv.DictReader(file)}
    missing = sorted(set(key["items"]) - set(verdicts))
    if missing:
        sys.exit(f"{arguments.verdicts}: no verdict on {len(missing)} items, first {missing[0]}")
    out = Path(__file__).parent / f"reading-seed-{key['seed']}.csv"
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "kind", "prompt", "planted", "meaning", "grammatical"])
        for item, entry in key["items"].items():
            row = verdicts[item]
            writer.writerow(
                [item, entry["kind"], entry["prompt"], entry["planted"] or "",
                 row["meaning"].strip(), row["grammatical"].strip()]
            )  # fmt: skip
    for kind in dict.fromkeys(entry["kind"] for entry in key["items"].values()):
        report(kind, key["items"], verdicts)
    sys.stdout.write(f"{out}\n")


def report(
    kind: str, items: dict[str, dict[str, str]], verdicts: dict[str, dict[str, str]]
) -> None:
    """One kind's shares, and the items that were found wanting."""
    real = [i for i, entry in items.items() if entry["kind"] == kind and not entry["planted"]]
    bad = [i for i, entry in items.items() if entry["kind"] == kind and entry["planted"]]

    def yes(item: str, verdict: str) -> bool:
        return verdicts[item][verdict].strip().lower() == "yes"

    parts = []
    for verdict in ("meaning", "grammatical"):
        hits = sum(yes(item, verdict) for item in real)
        low, high = wilson(hits, len(real))
        parts.append(f"{verdict} {hits}/{len(real)} ({low:.0%} to {high:.0%})")
    found = sum(not (yes(item, "meaning") and yes(item, "grammatical")) for item in bad)
    sys.stdout.write(f"{kind}: {', '.join(parts)}; planted found {found}/{len(bad)}\n")
    for item in real:
        if not (yes(item, "meaning") and yes(item, "grammatical")):
            sys.stdout.write(f"  {item} {items[item]['prompt']}: {verdicts[item]['remark']}\n")


if __name__ == "__main__":
    main()
