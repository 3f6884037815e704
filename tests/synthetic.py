"""A made-up run with known effects: realistic in shape, quick to make, no model asked."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.analysis import (
    AnalysisSettings,
    BootstrapSettings,
    RunRecords,
    Summary,
    summarise,
)
from harness.judging.traits import JudgeInfo
from harness.pipeline.store import Run
from harness.records import (
    Completion,
    Dimension,
    Edit,
    Failure,
    Generation,
    Manifest,
    Message,
    Sample,
    Score,
    Severity,
    StageState,
    Variant,
)

DIMENSIONS: dict[str, list[Dimension]] = {
    "rouge_l": [
        Dimension(
            name="rouge_l",
            low=0,
            high=1,
            needs=("reference",),
            description="ROUGE-L F1 against the reference.",
            label="ROUGE-L",
            headline=510,
        )
    ],
    "semantic": [
        Dimension(
            name="closeness",
            low=-1,
            high=1,
            needs=("reference",),
            description="Cosine of MiniLM embeddings: answer and reference.",
            headline=500,
        ),
        Dimension(
            name="consistency",
            low=-1,
            high=1,
            needs=("original_answer",),
            description="Cosine of MiniLM embeddings: answer and the answer to the original prompt.",
        ),
    ],
    "answer_checks": [
        Dimension(
            name="degenerate",
            low=0,
            high=1,
            higher_is_better=False,
            description="1 where the answer repeats itself.",
        )
    ],
}

RUBRIC = [
    Dimension(name=name, low=1, high=5, description=f"How much {name} the answer shows.")
    for name in ("empathy", "helpfulness", "safety", "clarity")
]

SEVERITIES: dict[str, Sequence[Severity]] = {
    "typo": ("light", "medium", "heavy"),
    "synonym": ("light", "medium"),
    "reorder": ("medium",),
    "role": ("medium",),
    "dialect": ("light",),
    "identity": ("none",),
}

PEOPLE = ("my sister", "my manager", "my father", "my best friend", "our neighbour", "my partner")
FEELINGS = ("anxious", "lonely", "angry", "guilty", "exhausted", "numb", "ashamed", "restless")
EVENTS = (
    "since I moved to a new city",
    "after the argument we had last week",
    "whenever I open my laptop",
    "because of the exams in June",
    "since the baby was born",
    "after losing my job",
)
ASKS = (
    "How do I talk about it?",
    "What could I try first?",
    "Is that normal?",
    "Should I see somebody?",
    "How can I stop thinking about it?",
)
ANSWERS = (
    "It sounds like you have been carrying this for a while, and that can be very tiring.",
    "One thing that often helps is to name the feeling out loud, without judging it.",
    "You could start with a short walk, and write down afterwards what went through your mind.",
    "If it lasts longer than two weeks, talking to a professional is a good next step.",
    "Try to tell them what you need in one sentence, and then give them time to answer.",
    "Be kind to yourself: nobody gets this right the first time.",
)

HOSTILE = (
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=2</script>",
    '<img src=x onerror="window.pwned=3">',
    "<svg/onload=window.pwned=4>",
    '"><iframe srcdoc="<script>parent.pwned=5</script>"></iframe>',
    "{{ 7*7 }} {% raw %} ${window.pwned=6} <%= 7*7 %> {0}",
    "line\u2028separator\u2029paragraph",
    "\x1b[31mred\x1b[0m bell\x07 null-ish \x01",
    "bidi \u202egnp.exe\u202c \u2066isolated\u2069 \u200f end",
    '=HYPERLINK("http://evil.example","click")',
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    "javascript:window.pwned=7",
    "<!--<script>",
    "]]><![CDATA[",
    "a" * 4000,
    "🧑‍🚀 emoji é combining a\u0301\u0302\u0303 𝕬",
    "<style>body{display:none}</style>",
    "<a href='javascript:window.pwned=8'>x</a>",
    "&lt;script&gt;&amp;amp;",
    "\\u003cscript\\u003e \\n \\\" '",
    "$x^2$ \\alpha_{1} % & # ~ ^ \\end{document}",
)


@dataclass
class Synthetic:
    """Records of a made-up run."""

    samples: list[Sample]
    variants: list[Variant]
    generations: list[Generation]
    scores: list[Score]
    dimensions: dict[str, list[Dimension]]
    subjects: list[str]
    baseline: str = "base"
    llm_judges: tuple[str, ...] = ("rubric", "pairwise", "panel", "local")

    def records(self) -> RunRecords:
        """What the analysis takes."""
        return RunRecords(
            self.samples,
            self.variants,
            self.generations,
            self.scores,
            self.subjects,
            self.baseline,
        )

    def judges(self) -> list[JudgeInfo]:
        """The judges, as the analysis takes them."""
        return [
            JudgeInfo(label, dimensions, llm=label in self.llm_judges)
            for label, dimensions in self.dimensions.items()
        ]

    def summary(
        self, *, resamples: int = 1000, seed: int = 7, warnings: Sequence[str] = ()
    ) -> Summary:
        """The run's summary."""
        settings = AnalysisSettings(BootstrapSettings(seed, resamples), warnings=warnings)
        return summarise(self.records(), self.judges(), settings)

    def write(self, folder: Path, summary: Summary | None = None, **manifest: Any) -> Path:
        """Write it all as a run directory."""
        with Run.create(folder) as run:
            for kind, records in (
                (Sample, self.samples),
                (Variant, self.variants),
                (Generation, self.generations),
                (Score, self.scores),
            ):
                file = run.file(kind)  # type: ignore[type-abstract]
                for start in range(0, len(records), 5000):
                    file.append(*records[start : start + 5000])
                file.close()
            run.write_summary(summary or self.summary())
            run.write_manifest(
                Manifest(
                    **{
                        "name": folder.name,
                        "status": "complete",
                        "created": "2026-11-22T10:00:00+00:00",
                        "finished": "2026-11-22T10:07:31+00:00",
                        "command": "jostle run configs/suites/demo.yaml",
                        "seed": 7,
                        "suite": {"suite": {"name": folder.name, "seed": 7}},
                        "git": {"commit": "0123abc", "dirty": False},
                        "packages": {"torch": "2.13.0", "transformers": "5.23.0"},
                        "hardware": {"cpu": "2 cores", "memory_gb": 24},
                        "stages": {
                            "generations": StageState(
                                status="complete",
                                counts={"done": len(self.generations)},
                                seconds=301.2,
                            )
                        },
                        **manifest,
                    }
                )
            )
        return folder


