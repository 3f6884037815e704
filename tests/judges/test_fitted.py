"""Fitting a judge, its file, and the judge itself; then the one that is shipped."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judged_summary import judged_summary

from harness.analysis.estimates import Measure
from harness.errors import DataError, PluginError
from harness.judging.calibration import calibrate
from harness.judging.calibration_report import report
from harness.judging.labels import read_labels
from harness.records import JudgeItem
from harness.registry import judges
from harness.text import embedding
from harness.text.embedding import DIMENSIONS
from harness.util.digest import derived_rng
from judges.fitted import SHIPPED, Fitted, beside, fit_labels
from judges.regression import ridge
from judges.regression.acts import sentence_acts
from judges.regression.features import BLOCKS, SURFACE, WIDTH, surface
from judges.regression.model import FittedModel, label_table
from judges.regression.signs import SIGNS, signs
from reports.rows import checked_briefly
from tests.support import fit_judge


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.stats.agreement.RESAMPLES", 100)


WORDS = ["tree", "lamp", "sea", "bread", "wall", "road", "song", "stone", "wind", "chair"]


def embed(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors of word counts, with warmth in the first component."""
    rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    for vector, text in zip(rows, texts, strict=True):
        vector[1] = 0.3
        for word in re.findall(r"\w+", text.lower()):
            vector[0 if word in ("sorry", "understand") else 2 + sum(word.encode()) % 300] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def labelled(path: Path, count: int = 120, **fields: Any) -> str:
    """Answers whose empathy is the number of warm words, and nothing else."""
    lines = []
    for number in range(count):
        rng = derived_rng(3, number)
        warm = number % 5
        words = [rng.choice(WORDS) for _ in range(rng.randint(6, 30))]
        words[:warm] = ["sorry", "understand", "sorry", "understand"][:warm]
        rng.shuffle(words)
        lines.append(
            {
                "id": str(number),
                "question": f"{rng.choice(WORDS)} question {number // 2}?",
                "answer": " ".join(words) + ".",
                "split": "check" if number // 2 % 3 == 0 else "fit",
                "annotator": "authors",
                "labels": {"empathy": 1 + warm, "luck": rng.randint(1, 5)},
                **fields,
            }
        )
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return str(path)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ridge, "STRENGTHS", (30.0, 300.0))


def test_fit_save_use_and_check(tmp_path: Path, quick: None) -> None:
    path, model, found = fit_labels(labelled(tmp_path / "l.jsonl"), "mine", embed)
    assert path.name == "mine.safetensors"
    assert found is not None
    agreement = {a.dimension: a.spearman for a in found.dimensions}
    assert (agreement["empathy"].value or 0) > 0.6
    assert abs(agreement["luck"].value or 0) < 0.5
    cross = {d.name: d.cross_validated.value for d in model.card.dimensions}
    assert (cross["empathy"] or 0) > 0.6
    assert (model.card.authors_only, model.card.split, found.split) == (True, "fit", "check")

    with pytest.raises(DataError, match="use --split check"):  # not on what it was learned from
        calibrate(Fitted("mine", embed=embed), read_labels(str(tmp_path / "l.jsonl")), name="f")  # fmt: skip

    luck = {"fitted": {"model": "mine", "dimensions": ["luck"]}}
    pair = {"panel": {"judges": [{"fitted": {"model": "mine"}}, luck]}}
    nested = judges.create("panel", {"judges": [pair, {"fitted": {"model": "mine"}}]})
    with pytest.raises(DataError, match="use --split check"):
        calibrate(nested, read_labels(str(tmp_path / "l.jsonl")), name="panel")

    judge = Fitted("mine", embed=embed)
    assert [(d.name, d.low, d.high) for d in judge.dimensions] == [
        ("empathy", 1, 5),
        ("luck", 1, 5),
    ]
    items = [
        JudgeItem(question="q", answer="sorry understand sorry"),
        JudgeItem(question="q", answer="wall road tree"),
        JudgeItem(question="q", answer="  "),
    ] * 30
    got = {(j.item, j.dimension): j for j in judge.grade(items)}
    assert len(got) == 180
    warm, cold, empty = (got[index, "empathy"].value or 0 for index in range(3))
    assert warm > cold >= empty == 1.0
    assert got[2, "luck"].reason == "empty answer"
    assert [got[index, "empathy"].value for index in range(3)] == [
        got[87 + index, "empathy"].value for index in range(3)
    ]
    known = report(judge.calibrations)
    assert known is not None
    assert "never checked against independent people" in known.summary
    assert {a.dimension: a.split for a in known.dimensions} == dict.fromkeys(
        ("empathy", "luck", "overall"), "check"
    )
    part = Fitted("mine", dimensions=["luck"], embed=embed)
    assert part.version == f"{judge.version}, luck"  # its mean is another measure
    assert [[a.dimension for a in c.dimensions] for c in part.calibrations] == [["luck"]]


