"""Studies: the grid, its cost, failures that do not stop it, and the page."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.analysis.estimates import Estimate
from harness.errors import ConfigError, JostleError, MissingPackage
from harness.util.resources import configs_root
from tests.pipeline import Silent
from tests.training.conftest import rows, write_jsonl
from training.config import TrainingConfig
from training.studies import engines, page
from training.studies.cell import run_cell
from training.studies.compare import gap, validated_on
from training.studies.config import StudyConfig, load_study
from training.studies.findings import findings
from training.studies.plan import plan, steps_of
from training.studies.runner import plan_study, run_study
from training.studies.summary import (
    ConfigurationPair,
    StudyMeasure,
    StudySuite,
    StudyTraining,
)

Make = Callable[..., TrainingConfig]


def trained(name: str, **figures: Any) -> StudyTraining:
    figures = {"validation": "v", **figures}
    return StudyTraining(name=name, labels={}, method="lora", folder=name, **figures)


SHIPPED = sorted((configs_root() / "studies").rglob("*.yaml"))


@pytest.fixture
def make_study(make_config: Make, tmp_path: Path) -> Callable[..., StudyConfig]:
    """``make_study(axes, **training)`` over the tiny model, with a suite of typos and ROUGE-L."""
    config = make_config()
    shared = config.model_dump(mode="json", exclude_unset=True, exclude={"output_dir"})
    asked = write_jsonl(tmp_path / "asked.jsonl", rows(8, "Please tell me why I am"))
    suite = {
        "suite": {"variants_per_prompt": 1, "similarity_gate": False, "resamples": 200},
        "data": str(asked),
        "subjects": [{"name": "x", "model": "y", "dtype": "float32",
                      "generation": {"max_new_tokens": 6}}],
        "perturbations": ["typo"],
        "judges": ["rouge_l"],
    }  # fmt: skip
    path = tmp_path / "suite.yaml"
    path.write_text(yaml.safe_dump(suite))

    def make(axes: dict[str, Any], suite: str | None = str(path), **training: Any) -> StudyConfig:
        return StudyConfig.model_validate(
            {
                "study": {"name": "small", "question": "Which rank?"},
                "training": {**shared, "max_steps": 4, "eval_steps": 2, **training},
                "axes": axes,
                "suite": suite,
            }
        )

    return make


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_studies_load_and_begin_with_their_command(path: Path) -> None:
    assert len(load_study(path).cells()) >= 2
    assert path.read_text().startswith(f"# jostle study configs/studies/{path.name}")


def test_axes_multiply_and_may_be_values_or_labelled_sets(make_study: Any, tmp_path: Path) -> None:
    study = make_study(
        {"learning_rate": [1e-5, 2e-5], "shape": {"A": {"r": 4, "suite": None}, "B": {"r": 8}}}
    )
    cells = study.cells(tmp_path)
    assert [cell.name for cell in cells] == [
        "learning_rate=1e-05 A", "learning_rate=1e-05 B", "learning_rate=2e-05 A",
        "learning_rate=2e-05 B",
    ]  # fmt: skip
    assert [(cell.config.learning_rate, cell.config.r) for cell in cells] == [
        (1e-5, 4), (1e-5, 8), (2e-5, 4), (2e-5, 8)
    ]  # fmt: skip
    assert [cell.suite is None for cell in cells] == [True, False, True, False]
    assert len({cell.config.output_dir for cell in cells}) == 4


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ("{}", "name at least one"),
        ("{rank: [1, 2]}", "axis 'rank' is no field"),
        ("{shape: {A: {r: 0}}}", "training 'A': r: "),
        ("{shape: {A: {rr: 1}}}", "training 'A': rr: "),
        ("{shape: {'a b': {r: 1}, 'a-b': {r: 2}}}", "both called 'a-b'"),
        ("{r: [1, 2, 3, 4, 5, 6, 7, 8, 9], seed: [1, 2, 3, 4, 5, 6, 7, 8]}", "72 trainings"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, axes: str, message: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f"study: {{name: s}}\ntraining: {{model: m, train_data: t}}\naxes: {axes}\n")
    with pytest.raises(ConfigError, match=message) as raised:
        load_study(path)
    assert "\n" not in str(raised.value)


def test_the_cost_is_what_is_then_trained(
    make_study: Any, tmp_path: Path, in_process: None
) -> None:
    study = make_study({"r": [2]}, per_device_train_batch_size=4, max_steps=-1, num_train_epochs=2)
    costs = plan_study(study, tmp_path / "out")
    [cost] = costs.trainings
    assert cost.steps == 12
    outcome = run_study(study, progress=Silent(), out=tmp_path / "out")
    assert outcome.failed == 0
    log = json.loads((tmp_path / "out" / "cells" / "r=2" / "training_log.json").read_text())
    assert log["summary"]["steps"] == cost.steps
    assert sum(row.get("tokens", 0) for row in log["curve"]) == cost.tokens
    evaluations = sum("eval_loss" in row for row in log["curve"])
    assert cost.evaluation_tokens == evaluations * log["examples"]["validation"]["tokens"]
    [suite] = costs.suites
    assert (suite.subjects, suite.answers) == (2, 2 * 8 * 2)
    assert any("32 answers" in line for line in costs.lines())


def test_steps_of_accumulation(make_config: Make) -> None:
    config = make_config(max_steps=-1, num_train_epochs=2, per_device_train_batch_size=4,
                         gradient_accumulation_steps=4)  # fmt: skip
    assert steps_of(config, 24) == 4  # 6 batches: one update of 4 and one of 2, twice.


def test_a_failure_is_recorded_and_the_rest_is_compared(
    make_study: Any, tmp_path: Path, in_process: None
) -> None:
    study = make_study(
        {"shape": {"A": {"r": 2}, "B": {"r": 4}, "bad": {"target_modules": ["nothing"]}}}
    )
    root = tmp_path / "out"
    outcome = run_study(study, progress=Silent(), out=root)
    assert outcome.failed == 1
    summary = json.loads((root / "summary.json").read_text())
    assert [cell["error"] is None for cell in summary["cells"]] == [True, True, False]
    assert "no layer 'nothing'" in summary["cells"][2]["error"]
    [suite] = summary["suites"]
    assert {row["subject"] for row in suite["levels"]} == {"base", "A", "B"}
    pairs = [(p["first"], p["second"], p["measure"]) for p in suite["pairs"]]
    assert ("A", "B", "ROUGE-L") in [(a, b, m.replace(" F1", "")) for a, b, m in pairs] or pairs
    assert {p["measure"] for p in suite["pairs"]} == {row["measure"] for row in suite["levels"]}
    for pair in suite["pairs"]:
        estimate = pair["variants"]
        assert estimate["low"] <= estimate["mean"] <= estimate["high"]
    html = outcome.report.read_text()
    assert "Which rank?" in html
    assert "no layer &#39;nothing&#39;" in html
    assert html.count("<svg") >= 3
    assert 'href="suites/' in html
    assert "The other" not in html  # ROUGE-L stands open.
    assert (root / "suites" / suite["name"] / "report.html").is_file()
    assert any("1 of 3 trainings failed: bad" in line for line in outcome.findings)


def test_the_second_call_trains_and_asks_nothing_again(
    make_study: Any, tmp_path: Path, in_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study({"r": [2, 4]})
    first = run_study(study, progress=Silent(), out=tmp_path / "out")
    monkeypatch.setattr("training.run.load", lambda *a, **k: pytest.fail("trained again"))
    answers = sorted((tmp_path / "out" / "suites").rglob("generations*.jsonl"))
    before = [path.read_bytes() for path in answers]
    again = run_study(study, progress=Silent(), out=tmp_path / "out")
    assert again.findings == first.findings
    assert [path.read_bytes() for path in answers] == before


def test_another_study_s_folder_is_refused(make_study: Any, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"name": "other"}')
    with pytest.raises(ConfigError, match="holds study 'other'"):
        run_study(make_study({"r": [2]}), progress=Silent(), out=tmp_path)


def test_bad_data_is_said_before_anything_is_trained(make_study: Any, tmp_path: Path) -> None:
    study = make_study({"r": [2]}, train_data=str(tmp_path / "none.jsonl"))
    with pytest.raises(JostleError, match=r"none\.jsonl"):
        run_study(study, progress=Silent(), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_ray_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match="pip install 'ray"):
        list(engines.train_all([], "ray"))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray's own sockets and processes.
def test_on_ray(make_study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training and a failing one on a cluster of this machine, in paths as a user gives them."""
    ray = pytest.importorskip("ray")
    monkeypatch.chdir(tmp_path)
    study = make_study(
        {"shape": {"good": {"r": 2}, "bad": {"target_modules": ["nothing"]}}},
        suite=None,
        validation_data="valid.jsonl",
        train_data="train.jsonl",
    )
    outcome = run_study(study, progress=Silent(), out=Path("out"), engine="ray")
    assert outcome.failed == 1
    assert not ray.is_initialized()
    good, bad = json.loads((tmp_path / "out" / "summary.json").read_text())["cells"]
    assert good["error"] is None
    assert good["eval_loss_after"] < good["eval_loss_before"]
    assert (tmp_path / good["folder"] / "adapter_model.safetensors").is_file()
    assert "no layer 'nothing'" in bad["error"]


