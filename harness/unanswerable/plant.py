"""Make prompts unanswerable: the question becomes one about an invented name.

The metadata of such a sample carry this into a run: ``known`` is False, ``planted`` holds the
invented names, ``planted_kind`` is ``library`` or ``identifier``, and ``source_id`` is the prompt
that it was made from. All other samples have ``known`` True.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from harness.audit.leakage import prompt_text
from harness.errors import DataError
from harness.records import Sample
from harness.text.danger import in_danger
from harness.text.lexicon import english_words
from harness.util.digest import derived_rng, digest
from harness.util.yaml_config import parse_yaml

if TYPE_CHECKING:
    from harness.text.embedding import Embed

PlantedKind: TypeAlias = Literal["library", "identifier"]
Style: TypeAlias = Literal["invented", "marked"]
"""Invented words, or names that are marked as fake, as in the predecessor's sets."""

CODE = "code"
ONE_DOMAIN = 0.8
"""A data set is of one domain where at least this share of its prompts is."""

_ONSETS = ("b", "br", "d", "dr", "f", "fl", "g", "gl", "k", "kr", "l", "m", "n", "p", "pl", "qu",
           "r", "s", "sk", "st", "t", "tr", "v", "vr", "z", "zv")  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "ae", "io")
_ENDS = ("b", "d", "g", "k", "l", "lm", "lt", "m", "n", "nd", "nt", "r", "rk", "rv", "s", "st",
         "th", "v", "x", "z")  # fmt: skip
_VERBS = ("apply", "bind", "collect", "fold", "load", "map", "merge", "pack", "resolve", "scan",
          "shift", "split", "stage", "trace", "walk", "wrap")  # fmt: skip

_LEGACY_NAME = re.compile(r"\b(?:fake_fn_\d+|FakeLib\d+)\b")


def invented_word(rng: random.Random) -> str:
    """Make a word of three syllables, about ten letters, that is no English word."""
    while True:
        parts = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(3)]
        word = "".join(parts) + rng.choice(_ENDS)
        if len(word) >= 8 and word not in english_words():
            return word


def invented_name(rng: random.Random, kind: PlantedKind, style: Style, *, code: bool) -> str:
    """Invent the name of a library or function; in prose of a method or model, scale or condition."""
    library = kind == "library"
    if style == "marked":
        return (
            f"FakeLib{rng.randint(100, 999)}" if library else f"fake_fn_{rng.randint(1000, 9999)}"
        )
    word = invented_word(rng)
    if not code:
        return word.capitalize()
    return word if library else f"{rng.choice(_VERBS)}_{word}"


