"""Draws the sheets of a blind reading; see the README beside this file."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from planted import FAULTS

from harness.records import Message, Sample
from harness.text.edits import find_edits
from harness.text.parse import parse
from harness.util.digest import derived_rng
from harness.variants.expand import Kind, expand, make_kind
from harness.variants.gate import Gate

COMPOSITIONS: Mapping[str, Sequence[str]] = {
    "compose": ("synonym+typo", "reorder+synonym", "synonym+surface", "dialect+synonym")
}
"""Several kinds in turn, each as often as the others; every other sheet has one kind."""

LARGEST_SHARE = 0.3
"""Of a sheet that one source may fill: a kind that reaches one source best is not read on it alone."""

INSTRUCTIONS = """\
# A reading

Each sheet `NAME.md` of this folder holds items: an original message, whole, and a reworded version of it, whole.
Some rewordings are good and some are bad; you are not told which or how many. Read every item with care, both texts
to the end, word by word where they differ.

For every item write one line into `verdicts-NAME.csv` (header `item,meaning,grammatical,remark`):

- `item`: the item's number, as `synonym-017`.
- `meaning`: `yes` if somebody who answers the second message well has answered the first well, and nothing said in
  one is missing, added or different in the other; `no` if something differs; `borderline` if you hesitate.
- `grammatical`: `yes` if the reworded version is as grammatical and as natural as the original (many originals have
  mistakes of their own: those do not count), `no` if it is worse, `borderline` if you hesitate.
- `remark`: a few words where you did not say yes. Quote the words at fault.

Some sheets change on purpose what would otherwise be a fault:

- `role`: a person is exchanged on purpose. `meaning: yes` if good advice to the first message would stand unchanged
  for the second, the story does not contradict itself, and every mention fits (age, sex, law, money, who lives where).
- `typo`, `surface`, `register`, `voice`, `second_language`: slips, casual writing, unpunctuated speech and learners'
  mistakes are made on purpose. `grammatical: yes` if it can be read without trouble and could have been written so
  by a real person; `meaning: no` if a slip makes another sense possible.
- `dialect`: `grammatical: no` also where a word is not what a British (or American) person would write there.
- `verbosity`: politeness and empty words come or go on purpose; a fact, a wish, a limit or a format must not.
- `question`: a question may become a request and the reverse; what is asked for must not change.
- `filler`: greetings, hesitations and thanks come on purpose; they must fit there.

