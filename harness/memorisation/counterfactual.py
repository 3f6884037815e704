"""Counterfactual memorisation: each training row in against out, over adapters on random halves.

``jostle study`` with a ``halves`` section trains adapters on complementary random halves of the
training rows and writes this record, ``counterfactual.json``. The memorisation of a row is its mean
score under the adapters that were trained with it less the mean under those that were not (Zhang et
al. 2023, "Counterfactual Memorization in Neural Language Models", NeurIPS, definition 2; Feldman and
Zhang 2020 for subsets drawn at random). Both groups of rows come from one draw, so that neither a
shift of topic nor a contaminated base can be taken for memory.

A record says something about another adapter only where that was trained from the same base, on the
same rows, in the same way: :func:`unfit` compares them by digests.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from harness.analysis.estimates import Interval
from harness.errors import DataError
from harness.models.provenance import DataProvenance, Provenance
from harness.records import Record

COUNTERFACTUAL_VERSION = 2
FILE = "counterfactual.json"

LEAST_SEEDS = 2
"""Each row must be in for some adapters and out for others of more than one draw."""

NOT_OF_THE_RECIPE = frozenset(
    [
        "model",  # the digest of the base weights says which
        "revision",
        "output_dir",
        "train_data",
        "validation_data",
        "validation_fraction",
        "allow_overlap",
        "generation_metrics",
        "per_device_eval_batch_size",
        "eval_strategy",
        "eval_steps",
        "eval_on_start",
        "save_strategy",
        "save_steps",
        "save_total_limit",
        "logging_steps",
        "report_to",
        "seed",
        "use_cpu",
    ]
)
"""Fields of a training config that do not decide what is learned of a row, or that digests hold."""

Unit = Literal["nats a token", "nats a response", "share"]


class RowMean(Interval):
    """A mean over training rows; the interval resamples whole families of near-duplicates."""

    unit: Unit = Field(description="Of the mean.")
    rows: int = Field(description="Training rows.")
    families: int = Field(description="Families of near-duplicates that they fall into.")


class RowScore(Record):
    """One score of one row's response: under the base, and the means in and out; higher is likelier."""

    base: float = Field(description="Under the base model.")
    inside: float = Field(
        description="Mean over the adapters that were trained with the row, those of a seed set level."
    )
    outside: float = Field(description="Mean over the adapters that were trained without it.")

    @property
    def memorised(self) -> float:
        """Return the counterfactual memorisation: in less out."""
        return self.inside - self.outside


class CounterfactualRow(Record):
    """One training row in against out."""

    sample_id: str = Field(description="The row's id in the training data.")
    family: int = Field(description="Its family of near-duplicates, which is never divided.")
    tokens: int = Field(description="Tokens of its response.")
    likelihood: RowScore = Field(description="Log-likelihood of the response, nats a response.")
    by_seed: tuple[float, ...] = Field(description="In less out of each seed, nats a token.")
    recited: RowScore | None = Field(
        default=None, description="Share of the response's second half that is continued."
    )
    closeness: RowScore | None = Field(
        default=None, description="Closeness of the greedy answer to the response."
    )
    prompt: str = Field(description="The beginning of the prompt.")
    response: str = Field(description="The beginning of the response.")

    @property
    def token_likelihood(self) -> RowScore:
        """Return the log-likelihood in nats a token, the mean over the response's tokens."""
        score = self.likelihood
        return RowScore(
            base=score.base / self.tokens,
            inside=score.inside / self.tokens,
            outside=score.outside / self.tokens,
        )


class ShareAbove(Interval):
    """Share of rows whose memorisation lies above a threshold, beside what chance alone gives.

    In and out are exchanged at random by family and seed, which changes nothing where no row is
    memorised: the p-value. Where they are exchanged in half of the seeds, what is memorised cancels
    and the noise of the same trainings stays: the share to be expected of it.
    """

    threshold: float = Field(description="Nats a token.")
    rows: int = Field(description="Rows above it.")
    expected: float = Field(description="Share that the noise alone gives.")
    p: float = Field(description="Of the permutation test that no row is memorised, one-sided.")
    permutations: int = Field(description="Permutations drawn.")


class CounterfactualBase(Record):
    """The base model that every adapter was trained from."""

    model: str = Field(description="As the config names it.")
    revision: str | None = Field(description="Of a hub model.")
    weights_sha256: str = Field(description="Digest of the weights.")


