"""Fits the second gate (``harness/variants/acceptability.json``) on read pairs, and measures it.

    python -m tests.support.fit_acceptability                     # fit again from the repository
    python -m tests.support.fit_acceptability --add LABELLED.jsonl # take in new pairs first
    python -m tests.support.fit_acceptability --report            # measure only, write nothing

A line of ``LABELLED.jsonl`` is one read pair: ``{"raw", "edits" or "after", "kind", "source", "good"}``,
``good`` by the strict reading (a borderline case is bad), ``edits`` as ``[start, end, text]``; with
``"loose": true`` if the pair was made with the rules' checks switched off or with a planted fault.
The numbers of every pair are kept in ``tests/golden/acceptability/features.jsonl``, and those are what
is fitted; the texts only of sources in ``OURS``, which may be shipped, in ``pairs.jsonl``. If what is
measured changes (``harness/variants/edit_features.py``, ``context_features.py``), all must be added again
from their texts: ``--add tests/golden/acceptability/pairs.jsonl`` measures ours.

Everything is measured out of fold by source: a pair is scored by a fit that has seen no pair of its
source. Thresholds look only at what the rules themselves proposed, since that is what the gate meets:
the lowest score from which ``PRECISION`` of those pairs are good, if at least ``COVERAGE`` of the good
ones pass; else the highest with that coverage at which half of what falls is bad; else none. A
threshold that catches less than ``LEAST_CAUGHT`` of the bad ones does not pay, and is left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from harness.records import Edit
from harness.text.edits import find_edits, normalised
from harness.text.embedding import contextualise
from harness.text.parse import nlp, parsable, parse
from harness.util.digest import digest
from harness.util.files import write_atomically
from harness.variants.acceptability import WEIGHTS, AcceptabilityModel, TreeNode, numbers
from harness.variants.checks import Passage
from harness.variants.context_features import windows

FOLDER = Path(__file__).resolve().parent.parent / "golden" / "acceptability"
PAIRS, NUMBERS = FOLDER / "pairs.jsonl", FOLDER / "features.jsonl"

OURS = {
    "our_counseling": "written for this project (configs/data/counseling), Apache-2.0",
    "our_code": "written for this project (configs/data/code), Apache-2.0",
    "our_messages": "written for this project (configs/data/danger), Apache-2.0",
    "written": "written for these tests, Apache-2.0",
    "instructions": "Self-Instruct user-oriented instructions, Apache-2.0",
}

PRECISION, COVERAGE, SHARE_BAD = 0.97, 0.8, 0.5
LEAST_CAUGHT = 0.2
"""Share of the bad pairs of a kind that a threshold must catch; one that catches fewer does not pay."""
LEAST_BAD = 8
"""Bad pairs of a kind that the rules proposed, below which no threshold is set."""

TREES, DEPTH, RATE = 200, 3, 0.04


class Pair(NamedTuple):
    """One read pair as numbers."""

    kind: str
    source: str
    good: bool
    loose: bool
    values: dict[str, float]


def passage_of(row: dict[str, Any], text: Any) -> Passage:
    """Return the passage of a labelled row."""
    if "edits" in row:
        edits: Sequence[Edit] = [Edit(start=s, end=e, text=t) for s, e, t in row["edits"]]
    else:
        edits = find_edits(row["raw"], row["after"])
    return Passage(text, normalised(row["raw"], edits))


def measured(rows: Sequence[dict[str, Any]]) -> list[Pair]:
    """Parse and embed labelled rows and compute their numbers."""
    texts = parse([row["raw"] for row in rows])
    passages = [passage_of(row, text) for row, text in zip(rows, texts, strict=True)]
    docs = nlp().pipe((parsable(p.after) for p in passages), batch_size=64)
    return [
        Pair(
            row["kind"],
            row["source"],
            bool(row["good"]),
            bool(row.get("loose")),
            {k: round(v, 4) for k, v in numbers(p, doc, _states(p)).items()},
        )
        for row, p, doc in zip(rows, passages, docs, strict=True)
    ]


def _states(passage: Passage) -> dict[str, Any]:
    texts = list(dict.fromkeys(text for pair in windows(passage) for text in pair))
    return dict(zip(texts, contextualise(texts), strict=True))


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def add(paths: Sequence[Path]) -> None:
    """Take in labelled pairs; one that is there already is replaced."""
    rows = [row for path in paths for row in _lines(path)]
    ours = {_key(row): row for row in _lines(PAIRS)}
    ours.update((_key(row), row) for row in rows if row["source"] in OURS)
    _write(PAIRS, ours.values())
    kept = {row["key"]: row for row in _lines(NUMBERS)}
    for row, pair in zip(rows, measured(rows), strict=True):
        values = {k: v for k, v in pair.values.items() if v}
        kept[_key(row)] = {"key": _key(row), **pair._asdict(), "values": values}
    _write(NUMBERS, kept.values())


def _key(row: dict[str, Any]) -> str:
    return digest([row["kind"], row["raw"], row.get("edits", row.get("after"))])[:16]


def load() -> list[Pair]:
    """Return every read pair of the repository as numbers."""
    rows = _lines(NUMBERS)
    names = sorted({name for row in rows for name in row["values"]})
    return [
        Pair(
            row["kind"],
            row["source"],
            row["good"],
            row["loose"],
            {name: row["values"].get(name, 0.0) for name in names},
        )
        for row in rows
    ]


def matrix(pairs: Sequence[Pair], kinds: Sequence[str]) -> NDArray[np.float64]:
    """Return features and kinds as one matrix, a row a pair."""
    names = list(pairs[0].values)
    return np.array(
        [[p.values[n] for n in names] + [float(p.kind == k) for k in kinds] for p in pairs]
    )


def fit_trees(x: NDArray[np.float64], good: NDArray[np.bool_]) -> GradientBoostingClassifier:
    """Fit small boosted trees, the same ones every time."""
    trees = GradientBoostingClassifier(
        n_estimators=TREES,
        max_depth=DEPTH,
        learning_rate=RATE,
        subsample=0.6,
        max_features=0.2,
        min_samples_leaf=8,
        random_state=0,
    )
    return trees.fit(x, good)


def out_of_fold(
    x: NDArray[np.float64], good: NDArray[np.bool_], sources: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Score every pair by a fit without its source."""
    scores = np.zeros(len(good))
    for source in sorted(set(sources)):
        test = sources == source
        scores[test] = fit_trees(x[~test], good[~test]).predict_proba(x[test])[:, 1]
    return scores


