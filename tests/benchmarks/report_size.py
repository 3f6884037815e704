"""Size and speed of the statistics and the report on 50,000 scored answers.

Run: ``python -m tests.benchmarks.report_size [prompts]``. Prints seconds, peak memory and sizes,
each beside its limit; the exit code says whether all are kept. Texts are drawn word by word from a
long-tailed vocabulary, so that they do not compress better than real answers do.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.synthetic import Synthetic, make_run

PROMPTS = 2300


def vocabulary(rng: random.Random, size: int = 6000) -> list[str]:
    """Made-up words of one to four syllables."""
    syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er")]
    return ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(size)]


def wordy(made: Synthetic, seed: int = 1) -> Synthetic:
    """The same run with answers of 40 to 120 words and reasons of 8 to 20."""
    rng = random.Random(f"wordy {seed}")
    words = vocabulary(rng)
    weights = [1 / (rank + 3) for rank in range(len(words))]

    def text(low: int, high: int) -> str:
        return " ".join(rng.choices(words, weights, k=rng.randint(low, high)))

    made.generations = [
        g.model_copy(update={"completion": g.completion.model_copy(update={"text": text(40, 120)})})
        if g.completion.text is not None
        else g
        for g in made.generations
    ]
    made.scores = [
        s.model_copy(update={"reason": text(8, 20)}) if s.judge == "rubric" else s
        for s in made.scores
    ]
    return made


def _write(folder: Path, prompts: int) -> None:
    made = wordy(make_run(prompts))
    answers = len(made.generations)
    start = time.perf_counter()
    summary = made.summary(resamples=10_000)
    print(f"answers {answers:,}, scores {len(made.scores):,}, tests {summary.tests}")
    print(f"analysis {time.perf_counter() - start:6.1f} s")
    made.write(folder, summary)


def _render(folder: Path) -> None:
    from reports.html import render

    start = time.perf_counter()
    page = render(folder)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    size = page.stat().st_size / 1e6
    print(f"render   {seconds:6.1f} s    (limit 60)")
    print(f"memory   {peak:6.2f} GB   (limit 2)")
    print(f"page     {size:6.1f} MB   (limit 25)")
    sys.exit(0 if seconds < 60 and peak < 2 and size < 25 else 1)


def _open(folder: Path) -> bool:
    from tests.browser.chromium import Chromium, find

    path = find()
    if path is None:
        print("CHROMIUM IS MISSING: opening was not measured")
        return True
    with Chromium(path) as browser:
        seconds = sorted(browser.open(folder / "report.html") for _ in range(5))
        start = time.perf_counter()
        browser.run("document.querySelector('#explorer-list tbody button').click()")
        browser.wait("document.querySelector('#detail article')")
        opened = time.perf_counter() - start
    print(f"open     {seconds[2]:6.2f} s    (limit 3; median of 5, worst {seconds[-1]:.2f})")
    print(f"sample   {opened:6.2f} s    to show one sample")
    return seconds[2] < 3


def main() -> int:
    """Each step in a process of its own, so that its memory is its own."""
    if len(sys.argv) > 2:
        folder = Path(sys.argv[2])
        if sys.argv[1] == "render":
            _render(folder)
        else:
            _write(folder, int(sys.argv[1]))
        return 0
    prompts = sys.argv[1] if len(sys.argv) > 1 else str(PROMPTS)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "large"
        command = [sys.executable, "-m", "tests.benchmarks.report_size"]
        subprocess.run([*command, prompts, str(folder)], check=True)
        kept = subprocess.run([*command, "render", str(folder)]).returncode == 0
        return 0 if _open(folder) and kept else 1


if __name__ == "__main__":
    sys.exit(main())