Judge each item by itself. Do not look at any file outside this folder.
"""


def samples_of(paths: Sequence[Path], longest: int) -> dict[str, list[Sample]]:
    """Return the distinct prompts of JSONL files by source, each with its id."""
    seen: set[str] = set()
    by_source: dict[str, list[Sample]] = {}
    for path in paths:
        rows = path.read_text(encoding="utf-8").split("\n")  # a prompt may hold U+2028
        for i, row in enumerate(json.loads(line) for line in rows if line):
            prompt = row["prompt"]
            if prompt in seen or len(prompt) > longest:
                continue
            seen.add(prompt)
            source = row.get("source", path.stem)
            sample = Sample(
                id=row.get("id", f"{path.stem}:{i}"),
                messages=(Message(role="user", content=prompt),),
                metadata={"source": source},
            )
            by_source.setdefault(source, []).append(sample)
    return by_source


def in_turn(by_source: Mapping[str, Sequence[Sample]], seed: int, sheet: str) -> list[Sample]:
    """Return the prompts in random order, the sources in turn, so that none drowns another."""
    shuffled = []
    for source, samples in by_source.items():
        order = list(samples)
        derived_rng(seed, "order", sheet, source).shuffle(order)
        shuffled.append(order)
    return [sample for row in zip_longest(*shuffled) for sample in row if sample is not None]


def genuine(
    sheet: str, samples: Sequence[Sample], seed: int, count: int
) -> Iterator[dict[str, Any]]:
    """Yield accepted variants, one a prompt, up to ``count``, and no source above its share."""
    kinds = [_kind(name) for name in COMPOSITIONS.get(sheet, (sheet,))]
    made: Counter[str] = Counter()
    for start in range(0, len(samples), 64):
        chunk = {s.id: s for s in samples[start : start + 64]}
        variants = expand(list(chunk.values()), kinds, seed=seed, variants_per_prompt=0, gate=GATE)
        valid: dict[str, list[Any]] = {}
        for variant in variants:
            if variant.status == "valid" and variant.perturbation != "original":
                valid.setdefault(variant.sample_id, []).append(variant)
        for id, choices in valid.items():
            variant = derived_rng(seed, "choice", sheet, id).choice(choices)
            sample = chunk[id]
            if made[sample.metadata["source"]] >= count * LARGEST_SHARE:
                continue
            yield {
                "prompt": id, "source": sample.metadata["source"], "planted": None,
                "before": sample.prompt, "after": variant.prompt,
            }  # fmt: skip
            made[sample.metadata["source"]] += 1
            if made.total() == count:
                return


def _kind(name: str) -> Kind:
    steps = name.split("+")
    return make_kind("compose", {"steps": steps}) if len(steps) > 1 else make_kind(name)


def planted(
    sheet: str, samples: Sequence[Sample], seed: int, count: int
) -> Iterator[dict[str, Any]]:
    """Yield bad variants, the sheet's faults in turn."""
    rng = derived_rng(seed, "planted", sheet)
    faults = FAULTS[sheet]
    made = 0
    for text, sample in zip(parse([s.prompt for s in samples]), samples, strict=True):
        fault = faults[made % len(faults)]
        after = fault(text, rng)
        if after is None or not find_edits(text.raw, after):
            continue
        yield {
            "prompt": sample.id, "source": sample.metadata["source"], "planted": fault.__name__,
            "before": text.raw, "after": after,
        }  # fmt: skip
        made += 1
        if made == count:
            return


def page(sheet: str, items: Sequence[Mapping[str, Any]]) -> str:
    """Return what the reader sees of one sheet."""
    parts = [f"# {sheet}\n"]
    for i, item in enumerate(items, 1):
        before, after = (_quoted(item[k]) for k in ("before", "after"))
        parts.append(f"\n## {sheet}-{i:03}\n\nOriginal:\n\n{before}\n\nReworded:\n\n{after}\n")
    return "".join(parts)


def _quoted(text: str) -> str:
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(f"    {line}" for line in lines)


def main() -> None:
    """Write the sheets and the key."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompts", type=Path, nargs="+", help="JSONL files with prompt, source, id")
    parser.add_argument("--name", required=True, help="the reading's name")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--sheets", default=",".join(FAULTS))
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--planted", type=int, default=15)
    parser.add_argument("--longest", type=int, default=900, help="characters of a prompt")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    by_source = samples_of(given.prompts, given.longest)
    items_by_number: dict[str, Any] = {}
    for sheet in given.sheets.split(","):
        samples = in_turn(by_source, given.seed, sheet)
        bad = list(planted(sheet, samples[::-1], given.seed, given.planted))
        taken = {item["prompt"] for item in bad}
        rest = [s for s in samples if s.id not in taken]
        good = list(genuine(sheet, rest, given.seed, given.count))
        items = list(chain(good, bad))
        derived_rng(given.seed, "order", sheet).shuffle(items)
        (given.out / f"{sheet}.md").write_text(page(sheet, items), encoding="utf-8")
        for i, item in enumerate(items, 1):
            items_by_number[f"{sheet}-{i:03}"] = {"sheet": sheet, **item}
        sys.stdout.write(f"{sheet}: {len(good)} drawn, {len(bad)} planted\n")
        sys.stdout.flush()
    (given.out / "INSTRUCTIONS.md").write_text(INSTRUCTIONS, encoding="utf-8")
    key = {"name": given.name, "seed": given.seed, "items": items_by_number}
    given.key.write_text(json.dumps(key, indent=1, ensure_ascii=False), encoding="utf-8")


GATE = Gate()

if __name__ == "__main__":
    main()
