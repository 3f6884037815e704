"""The config of a suite: data, subjects, perturbations, judges and probes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.records import ORIGINAL, SEVERITIES, GenerationSettings, Severity, Turns
from harness.registry import FIRST_OPTION
from harness.util.digest import canonical_json
from harness.util.secrets import refuse_secrets
from harness.util.yaml_config import load_yaml

__all__ = ["DataSpec", "PluginSpec", "SubjectSpec", "Suite", "load_suite", "load_yaml"]

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Quantization = Literal["4bit", "8bit"]


class Section(BaseModel):
    """Base of every part of a config: strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSpec(Section):
    """A data set and its fields.

    Attributes:
        path: A JSONL, JSON, CSV, TSV or Parquet file, ``bundled:data/...``, or ``hub:owner/name``.
        split: Split of a hub data set.
        revision: Revision of a hub data set.
        prompt: Field with the prompt; detected where it has a usual name.
        reference: Field with the reference answer; likewise.
        context: Field with further input, which is put below the prompt (Alpaca's ``input``).
        messages: Field with a chat-style list of ``{"role", "content"}``.
        id: Field with the id.
        limit: Use this many prompts, drawn by the suite's seed.
        only: ``clean`` keeps prompts that are not in the training data.
        duplicates: ``first`` asks duplicates of a prompt once (their number is reported); ``keep``
            asks every one.
        group_by: Field of the rows that says which prompts belong together (written from one case, by
            one author, on one topic): they count as one observation in every interval and test.
    """

    path: str
    split: str = "train"
    revision: str | None = None
    prompt: str | None = None
    reference: str | None = None
    context: str | None = None
    messages: str | None = None
    id: str | None = None
    limit: int | None = Field(default=None, ge=1)
    only: Literal["all", "clean"] = "all"
    duplicates: Literal["first", "keep"] = "first"
    group_by: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class PluginSpec(Section):
    """A plug-in by name with its options.

    YAML short forms: ``- typo``, ``- typo: {severity: heavy}``, and ``- fitted: counseling`` for the
    plug-in's first option.
    """

    name: str
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and not set(value) <= {"name", "options"}:
            if len(value) != 1:
                raise ValueError(
                    "expected one plug-in an item, as '- name' or '- name: {option: value}';"
                    f" this item holds {', '.join(map(str, value))}"
                )
            name, options = next(iter(value.items()))
            if isinstance(options, str):
                options = {FIRST_OPTION: options}
            if options is not None and not isinstance(options, dict):
                raise ValueError(f"options of {name!r} must be a mapping, e.g. {{severity: heavy}}")
            return {"name": name, "options": options or {}}
        return value

    @field_validator("options")
    @classmethod
    def _no_secrets(cls, options: dict[str, Any]) -> dict[str, Any]:
        refuse_secrets(options)
        return options


class SearchSpec(Section):
    """A search for the rewording of a kind that hurts a subject most.

    Attributes:
        budget: Answers that each subject may be asked for, a prompt.
        judge: What scores them: a judge of the suite by its label, or another by its registered name; by
            default the suite's first that needs no language model.
        dimension: The dimension of that judge; by default its first with a better end.
        prompts: Search on this many prompts, drawn by the suite's seed.
    """

    budget: int = Field(default=40, ge=1, le=1000)
    judge: str | None = None
    dimension: str | None = None
    prompts: int | None = Field(default=None, ge=1)


class PerturbationSpec(PluginSpec):
    """A perturbation.

    ``severity`` is one of light, medium, heavy, or a list of them; ``search`` asks for the worst case
    of the kind as well (``{budget: 40}``).
    """

    @property
    def search(self) -> SearchSpec | None:
        """Return the search that is asked for beside the random variants."""
        given = self.options.get("search")
        return None if given is None else SearchSpec.model_validate(given)

    @property
    def severities(self) -> tuple[Severity, ...]:
        """Return the severities asked for; ``medium`` by default."""
        given = self.options.get("severity", "medium")
        return tuple(given) if isinstance(given, list) else (given,)

    @property
    def plain_options(self) -> dict[str, Any]:
        """Return the options that the kind itself takes, without ``severity``."""
        return {k: v for k, v in self.options.items() if k not in ("severity", "search")}

    @model_validator(mode="after")
    def _readable_search(self) -> Self:
        try:
            _ = self.search
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(("search", *map(str, first["loc"])))
            known = ", ".join(SearchSpec.model_fields)
            raise ValueError(
                f"{field} of {self.name!r}: {first['msg']}; write search: {{budget: 40}}"
                f" (it takes {known})"
            ) from None
        return self

    @model_validator(mode="after")
    def _known_severity(self) -> Self:
        for severity in self.severities:
            if severity not in SEVERITIES:
                raise ValueError(
                    f"severity of {self.name!r} must be one of {', '.join(SEVERITIES)}"
                    f" or a list of them, not {severity!r}"
                )
        return self