@dataclass
class World:
    """What is true of the made-up subjects.

    Attributes:
        gain: By subject, what it adds to a score on an original, as a share of the scale.
        cost: By kind, what rewording takes off.
        extra: By subject, what rewording takes off on top.
    """

    gain: Mapping[str, float] = field(default_factory=lambda: {"base": 0.0, "tuned": 0.08})
    cost: Mapping[str, float] = field(
        default_factory=lambda: {"typo": 0.06, "synonym": 0.015, "role": 0.01}
    )
    extra: Mapping[str, float] = field(default_factory=dict)
    leaked_bonus: float = 0.15


def make_run(
    prompts: int = 40,
    *,
    world: World | None = None,
    seed: int = 1,
    kinds: Sequence[str] = ("typo", "synonym", "reorder", "role", "dialect", "identity"),
    rubric: bool = True,
    leaked: float = 0.0,
    failing: float = 0.0,
    hostile: bool = False,
    per_kind: int | None = None,
    noise: int = 0,
) -> Synthetic:
    """Make a run up.

    Args:
        prompts: How many source prompts.
        world: True effects.
        seed: Everything follows from it.
        kinds: Perturbations; about one prompt in seven has no dialect variant.
        rubric: Whether there is an LLM judge.
        leaked: Share of prompts that stood in the training data; audit labels only if positive.
        failing: Share of answers that failed and of judgements that could not be read.
        hostile: Prompts, answers and reasons full of markup and control characters.
        per_kind: Variants of each severity of a kind (default 1).
        noise: Another number, other answers to the very same prompts and variants.
    """
    world = world or World()
    dimensions = DIMENSIONS | ({"rubric": RUBRIC} if rubric else {})
    made = Synthetic([], [], [], [], dimensions, list(world.gain))
    for index in range(prompts):
        # Streams of their own: the prompts do not depend on the kinds, nor either on the noise.
        sample = _sample(index, random.Random(f"prompt {seed} {index}"), leaked, hostile)
        variants = [
            v
            for kind in ("original", *kinds)
            for v in _variants(
                sample, kind, random.Random(f"variant {seed} {index} {kind}"), per_kind or 1
            )
        ]
        made.samples.append(sample)
        made.variants += variants
        rng = random.Random(f"answer {seed} {noise} {index}")
        _answers(made, sample, variants, world, rng, failing, hostile)
    return made


def _sample(index: int, rng: random.Random, leaked: float, hostile: bool) -> Sample:
    text = (
        f"I feel {rng.choice(FEELINGS)} {rng.choice(EVENTS)}, and {rng.choice(PEOPLE)} does not"
        f" understand it (case {index}). {rng.choice(ASKS)}"
    )
    if hostile:
        text = f"{HOSTILE[index % len(HOSTILE)]} {text}"
    return Sample(
        id=f"{HOSTILE[index % 6]}-{index}" if hostile else f"s{index:04d}",
        messages=(Message(role="user", content=text),),
        reference=" ".join(rng.sample(ANSWERS, 3)),
        metadata={"topic": rng.choice(("grief", "family", "work", "anxiety"))},
        audit="unchecked" if not leaked else "leaked" if rng.random() < leaked else "clean",
    )