class Counterfactual(Record):
    """What ``jostle study`` with halves found: every row in against out, and the whole."""

    version: int = Field(description="Of this format.")
    study: str = Field(description="The study's name.")
    base: CounterfactualBase = Field(description="The base of all adapters.")
    training: DataProvenance = Field(description="The rows that were halved, by digests.")
    recipe: dict[str, Any] = Field(
        description="The fields of the training that decide the weights."
    )
    seeds: tuple[int, ...] = Field(description="Two adapters each, on complementary halves.")
    level: float = Field(description="Confidence level of every interval.")
    memorised: RowMean = Field(description="In less out, nats a token.")
    memorised_response: RowMean = Field(description="In less out, nats a response.")
    gain_inside: RowMean = Field(description="In less base, nats a token.")
    gain_outside: RowMean = Field(description="Out less base, nats a token: what generalises.")
    by_seed: tuple[float, ...] = Field(description="Mean in less out of each seed, nats a token.")
    above: ShareAbove = Field(description="Rows that are memorised beyond a threshold.")
    recited: RowMean | None = Field(default=None, description="In less out, recited share.")
    closeness: RowMean | None = Field(default=None, description="In less out, closeness.")
    rows: tuple[CounterfactualRow, ...] = Field(description="Every scored row, as in the data.")
    cautions: tuple[str, ...] = Field(description="What may mislead in it, a line each.")

    def sentence(self) -> str:
        """Say in one line what was measured, for a verdict that rests on it."""
        trained = 2 * len(self.seeds)
        return (
            f"it rests on {trained} adapters on random halves of {len(self.rows)} training rows"
            f" (study {self.study}): each row is its own control"
        )


def read_counterfactual(path: str | Path) -> Counterfactual:
    """Read a record.

    Raises:
        DataError: There is no such file, or it is not what a halves study writes.
    """
    file = Path(path).expanduser()
    advice = f"name the {FILE} that jostle study halves wrote"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.get("version") != COUNTERFACTUAL_VERSION:
            raise DataError(
                f"{file}: version {content.get('version')} is not {COUNTERFACTUAL_VERSION}, which"
                " this jostle reads; run the study again (finished trainings stay)"
            )
        return Counterfactual.model_validate(content)
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; {advice}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{file}: {place}: {first['msg']}; {advice}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error}); {advice}") from None


def recipe_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a dumped training config that decide what is learned of a row."""
    return {key: value for key, value in config.items() if key not in NOT_OF_THE_RECIPE}


def unfit(
    record: Counterfactual,
    *,
    base_weights_sha256: str | None,
    training_data: Collection[str],
    trained: Provenance | None,
) -> str | None:
    """Say in one line why a record is no evidence about a subject; None where it is.

    Args:
        record: The record of a halves study.
        base_weights_sha256: Digest of the base under the subject; None where it shows no weights.
        training_data: ``file_sha256`` and ``content_sha256`` of the suite's training data.
        trained: Provenance of the subject's adapter (or model), which must name the very same rows
            (not only the same file) and the same recipe.
    """
    if trained is None:
        return (
            "the subject has no provenance.json, so that nothing shows it was trained as the halves"
            " were; train it with jostle train"
        )
    digests = {record.training.file_sha256, record.training.content_sha256} - {None}
    if base_weights_sha256 != record.base.weights_sha256:
        return (
            f"the halves were trained from {record.base.model}"
            f" ({record.base.weights_sha256[:12]}), the subject stands on other weights"
            f" ({(base_weights_sha256 or 'unknown')[:12]})"
        )
    if not digests & set(training_data):
        return (
            f"the halves are of {record.training.path} ({record.training.content_sha256[:12]}),"
            " which is not the training_data of this suite"
        )
    if record.training.content_sha256 != trained.train.content_sha256:
        return (
            f"the halves are of {record.training.rows} rows of {record.training.path}, the subject"
            f" was trained on {trained.train.rows} rows of {trained.train.path}, which are not the same"
        )
    subject = recipe_of(trained.config)
    differing = sorted(
        key
        for key in subject.keys() | record.recipe.keys()
        if subject.get(key) != record.recipe.get(key)
    )
    if differing:
        values = ", ".join(
            f"{key} {record.recipe.get(key)} against {subject.get(key)}" for key in differing[:3]
        )
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        return f"the halves were trained in another way than the subject: {values}{more}"
    return None