class JudgeSpec(PluginSpec):
    """A judge; ``name`` tells a second instance from the first, ``repeats`` asks it n times."""

    @property
    def label(self) -> str:
        """Return the name that marks this judge's scores."""
        return str(self.options.get("name", self.name))

    @property
    def repeats(self) -> int:
        """Return how often every item is judged."""
        return int(self.options.get("repeats", 1))

    @property
    def plain_options(self) -> dict[str, Any]:
        """Return the options that the judge itself takes."""
        return {k: v for k, v in self.options.items() if k not in ("name", "repeats")}

    @model_validator(mode="after")
    def _positive_repeats(self) -> Self:
        repeats = self.options.get("repeats", 1)
        if not isinstance(repeats, int) or isinstance(repeats, bool) or repeats < 1:
            raise ValueError(f"repeats of {self.name!r} must be a whole number from 1 on")
        return self


class AdapterSpec(Section):
    """One adapter folder and its weight in a mixture; a plain string is the path."""

    path: str
    weight: float = 1.0

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class EndpointSpec(Section):
    """Where an ``openai:`` subject is asked. The key comes from the environment only."""

    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = Field(default=8, ge=1)
    timeout_s: float = Field(default=120.0, gt=0)
    max_retries: int = Field(default=5, ge=0)


class SubjectSpec(Section):
    """A model under test.

    Attributes:
        name: Its name in the report.
        model: ``embedded:smollm2-135m``, a local folder, a hub id, ``openai:NAME`` or ``scripted:…``.
        adapters: LoRA folders on top of the base weights.
        template: Prompt template with ``{prompt}`` where the tokenizer has no chat template.
        system_prompt: Put before every conversation.
    """

    name: str = Field(min_length=1)
    model: str
    revision: str | None = None
    adapters: tuple[AdapterSpec, ...] = ()
    dtype: Dtype = "auto"
    quantization: Quantization | None = None
    template: str | None = None
    system_prompt: str | None = None
    generation: GenerationSettings = GenerationSettings()
    endpoint: EndpointSpec | None = None

    @property
    def base(self) -> dict[str, Any]:
        """Return what decides which base weights are loaded: equal ones are loaded once."""
        return self.model_dump(
            include={"model", "revision", "dtype", "quantization", "endpoint"}, mode="json"
        )


class SuiteSection(Section):
    """Sizes and seed of a suite.

    Attributes:
        name: Names the run folder ``runs/<name>``.
        seed: Every random choice derives from it and the item's own id.
        variants_per_kind: Replicates of each kind and severity.
        variants_per_prompt: At least this many variants a prompt; filler replicates make up for
            what is missing.
        repeats: Answers to every variant (for sampling at a temperature above 0).
        original_repeats: Answers to every original, at least ``repeats``: each variant is compared with
            their mean, so that asking the originals again is the cheapest way to a smaller error of
            what rewording costs.
        turns: Perturb the ``last`` user turn of a conversation, or ``all`` of them.
        similarity_gate: Hold variants to their kind's similarity floor (MiniLM).
        acceptability_gate: Hold variants to their kind's threshold of the second gate, which was
            learned from pairs that were read and labelled.
        resamples: Bootstrap and permutation resamples.
        looks: How often a growing run will be analysed, declared before the first time; tests and
            intervals then hold for all looks together.
    """

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9._-]+$")
    seed: int = Field(default=0, ge=0)
    variants_per_kind: int = Field(default=1, ge=1, le=20)
    variants_per_prompt: int = Field(default=5, ge=1, le=20)
    repeats: int = Field(default=1, ge=1)
    original_repeats: int = Field(default=1, ge=1)
    turns: Turns = "last"
    similarity_gate: bool = True
    acceptability_gate: bool = True
    resamples: int = Field(default=10_000, ge=200)
    looks: int | None = Field(default=None, ge=1, le=20)

    def answers_to(self, perturbation: str) -> int:
        """Return how often a variant of this kind is asked."""
        return (
            max(self.repeats, self.original_repeats) if perturbation == ORIGINAL else self.repeats
        )