def test_gap_takes_the_training_loss_last_logged() -> None:
    assert gap(((2, 3.0), (4, 2.5)), ((0, 4.0), (3, 3.5), (4, 3.25))) == ((3, 0.5), (4, 0.75))


def test_a_page_says_once_what_several_trainings_warn_of() -> None:
    rows = [trained(n, warnings=w) for n, w in (("A", ("cut",)), ("B", ("cut",)), ("C", ()))]
    assert page._warnings(rows) == [("A, B", ("cut",))]
    assert page._warnings(rows[:2]) == [("all trainings", ("cut",))]


def test_findings_do_not_compare_losses_on_different_data() -> None:
    cells = [
        trained(name, validation=data, best_eval_loss=loss, best_step=3, turned_at=turn,
                eval_loss=((0, 5.0), (3, loss), (6, loss)))
        for name, data, loss, turn in (
            ("A", "one", 2.0, None), ("B", "one", 1.5, 7), ("C", "two", 9.0, None)
        )
    ]  # fmt: skip
    said = findings(cells, [])
    assert any("on one: B, 1.500 at step 3 (of 2" in line for line in said)
    assert any("on two: C, 9.000" in line for line in said)
    assert any("B: the validation loss turns up after step 7" in line for line in said)


def test_findings_name_all_that_show_the_same_figure() -> None:
    cells = [
        trained(name, best_eval_loss=loss, best_step=4, eval_loss=((0, 5.0), (2, 3.0), (4, loss)),
                gap=((2, 0.1), (4, gap)))
        for name, loss, gap in (("A", 2.0, 0.5), ("B", 2.0001, 0.5001), ("C", 2.1, -0.3))
    ]  # fmt: skip
    said = findings(cells, [])
    assert said[0] == "Lowest validation loss on v: A, B, 2.000 at step 4 (of 3 configurations)."
    assert said[1].endswith("at the end on v: A, B, 0.500 (of 3 configurations).")