def test_without_splits_it_brings_its_cross_validation(tmp_path: Path, quick: None) -> None:
    source = labelled(tmp_path / "l.jsonl", split=None)
    _, model, found = fit_labels(source, "mine", embed)
    assert found is None
    known = report(Fitted("mine", embed=embed).calibrations)
    assert known is not None
    assert not known.trusted
    cross = {d.name: d.cross_validated.model_dump() for d in model.card.dimensions}
    assert {a.dimension: a.spearman.model_dump() for a in known.dimensions} == cross
    empathy = known.by_dimension["empathy"]
    assert empathy.startswith("agrees with its authors' labels: rho 0.")
    assert "on 120 items of l.jsonl; never checked against independent people" in empathy
    measure = Measure("fitted", "empathy")
    summary = judged_summary("fitted", calibration=known, learned=True)
    assert checked_briefly(summary, measure).endswith("authors' labels, cross-validated")


def test_sources_are_left_out_in_turn_and_the_report_says_how_it_fared(
    tmp_path: Path, quick: None
) -> None:
    """Three sources share what warmth is; in the fourth the labels are of something else."""
    source = labelled(tmp_path / "l.jsonl", 160, split=None, annotator="reader-1")
    rows = [json.loads(line) for line in Path(source).read_text(encoding="utf-8").splitlines()]
    names = ["chats", "forum posts", "letters", "riddles"]
    for number, row in enumerate(rows):
        row["source"] = names[number // 2 % 4]
        if row["source"] == "riddles":
            row["labels"]["empathy"] = 1 + number % 3
    Path(source).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    _, model, _ = fit_labels(source, "mine", embed)
    (empathy,) = [d for d in model.card.dimensions if d.name == "empathy"]
    unseen = {one.source: one for one in empathy.left_out}
    assert list(unseen) == names
    assert {one.items for one in unseen.values()} == {40}
    assert all((unseen[name].spearman.value or 0) > 0.6 for name in names[:3])
    assert (unseen["riddles"].spearman.low or 0) < 0.2
    known = report(Fitted("mine", embed=embed).calibrations)
    assert known is not None
    said = known.by_dimension["empathy"]
    assert "language-model reader" in said
    assert "on sources left out in turn: chats rho 0." in said
    assert not known.trusted


def test_what_tells_sources_apart_earns_nothing(tmp_path: Path, quick: None) -> None:
    """One source is rated low throughout and says sorry throughout; within it nothing is told."""
    rng = np.random.default_rng(4)
    x = np.zeros((90, WIDTH))
    x[:, BLOCKS["signs"]] = rng.random((90, len(SIGNS)))
    sources = np.repeat(["a", "b", "c"], 30)
    sorry, asks = (BLOCKS["signs"].start + SIGNS.index(name) for name in ("sorry", "asks"))
    x[:, sorry] = sources == "a"
    y = 3.0 - 2.0 * (sources == "a") + x[:, asks]
    items = ridge.TrainingItems(x, y, [str(n) for n in range(90)], list(sources))
    line = ridge.fit_line(items)
    assert line.weights[sorry] == pytest.approx(0.0, abs=1e-9)
    assert line.weights[asks] > 0.3


def test_labels_that_are_all_the_same_but_one_can_be_fitted(tmp_path: Path, quick: None) -> None:
    """Without that one, a fold's training labels are constant."""
    source = labelled(tmp_path / "l.jsonl", 40, split=None)
    rows = [json.loads(line) for line in Path(source).read_text(encoding="utf-8").splitlines()]
    for number, row in enumerate(rows):
        row["labels"] = {"safety": 1 if number == 39 else 5}
    Path(source).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    _, model, _ = fit_labels(source, "nearly", embed)
    assert np.isfinite(model.weights).all()
    assert np.isfinite(model.bias).all()


def test_the_same_fit_gives_the_same_file(tmp_path: Path, quick: None) -> None:
    source = labelled(tmp_path / "l.jsonl")
    files = [fit_labels(source, str(tmp_path / n / "j.safetensors"), embed)[0] for n in ("a", "b")]
    assert files[0].read_bytes() == files[1].read_bytes()
    judge = Fitted(str(files[0]), dimensions=["luck"], embed=embed)
    assert [d.name for d in judge.dimensions] == ["luck"]
    assert {j.dimension for j in judge.grade([JudgeItem(question="q", answer="a")])} == {"luck"}
    beside(files[0]).write_text(
        beside(files[0]).read_text().replace('"version": "j', '"version": "other'), encoding="utf-8"
    )
    # It was measured on another fit: what the judge says of itself is left.
    (own,) = judge.calibrations
    assert own.dimensions[0].cross_validated


def test_version_follows_the_weights(tmp_path: Path, quick: None) -> None:
    a, _, _ = fit_labels(labelled(tmp_path / "l.jsonl"), str(tmp_path / "x.safetensors"), embed)
    b, _, _ = fit_labels(
        labelled(tmp_path / "m.jsonl", 100), str(tmp_path / "y.safetensors"), embed
    )
    assert Fitted(str(a)).version != Fitted(str(b)).version


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"labels": {"empathy": 3}}, "different values"),
        ({"question": "always the same", "split": None}, "cannot be cross-validated"),
    ],
)
def test_what_cannot_be_fitted(tmp_path: Path, fields: dict[str, Any], line: str) -> None:
    with pytest.raises(DataError, match=line):
        fit_labels(labelled(tmp_path / "l.jsonl", **fields), "mine", embed)


