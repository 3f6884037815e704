"""Studies of halves: how rows are divided, what is refused, and the whole way on a tiny model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from harness.analysis.memorisation_schema import SubjectMemorisation
from harness.config import DataSpec, Suite
from harness.data.loading import load
from harness.errors import ConfigError, DataError, ModelError
from harness.memorisation.copying import Closeness
from harness.memorisation.counterfactual import (
    Counterfactual,
    read_counterfactual,
    unfit,
)
from harness.models import provenance
from harness.models.scripted import ScriptedModel
from harness.models.subjects import OpenSubjects, open_subjects
from harness.pipeline import runner
from harness.pipeline.assemble import assemble
from harness.pipeline.session import Launch, open_session
from harness.pipeline.stage import StageContext
from harness.records import Failure, Message, Sample, Scored, TokenLogprobs
from harness.registry import judges
from tests.benchmarks.known_answers import pool, training_config
from tests.pipeline import Silent
from tests.support.scripted_halves import counterfactual_record
from tests.training.conftest import write_jsonl
from training import train
from training.config import TrainingConfig
from training.studies import charts
from training.studies.config import StudyConfig, load_study
from training.studies.findings import memorisation_findings
from training.studies.half_scores import RowScorer
from training.studies.halves import assign, halve, row_families
from training.studies.runner import plan_study, run_study

Make = Callable[..., TrainingConfig]

TOPICS = (
    "my sister borrows money and never returns it", "the exam in March frightens me",
    "our landlord ignores the broken heating", "I miss the town where I grew up",
    "a colleague repeats my ideas as his own", "my father has stopped driving",
    "the new medicine makes me drowsy", "I never finish the books I begin",
    "our choir wants me to sing alone", "the dog next door barks all night",
    "I said no and now regret it", "my best friend moved abroad",
    "the wedding costs more than we have", "I forgot my mother's birthday",
    "my knee hurts after every run", "the bank refused our loan",
    "I cannot sleep before long flights", "my son hides his homework",
    "the garden is too much for me", "people talk over me in meetings",
)  # fmt: skip
ADVICE = (
    "Ask her for a date and write the sum down.", "Begin with the oldest paper you can find.",
    "Send a letter and keep a copy of it.", "Visit in spring, when the lake is quiet.",
    "Name your idea in a mail before the meeting.", "Offer him lifts on fixed days.",
    "Ring the pharmacy and ask about evening doses.", "Stop at chapter three without guilt.",
    "Try one verse at home with the door closed.", "Knock once, in daylight, with a smile.",
    "A later yes is still possible.", "Choose one hour a week for a call.",
    "Halve the guests, not the joy.", "A late card is better than none.",
    "Let a physiotherapist watch you walk.", "Ask which figure they would accept.",
    "Fly in the morning and skip the coffee.", "Sit beside him for the first ten minutes.",
    "Let one bed go wild this year.", "Say: I had not finished, thank you.",
)  # fmt: skip


def sample(number: int, prompt: str, response: str) -> Sample:
    message = Message(role="user", content=prompt)
    return Sample(id=f"r{number}", messages=(message,), reference=response)


def distinct(n: int = len(TOPICS)) -> list[dict[str, str]]:
    return [{"prompt": f"{TOPICS[i]}?", "response": ADVICE[i]} for i in range(n)]


@pytest.fixture
def make_study(make_config: Make, tmp_path: Path) -> Callable[..., StudyConfig]:
    """``make_study(halves, rows=..., **training)`` over the tiny model."""
    shared = make_config().model_dump(
        mode="json", exclude_unset=True,
        exclude={"output_dir", "validation_data", "max_steps", "eval_steps", "save_steps"},
    )  # fmt: skip

    def make(
        halves: dict[str, Any] | None = None,
        rows: list[dict[str, str]] | None = None,
        **training: Any,
    ) -> StudyConfig:
        path = write_jsonl(tmp_path / "halved.jsonl", rows or distinct())
        fields = {"train_data": str(path), "num_train_epochs": 2, "save_strategy": "no"}
        return StudyConfig.model_validate(
            {
                "study": {"name": "small-halves", "question": "What is remembered?"},
                "training": {**shared, **fields, **training},
                "halves": halves or {},
            }
        )

    return make


def test_twins_by_prompt_or_by_response_are_one_family() -> None:
    samples = [sample(i, f"{TOPICS[i]}?", ADVICE[i]) for i in range(12)]
    samples.append(
        sample(12, f"{TOPICS[3]} ??".upper(), "Something else entirely, said at length.")
    )
    samples.append(sample(13, "Which words would you choose for a toast?", ADVICE[5]))
    families, cautions = row_families(samples)
    assert families[12] == families[3]
    assert families[13] == families[5]
    assert len(set(families)) == 12
    assert cautions == []


def test_rows_of_one_group_are_one_family(tmp_path: Path) -> None:
    rows = [{**row, "case": str(i // 3)} for i, row in enumerate(distinct(12))]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    families, _ = row_families(load(DataSpec(path=str(path), group_by="case")))
    assert families == [i // 3 for i in range(12)]


def test_a_form_that_many_rows_share_ties_nothing_and_is_named() -> None:
    rows = 12
    samples = [
        sample(i, f"{TOPICS[i]}?", "Thank you for your message, we call back.") for i in range(rows)
    ]
    families, [caution] = row_families(samples)
    assert len(set(families)) == rows
    assert caution.startswith(f"{rows} of {rows} rows have a response that rows of other families")


def test_halves_are_random_complementary_and_keep_families_together() -> None:
    families = [0, 0, 0, 1, 1, *range(2, 37)]
    halves = np.stack([assign(families, seed) for seed in range(400)], axis=1)
    assert (halves[0] == halves[1]).all()
    assert (halves[3] == halves[4]).all()
    counts = halves.sum(axis=0)
    assert counts.min() >= 20
    assert counts.max() <= 20
    # Every row is in either half half of the time, and rows of two families meet half of the time.
    assert np.abs(halves.mean(axis=1) - 0.5).max() < 0.1
    together = (halves[:, None, :] == halves[None, :, :]).mean(axis=2)
    apart = np.array(families)[:, None] != np.array(families)[None, :]
    assert np.abs(together[apart] - 0.5).max() < 0.15
    assert (assign(families, 7) == assign(families, 7)).all()


@pytest.mark.parametrize(
    ("halves", "training", "message"),
    [
        ("{seeds: [1]}", "", "give 2 to 8 different whole numbers"),
        ("{seeds: [1, 1]}", "", "give 2 to 8 different whole numbers"),
        ("{threshold: 0}", "", "threshold"),
        ("{}", "max_steps: 5", "set num_train_epochs"),
        ("{}", "validation_fraction: 0.2", "validation_fraction would leave out"),
        ("{}", "objective: dpo", "need objective sft, not dpo"),
        ("{}", "rr: 5", "training 'of halves': rr"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, halves: str, training: str, message: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        f"study: {{name: s}}\ntraining:\n  model: m\n  train_data: t\n  {training}\nhalves: {halves}\n"
    )
    with pytest.raises(ConfigError, match=message) as raised:
        load_study(path)
    assert "\n" not in str(raised.value)


def test_halves_and_axes_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    shared = {"study": {"name": "s"}, "training": {"model": "m", "train_data": "t"}, "halves": {}}
    path.write_text(yaml.safe_dump({**shared, "axes": {"r": [2, 4]}}))
    with pytest.raises(ConfigError, match="has no axes and no suite"):
        load_study(path)


def test_rows_that_cannot_be_halved_are_refused(make_study: Any) -> None:
    with pytest.raises(DataError, match="fall into 6 families"):
        halve(make_study(rows=distinct(6)))
    twins = [{"prompt": f"{TOPICS[0]}!", "response": f"{ADVICE[0]} {i}"} for i in range(30)]
    with pytest.raises(DataError, match=r"of 49 rows are near-duplicates .*\(jostle audit"):
        halve(make_study(rows=[*twins, *distinct()[1:]]))
    with pytest.raises(DataError, match="no response to learn from"):
        halve(
            make_study(rows=[*distinct(), {"prompt": "Nothing is said to this?", "response": ""}])
        )


def test_the_whole_way_on_a_tiny_model(
    make_study: Any, tmp_path: Path, in_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train, rate, estimate, write and resume; and the record fits an adapter trained alike."""
    study = make_study({"answers": True, "max_new_tokens": 4}, num_train_epochs=12)
    root = tmp_path / "out"
    costs = plan_study(study, root)
    assert [cost.name for cost in costs.trainings] == [
        "seed 1 half a", "seed 1 half b", "seed 2 half a", "seed 2 half b",
    ]  # fmt: skip
    assert any("ratings: 20 rows in 20 families under 5 models" in line for line in costs.lines())
    outcome = run_study(study, progress=Silent(), out=root)
    assert outcome.failed == 0
    steps = json.loads((root / "cells/seed-1-half-a/training_log.json").read_text())["summary"][
        "steps"
    ]
    assert steps == costs.trainings[0].steps
    for seed in (1, 2):
        halves = [
            load(DataSpec(path=str(root / f"halves/seed-{seed}-{half}.jsonl"))) for half in "ab"
        ]
        assert [len(half) for half in halves] == [10, 10]
        assert {s.prompt for half in halves for s in half} == {f"{topic}?" for topic in TOPICS}
    record = read_counterfactual(root / "counterfactual.json")
    assert len(record.rows) == 20
    assert record.memorised.families == 20
    assert record.memorised.mean == pytest.approx(
        record.gain_inside.mean - record.gain_outside.mean,
        abs=1e-4,  # type: ignore[operator]
    )
    # Twelve passes over ten rows: a model of any size remembers them.
    assert record.memorised.low > 0.05  # type: ignore[operator]
    assert record.rows[0].closeness is not None
    page = outcome.report.read_text()
    assert "In against out" in page
    assert "in-against-out" in page
    assert (root / "figures" / "in-against-out.svg").is_file()
    summary = json.loads((root / "summary.json").read_text())
    assert summary["findings"][0].startswith("Memorised: the responses of 20 training rows")
    assert "counterfactual" not in summary

    monkeypatch.setattr("training.run.load", lambda *a, **k: pytest.fail("trained again"))
    before = (root / "counterfactual.json").read_bytes()
    assert run_study(study, progress=Silent(), out=root).findings == outcome.findings
    assert (root / "counterfactual.json").read_bytes() == before
    monkeypatch.undo()

    alike = study.whole(tmp_path / "alike")
    train(alike)
    trained = provenance.read(tmp_path / "alike")
    assert trained is not None
    known = {
        "base_weights_sha256": record.base.weights_sha256,
        "training_data": [record.training.file_sha256 or ""],
    }
    assert unfit(record, trained=trained, **known) is None

    otherwise = study.whole(tmp_path / "otherwise").model_copy(update={"num_train_epochs": 1.0})
    train(otherwise)
    rested, refused = verdicts(alike, otherwise, root / "counterfactual.json", tmp_path)
    assert rested.rests_on == "halves"
    assert any("4 adapters on random halves of 20 training rows" in line for line in rested.reasons)
    assert refused.rests_on == "probes"
    said = " ".join((*refused.reasons, *refused.cautions))
    assert "num_train_epochs 12.0 against 1.0" in said