def test_findings_do_not_say_what_too_few_evaluations_cannot_show() -> None:
    cell = trained("A", best_eval_loss=2.0, best_step=3, eval_loss=((0, 5.0), (3, 2.0)))
    said = " ".join(findings([cell], []))
    assert "1 of 1 trainings were evaluated fewer than 3 times" in said
    assert "In none" not in said


def test_findings_name_the_differences_whose_interval_leaves_zero_out() -> None:
    def estimate(low: float, high: float) -> Estimate:
        mean = (low + high) / 2
        return Estimate(mean=mean, low=low, high=high, se=0.1, n=16, method="studentised_bootstrap")

    suite = StudySuite(
        name="code",
        measures=(
            StudyMeasure(label="ROUGE-L", judge="rouge_l", higher_is_better=True, headline=True),
        ),
        pairs=tuple(
            ConfigurationPair(first="A", second=b, measure="ROUGE-L", n=16, originals=None,
                              variants=variants, robustness=estimate(-0.1, 0.2))
            for b, variants in (("B", estimate(-0.3, -0.1)), ("C", estimate(-0.3, 0.1)))
        ),
    )  # fmt: skip
    assert findings([], [suite]) == [
        "code: ROUGE-L of B is 0.200 lower than that of A (interval −0.300 to −0.100, 16 prompts)"
        " on variants.",
        "code: 1 of 2 differences between configurations on variants cannot be distinguished from zero with"
        " 16 prompts.",
        "code: none of 2 differences between configurations in robustness (variants − originals)"
        " can be distinguished from zero with 16 prompts.",
    ]


def test_losses_on_other_tokens_are_told_apart(make_study: Any, tmp_path: Path) -> None:
    study = make_study({"max_length": [48, 96], "r": [2, 4]}, suite=None)
    found = validated_on(study.cells(tmp_path))
    path = study.cells(tmp_path)[0].config.validation_data.path
    assert list(found.values()) == [
        f"{path} (max_length=48)", f"{path} (max_length=48)",
        f"{path} (max_length=96)", f"{path} (max_length=96)",
    ]  # fmt: skip
    alike = make_study({"r": [2, 4]}, suite=None).cells(tmp_path)
    assert set(validated_on(alike).values()) == {path}


@pytest.mark.slow
def test_processes_of_their_own(make_config: Make, tmp_path: Path) -> None:
    """Success, a clear refusal, and death by a signal: each an outcome."""
    events: list[dict[str, Any]] = []
    good = run_cell("good", make_config(), events.append)
    assert good.error is None
    assert [e["step"] for e in events if e["event"] == "step"] == [1, 2, 3, 4, 5, 6]
    log = json.loads((tmp_path / "out" / "training_log.json").read_text())
    assert log["summary"]["peak_cpu_mib"] > 100
    bad = run_cell("bad", make_config(output_dir=str(tmp_path / "bad"), target_modules=["zzz"]))
    assert "no layer 'zzz'" in str(bad.error)
    killed: list[int] = []

    def kill(event: dict[str, Any]) -> None:
        if event["event"] == "step" and not killed:
            [child] = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
            killed.append(int(child))
            os.kill(int(child), signal.SIGKILL)

    events.clear()
    assert run_cell("good", make_config(), events.append).error is None
    assert events == []  # Finished: no process was started.
    other = run_cell("good", make_config(learning_rate=1e-4), events.append)
    assert "finished training of another config" in str(other.error)
    dead = run_cell("dead", make_config(output_dir=str(tmp_path / "dead"), max_steps=500), kill)
    assert "SIGKILL (out of memory?)" in str(dead.error)


def test_plan_of_no_suites(make_study: Any, tmp_path: Path) -> None:
    study = make_study({"r": [2]}, suite=None)
    assert plan(study.cells(tmp_path), []).suites == ()