def test_bad_files_and_names(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no fitted judge named 'nobody'"):
        judges.create("fitted", {"model": "nobody"})
    with pytest.raises(PluginError, match="no such file"):
        judges.create("fitted", {"model": str(tmp_path / "none.safetensors")})
    broken = tmp_path / "b.safetensors"
    broken.write_bytes(b"\x80\x04pickle?")
    with pytest.raises(PluginError, match="is not a fitted judge"):
        judges.create("fitted", {"model": str(broken)})
    from safetensors.numpy import save_file

    save_file({"weights": np.zeros((1, 3), dtype=np.float32)}, broken)
    with pytest.raises(PluginError, match="is not a fitted judge"):
        judges.create("fitted", {"model": str(broken)})


def test_a_judge_of_an_older_format_says_what_to_do(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "old.safetensors"
    told = {"jostle_judge": json.dumps({"format": 3, "name": "old"})}
    save_file({"weights": np.zeros((1, 3), dtype=np.float32)}, path, metadata=told)
    with pytest.raises(PluginError, match=r"of format 3, this version reads 4; fit it again"):
        Fitted(str(path))


def test_surface() -> None:
    figures = dict(
        zip(SURFACE, surface("why is the sky so blue", "the sky so blue is"), strict=True)
    )
    assert figures["copied"] == pytest.approx(2 / 3)
    assert figures["finished"] == 0.0
    assert dict(zip(SURFACE, surface("q", "a b c a b c a b c."), strict=True))["repeated"] > 0.5
    assert all(np.isfinite(surface("", "")))


def test_signs_are_shares_and_flags() -> None:
    told = "I'm so sorry, that must be hard. How are you today?"
    found = dict(zip(SIGNS, signs(told, 2), strict=True))
    assert (found["asks"], found["questions"], found["sorry"], found["understands"]) == (
        1,
        0.5,
        1,
        1,
    )
    assert found["list"] == found["exclaims"] == 0
    assert all(0 <= value <= 1 for value in signs("", 1) + signs("you " * 50, 1))
    assert dict(zip(SIGNS, signs("1. Rest. 2. Eat.", 4), strict=True))["list"] == 1


def test_acts_tell_what_a_sentence_does() -> None:
    """Sentences that the weights were not learned from."""
    told = {
        "reacts": "I'm so very sorry about your brother, that is heartbreaking.",
        "asks": "How long have you been feeling like this?",
        "advises": "Ask your doctor for a referral and write down your symptoms.",
        "dismisses": "Stop whining, it's nothing.",
        "shares": "I went through exactly that when I was twenty.",
    }
    acts = sentence_acts()
    found = acts(embedding.embed(list(told.values())).astype(np.float64))
    ours = [n for n, name in enumerate(acts.names) if not name.startswith("tone_")]
    for row, act in zip(found, told, strict=True):
        assert act in {acts.names[n] for n in sorted(ours, key=lambda n: -row[n])[:2]}
    assert np.array(found).min() >= 0
    assert np.array(found).max() <= 1


def test_the_shipped_judge_is_what_it_says() -> None:
    judge = Fitted("counseling")
    model = FittedModel.load(SHIPPED / "counseling.safetensors")
    assert [d.name for d in judge.dimensions] == ["coherence", "empathy", "relevance", "safety"]
    assert not model.card.authors_only
    empathy, relevance = (d for d in model.card.dimensions if d.left_out)
    assert (empathy.name, relevance.name) == ("empathy", "relevance")
    assert all((one.spearman.low or 0) > 0 for one in empathy.left_out)
    known = report(judge.calibrations)
    assert known is not None
    assert {a.split for a in known.dimensions} == {"check"}
    assert not any(a.cross_validated for a in known.dimensions)
    assert "never checked against independent people" in known.summary


CONTRASTS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "golden" / "judge" / "contrasts.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
"""Two answers to one question of which one is plainly better on a dimension; none was fitted on."""


def scores(pairs: Sequence[tuple[str, str]], dimension: str) -> list[float]:
    items = [JudgeItem(question=question, answer=answer) for question, answer in pairs]
    judge = Fitted("counseling", dimensions=[dimension])
    found = {judgement.item: judgement.value for judgement in judge.grade(items)}
    return [found[n] or 0.0 for n in range(len(items))]


@pytest.mark.parametrize("kind", sorted({row["kind"] for row in CONTRASTS}))
def test_the_better_answer_of_a_contrast_scores_higher(kind: str) -> None:
    rows = [row for row in CONTRASTS if row["kind"] == kind]
    for row in rows:
        asked = row["question"]
        pairs = [(asked, row["better"]), (asked, row["worse"])]
        better, worse = scores(pairs, row["dimension"])
        assert better > worse, row


@pytest.mark.parametrize("dimension", ["empathy", "relevance"])
def test_padding_does_not_raise(dimension: str) -> None:
    """A paragraph of fluent nothing behind every answer, good or poor."""
    padding = (
        " It is important to remember that every situation is different. There are many factors to"
        " take into account, and there are many resources available. With time and a positive"
        " attitude things usually improve, and every challenge is an opportunity."
    )
    pairs = [(row["question"], row[end]) for row in CONTRASTS for end in ("better", "worse")]
    plain = scores(pairs, dimension)
    padded = scores([(asked, answer + padding) for asked, answer in pairs], dimension)
    assert np.mean(padded) < np.mean(plain) + 0.05
    good = [n for n, row in enumerate(CONTRASTS) if row["dimension"] == dimension]
    assert np.mean([padded[2 * n] for n in good]) < np.mean([plain[2 * n] for n in good])


def test_what_was_read_is_kept_with_its_numbers_and_no_text_of_others() -> None:
    table, readers = fit_judge.read_table()
    assert len(readers) == 6
    assert table.x.shape == table.twice.shape == (len(table.questions), WIDTH)
    assert len(set(table.sources)) >= 6
    assert np.isfinite(table.x).all()
    assert all(0 < scores.mean() < 6 for scores in table.scores.values())
    ours = read_labels(str(fit_judge.OURS))
    assert all("written by the authors" in source for source in ours.sources)
    assert all(row.basis == "readers" for row in ours.rows)
    letters = read_labels(fit_judge.LETTERS)
    asked = {item.first.question for item in letters.part("check").items}
    assert not asked & {item.first.question for item in ours.part("fit").items}


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.timeout(1800)
def test_the_shipped_judge_can_be_fitted_again_from_the_repository() -> None:
    """One dimension, which takes minutes; the others are fitted by the same function."""
    again = fit_judge.refit(only=("empathy",))
    shipped = FittedModel.load(SHIPPED / "counseling.safetensors")
    at = [one.name for one in shipped.card.dimensions].index("empathy")
    one, other = again.card.dimensions[0], shipped.card.dimensions[at]
    assert (one.name, one.mix, one.strength) == (other.name, other.mix, other.strength)
    table = label_table(read_labels(fit_judge.LETTERS).part("check"))
    assert again.predict(table.x)[:, 0] == pytest.approx(shipped.predict(table.x)[:, at], abs=0.01)
    for mine, theirs in zip(one.left_out, other.left_out, strict=True):
        assert mine.spearman.value == pytest.approx(theirs.spearman.value, abs=0.01)


@pytest.mark.slow
@pytest.mark.model
def test_the_shipped_judge_agrees_and_pays_no_trick() -> None:
    """Measured again from the labels, on the part it was not fitted on."""
    judge = Fitted("counseling")
    labels = read_labels("bundled:data/labels/counseling_answers.jsonl").part("check")
    found = {a.dimension: a for a in calibrate(judge, labels, name="fitted").dimensions}
    known = report(judge.calibrations)
    assert known is not None
    stored = {a.dimension: a for a in known.dimensions}
    for name, agreement in found.items():
        assert agreement.spearman.value == pytest.approx(stored[name].spearman.value, abs=0.01)
        assert agreement.spearman.low is not None
        assert agreement.spearman.low > (0.15 if name == "safety" else 0.45)
    assert set(found) == {"coherence", "empathy", "relevance", "safety", "overall"}
    for name, margin in (("empathy", 0.4), ("relevance", 1.2), ("overall", 0.6)):
        kinds = found[name].kinds
        for trick in ("warm_words", "copies_question", "long_padding", "injection", "word_salad"):
            if (name, trick) != (
                "relevance",
                "word_salad",
            ):  # which coherence sees, and it does not
                assert kinds[trick].judge < kinds["good_brief"].judge - margin, (name, trick)
        length, people = found[name].length_rho, found[name].people_length_rho
        assert length is not None
        assert people is not None
        assert length - people < 0.25  # length pays next to nothing
    questions = [item.first.question for item in labels.items]
    answers = [item.first.answer or "" for item in labels.items]

    def graded(told: Sequence[str]) -> dict[str, list[float]]:
        values: dict[str, list[float]] = {}
        items = [JudgeItem(question=q, answer=a) for q, a in zip(questions, told, strict=True)]
        for judgement in judge.grade(items):
            values.setdefault(judgement.dimension, []).append(judgement.value or 0.0)
        return values

    once, twice = graded(answers), graded([f"{answer} {answer}" for answer in answers])
    for name in once:  # said twice is worth no more
        assert np.mean(twice[name]) - np.mean(once[name]) < 0.1, name