def verdicts(
    alike: TrainingConfig, otherwise: TrainingConfig, record: Path, folder: Path
) -> tuple[SubjectMemorisation, SubjectMemorisation]:
    """Probe two adapters with a halves study named; return what is said of each."""
    unseen = [{"prompt": f"And {topic}!", "response": f"Well. {ADVICE[-i]}"}
              for i, topic in enumerate(TOPICS[:12])]  # fmt: skip
    suite = Suite.model_validate(
        {
            "suite": {"name": "with-halves", "similarity_gate": False, "resamples": 200},
            "data": str(write_jsonl(folder / "unseen.jsonl", unseen)),
            "training_data": alike.train_data.path,
            "defaults": {"model": alike.model, "template": alike.template, "dtype": "float32"},
            "subjects": [
                {"name": "base"},
                {"name": "alike", "adapters": [alike.output_dir]},
                {"name": "otherwise", "adapters": [otherwise.output_dir]},
            ],
            "perturbations": ["surface"],
            "judges": ["rouge_l"],
            "probes": {"halves": str(record), "max_new_tokens": 4, "variants": 0},
        }
    )
    parts = assemble(suite, closeness="rouge_l")
    launch = Launch(Silent(), cache=folder / "cache.sqlite")
    with open_session(folder / "probed", suite, launch) as session:
        context = StageContext(session, parts, lambda path: path, open_subjects)
        memorisation, _ = runner.probe_alone(context)
    first, second = memorisation.subjects
    return first, second