class QuestionDomain(BaseModel):
    """The questions of one domain, see templates.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    marks: tuple[str, ...] = ()
    library: tuple[str, ...] = Field(min_length=1)
    identifier: tuple[str, ...] = Field(min_length=1)

    def questions(self, kind: PlantedKind) -> tuple[str, ...]:
        """Return the questions about a library or about an identifier."""
        return self.library if kind == "library" else self.identifier


@dataclass(frozen=True)
class PlantingOptions:
    """How prompts are made unanswerable.

    Attributes:
        rate: Share of all rows to be made unanswerable, in [0, 1].
        identifiers: Share of those that ask about an identifier, the rest about a library.
        templates: A file like templates.yaml; the shipped one by default.
    """

    seed: int = 0
    rate: float = 0.5
    identifiers: float = 0.5
    style: Style = "invented"
    templates: str | None = None

    def __post_init__(self) -> None:
        for name, value in (("rate", self.rate), ("identifiers", self.identifiers)):
            if not 0 <= value <= 1:
                raise DataError(f"{name} must lie in [0, 1], not {value:g}")


class Planting(NamedTuple):
    """Samples with ``known`` in their metadata, in the order of the data, and the counts.

    Attributes:
        counts: ``rows``, ``unknown``, ``library``, ``identifier``, ``perhaps_in_danger`` (left
            unchanged) and ``short_of`` (how many fewer than the rate asks for, because of those).
    """

    samples: list[Sample]
    counts: dict[str, int]


def plant(
    samples: Sequence[Sample], options: PlantingOptions, embed: Embed | None = None
) -> Planting:
    """Make a share of the prompts unanswerable, never one that may come from a person in danger.

    The draw depends on the prompts' content and not on the order of the rows; the rates are met
    exactly, up to rounding, unless too few prompts are left: of messages about people's lives, more
    than half are left unchanged.

    Raises:
        DataError: The templates cannot be used, or the set holds the predecessor's invented names
            already.
    """
    domains = _domains(options.templates)
    texts = [prompt_text(sample) for sample in samples]
    planted_before = sum(_LEGACY_NAME.search(text) is not None for text in texts)
    if planted_before:
        raise DataError(
            f"{planted_before} of {len(texts)} prompts hold invented names like FakeLib995 already:"
            " mark such a set with --legacy instead of planting more"
        )
    dangers = in_danger(texts, embed=embed)
    rank = {
        row: digest([options.seed, "unknown", prompt_text(sample), sample.reference, sample.id])
        for row, sample in enumerate(samples)
        if not dangers[row]
    }
    wanted = round(options.rate * len(samples))
    chosen = sorted(rank, key=lambda row: rank[row])[:wanted]
    # Spread evenly along the draw, so that any part of it holds the kinds in their shares.
    share = options.identifiers
    kinds: dict[int, PlantedKind] = {
        row: "identifier" if int((n + 1) * share) > int(n * share) else "library"
        for n, row in enumerate(chosen)
    }
    domain_of = _domain_names([sample.prompt for sample in samples], domains)
    made = [
        _unanswerable(sample, kinds[row], domain_of[row], options)
        if row in kinds
        else _known(sample, dangers[row])
        for row, sample in enumerate(samples)
    ]
    kind_counts = Counter(kinds.values())
    counts = {
        "rows": len(samples),
        "unknown": len(chosen),
        **{kind: kind_counts[kind] for kind in get_args(PlantedKind)},
        "perhaps_in_danger": sum(dangers),
        "short_of": wanted - len(chosen),
    }
    return Planting(made, counts)


def mark_legacy(samples: Iterable[Sample], embed: Embed | None = None) -> Planting:
    """Mark the predecessor's set, in which ``fake_fn_1266`` or ``FakeLib995`` replace words.

    A prompt that may come from a person in danger gets no ``known``: refusing is the wrong answer
    there, and it counts in no rate. Nor does a prompt without a planted name.
    """
    rows, made = list(samples), []
    plain = [_LEGACY_NAME.sub(" ", prompt_text(sample)) for sample in rows]
    for sample, danger in zip(rows, in_danger(plain, embed=embed), strict=True):
        planted: list[JsonValue] = list(dict.fromkeys(_LEGACY_NAME.findall(prompt_text(sample))))
        added: dict[str, JsonValue] = {"planted": planted, "planted_kind": "legacy"}
        if danger:
            added["danger"] = True
        elif planted:
            added["known"] = False
        made.append(_with(sample, added, reference=None))
    dangers = sum("danger" in sample.metadata for sample in made)
    unknown = sum(sample.metadata.get("known") is False for sample in made)
    return Planting(made, {"rows": len(made), "unknown": unknown, "perhaps_in_danger": dangers})


def _unanswerable(
    sample: Sample, kind: PlantedKind, domain: str, options: PlantingOptions
) -> Sample:
    rng = derived_rng(options.seed, "unknown", sample.id, sample.prompt)
    question = rng.choice(_domains(options.templates)[domain].questions(kind))
    name = invented_name(rng, kind, options.style, code=domain == CODE)
    text = question.replace(f"{{{kind}}}", name).replace("{prompt}", sample.prompt.strip())
    added: dict[str, JsonValue] = {
        "known": False,
        "planted": [name],
        "planted_kind": kind,
        "source_id": sample.id,
    }
    changed = sample.model_copy(
        update={"id": f"{sample.id}-unknown", "messages": sample.with_prompt(text)}
    )
    return _with(changed, added, reference=None)


def _known(sample: Sample, danger: bool) -> Sample:
    added: dict[str, JsonValue] = {"known": True, **({"danger": True} if danger else {})}
    return _with(sample, added, reference=sample.reference)


def _with(sample: Sample, added: dict[str, JsonValue], *, reference: str | None) -> Sample:
    new: dict[str, Any] = {"reference": reference, "metadata": sample.metadata | added}
    messages = [message.model_dump() for message in sample.messages]
    return sample.model_copy(update=new | {"made_from": digest(new | {"messages": messages})})


def _domain_names(prompts: Sequence[str], domains: dict[str, QuestionDomain]) -> list[str]:
    """Return the domain of each prompt by its words; the same for all where one has most of them."""

    def by_marks(prompt: str) -> str:
        words = set(re.findall(r"[a-z+#]+", prompt.lower()))
        return next((name for name in domains if words & set(domains[name].marks)), last)

    last = list(domains)[-1]
    names = [by_marks(prompt) for prompt in prompts]
    for name in domains:
        if names.count(name) >= ONE_DOMAIN * len(names):
            return [name] * len(names)
    return names


@cache
def _domains(path: str | None) -> dict[str, QuestionDomain]:
    source = Path(__file__).with_name("templates.yaml") if path is None else Path(path)
    data, _ = parse_yaml(source)
    if not data:
        raise DataError(f"{source}: holds no domain")
    domains = {}
    for name, fields in data.items():
        try:
            domains[name] = QuestionDomain.model_validate(fields)
        except ValueError as error:
            raise DataError(f"{source}: {name}: {str(error).splitlines()[0]}") from None
        for kind in get_args(PlantedKind):
            for text in domains[name].questions(kind):
                if f"{{{kind}}}" not in text or "{prompt}" not in text:
                    raise DataError(
                        f"{source}: {name}.{kind}: {text[:40]!r} lacks {{{kind}}} or {{prompt}}"
                    )
    return domains
