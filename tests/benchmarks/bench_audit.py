"""Recall, precision, time and memory of the near-duplicate search, on generated data.

    python tests/benchmarks/bench_audit.py                         100,000 x 10,000 prompts
    python tests/benchmarks/bench_audit.py --train 10000 --evaluation 3000
    python tests/benchmarks/bench_audit.py --full                  also within splits, and responses

Half of the evaluation prompts are training prompts of 20, 60 or 200 words with a share of the words
edited (replaced, left out, put in, or swapped with the next, where it falls); a fifth are training
prompts with one content word replaced by another, which in 20 words makes another question; a tenth
begin like a training prompt and go on differently half-way, and the rest are new. The text is a random walk over the word pairs of our bundled prompts, broken in one step
of four by a word from the dictionary.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import random
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

from harness.audit import minhash
from harness.audit.leakage import mark_leaked
from harness.audit.wording import same_word
from harness.data.loading import load
from harness.records import Message, Sample
from harness.text.normalise import normalise_prompt
from harness.text.wordlists import FUNCTION_WORDS
from harness.util.digest import derived_rng

LENGTHS = (20, 60, 200)


class Walk:
    """Generates text of a given number of words."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        names = ("counseling/train", "counseling/valid", "code/train", "code/valid")
        texts = [s.prompt for name in names for s in load(f"bundled:data/{name}.jsonl")]
        self.following: dict[str, list[str]] = defaultdict(list)
        self.words: list[str] = []
        for text in texts:
            words = text.split()
            self.words += words
            for first, second in itertools.pairwise(words):
                self.following[first].append(second)
        lexicon = files("harness.text.lexicons") / "words.txt.gz"
        self.lexicon = gzip.decompress(lexicon.read_bytes()).decode().split()

    def __call__(self, length: int, start: Sequence[str] = ()) -> list[str]:
        out = list(start) or [self.rng.choice(self.words)]
        while len(out) < length:
            follow = self.following.get(out[-1])
            if follow and self.rng.random() < 0.75:
                out.append(self.rng.choice(follow))
            else:
                out.append(self.rng.choice(self.lexicon))
        return out

    def edited(self, words: Sequence[str], share: float) -> list[str]:
        """``words`` with a share of them edited, at least one."""
        out = list(words)
        for place in sorted(
            self.rng.sample(range(len(out)), max(1, round(share * len(out)))), reverse=True
        ):
            how = self.rng.choice(("replace", "delete", "insert", "swap"))
            if how == "replace":
                out[place] = self.rng.choice(self.words)
            elif how == "delete":
                del out[place]
            elif how == "insert":
                out.insert(place, self.rng.choice(self.words))
            elif place + 1 < len(out):
                out[place], out[place + 1] = out[place + 1], out[place]
        return out

    def other_word(self, words: Sequence[str]) -> list[str]:
        """``words`` with one content word replaced by another."""
        out = list(words)
        place = self.rng.choice([p for p, word in enumerate(out) if _is_content(word)])
        old = normalise_prompt(out[place])
        out[place] = next(
            word
            for word in iter(lambda: self.rng.choice(self.words), None)
            if _is_content(word) and not same_word(normalise_prompt(word), old)
        )
        return out


def _is_content(word: str) -> bool:
    return len(word) > 3 and word.isalpha() and word.casefold() not in FUNCTION_WORDS


def sample(number: str, prompt: str, response: str) -> Sample:
    """One row."""
    return Sample(id=number, messages=(Message(role="user", content=prompt),), reference=response)