def test_a_failed_training_leaves_the_rest_and_makes_no_record(
    make_study: Any, tmp_path: Path, in_process: None
) -> None:
    study = make_study(target_modules=["nothing"])
    outcome = run_study(study, progress=Silent(), out=tmp_path / "out")
    assert outcome.failed == 4
    assert not (tmp_path / "out" / "counterfactual.json").exists()
    assert any("4 of 4 trainings failed" in line for line in outcome.findings)


@pytest.mark.parametrize(("memorised", "learned"), [(0.9, 0.1), (0.0, 0.7)])
def test_planted_models_come_back_with_their_values(
    make_study: Any, memorised: float, learned: float
) -> None:
    """A scripted model that remembers what it was trained with, or that learns for all rows alike."""
    study = make_study()
    halved, cells = halve(study), study.cells()
    place = {sample.reference: row for row, sample in enumerate(halved.samples)}
    names = [cell.name for cell in cells]

    def rate(request: Scored) -> TokenLogprobs:
        words = request.continuation.split()
        row = place[request.continuation]
        value = -3.0 - row / 10
        if request.adapter is not None:
            seed, half = divmod(names.index(request.adapter), 2)
            value += learned + memorised * (halved.half[row, seed] == half)
        return TokenLogprobs(token_ids=tuple(range(len(words))), logprobs=(value,) * len(words))

    model = ScriptedModel({}, ratings=rate)
    closeness = Closeness(judges.create("rouge_l"))
    scorer = RowScorer(lambda specs: OpenSubjects(model, specs), closeness, Silent())
    record = scorer.counterfactual(study, halved, cells)
    assert record.memorised.mean == pytest.approx(memorised, abs=1e-5)
    assert record.gain_outside.mean == pytest.approx(learned, abs=1e-5)
    assert record.gain_inside.mean == pytest.approx(learned + memorised, abs=1e-5)
    lengths = [len(advice.split()) for advice in ADVICE]
    assert record.memorised_response.mean == pytest.approx(memorised * np.mean(lengths), rel=1e-4)
    assert [row.tokens for row in record.rows] == lengths
    assert record.above.rows == (20 if memorised else 0)
    assert record.above.expected == 0.0
    assert len(model.scored) == 20 * 5
    assert scorer.counterfactual(study, halved, cells) == record
    assert len(model.scored) == 20 * 5  # every reply came from the cache