class ProbesSection(Section):
    """How hard a run looks for memorisation; without this section it does not look.

    Attributes:
        training: Training prompts to probe, drawn by the suite's seed.
        clean: Clean prompts of ``data`` to probe beside them, likewise.
        variants: Rewordings of each training prompt, made by the suite's own perturbations.
        prefix: Share of a reference's words that is shown; the subject continues from there.
        max_new_tokens: Length of the answers and continuations.
        canaries: Key file of ``jostle audit --plant``; the training data must hold its secrets.
        canary_candidates: Rivals of each secret that are rated beside it.
        match: Where training and clean texts are told apart, let the verdict rest on pairs matched on
            length and topic (``auto``), let it rest on them in any case (``always``), or give none
            (``never``).
        halves: ``counterfactual.json`` of a halves study on the same training data, base and
            recipe; the verdict of the subjects that it is about rests on it.
    """

    training: int = Field(default=100, ge=1)
    clean: int = Field(default=100, ge=1)
    variants: int = Field(default=1, ge=0, le=20)
    prefix: float = Field(default=0.5, gt=0.0, lt=1.0)
    max_new_tokens: int = Field(default=64, ge=4)
    canaries: str | None = None
    canary_candidates: int = Field(default=100, ge=20)
    match: Literal["auto", "always", "never"] = "auto"
    halves: str | None = None


class Suite(Section):
    """Everything that ``jostle run`` needs.

    Attributes:
        margins: How small a difference counts as none, by measure (``judge.dimension``, or the judge
            where it has one dimension), in the measure's units; without it, the noise that the kind
            ``identity`` shows.
    """

    suite: SuiteSection = SuiteSection()
    plugins: tuple[str, ...] = ()
    data: DataSpec
    training_data: tuple[DataSpec, ...] = ()
    defaults: dict[str, Any] = {}
    subjects: tuple[SubjectSpec, ...] = Field(min_length=1)
    baseline: str | None = None
    perturbations: tuple[PerturbationSpec, ...] = Field(min_length=1)
    judges: tuple[JudgeSpec, ...] = Field(min_length=1)
    probes: ProbesSection | None = None
    margins: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}

    @model_validator(mode="before")
    @classmethod
    def _merge_defaults(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        merged = dict(value)
        if isinstance(merged.get("training_data"), str | dict):
            merged["training_data"] = [merged["training_data"]]
        if isinstance(merged.get("probes"), bool):  # `probes: true` takes every default
            merged["probes"] = {} if merged["probes"] else None
        defaults = merged.get("defaults") or {}
        subjects = merged.get("subjects")
        if isinstance(defaults, dict) and isinstance(subjects, list):
            merged["subjects"] = [
                _merge(defaults, subject) if isinstance(subject, dict) else subject
                for subject in subjects
            ]
        return merged

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [subject.name for subject in self.subjects]
        _refuse_duplicates("subjects", names)
        if self.baseline is not None and self.baseline not in names:
            raise ValueError(
                f"baseline {self.baseline!r} is none of the subjects: {', '.join(names)}"
            )
        _refuse_duplicates(
            "perturbations",
            [f"{p.name}/{severity}" for p in self.perturbations for severity in p.severities],
        )
        _refuse_duplicates("judges", [judge.label for judge in self.judges])
        if self.data.only == "clean" and not self.training_data:
            raise ValueError("data.only is 'clean', but no training_data is named to check against")
        if self.probes is not None and not self.training_data:
            raise ValueError(
                "probes ask what was memorised of the training data: name it as training_data"
            )
        if self.probes is not None and len(self.subjects) < 2:
            raise ValueError(
                "probes compare a tuned subject with the base model: name both as subjects"
            )
        return self

    @property
    def baseline_name(self) -> str:
        """Return the subject that the others are compared with: ``baseline``, else the first."""
        return self.baseline or self.subjects[0].name

    def subjects_by_base(self) -> list[list[SubjectSpec]]:
        """Group the subjects that share base weights, which are loaded once."""
        return grouped_by_base(self.subjects)


def grouped_by_base(subjects: Sequence[SubjectSpec]) -> list[list[SubjectSpec]]:
    """Group subjects that share base weights, in order of first appearance."""
    groups: dict[str, list[SubjectSpec]] = {}
    for subject in subjects:
        groups.setdefault(canonical_json(subject.base), []).append(subject)
    return list(groups.values())


def load_suite(path: Path, overrides: Sequence[str] = ()) -> Suite:
    """Read a suite.

    Raises:
        ConfigError: One line that names file, line and field.
    """
    return load_yaml(path, overrides, Suite)


def _merge(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    merged = {**defaults, **given}
    for key, value in given.items():
        if isinstance(value, dict) and isinstance(defaults.get(key), dict):
            merged[key] = {**defaults[key], **value}
    return merged


def _refuse_duplicates(where: str, names: Sequence[str]) -> None:
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        hint = "; give one of them another name (name: …)" if where == "judges" else ""
        raise ValueError(f"{where}: {', '.join(duplicates)} is listed twice{hint}")


class JudgesFile(Section):
    """A YAML file that holds ``judges:`` alone (and the plug-in files that they need)."""

    judges: tuple[JudgeSpec, ...] = Field(min_length=1)
    plugins: tuple[str, ...] = ()
