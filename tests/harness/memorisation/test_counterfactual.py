"""The record of a halves study: read back, refused in one line, and held to its subject."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError
from harness.memorisation.counterfactual import (
    NOT_OF_THE_RECIPE,
    Counterfactual,
    read_counterfactual,
    recipe_of,
    unfit,
)
from harness.models.provenance import Provenance
from tests.support.scripted_halves import BASE, RECIPE, TRAINING, counterfactual_record
from training.config import TrainingConfig


@pytest.fixture(scope="module")
def record() -> Counterfactual:
    return counterfactual_record(rows=40, memorised=0.5, learned=0.2)


def provenance(**changes: Any) -> Provenance:
    fields: dict[str, Any] = {
        "created": "2026-11-29", "objective": "sft", "method": "lora", "seed": 9,
        "config": {**RECIPE, "seed": 9, "output_dir": "elsewhere"}, "base": {}, "rendering": "r",
        "train": TRAINING, "made_from": "m",
    }  # fmt: skip
    return Provenance.model_validate({**fields, **changes})


def test_a_record_comes_back_as_it_was_written(record: Counterfactual, tmp_path: Path) -> None:
    path = tmp_path / "counterfactual.json"
    path.write_text(record.model_dump_json(indent=1), encoding="utf-8")
    assert read_counterfactual(path) == record
    row = record.rows[0]
    assert row.token_likelihood.memorised == pytest.approx(row.likelihood.memorised / row.tokens)
    assert row.token_likelihood.memorised == pytest.approx(sum(row.by_seed) / 2, abs=1e-4)
    assert "4 adapters on random halves of 40 training rows" in record.sentence()


def spoiled(record: Counterfactual, **changes: Any) -> str:
    return json.dumps({**record.model_dump(mode="json"), **changes})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; name the counterfactual.json that jostle study halves wrote"),
        ("{", "cannot be read"),
        ({"version": 99}, "version 99 is not 2, which this jostle reads; run the study again"),
        ({"seeds": "x"}, "seeds: "),
        ({"extra": 1}, "extra: "),
        ("[]", "name the counterfactual.json"),
    ],
)
def test_what_is_no_record_is_refused_in_one_line(
    record: Counterfactual, tmp_path: Path, content: Any, message: str
) -> None:
    path = tmp_path / "counterfactual.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else spoiled(record, **content))
    with pytest.raises(DataError, match=message) as raised:
        read_counterfactual(path)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def reason(record: Counterfactual, **changes: Any) -> str | None:
    given: dict[str, Any] = {
        "base_weights_sha256": BASE.weights_sha256,
        "training_data": [TRAINING.file_sha256, "another"],
        "trained": provenance(),
        **changes,
    }
    return unfit(record, **given)


def test_the_same_base_rows_and_recipe_fit(record: Counterfactual) -> None:
    assert reason(record) is None
    # The very rows, in a file of other bytes.
    assert reason(record, training_data=[TRAINING.content_sha256]) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trained": None}, "no provenance.json"),
        ({"base_weights_sha256": "a" * 64}, "the subject stands on other weights (aaaaaaaaaaaa)"),
        ({"base_weights_sha256": None}, r"other weights \(unknown\)"),
        ({"training_data": ["another"]}, "not the training_data of this suite"),
        (
            {"trained": provenance(train=TRAINING.model_copy(
                update={"content_sha256": "d", "rows": 158}))},
            "the halves are of 60 rows of train.jsonl, the subject was trained on 158 rows of",
        ),
        (
            {"trained": provenance(config={**RECIPE, "num_train_epochs": 8.0})},
            "trained in another way than the subject: num_train_epochs 3.0 against 8.0",
        ),
    ],
)  # fmt: skip
def test_a_record_of_something_else_is_no_evidence(
    record: Counterfactual, changes: dict[str, Any], message: str
) -> None:
    import re

    found = reason(record, **changes)
    assert found is not None
    assert "\n" not in found
    assert re.search(message if "\\" in message else re.escape(message), found)


def test_the_recipe_leaves_out_only_fields_that_exist() -> None:
    assert set(TrainingConfig.model_fields) >= NOT_OF_THE_RECIPE
    recipe = recipe_of(dict.fromkeys(TrainingConfig.model_fields, 0))
    assert {"learning_rate", "num_train_epochs", "r", "template", "max_length"} <= set(recipe)
    assert not {"seed", "output_dir", "train_data"} & set(recipe)
