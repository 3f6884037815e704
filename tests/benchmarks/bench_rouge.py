"""ROUGE-L against the package rouge-score, on texts of 150 and 1,000 words: python bench_rouge.py

Claims: at least 10 times faster at 150 words and 50 times at 1,000 with a warm token cache; cold
figures are printed too. Times are CPU seconds of this process, best of several.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

from rouge_score.rouge_scorer import RougeScorer

from judges.rouge import RougeL

CLAIMS = {150: 10.0, 1000: 50.0}
SYLLABLES = [
    "ba",
    "ing",
    "ed",
    "lo",
    "tion",
    "ter",
    "mi",
    "ness",
    "er",
    "pa",
    "con",
    "ly",
    "re",
    "st",
    "en",
    "al",
]


def texts(words: int, count: int) -> list[tuple[str, str]]:
    """Pairs of texts over a vocabulary as large as such texts have."""
    rng = random.Random(words)
    vocabulary = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(words)]
    weights = [1 / (rank + 1) for rank in range(words)]
    draw = lambda: " ".join(rng.choices(vocabulary, weights, k=words))  # noqa: E731
    return [(draw(), draw()) for _ in range(count)]


def seconds(work: Callable[[], object], repeats: int) -> float:
    """CPU seconds of one call, the best of several."""
    best = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def main() -> int:
    """Print a line a length; exit status 1 where a claim does not hold."""
    failed = False
    for words, claim in CLAIMS.items():
        pairs = texts(words, 20 if words < 500 else 4)
        peer = RougeScorer(["rougeL"], use_stemmer=True)
        theirs = seconds(lambda: [peer.score(a, b) for a, b in pairs], 3)  # noqa: B023
        cold = seconds(lambda: [RougeL().score(a, b) for a, b in pairs], 5)  # noqa: B023
        judge = RougeL()
        [judge.score(a, b) for a, b in pairs]
        warm = seconds(lambda: [judge.score(a, b) for a, b in pairs], 20)  # noqa: B023
        assert all(judge.score(a, b) == peer.score(a, b)["rougeL"].fmeasure for a, b in pairs)
        holds = theirs / warm >= claim
        failed |= not holds
        print(
            f"{words} words: rouge-score {theirs / len(pairs) * 1e3:.2f} ms a pair; ours warm"
            f" {warm / len(pairs) * 1e3:.4f} ms, {theirs / warm:.0f} x (claim {claim:.0f} x,"
            f" {'holds' if holds else 'FAILS'}); cold {theirs / cold:.1f} x"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
