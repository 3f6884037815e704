"""Makes prompts unanswerable: an invented name becomes what is asked about.

A sample made here says so in its metadata, which is how it enters a run: ``known`` is False,
``planted`` holds the invented names, ``planted_kind`` is ``library`` or ``identifier``, ``source_id``
is the prompt it was made from. All others have ``known`` True.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from harness.audit.leakage import prompt_text
from harness.errors import DataError
from harness.records import Sample
from harness.unanswerable import invented_names as names
from harness.unanswerable.danger import in_danger
from harness.util.digest import derived_rng, digest
from harness.util.yaml_config import parse_yaml

if TYPE_CHECKING:
    from harness.audit.similar import Embed

Kind: TypeAlias = Literal["library", "identifier"]

CODE = "code"
ONE_DOMAIN = 0.8
"""Share of the prompts from which a data set is taken to be of one domain."""

_LEGACY_NAME = re.compile(r"\b(?:fake_fn_\d+|FakeLib\d+)\b")


class Domain(BaseModel):
    """The questions of one domain, see templates.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    marks: tuple[str, ...] = ()
    library: tuple[str, ...] = Field(min_length=1)
    identifier: tuple[str, ...] = Field(min_length=1)


class Planting(NamedTuple):
    """Samples with ``known`` in their metadata, and the counts.

    Attributes:
        samples: In the order of the data, each once.
        counts: ``rows``, ``unknown``, ``library``, ``identifier``, ``perhaps_in_danger`` (left
            alone) and ``short_of`` (how many fewer than the rate asks for, because of those).
    """

    samples: list[Sample]
    counts: dict[str, int]


def plant(
    samples: Sequence[Sample],
    *,
    seed: int,
    rate: float = 0.5,
    identifiers: float = 0.5,
    style: names.Style = "invented",
    templates: str | None = None,
    embed: Embed | None = None,
) -> Planting:
    """Make a share of the prompts unanswerable, never one that may come from a person in danger.

    Which ones is drawn by their content, whatever the order of the rows; the rates are met exactly,
    up to rounding, unless too few prompts are left: of messages about people's lives, more than half
    are left alone.

    Args:
        samples: The prompts.
        seed: Of the draw.
        rate: Share of all rows to be made unanswerable, in [0, 1].
        identifiers: Share of those that ask about an identifier, the rest about a library.
        style: ``invented`` words, or names ``marked`` as fake, like the predecessor's.
        templates: A file like templates.yaml; the shipped one by default.
        embed: Texts to unit vectors; the process-wide MiniLM by default.

    Raises:
        DataError: A rate outside [0, 1], templates that cannot be used, or a set that holds the
            predecessor's invented names already.
    """
    for label, value in (("rate", rate), ("identifiers", identifiers)):
        if not 0 <= value <= 1:
            raise DataError(f"{label} must lie in [0, 1], not {value:g}")
    domains = _domains(templates)
    texts = [prompt_text(sample) for sample in samples]
    planted_before = sum(_LEGACY_NAME.search(text) is not None for text in texts)
    if planted_before:
        raise DataError(
            f"{planted_before} of {len(texts)} prompts hold invented names like FakeLib995 already:"
            " mark such a set with --legacy instead of planting more"
        )
    dangers = in_danger(texts, embed=embed)
    rank = {
        row: digest([seed, "unknown", prompt_text(sample), sample.reference, sample.id])
        for row, sample in enumerate(samples)
        if not dangers[row]
    }
    wanted = round(rate * len(samples))
    chosen = sorted(rank, key=lambda row: rank[row])[:wanted]
    # Dealt out along the draw, so that any part of it holds the kinds in their shares.
    kinds: dict[int, Kind] = {
        row: "identifier" if int((n + 1) * identifiers) > int(n * identifiers) else "library"
        for n, row in enumerate(chosen)
    }
    domain_of = _domains_of([sample.prompt for sample in samples], domains)
    made = [
        _unanswerable(sample, kinds[row], domain_of[row], domains, style, seed)
        if row in kinds
        else _known(sample, dangers[row])
        for row, sample in enumerate(samples)
    ]
    counts = {
        "rows": len(samples),
        "unknown": len(chosen),
        "library": sum(kind == "library" for kind in kinds.values()),
        "identifier": sum(kind == "identifier" for kind in kinds.values()),
        "perhaps_in_danger": sum(dangers),
        "short_of": wanted - len(chosen),
    }
    return Planting(made, counts)


def legacy(samples: Iterable[Sample], embed: Embed | None = None) -> Planting:
    """Mark the predecessor's set, in which ``fake_fn_1266`` or ``FakeLib995`` replace words.

    A prompt that may come from a person in danger gets no ``known``: refusing is the wrong answer
    there, and it counts in no rate. So does a prompt without a planted name.

    Args:
        samples: The rows of the set.
        embed: Texts to unit vectors; the process-wide MiniLM by default.
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
    sample: Sample,
    kind: Kind,
    domain: str,
    domains: dict[str, Domain],
    style: names.Style,
    seed: int,
) -> Sample:
    rng = derived_rng(seed, "unknown", sample.id, sample.prompt)
    question = rng.choice(getattr(domains[domain], kind))
    invent = names.library if kind == "library" else names.identifier
    name = invent(rng, style=style, code=domain == CODE)
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
    added: dict[str, JsonValue] = {"known": True}
    if danger:
        added["danger"] = True
    return _with(sample, added, reference=sample.reference)


def _with(sample: Sample, added: dict[str, JsonValue], *, reference: str | None) -> Sample:
    metadata = sample.metadata | added
    content: dict[str, Any] = {
        "messages": [message.model_dump() for message in sample.messages],
        "reference": reference,
        "metadata": metadata,
    }
    return sample.model_copy(
        update={"reference": reference, "metadata": metadata, "made_from": digest(content)}
    )


def _domains_of(prompts: Sequence[str], domains: dict[str, Domain]) -> list[str]:
    """The domain of each prompt by its words; one domain for all where it has most of them."""

    def by_marks(prompt: str) -> str:
        words = set(re.findall(r"[a-z+#]+", prompt.lower()))
        return next((name for name in domains if words & set(domains[name].marks)), last)

    last = list(domains)[-1]
    found = [by_marks(prompt) for prompt in prompts]
    for name in domains:
        if found.count(name) >= ONE_DOMAIN * len(found):
            return [name] * len(found)
    return found


@cache
def _domains(path: str | None) -> dict[str, Domain]:
    source = Path(str(files("harness.unanswerable") / "templates.yaml") if path is None else path)
    data, _ = parse_yaml(source)
    if not data:
        raise DataError(f"{source}: holds no domain")
    domains = {}
    for name, fields in data.items():
        try:
            domains[name] = Domain.model_validate(fields)
        except ValueError as error:
            raise DataError(f"{source}: {name}: {str(error).splitlines()[0]}") from None
        for kind in ("library", "identifier"):
            for text in getattr(domains[name], kind):
                if f"{{{kind}}}" not in text or "{prompt}" not in text:
                    raise DataError(
                        f"{source}: {name}.{kind}: {text[:40]!r} lacks {{{kind}}} or {{prompt}}"
                    )
    return domains
