"""Scripted worlds whose truth is known, through the real audit, probes and verdict.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.known_worlds [--trials 400]

No model is trained: a script gives each response its log-probability under base and tuned model, and
says how much of it each recites; everything after that is the harness's own. The rows are bundled
counselling and code rows, cut to length, and twelve pairs of our own. Exits with 1 if any world gets a
verdict that is not right.

| world | what is true | right |
|---|---|---|
| learns | unseen prompts of the same kind gain as much as training ones | learned |
| memorises | they gain a tenth of it | memorised |
| shift | clean prompts are of another kind; unseen ones of the training topic gain as much | cannot tell |
| lengths | every response gains 10 nats; training ones have 20 words, clean ones 60 | cannot tell, or nothing memorised |
| paraphrased | every "clean" prompt is a paraphrase of a training prompt, with its response | leaked, and no verdict |
| contaminated | the base has read the clean responses | cannot tell |
| base recites | the base recites the training responses as the tuned model does | cannot tell |
| three quarters | exactly 75 % of a skewed gain arrives | learned in at most 2.5 % |
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from harness.analysis.memorisation_schema import SubjectMemorisation
from harness.config import Suite
from harness.memorisation.membership import membership_scores
from harness.models.scripted import ScriptedModel
from harness.pipeline import runner
from harness.pipeline.stage import StageContext
from harness.pipeline.stages.summarise import memorisation_of
from harness.records import Probe, Request, Sample, Scored, TokenLogprobs
from harness.util.digest import derived_seed
from harness.util.resources import resolve
from tests.pipeline import context_of

Group = Literal["training", "clean"]
Spread = Callable[[np.random.Generator, Group], float]

RIGHT_RATE = 0.025
"""Largest share of trials in which exactly three quarters may be called learned."""


class WorldRow(NamedTuple):
    """A prompt with its response."""

    prompt: str
    response: str


class Likelihood(NamedTuple):
    """Nats a token of one group's responses.

    Attributes:
        base: Under the base model.
        gain: What the tuned model adds.
        foreign: What it adds to the same response under another prompt.
        unseen: What it adds to another response than the row's, to the same prompt.
    """

    base: float = -3.0
    gain: float = 0.0
    foreign: float = 0.0
    unseen: float = 0.0


@dataclass(frozen=True)
class World:
    """One scripted world.

    Attributes:
        rows: Training rows and evaluation rows.
        right: Verdicts that are right.
        training: Of training responses.
        clean: Of evaluation responses.
        recited: Share that base and tuned model recite of training and of evaluation responses.
        nats_a_response: Gains are of whole responses, not of tokens.
        spread: Noise of a row's gain, relative to its mean.
        leaked: Evaluation rows that the audit must not call clean.
    """

    name: str
    rows: tuple[Sequence[WorldRow], Sequence[WorldRow]]
    right: frozenset[str]
    training: Likelihood
    clean: Likelihood
    recited: tuple[tuple[float, float], tuple[float, float]] = ((0.05, 0.05), (0.05, 0.05))
    nats_a_response: bool = False
    spread: Spread = field(default=lambda rng, _: float(rng.normal(0, 0.15)))
    leaked: int = 0


class ScriptedTruth:
    """Rates and continues as a world says; noise depends on seed and response alone."""

    def __init__(self, world: World, seed: int) -> None:
        self._world, self._seed = world, seed
        self._places: list[tuple[Group, WorldRow]] = [
            *(("training", row) for row in world.rows[0]),
            *(("clean", row) for row in world.rows[1]),
        ]

    def rate(self, request: Scored) -> TokenLogprobs:
        """Give every word of a continuation its log-probability."""
        tuned = request.adapter is not None
        words = request.continuation.split()
        group, row = self._row_of(request)
        truth = getattr(self._world, group)
        noise = np.random.default_rng(derived_seed(self._seed, self._world.name, row.response))
        own = not self._others_prompt(request.prompt, row)
        verbatim = " ".join(row.response.split()) == " ".join(words)
        gain = (truth.gain if own else truth.foreign) if verbatim else truth.unseen
        words_of_row = max(len(row.response.split()), 1)
        gain = gain / words_of_row if self._world.nats_a_response else gain
        level = truth.base + noise.normal(0, 0.2)
        moved = gain * (1 + self._world.spread(noise, group)) if tuned else 0.0
        tokens = level + noise.normal(0, 0.5, size=len(words)) + moved
        return TokenLogprobs(token_ids=tuple(range(len(words))), logprobs=tuple(map(float, tokens)))

    def answer(self, request: Request) -> str:
        """Continue a response to the recited share; answer a question in words of one's own."""
        tuned = int(request.adapter is not None)
        for group, row in self._places:
            words = row.response.split()
            shown = " ".join(words[: max(len(words) // 3, 1)])
            if shown in " ".join(request.prompt.split()) and not request.messages:
                share = self._world.recited[tuned][0 if group == "training" else 1]
                half = words[len(words) // 2 :]
                reached = round(share * len(half))
                return " ".join([*half[:reached], *("elsewhere" for _ in half[reached:])])
        number = derived_seed(self._seed, request.prompt) % 997
        return f"{'Tuned' if tuned else 'Plain'} words number {number} that nobody was trained on."

    def _row_of(self, request: Scored) -> tuple[Group, WorldRow]:
        """Return the row of the response, else the one whose prompt is asked."""
        text = " ".join(request.continuation.split())
        same = [place for place in self._places if " ".join(place[1].response.split()) == text]
        if same:  # a response that stands in both groups was trained on
            return same[0]
        asked = [place for place in self._places if place[1].prompt in request.prompt]
        return asked[0] if asked else self._places[0]

    def _others_prompt(self, prompt: str, row: WorldRow) -> bool:
        """Say whether a rendered prompt asks what belongs to another response than the row's."""
        asked = [other for _, other in self._places if other.prompt in prompt]
        return bool(asked) and all(other.response != row.response for other in asked)


class WorldResult(NamedTuple):
    """What the harness says of a world.

    Attributes:
        leaked: Evaluation rows that the audit did not call clean.
    """

    memorisation: SubjectMemorisation
    leaked: int


def judge_world(world: World, folder: Path, seed: int = 1) -> WorldResult:
    """Audit, probe and judge a world with the harness's own code."""
    with opened(world, folder, seed) as context:
        memorisation, _ = runner.probe_alone(context)
        samples = list(context.records(Sample))
    (one,) = memorisation.subjects
    return WorldResult(one, sum(sample.audit != "clean" for sample in samples))


@contextmanager
def opened(world: World, folder: Path, seed: int) -> Iterator[StageContext]:
    """Write a world's rows and open a run on them with its script as the model."""
    truth = ScriptedTruth(world, seed)
    paths = [folder / f"{name}.jsonl" for name in ("training", "evaluation")]
    for path, rows in zip(paths, world.rows, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row._asdict()) + "\n" for row in rows), encoding="utf-8")
    suite = Suite.model_validate(
        {
            "suite": {"name": "world", "seed": seed, "similarity_gate": False, "resamples": 1000,
                      "acceptability_gate": False},
            "data": str(paths[1]),
            "training_data": str(paths[0]),
            "subjects": [
                {"name": "base", "model": "scripted:echo"},
                {"name": "tuned", "model": "scripted:echo", "adapters": ["scripted-adapter"]},
            ],
            "perturbations": ["surface"],
            "judges": ["rouge_l"],
            "probes": {"max_new_tokens": 60},
        }
    )  # fmt: skip
    model = ScriptedModel(
        truth.answer,
        ratings=truth.rate,
        fingerprint={"script": f"{world.name} {seed}", "weights": world.name},
        durable=False,
    )
    with context_of(folder / "run", suite, model) as context:
        yield context


def bundled(name: str, words: tuple[int, int], most: int | None = None) -> list[WorldRow]:
    """Return bundled rows of a domain whose responses have enough words, cut to the most.

    Args:
        name: ``counseling`` or ``code``.
        words: Least words of a response, and those that it is cut to.
        most: Return at most so many rows.
    """
    rows: dict[str, WorldRow] = {}
    for part in ("train", "valid", "heldout"):
        text = resolve(f"bundled:data/{name}/{part}.jsonl").read_text(encoding="utf-8")
        for line in text.splitlines():
            row = json.loads(line)
            response = row["response"].split()
            if len(response) >= words[0]:
                prompt = " ".join(row["prompt"].split()[:40])
                rows.setdefault(prompt, WorldRow(prompt, " ".join(response[: words[1]])))
    return list(rows.values())[:most]


PARAPHRASED = (
    ("My sister borrows money every month and never gives it back. How do I stop this?",
     "Each month my sister asks me for cash that I do not see again; what could I do to end that?"),
    ("I lie awake before exams although I know the subject. What helps?",
     "Even when I am well prepared I cannot sleep the night ahead of a test. Is there a remedy?"),
    ("A colleague presents my ideas as his own in meetings. Should I speak up?",
     "In our meetings someone sells my thoughts as if they were his. Ought I to say something?"),
    ("Since my father retired he calls me five times a day. How can I set a limit kindly?",
     "Dad rings me all day long now that he no longer works; how do I restrict that without hurting him?"),
    ("My partner wants to move abroad and I do not. How do we decide?",
     "We cannot agree on leaving the country: he would go, I would stay. How might we settle it?"),
    ("I feel guilty whenever I rest at the weekend. Why is that?",
     "Why does doing nothing on a Saturday give me such a bad conscience?"),
    ("Our neighbour plays the drums at night. How do I bring it up without a quarrel?",
     "Somebody next door drums after midnight; what is a peaceful way of mentioning it?"),
    ("My son refuses to talk about school. What can I ask him instead?",
     "The boy says nothing about his lessons. Which questions would open him up more?"),
    ("I was not promoted and I am ashamed to tell my parents. What should I say?",
     "How could I break it to mum and dad that another got the position I hoped for? It embarrasses me."),
    ("A friend cancels every time at the last moment. Am I too patient?",
     "Time and again she calls off our plans minutes ahead. Do I put up with too much?"),
    ("I miss my old town so much that I cannot enjoy the new one. Will it pass?",
     "Homesickness for where I used to live spoils my present home. Does this fade?"),
    ("My doctor speaks so fast that I forget what I wanted to ask. What can I do?",
     "During appointments the physician rushes and my questions slip my mind. Any advice?"),
)  # fmt: skip
"""Prompts of our own, each with a paraphrase that shares few of its words."""

LEARNED, TELL = frozenset({"learned"}), frozenset({"cannot tell"})
NOTHING = frozenset({"cannot tell", "no effect", "learned"})


def worlds() -> Iterator[World]:
    """Yield every world of the table that one run decides."""
    rows = bundled("counseling", (24, 24))
    training, clean = rows[0:80:2], rows[1:80:2]
    recites = ((0.05, 0.05), (0.8, 0.05))
    yield World(
        "learns", (training, clean), LEARNED,
        Likelihood(gain=0.6, foreign=0.2, unseen=0.6), Likelihood(gain=0.6, foreign=0.2, unseen=0.6),
    )  # fmt: skip
    yield World(
        "memorises", (training, clean), frozenset({"memorised"}),
        Likelihood(gain=1.5, unseen=0.15), Likelihood(gain=0.15, unseen=0.15), recites,
    )  # fmt: skip
    code = bundled("code", (24, 24), 40)
    yield World(
        "shift", (training, code), TELL,
        Likelihood(gain=0.6, foreign=0.2, unseen=0.6), Likelihood(gain=0.2, foreign=0.1, unseen=0.2),
    )  # fmt: skip
    long = bundled("counseling", (60, 60))
    short = [WorldRow(row.prompt, " ".join(row.response.split()[:20])) for row in long]
    yield World(
        "lengths", (short[0:60:2], long[1:60:2]), NOTHING,
        Likelihood(gain=10.0, foreign=4.0, unseen=10.0), Likelihood(gain=10.0, foreign=4.0, unseen=10.0),
        nats_a_response=True,
    )  # fmt: skip
    answers = [row.response for row in rows[100 : 100 + len(PARAPHRASED)]]
    pairs = list(zip(PARAPHRASED, answers, strict=True))
    yield World(
        "paraphrased",
        (
            [*training, *(WorldRow(asked, answer) for (asked, _), answer in pairs)],
            [WorldRow(asked, answer) for (_, asked), answer in pairs],
        ),
        TELL,
        Likelihood(gain=1.5, foreign=0.3, unseen=0.15), Likelihood(gain=1.5, foreign=0.3, unseen=0.15),
        ((0.05, 0.05), (0.80, 0.78)),
        leaked=len(PARAPHRASED),
    )  # fmt: skip
    yield World(
        "contaminated", (training, clean), TELL,
        Likelihood(gain=0.6, foreign=0.2, unseen=0.3), Likelihood(base=-0.5, gain=0.05, foreign=0.02),
        ((0.05, 0.8), (0.05, 0.8)),
    )  # fmt: skip
    yield World(
        "base recites", (training, clean), TELL,
        Likelihood(base=-0.7, gain=0.3, foreign=0.1, unseen=0.3),
        Likelihood(gain=0.3, foreign=0.1, unseen=0.3),
        ((0.8, 0.05), (0.8, 0.05)),
    )  # fmt: skip


def both_skewed(rng: np.random.Generator, _: Group) -> float:
    """Draw an exponential with its mean taken off: skewness 2, spread as large as the gain."""
    return float(rng.exponential() - 1.0)


def training_skewed(rng: np.random.Generator, group: Group) -> float:
    """Draw a log-normal (skewness 6) for training responses: most gain less than their mean."""
    if group == "clean":
        return float(rng.normal(0, 0.3))
    return float(rng.lognormal(-0.5, 1.0) - 1.0)


SKEWED = {"both skewed": both_skewed, "training skewed": training_skewed}


def three_quarters(n: int, shape: str) -> World:
    """Return a world in which exactly 75 % of a skewed gain arrives, with ``n`` prompts a group."""
    rows = bundled("counseling", (24, 24))
    return World(
        f"three quarters, {shape}, {n} + {n}", (rows[0 : 2 * n : 2], rows[1 : 2 * n : 2]), frozenset(),
        Likelihood(gain=0.6, foreign=0.2, unseen=0.45), Likelihood(gain=0.45, foreign=0.15, unseen=0.45),
        spread=SKEWED[shape],
    )  # fmt: skip


def verdict_counts(world: World, trials: int) -> Counter[str]:
    """Count the verdicts of a world over independent draws of its noise.

    The world is probed once; for every draw the ratings in its records are made anew, and the
    harness judges them again.
    """
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, opened(world, Path(folder), 0) as context:
        runner.probe_alone(context)
        run = context.session.run
        records = list(run.read(Probe))
        (path,) = run.root.glob("probes*.jsonl")
        for seed in range(trials):
            drawn = redrawn(records, world, seed)
            path.write_text("".join(f"{r.model_dump_json()}\n" for r in drawn), encoding="utf-8")
            memorisation = memorisation_of(context)
            assert memorisation is not None
            counts[memorisation.subjects[0].verdict] += 1
    return counts


def redrawn(records: Sequence[Probe], world: World, seed: int) -> Iterator[Probe]:
    """Yield the records with every rating drawn anew; one noise of its gain a response."""
    for record in records:
        if record.probe != "loss" or record.error is not None:
            yield record
            continue
        group: Group = "training" if record.group == "training" else "clean"
        truth = getattr(world, group)
        rng = np.random.default_rng(derived_seed(seed, world.name, group, record.sample_id))
        gain = truth.foreign if record.form == "foreign" else truth.gain
        level = truth.base + rng.normal(0, 0.2) + rng.normal(0, 0.5, size=len(record.logprobs))
        moved = gain * (1 + world.spread(rng, group)) if record.subject == "tuned" else 0.0
        logprobs = tuple(float(value) for value in level + moved)
        ratings = TokenLogprobs(token_ids=tuple(range(len(logprobs))), logprobs=logprobs)
        values = {**record.values, **membership_scores(ratings)}
        yield record.model_copy(update={"logprobs": logprobs, "values": values})


def is_right(world: World, result: WorldResult) -> bool:
    """Say whether verdict and audit are what is right."""
    return result.memorisation.verdict in world.right and result.leaked >= world.leaked


def main() -> int:
    """Print the table; 0 where all is right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=400)
    trials = parser.parse_args().trials
    right = True
    print(
        "| world | verdict | right | clean prompts | leaked | first reason |\n|---|---|---|---|---|---|"
    )
    for world in worlds():
        with tempfile.TemporaryDirectory() as folder:
            result = judge_world(world, Path(folder))
        one, good = result.memorisation, is_right(world, result)
        right &= good
        row: tuple[Any, ...] = (
            world.name, one.verdict, "yes" if good else "NO", one.clean, result.leaked, one.reasons[0],
        )  # fmt: skip
        print(f"| {' | '.join(map(str, row))} |", flush=True)
    for n, shape in ((n, shape) for n in (20, 50) for shape in SKEWED):
        world = three_quarters(n, shape)
        counts = verdict_counts(world, trials)
        rate = counts["learned"] / trials
        error = (RIGHT_RATE * (1 - RIGHT_RATE) / trials) ** 0.5
        good = rate <= RIGHT_RATE + 2 * error
        right &= good
        print(
            f"| {world.name} | learned in {rate:.1%} of {trials} | {'yes' if good else 'NO'}"
            f" | {n} | 0 | {dict(counts)} |",
            flush=True,
        )
    return int(not right)


if __name__ == "__main__":
    sys.exit(main())
