"""Recall and precision of the search for trained answers, on planted ones; its time and memory.

    python tests/benchmarks/answer_leaks.py [--train 100000] [--evaluation 10000]

Answers under test are made from training answers of 40, 80 or 200 words: word for word; in other case
and punctuation; with one word in ten, or one in five, edited; cut after 60 %; within a longer answer
that is half as long again; sentences turned round. Nothing may be found of: new answers; those that
begin like a training answer for a third of it; boilerplate openings with a new rest; canned answers
that 1 % of the rows have; short answers; programs with a common skeleton. The text is the random walk
of ``bench_audit``.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from harness.audit.trained_answers import find_responses
from harness.records import Sample
from harness.util.digest import derived_rng
from tests.benchmarks.bench_audit import Walk, sample

LENGTHS = (40, 80, 200)
OPENING = (
    "Thank you for writing to us about this, it takes courage to put such a thing into words, and I"
    " want you to know that you are not alone with it."
)
CANNED = (
    "I am sorry, but I cannot help with that request; please turn to a professional in your area who"
    " knows your situation and can advise you in person."
)
SHORT = ("Yes, of course.", "I do not know.", "It depends on you.", "Paris is the capital.")
SKELETON = """def {name}({value}):
    result = []
    for item in {value}:
        if item {test}:
            result.append(item)
    return result
"""
TESTS = ("> 0", "% 2 == 0", "is not None", "!= ''", "in allowed", "< limit", ">= least")
LEAKS = (
    "verbatim",
    "normalised",
    "edited 10 %",
    "edited 20 %",
    "cut at 60 %",
    "embedded",
    "turned",
)
OTHERS = ("new", "same third", "opening", "canned", "short", "skeleton")


def program(walk: Walk) -> str:
    """Return a program with the common skeleton."""
    name, value = ("_".join(walk.rng.sample(walk.lexicon, 2)), walk.rng.choice(walk.lexicon))
    return SKELETON.format(name=name, value=value, test=walk.rng.choice(TESTS))


def training_rows(walk: Walk, count: int) -> list[Sample]:
    """Make the training rows: one in ten opens with boilerplate, one in a hundred is canned or short."""
    rows = []
    for number in range(count):
        words = " ".join(walk(LENGTHS[number % 3]))
        kind = number % 100
        if kind < 10:
            words = f"{OPENING} {words}"
        elif kind == 10:
            words = CANNED
        elif kind == 11:
            words = walk.rng.choice(SHORT)
        elif kind < 20:
            words = program(walk)
        rows.append(sample(f"t{number}", " ".join(walk(15)), words))
    return rows


def planted(walk: Walk, kind: str, source: Sequence[str]) -> str:
    """Make one answer under test of this kind from the words of a training answer."""
    words, n = list(source), len(source)
    made: dict[str, Callable[[], Sequence[str]]] = {
        "verbatim": lambda: words,
        "normalised": lambda: [w.upper() if i % 3 else f"{w}," for i, w in enumerate(words)],
        "edited 10 %": lambda: walk.edited(words, 0.1),
        "edited 20 %": lambda: walk.edited(words, 0.2),
        "cut at 60 %": lambda: words[: int(0.6 * n)],
        "embedded": lambda: [*walk(n // 4), *words, *walk(n // 4)],
        "turned": lambda: [*words[n // 2 :], *words[: n // 2]],
        "new": lambda: walk(n),
        "same third": lambda: [*words[: n // 3], *walk(n - n // 3)],
        "opening": lambda: [OPENING, *walk(n)],
        "canned": lambda: [CANNED],
        "short": lambda: [walk.rng.choice(SHORT)],
        "skeleton": lambda: [program(walk)],
    }
    return " ".join(made[kind]()) if kind != "skeleton" else program(walk)


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=100_000)
    parser.add_argument("--evaluation", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    walk = Walk(derived_rng(options.seed, "answer_leaks"))
    training = training_rows(walk, options.train)
    plain = [row for number, row in enumerate(training) if number % 100 >= 20]
    kinds = (*LEAKS, *OTHERS)
    asked, truth = [], []
    for number in range(options.evaluation):
        kind = kinds[number % len(kinds)]
        source = (walk.rng.choice(plain).reference or "").split()
        asked.append(sample(f"e{number}", " ".join(walk(15)), planted(walk, kind, source)))
        truth.append((kind, len(source)))
    before = _peak_mb()
    start, used = time.perf_counter(), time.process_time()
    matches = find_responses(asked, training)
    report = {
        "options": vars(options),
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - used, 1),
        "rss_mb": {"before": before, "peak": _peak_mb()},
    }
    of_kind: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (kind, words), match in zip(truth, matches, strict=True):
        for name in (kind, f"{kind}, {words} words"):
            of_kind[name]["rows"] += 1
            of_kind[name]["marked"] += match is not None
    report["marked"] = {name: f"{c['marked']} of {c['rows']}" for name, c in of_kind.items()}
    hits = sum(of_kind[kind]["marked"] for kind in LEAKS)
    false = sum(of_kind[kind]["marked"] for kind in OTHERS)
    report["recall"] = round(hits / sum(of_kind[kind]["rows"] for kind in LEAKS), 4)
    report["precision"] = round(hits / (hits + false), 4) if hits + false else None
    json.dump(report, sys.stdout, indent=2)
    print()


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