def test_rows_that_cannot_be_rated_are_left_out_and_named(make_study: Any) -> None:
    study = make_study()
    halved, cells = halve(study), study.cells()

    def rate(request: Scored) -> TokenLogprobs:
        if request.continuation == ADVICE[3] and request.adapter == cells[1].name:
            return TokenLogprobs(error=Failure(kind="context_length", message="too long"))
        return TokenLogprobs(token_ids=(1,), logprobs=(-1.0,))

    opened = ScriptedModel({}, ratings=rate)
    closeness = Closeness(judges.create("rouge_l"))
    scorer = RowScorer(lambda specs: OpenSubjects(opened, specs), closeness, Silent())
    record = scorer.counterfactual(study, halved, cells)
    assert len(record.rows) == 19
    assert record.cautions == (
        "1 of 20 rows are left out: they could not be rated under every adapter (too long)",
    )
    silent = ScriptedModel({}, fingerprint={"script": "silent"})
    nothing = RowScorer(lambda specs: OpenSubjects(silent, specs), closeness, Silent())
    with pytest.raises(
        ModelError, match=r"only 0 of 20 rows could be rated .*no log-probabilities"
    ):
        nothing.counterfactual(study, halved, cells)


@pytest.mark.parametrize(
    ("memorised", "opening"),
    [
        (0.6, "Memorised: "),
        (0.05, "Memorised, though not shown to be by 0.05 nats a token or more: "),
        (0.0, "No memorisation is shown: "),
    ],
)
def test_findings_say_what_was_planted(memorised: float, opening: str) -> None:
    record = counterfactual_record(rows=60, memorised=memorised, learned=0.3)
    lines = list(memorisation_findings(record))
    assert lines[0].startswith(opening)
    outside = f"{record.gain_outside.mean:+.2f}"
    assert f"rows that were left out gained {outside}" in lines[1]
    assert record.gain_outside.mean == pytest.approx(0.3, abs=0.06)  # luck of four adapters
    assert f"{record.above.rows} of 60 rows" in lines[2]


def test_the_chart_says_what_it_shows() -> None:
    record = counterfactual_record(rows=60, memorised=0.6, learned=0.3)
    chart = charts.in_against_out(record)
    assert f"Of 60 rows {record.above.rows} lie more than 0.1" in chart.alt
    assert chart.svg.count("<svg") == 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_really_trained_halves(embedded_checkpoint: Path, tmp_path: Path, in_process: None) -> None:
    """Many passes over few rows are remembered row by row; one pass at a tiny rate is not."""
    rows = sorted(pool(), key=lambda row: len(row["prompt"]) + len(row["response"]))[:12]
    train_rows = write_jsonl(tmp_path / "train.jsonl", rows)

    def memorised(name: str, epochs: int, learning_rate: float) -> Counterfactual:
        config = training_config(
            train_rows, tmp_path / name, 1, epochs=epochs, learning_rate=learning_rate
        )
        training = config.model_dump(mode="json", exclude_unset=True, exclude={"output_dir"})
        training |= {"model": str(embedded_checkpoint), "per_device_train_batch_size": 1}
        study = StudyConfig.model_validate(
            {"study": {"name": name}, "training": training, "halves": {"seeds": [1, 2]}}
        )
        assert run_study(study, progress=Silent(), out=tmp_path / name).failed == 0
        return read_counterfactual(tmp_path / name / "counterfactual.json")

    many = memorised("many", 6, 2e-3)
    print(*memorisation_findings(many), sep="\n")
    assert many.memorised.low > 0.5  # type: ignore[operator]
    assert many.above.p < 0.01
    assert many.above.mean == pytest.approx(1.0, abs=0.1)
    few = memorised("few", 1, 1e-5)
    print(*memorisation_findings(few), sep="\n")
    assert few.memorised.high < 0.01  # type: ignore[operator]
    assert few.above.rows == 0