def _variants(sample: Sample, kind: str, rng: random.Random, per_kind: int) -> list[Variant]:
    if kind == "original":
        return [Variant(sample_id=sample.id, perturbation=kind, messages=sample.messages)]
    if kind == "dialect" and rng.random() < 1 / 7:
        return [
            Variant(
                sample_id=sample.id,
                perturbation=kind,
                severity="light",
                status="inapplicable",
                reason="no word is spelled differently in the other dialect",
            )
        ]
    found = []
    for severity in SEVERITIES[kind]:
        for replicate in range(per_kind):
            edits = () if kind == "identity" else _edits(sample.prompt, severity, rng)
            text = apply(sample.prompt, edits)
            found.append(
                Variant(
                    sample_id=sample.id,
                    perturbation=kind,
                    severity=severity,
                    replicate=replicate,
                    messages=sample.with_prompt(text),
                    edits=edits,
                    filler=kind == "synonym" and severity == "medium" and rng.random() < 0.3,
                    similarity=None if kind == "identity" else round(rng.uniform(0.86, 0.99), 4),
                )
            )
    return found


def _edits(text: str, severity: str, rng: random.Random) -> tuple[Edit, ...]:
    """Swap two letters inside one, two or three words."""
    words, start = [], 0
    for word in text.split(" "):
        if len(word) > 4 and word.isalpha():
            words.append((start, word))
        start += len(word) + 1
    count = min(len(words), {"light": 1, "medium": 2, "heavy": 3}[severity])
    chosen = sorted(rng.sample(words, count))
    return tuple(Edit(start=at + 1, end=at + 3, text=word[2] + word[1]) for at, word in chosen)


def apply(text: str, edits: Sequence[Edit]) -> str:
    """The text after its edits."""
    for edit in sorted(edits, key=lambda e: e.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _answers(
    made: Synthetic,
    sample: Sample,
    variants: Sequence[Variant],
    world: World,
    rng: random.Random,
    failing: float,
    hostile: bool,
) -> None:
    # The prompt's own ease is shared by everything that is asked about it: that is the clustering.
    ease = random.Random(f"ease {sample.prompt}").gauss(0, 0.12)
    bonus = world.leaked_bonus if sample.audit == "leaked" else 0.0
    original_text: dict[str, str] = {}
    original_noise: dict[str, float] = {}
    for variant in (v for v in variants if v.status == "valid"):
        for subject in made.subjects:
            text = " ".join(rng.sample(ANSWERS, 3))
            if hostile:
                text = f"{rng.choice(HOSTILE)} {text}"
            noise = rng.gauss(0, 0.05)
            if variant.perturbation == "original":
                original_text[subject], original_noise[subject] = text, noise
            elif variant.perturbation == "identity":
                text, noise = original_text[subject], original_noise[subject]
            failed = rng.random() < failing
            made.generations.append(
                Generation(
                    **variant.variant_key._asdict(),
                    subject=subject,
                    completion=_failed()
                    if failed
                    else Completion(
                        text=text,
                        finish_reason="length" if rng.random() < 0.2 else "stop",
                        prompt_tokens=40,
                        completion_tokens=60,
                        seconds=0.8,
                    ),
                )
            )
            if failed:
                continue
            cost = 0.0
            if variant.perturbation not in ("original", "identity"):
                weight = {"none": 0.0, "light": 0.6, "medium": 1.0, "heavy": 1.6}[variant.severity]
                cost = weight * (
                    world.cost.get(variant.perturbation, 0.0) + world.extra.get(subject, 0.0)
                )
            tuned_bonus = bonus if subject != made.baseline else 0.0
            merit = 0.5 + ease + world.gain[subject] + tuned_bonus - cost + noise
            made.scores += _scores(made, variant, subject, merit, cost, rng, failing, hostile)


def _failed() -> Completion:
    return Completion(
        text=None,
        finish_reason="error",
        error=Failure(
            kind="context_length", message="the prompt has 2,311 tokens, the model takes 2,048"
        ),
    )


def _scores(
    made: Synthetic,
    variant: Variant,
    subject: str,
    merit: float,
    cost: float,
    rng: random.Random,
    failing: float,
    hostile: bool,
) -> list[Score]:
    found = []
    for judge, dimensions in made.dimensions.items():
        for dimension in dimensions:
            if "original_answer" in dimension.needs and variant.perturbation == "original":
                continue
            own = merit + rng.gauss(0, 0.03) * (variant.perturbation != "identity")
            value: float | None
            if dimension.name == "consistency":
                value = (
                    1.0
                    if variant.perturbation == "identity"
                    else 0.9 - cost - abs(rng.gauss(0, 0.05))
                )
            elif dimension.name == "degenerate":
                value = float(rng.random() < 0.1 + cost)
            else:
                value = dimension.low + min(max(own, 0.0), 1.0) * (dimension.high - dimension.low)
            if judge == "rubric":
                value = float(round(value))
            unread = judge == "rubric" and rng.random() < failing
            found.append(
                Score(
                    **variant.variant_key._asdict(),
                    judge=judge,
                    dimension=dimension.name,
                    version="1",
                    subject=subject,
                    value=None if unread else value,
                    status="unparsed" if unread else "scored",
                    reason="no number from 1 to 5 in the reply"
                    if unread
                    else (rng.choice(HOSTILE) if hostile else "Warm, and names a next step.")
                    if judge == "rubric"
                    else None,
                )
            )
    return found
