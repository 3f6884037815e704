"""Draws the sheets of a blind reading; see the README beside this file."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from planted import FAULTS

from harness.records import Message, Sample
from harness.text.edits import find_edits
from harness.text.parse import parse
from harness.util.digest import derived_rng
from harness.variants.expand import expand, make_kind
from harness.variants.gate import Gate

DATA = Path("/work/shared/data")
KINDS = ("synonym", "reorder", "typo", "role", "dialect")
GENUINE, PLANTED = 60, 15

INSTRUCTIONS = """\
# A reading

Each of the five sheets `synonym.md`, `reorder.md`, `typo.md`, `role.md`, `dialect.md` holds {count} items.
An item is an original message, whole, and a reworded version of it, whole. Some rewordings are good and some
are bad; you are not told which or how many. Read every item with care, both texts to the end.

For every item write one line into `verdicts.csv` (header `item,meaning,grammatical,remark`):

- `item`: the item's number, as `synonym-017`.
- `meaning`: `yes` if the meaning is kept, else `no`.
  For the sheet `role`, a person is exchanged on purpose: `yes` if good advice to the first message would stand
  unchanged for the second, the story does not contradict itself and every mention fits, else `no`.
- `grammatical`: `yes` if the reworded version is as grammatical as the original (many originals have mistakes
  of their own: those do not count), else `no`.
  For the sheet `typo`, slips are made on purpose: `yes` if it can be read without trouble, else `no`.
  For the sheet `dialect`, `no` also where a word is not what a British (or American) person would write.
- `remark`: a few words where you said no. Quote the words that are at fault.

Judge each item by itself. Do not look at any file outside this folder.
"""


def distinct(name: str, limit: int | None = None) -> list[Sample]:
    """The distinct prompts of a data file, each with its place in the file as id."""
    seen: dict[str, str] = {}
    for i, line in enumerate((DATA / name).read_text(encoding="utf-8").splitlines()):
        seen.setdefault(json.loads(line)["prompt"], f"{name.removesuffix('.jsonl')}:{i}")
    found = [
        Sample(id=id, messages=(Message(role="user", content=prompt),))
        for prompt, id in seen.items()
    ]
    return found[:limit]


def genuine(kind: str, seed: int, exclude: frozenset[str]) -> list[dict[str, Any]]:
    """Accepted variants, one a prompt, from the validation file and then from the training file."""
    items: list[dict[str, Any]] = []
    for name in ("counseling_valid.jsonl", "counseling_train.jsonl"):
        samples = [s for s in distinct(name) if s.id not in exclude]
        random.Random(f"{seed}:{kind}:{name}").shuffle(samples)
        for start in range(0, len(samples), 64):
            chunk = samples[start : start + 64]
            made = expand(chunk, [make_kind(kind)], seed=seed, variants_per_prompt=0, gate=GATE)
            originals = {s.id: s.prompt for s in chunk}
            for variant in made:
                repeated = any(i["before"] == originals[variant.sample_id] for i in items)
                if variant.perturbation == kind and variant.status == "valid" and not repeated:
                    items.append(
                        {
                            "prompt": variant.sample_id,
                            "planted": None,
                            "before": originals[variant.sample_id],
                            "after": variant.prompt,
                        }
                    )
            if len(items) >= GENUINE:
                return items[:GENUINE]
    return items


def planted(kind: str, seed: int) -> Iterator[dict[str, Any]]:
    """Bad variants, the kind's faults in turn."""
    samples = distinct("counseling_valid.jsonl")
    rng = derived_rng(seed, "planted", kind)
    rng.shuffle(samples)
    faults = FAULTS[kind]
    made = 0
    for text, sample in zip(parse([s.prompt for s in samples]), samples, strict=True):
        fault = faults[made % len(faults)]
        after = fault(text, rng)
        if after is None or not find_edits(text.raw, after):
            continue
        yield {"prompt": sample.id, "planted": fault.__name__, "before": text.raw, "after": after}
        made += 1
        if made == PLANTED:
            return


def sheet(kind: str, items: Sequence[dict[str, Any]]) -> str:
    """What the reader sees of one kind."""
    parts = [f"# {kind}\n"]
    for i, item in enumerate(items, 1):
        before, after = (_quoted(item[k]) for k in ("before", "after"))
        parts.append(f"\n## {kind}-{i:03}\n\nOriginal:\n\n{before}\n\nReworded:\n\n{after}\n")
    return "".join(parts)


def _quoted(text: str) -> str:
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(f"    {line}" for line in lines)


def main() -> None:
    """Write the sheets and the key."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, default=Path("/tmp/blind"))
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument(
        "--exclude",
        type=Path,
        nargs="*",
        default=[],
        help="Keys drawn before: their prompts come again only where no other is left.",
    )
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    key: dict[str, Any] = {"seed": arguments.seed, "again": {}, "items": {}}
    for kind in KINDS:
        drawn = [
            json.loads(p.read_text(encoding="utf-8"))["items"].values() for p in arguments.exclude
        ]
        exclude = frozenset(
            item["prompt"] for items in drawn for item in items if item["kind"] == kind
        )
        fresh = genuine(kind, arguments.seed, exclude)
        new = {item["prompt"] for item in fresh}
        again = [i for i in genuine(kind, arguments.seed, frozenset(new)) if i["prompt"] not in new]
        key["again"][kind] = len(again[: GENUINE - len(fresh)])
        items = [*fresh, *again[: GENUINE - len(fresh)], *planted(kind, arguments.seed)]
        derived_rng(arguments.seed, "order", kind).shuffle(items)
        (arguments.out / f"{kind}.md").write_text(sheet(kind, items), encoding="utf-8")
        for i, item in enumerate(items, 1):
            key["items"][f"{kind}-{i:03}"] = {
                "kind": kind, "prompt": item["prompt"], "planted": item["planted"]
            }  # fmt: skip
        sys.stdout.write(f"{kind}: {sum(not i['planted'] for i in items)} drawn,"
                         f" {sum(bool(i['planted']) for i in items)} planted\n")  # fmt: skip
    text = INSTRUCTIONS.format(count=GENUINE + PLANTED)
    (arguments.out / "INSTRUCTIONS.md").write_text(text, encoding="utf-8")
    arguments.key.write_text(json.dumps(key, indent=1), encoding="utf-8")


GATE = Gate()

if __name__ == "__main__":
    main()
