"""Splits: no leak, the wanted shares, the same parts in any order."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.audit import mark_leaked
from harness.cli.split import command
from harness.data.loading import jsonl, load
from harness.data.split import Partition, _assign, _Group, default_field, split, strata
from harness.errors import DataError, StoreError
from harness.records import Message, Sample
from harness.text import embedding

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
LEXICON = (
    "river garden window quiet teacher morning letter doctor carry bridge winter market silver"
    " button travel kitchen summer mother paper listen forest number animal cotton singer pocket"
)
WORDS = LEXICON.split()


@pytest.fixture(autouse=True)
def nothing_means_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.eye(len(texts), dtype=np.float32)

    monkeypatch.setattr(embedding, "embed", embed)


def rows(count: int, *, seed: int = 0) -> list[Sample]:
    """Prompts of 15 to 60 words, every fifth asked again without the last word, with topics."""
    rng = random.Random(seed)
    found: list[Sample] = []
    words: list[str] = []
    for number in range(count):
        if number % 5 or not words:
            words = [rng.choice(WORDS) + rng.choice("abcde") for _ in range(rng.randint(15, 60))]
        else:
            words = words[:-1]
        found.append(
            Sample(
                id=f"row-{number}",
                messages=(Message(role="user", content=" ".join(words)),),
                reference=f"answer {number}",
                metadata={"topic": rng.choice(["sleep", "sleep", "sleep", "work", "grief"])},
            )
        )
    return found


def ids(found: Partition) -> dict[str, set[str]]:
    return {part: {sample.id for sample in samples} for part, samples in found.parts.items()}


def test_near_duplicates_stay_together_and_the_shares_are_met() -> None:
    samples = rows(400)
    found = split(samples, SHARES, by="topic", seed=3)
    assert {part: len(rows) for part, rows in found.parts.items()} == {
        "train": pytest.approx(320, abs=2),
        "validation": pytest.approx(40, abs=2),
        "test": pytest.approx(40, abs=2),
    }
    assert sum(len(rows) for rows in found.parts.values()) == 400
    for part in ("validation", "test"):
        assert mark_leaked(found.parts[part], found.parts["train"])[1]["clean"] == len(
            found.parts[part]
        )
    assert found.largest == 2
    assert sum(found.clusters.values()) == 400 - 79  # every fifth row but the first is a twin
    for counts in found.strata.values():
        total = sum(counts.values())
        assert counts["test"] == pytest.approx(0.1 * total, abs=2)
        assert counts["validation"] == pytest.approx(0.1 * total, abs=2)


def test_the_order_of_rows_has_no_part_and_the_seed_has() -> None:
    samples = rows(150)
    shuffled = random.Random(1).sample(samples, len(samples))
    assert ids(split(samples, SHARES, by="topic")) == ids(split(shuffled, SHARES, by="topic"))
    other = ids(split(samples, SHARES, by="topic", seed=1))
    assert other["test"] != ids(split(samples, SHARES, by="topic"))["test"]


def test_parts_keep_the_order_of_the_data() -> None:
    found = split(rows(60), {"train": 0.5, "test": 0.5})
    for samples in found.parts.values():
        numbers = [int(sample.id.removeprefix("row-")) for sample in samples]
        assert numbers == sorted(numbers)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=60),
    shares=st.sampled_from(
        [SHARES, {"train": 0.5, "test": 0.5}, {"a": 0.34, "b": 0.33, "c": 0.33}]
    ),
)
def test_dealing_never_strays_further_than_the_largest_cluster(
    sizes: list[int], shares: dict[str, float]
) -> None:
    groups = [_Group(list(range(size)), "s", str(n)) for n, size in enumerate(sorted(sizes)[::-1])]
    have = Counter[str]()
    for group, part in zip(groups, _assign(groups, shares), strict=True):
        have[part] += len(group.rows)
    for part, share in shares.items():
        assert abs(have[part] - share * sum(sizes)) <= max(sizes)


def test_length_classes_are_quarters() -> None:
    samples = rows(200)
    counts = Counter(strata(samples, "length"))
    assert sorted(counts) == [f"length {n} of 4" for n in range(1, 5)]
    assert all(35 <= count <= 65 for count in counts.values())
    assert set(strata(samples, None)) == {"all"}


def test_the_default_field() -> None:
    samples = rows(4)
    assert default_field(samples) == "topic"
    bare = samples[0].model_copy(update={"metadata": {}})
    assert default_field([*samples, bare]) == "length"
    with pytest.raises(DataError, match=r"row 5 has no field 'topic'"):
        strata([*samples, bare], "topic")
    with pytest.raises(DataError, match=r"Did you mean.*topic"):
        strata(samples, "topik")


@pytest.mark.parametrize("shares", [{"train": 0.8, "test": 0.1}, {"train": 1.2, "test": -0.2}])
def test_shares_must_add_up(shares: dict[str, float]) -> None:
    with pytest.raises(DataError, match="add up to 1"):
        split(rows(10), shares)


def test_too_few_clusters_are_said() -> None:
    one = rows(1)[0]
    same = [one.model_copy(update={"id": str(n)}) for n in range(50)]
    with pytest.raises(DataError, match="50 rows form only 1 clusters"):
        split(same, SHARES)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], standalone_mode=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    path.write_text(jsonl(rows(60)))
    return path


def test_the_command_writes_rows_that_load_as_they_were(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "parts"
    result = run(data, "-o", out, "--test", "0", "--validation", "0.2", "--seed", "5")
    assert result.exception is None
    names = ["split.json", "train.jsonl", "validation.jsonl"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert "48 rows (80.0%)" in result.output
    assert "rows by topic:" in result.output
    back = load(str(out / "train.jsonl")) + load(str(out / "validation.jsonl"))
    assert sorted(back, key=lambda s: s.id) == sorted(load(str(data)), key=lambda s: s.id)
    note = json.loads((out / "split.json").read_text())
    assert (note["seed"], note["by"]) == (5, "topic")
    assert note["shares"] == {"train": 0.8, "validation": 0.2, "test": 0}
    assert note["source_sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert {part: about["rows"] for part, about in note["parts"].items()} == {
        "train": 48, "validation": 12,
    }  # fmt: skip
    assert sum(about["clusters"] for about in note["parts"].values()) == 60 - 11


def test_what_was_not_compared_is_said(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.audit.minhash.CROWDED", 0)
    assert "groups of rows share so much wording" in run(data, "-o", tmp_path / "parts").output


def test_a_split_never_writes_over_its_input(tmp_path: Path) -> None:
    for name in ("train.jsonl", "test.jsonl"):
        source = tmp_path / name
        source.write_text(jsonl(rows(60)))
        before = source.read_bytes()
        result = run(source, "-o", tmp_path, "--test", "0", "--validation", "0.2")
        assert isinstance(result.exception, StoreError)
        assert "is the input itself" in str(result.exception)
        assert source.read_bytes() == before
        assert [path.name for path in tmp_path.iterdir()] == [name]
        source.unlink()


def test_parts_of_an_earlier_split_are_replaced(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "parts"
    assert run(data, "-o", out).exception is None
    result = run(data, "-o", out, "--test", "0", "--validation", "0.2")
    assert result.exception is None
    assert "test.jsonl: removed" in result.output
    assert not (out / "test.jsonl").exists()
    assert len(load(str(out / "train.jsonl"))) == 48


def test_files_that_no_split_wrote_are_left_alone(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "parts"
    out.mkdir()
    own = out / "test.jsonl"
    own.write_text('{"prompt": "mine"}\n')
    result = run(data, "-o", out, "--test", "0", "--validation", "0.2")
    assert isinstance(result.exception, StoreError)
    assert "test.jsonl: already exists" in str(result.exception)
    assert [path.name for path in out.iterdir()] == ["test.jsonl"]
    own.unlink()
    assert run(data, "-o", out).exception is None
    own.write_text(own.read_text() + '{"prompt": "added by hand"}\n')
    assert isinstance(run(data, "-o", out).exception, StoreError)
    assert "added by hand" in own.read_text()
    (out / "split.json").write_text("[]")
    result = run(data, "-o", out)
    assert "was not written by jostle split" in str(result.exception)