def threshold(scores: NDArray[np.float64], good: NDArray[np.bool_]) -> float | None:
    """Choose a kind's threshold from what its rules proposed; None where it does not pay."""
    if (~good).sum() < LEAST_BAD:
        return None
    cheap = [
        t
        for t in sorted(set(scores.round(3)))
        if (scores[good] >= t).mean() >= COVERAGE and (scores[~good] < t).mean() >= LEAST_CAUGHT
    ]
    for least in cheap:
        if good[scores >= least].mean() >= PRECISION:
            return float(least)
    falling = ((t, scores < t) for t in cheap)
    paying = [
        float(t) for t, falls in falling if falls.any() and (~good[falls]).mean() >= SHARE_BAD
    ]
    return max(paying, default=None)


def exported(
    fitted: GradientBoostingClassifier, pairs: Sequence[Pair], kinds: Sequence[str]
) -> AcceptabilityModel:
    """Return fitted trees in the form that is shipped, without thresholds."""
    trees = []
    for (estimator,) in fitted.estimators_:
        tree = estimator.tree_
        trees.append(
            tuple(
                TreeNode(
                    int(max(tree.feature[i], -1)),
                    round(float(tree.threshold[i]), 5) if tree.feature[i] >= 0 else 0.0,
                    int(tree.children_left[i]),
                    int(tree.children_right[i]),
                    round(RATE * float(tree.value[i][0][0]), 6) if tree.feature[i] < 0 else 0.0,
                )
                for i in range(tree.node_count)
            )
        )
    prior = float(np.mean([p.good for p in pairs]))
    return AcceptabilityModel(
        features=tuple(pairs[0].values),
        kinds=tuple(kinds),
        thresholds={},
        intercept=round(float(np.log(prior / (1 - prior))), 6),
        trees=tuple(trees),
        pairs=len(pairs),
    )


def fit(pairs: Sequence[Pair]) -> AcceptabilityModel:
    """Fit the gate, choose its thresholds out of fold, and print what it is worth."""
    kinds = sorted({p.kind for p in pairs})
    x, good = matrix(pairs, kinds), np.array([p.good for p in pairs])
    sources = np.array([p.source for p in pairs])
    scores = out_of_fold(x, good, sources)
    model = exported(fit_trees(x, good), pairs, kinds)
    thresholds = {}
    for kind in kinds:
        of_kind = np.array([p.kind == kind for p in pairs])
        ruled = of_kind & ~np.array([p.loose for p in pairs])
        least = threshold(scores[ruled], good[ruled])
        if least is not None:
            thresholds[kind] = least
        print(_line(kind, scores, good, (of_kind, ruled), least))
    return model.model_copy(update={"thresholds": thresholds})


def _line(
    kind: str,
    scores: NDArray[np.float64],
    good: NDArray[np.bool_],
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    least: float | None,
) -> str:
    areas = [
        f"{roc_auc_score(good[m], scores[m]):.2f}" if len(set(good[m])) == 2 else "-" for m in masks
    ]
    ruled = masks[1]
    line = (
        f"{kind:16} AUC {areas[0]} of {masks[0].sum()} pairs, {areas[1]} of the rules' {ruled.sum()}"
        f" ({good[ruled].mean():.1%} good)"
        if ruled.any()
        else f"{kind:16} AUC {areas[0]}"
    )
    if least is None:
        return f"{line}; no threshold"
    passes = ruled & (scores >= least)
    return (
        f"{line}; from {least:.3f}: {good[passes].mean():.1%} good,"
        f" {passes.sum() / ruled.sum():.1%} of all and {(passes & good).sum() / (ruled & good).sum():.1%}"
        " of the good pass"
    )


def main() -> None:
    """Add, fit, write, print."""
    parser = argparse.ArgumentParser(description="Fit the second gate; see the module's docstring.")
    parser.add_argument("--add", type=Path, nargs="*", default=[])
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if arguments.add:
        add(arguments.add)
    model = fit(load())
    if not arguments.report:
        write_atomically(WEIGHTS, model.model_dump_json() + "\n")
        print(f"{WEIGHTS}: from {model.pairs} pairs")


if __name__ == "__main__":
    main()