def generate(
    train: int, evaluation: int, share: float, seed: int
) -> tuple[list[Sample], list[Sample], dict[str, tuple[int, str]]]:
    """Training rows, evaluation rows, and what each evaluation row is: (words, kind)."""
    walk = Walk(derived_rng(seed, "bench_audit"))
    prompts = [walk(LENGTHS[row % 3]) for row in range(train)]
    training = [
        sample(f"t{row}", " ".join(words), " ".join(walk(60))) for row, words in enumerate(prompts)
    ]
    sources = walk.rng.sample(range(train), evaluation)
    rows, truth = [], {}
    for number, source in enumerate(sources):
        words, name = prompts[source], f"e{number}"
        kind = ("planted", "new", "planted", "one word", "planted", "new", "planted", "one word",
                "planted", "half")[number % 10]  # fmt: skip
        if kind == "planted":
            asked = walk.edited(words, share)
        elif kind == "one word":
            asked = walk.other_word(words)
        else:
            asked = walk(len(words), words[: len(words) // 2] if kind == "half" else ())
        truth[name] = (len(words), kind)
        rows.append(sample(name, " ".join(asked), " ".join(walk(60))))
    return training, rows, truth


def quality(marked: Sequence[Sample], truth: dict[str, tuple[int, str]]) -> dict[str, Any]:
    """By length: recall; precision; and what became of prompts with one other word.

    These count as wrongly found in ``precision_one_word`` alone: in a long prompt they are leaks.
    """
    result: dict[str, Any] = {}
    for length in (*LENGTHS, None):
        mine = [s for s in marked if length in (None, truth[s.id][0])]
        planted = [s for s in mine if truth[s.id][1] == "planted"]
        word = [s for s in mine if truth[s.id][1] == "one word"]
        found = [s for s in mine if s.audit == "leaked" and truth[s.id][1] != "one word"]
        right = [s for s in planted if s.audit == "leaked"]
        word_found = [s for s in word if s.audit == "leaked"]
        result[str(length or "all")] = {
            "planted": len(planted),
            "recall": round(len(right) / len(planted), 4),
            "found": len(found),
            "precision": round(len(right) / len(found), 4) if found else None,
            "one_word": len(word),
            "one_word_found": len(word_found),
            "precision_one_word": round(len(right) / (len(right) + len(word_found)), 4),
        }
    return result


def datasketch_ratio(texts: Sequence[str]) -> dict[str, float]:
    """Seconds for the signatures of ``texts``: ours, datasketch's, and how many times faster."""
    from datasketch import MinHash

    def timed(work: Callable[[], object]) -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    ours = timed(lambda: minhash.signatures(texts))
    theirs = timed(
        lambda: list(
            MinHash.generator(
                ({t[i : i + 5].encode() for i in range(len(t) - 4)} for t in texts),
                num_perm=minhash.PERMUTATIONS,
            )
        )
    )
    return {"ours_s": round(ours, 3), "datasketch_s": round(theirs, 3),
            "times_faster": round(theirs / ours, 1)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=100_000)
    parser.add_argument("--evaluation", type=int, default=10_000)
    parser.add_argument("--share", type=float, default=0.10, help="share of the words edited")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--full", action="store_true", help="the whole of jostle audit, too")
    options = parser.parse_args()
    training, rows, truth = generate(options.train, options.evaluation, options.share, options.seed)
    report: dict[str, Any] = {"options": vars(options)}
    report["generated_rss_mb"] = _peak_mb()
    start, used = time.perf_counter(), time.process_time()
    marked, counts = mark_leaked(rows, training)
    report["mark_leaked_s"] = round(time.perf_counter() - start, 1)
    # On a busy machine the processor's time tells more than the wall's.
    report["mark_leaked_cpu_s"] = round(time.process_time() - used, 1)
    report["peak_rss_mb"] = _peak_mb()
    report["counts"] = counts
    report["quality"] = quality(marked, truth)
    report["signatures"] = datasketch_ratio([s.prompt for s in training[:1500]])
    if options.full:
        from harness.audit import audit

        start, used = time.perf_counter(), time.process_time()
        audit(training, rows)
        report["audit_s"] = round(time.perf_counter() - start, 1)
        report["audit_cpu_s"] = round(time.process_time() - used, 1)
        report["audit_peak_rss_mb"] = _peak_mb()
    json.dump(report, sys.stdout, indent=2)
    print()


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
