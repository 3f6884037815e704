"""How many real prompts each kind reaches, and that nothing within code changes.

    OMP_NUM_THREADS=1 python tests/benchmarks/perturb_coverage.py DATA.jsonl [--no-similarity]

Prints, of the distinct prompts of a data set, the share with an accepted variant of each kind (severity medium,
one replicate, seed 1); for ``reorder`` of those with two sentences or more, for ``role`` of those that mention a role
that may be exchanged; and how many variants differ within a block of code, which must be none.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from harness.records import Message, Sample
from harness.text.code_spans import code_spans
from harness.text.parse import parse
from harness.variants.expand import expand, make_kind
from harness.variants.gate import Gate
from harness.variants.preview import format_table, table
from perturbations.role import changeable_roles, exchanges

KINDS = ("synonym", "reorder", "typo", "role", "dialect", "surface", "filler")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--no-similarity", action="store_true")
    arguments = parser.parse_args()
    rows = (json.loads(line) for line in arguments.data.read_text(encoding="utf-8").splitlines())
    prompts = list(dict.fromkeys(row["prompt"] for row in rows))
    samples = [
        Sample(id=str(i), messages=(Message(role="user", content=p),))
        for i, p in enumerate(prompts)
    ]
    gate = Gate(similarity=not arguments.no_similarity)
    made = list(
        expand(samples, [make_kind(k) for k in KINDS], seed=1, variants_per_prompt=3, gate=gate)
    )
    sys.stdout.write(format_table(table([v for v in made if not v.filler])) + "\n")
    accepted = {(v.perturbation, v.sample_id) for v in made if v.status == "valid"}
    two, exchangeable = [], []
    for sample, text in zip(samples, parse(prompts), strict=True):
        spoken = [s for s in text.sentences if any(c.isalpha() for c in text.raw[s.start : s.end])]
        if len(spoken) >= 2:
            two.append(sample.id)
        if exchanges(text, changeable_roles(text)):
            exchangeable.append(sample.id)
    for name, ids in (("reorder", two), ("role", exchangeable)):
        hits = sum((name, i) in accepted for i in ids)
        share = hits / len(ids) if ids else 0.0
        sys.stdout.write(f"{name}: {hits} of the {len(ids)} prompts it could reach, {share:.1%}\n")
    touched = 0
    for variant in made:
        if variant.status == "valid":
            raw = prompts[int(variant.sample_id)]
            blocks = code_spans(raw, blocks_only=True)
            touched += any(
                s < edit.end and edit.start < e for edit in variant.edits for s, e in blocks
            )
    short = sum(v.perturbation == "shortfall" for v in made)
    sys.stdout.write(f"edits within blocks of code: {touched}\n")
    sys.stdout.write(f"prompts with fewer than 3 accepted variants: {short} of {len(prompts)}\n")


if __name__ == "__main__":
    main()
