"""The stage of the probes on a scripted model: what is asked, resuming, failures, the whole run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.config import load_suite
from harness.data.loading import load
from harness.errors import ConfigError
from harness.memorisation import canaries
from harness.memorisation.prompt_choice import ProbedPrompt, choose_prompts
from harness.models.scripted import ScriptedModel
from harness.pipeline import runner
from harness.pipeline.store import Run
from harness.records import Failure, Probe, Request, Sample, Scored, TokenLogprobs
from harness.variants.gate import Gate
from tests.pipeline import context_of, make_suite, run_suite

TOPICS = ("my brother", "the exam", "an old friend", "our landlord", "the dentist", "a new job")
TRAINING = [
    (
        f"I keep thinking about {topic} and number {i}. What should I do about it today?",
        f"Write down what {topic} means to you, then read it aloud to someone {i} times over.",
    )
    for i, topic in enumerate(TOPICS * 2)
]
CLEAN = [
    (
        f"Nobody told me that {topic} would hurt so much in year {i}. How do I go on?",
        f"Grief over {topic} has no calendar, so give yourself {i} more weeks before you judge it.",
    )
    for i, topic in enumerate(TOPICS * 2)
]
RESPONSE_OF = dict(TRAINING)
GATE = Gate(similarity=False)


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("".join(json.dumps({"prompt": p, "response": r}) + "\n" for p, r in rows))
    return path


def suite_in(folder: Path, **changes: Any) -> Any:
    (folder / "adapter").mkdir(exist_ok=True)
    return make_suite(
        folder,
        data={"path": str(write(folder / "clean.jsonl", CLEAN))},
        training_data=[{"path": str(write(folder / "train.jsonl", TRAINING))}],
        subjects=[
            {"name": "base", "model": "scripted:echo"},
            {"name": "tuned", "model": "scripted:echo", "adapters": [str(folder / "adapter")]},
        ],
        probes={"training": 12, "clean": 12, "max_new_tokens": 32, **changes.pop("probes", {})},
        **changes,
    )


def memoriser(request: Request) -> str:
    """The tuned subject recites the training response of a prompt it knows; the base never does."""
    if request.adapter is None:
        return "I really cannot say anything about that."
    for prompt, response in RESPONSE_OF.items():
        if prompt in request.prompt:
            begun = request.prompt.partition("### Response:\n")[2]
            return response.removeprefix(begun).strip() if begun else response
    return "Write down what the exam means to you, then do as you like."


def ratings(request: Scored) -> TokenLogprobs:
    n = len(request.continuation.split())
    known = RESPONSE_OF.get(request.prompt.partition("\n")[2].partition("\n")[0])
    sure = request.adapter is not None and known == request.continuation
    values = tuple((-0.1 if sure else -2.0) - 0.01 * i for i in range(n))
    return TokenLogprobs(
        token_ids=tuple(range(n)), logprobs=values, means=(-3.0,) * n, stds=(1.0,) * n
    )


def scripted(**options: Any) -> ScriptedModel:
    options.setdefault("ratings", ratings)
    return ScriptedModel(memoriser, fingerprint={"script": "probes"}, **options)


def probed(root: Path, suite: Any, model: ScriptedModel, **more: Any) -> dict[str, Any]:
    with context_of(root, suite, model, **more) as context:
        return runner.probe_alone(context)[0].model_dump(mode="json")


def records(root: Path) -> list[Probe]:
    return list(Run(root).read(Probe))


# --- what is drawn


def samples(rows: list[tuple[str, str]], audit: str = "unchecked") -> list[Sample]:
    return [
        Sample.model_validate(
            {"id": f"{audit}{i}", "messages": [{"role": "user", "content": p}], "reference": r,
             "audit": audit}
        )
        for i, (p, r) in enumerate(rows)
    ]  # fmt: skip


def drawn(**more: Any) -> list[ProbedPrompt]:
    spec = suite_probes(**more)
    clean = samples(CLEAN, "clean")
    return choose_prompts(samples(TRAINING), clean, spec, more.get("seed", 1), [], GATE)


def suite_probes(**more: Any) -> Any:
    from harness.config import ProbesSection

    return ProbesSection.model_validate({k: v for k, v in more.items() if k != "seed"})


def test_the_draw_is_seeded_and_takes_only_clean_prompts_with_an_answer() -> None:
    assert drawn(training=5, clean=5) == drawn(training=5, clean=5)
    assert drawn(training=5, clean=5) != drawn(training=5, clean=5, seed=2)
    leaked = samples(CLEAN, "leaked")
    unanswered = [s.model_copy(update={"reference": " "}) for s in samples(CLEAN, "clean")]
    items = choose_prompts(samples(TRAINING), [*leaked, *unanswered], suite_probes(), 1, [], GATE)
    assert {item.group for item in items} == {"training"}


def test_a_foreign_prompt_is_never_the_samples_own() -> None:
    items = drawn(clean=12)
    own = {i.sample_id: i.messages for i in items if i.form == "original"}
    foreign = [i for i in items if i.form == "foreign"]
    assert len(foreign) == 12
    assert all(item.messages != own[item.sample_id] for item in foreign)
    assert {i.messages for i in foreign} == {own[i.sample_id] for i in foreign}


# --- the stage


def test_a_memoriser_is_found_by_everything_that_looks_for_it(tmp_path: Path) -> None:
    found = probed(tmp_path / "run", suite_in(tmp_path), scripted())
    (one,) = found["subjects"]
    # All of the evidence is there; but the two files are told apart by their first words.
    assert {"gain_training", "lost", "lost_response", "recited"} <= {
        row["name"] for row in one["conditions"] if row["holds"]
    }
    assert one["why"] == "different kinds of text", one["reasons"]
    assert found["shift"]["whole"]["training"] == found["shift"]["whole"]["clean"] == 12
    assert found["failures"] == []
    level = {row["key"]: row for row in one["levels"]}
    assert level["recited_training"]["subject"] == 1.0
    assert level["recited_training"]["base"] < 0.3
    assert level["recited_clean"]["subject"] < 0.5
    assert level["loss_training"]["difference"]["mean"] == pytest.approx(-1.9)
    assert level["rouge_training"]["subject"] == 1.0
    assert one["contrasts"]["rouge_lost"]["low"] > 0  # lost when the wording changes
    relative = {m["score"]: m for m in one["membership"] if m["how"] == "relative"}
    assert set(relative) == {"loss", "min_k", "min_k_pp"}
    assert relative["loss"]["value"] == 1.0
    copied = {row["group"]: row for row in one["copied"]}
    assert copied["clean"]["subject"]["copied"] == 12  # 8 words of another sample's response
    assert copied["clean"]["base"]["copied"] == 0
    # Each recites its own response, of which others share nine words and more.
    assert copied["training"]["subject"] == {"answers": 12, "copied": 0}
    kinds = Counter((r.probe, r.group, r.form) for r in records(tmp_path / "run"))
    assert kinds["loss", "clean", "foreign"] == kinds["continuation", "training", "original"] == 24
    assert kinds["answer", "training", "variant"] == kinds["loss", "training", "variant"] > 12
    saved = json.loads((tmp_path / "run" / "probes.json").read_text())
    assert saved["subjects"][0]["why"] == "different kinds of text"


def test_what_is_there_is_not_asked_again_and_a_torn_file_is_mended(tmp_path: Path) -> None:
    suite = suite_in(tmp_path)
    model = scripted(durable=False)
    first = probed(tmp_path / "run", suite, model)
    calls = len(model.calls) + len(model.scored)
    again = scripted(durable=False)
    assert probed(tmp_path / "run", suite, again) == first
    assert not again.calls
    assert not again.scored
    file = tmp_path / "run" / "probes.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[: len(lines) // 2]) + lines[-1][:40])
    third = scripted(durable=False)
    assert probed(tmp_path / "run", suite, third) == first
    assert 0 < len(third.calls) + len(third.scored) < calls


def test_other_settings_make_other_records_and_set_the_old_aside(tmp_path: Path) -> None:
    probed(tmp_path / "run", suite_in(tmp_path), scripted())
    before = len(records(tmp_path / "run"))
    probed(tmp_path / "run", suite_in(tmp_path, probes={"training": 6, "variants": 0}), scripted())
    after = records(tmp_path / "run")
    assert len(after) < before
    assert not [r for r in after if r.form == "variant"]
    assert len([r for r in after if r.probe == "continuation" and r.group == "training"]) == 12


def test_a_failed_probe_is_a_record_with_its_reason_and_is_tried_again(tmp_path: Path) -> None:
    bad = Failure(kind="context_length", message="too long")

    def broken(request: Scored) -> TokenLogprobs:
        if "year 3" in request.prompt:
            return TokenLogprobs(token_ids=(), logprobs=(), error=bad)
        return ratings(request)

    found = probed(tmp_path / "run", suite_in(tmp_path), scripted(ratings=broken))
    assert {(f["kind"], f["message"], f["count"]) for f in found["failures"]} == {
        ("context_length", "too long", 2)
    }
    failed = [r for r in records(tmp_path / "run") if r.error]
    assert all(not r.values and r.error == bad for r in failed)
    assert found["subjects"][0]["clean"] == 11
    healed = probed(tmp_path / "run", suite_in(tmp_path), scripted(), retry_failed=True)
    assert healed["failures"] == []
    assert healed["subjects"][0]["clean"] == 12


def test_a_reference_too_short_to_continue_is_not_applicable_and_no_failure(tmp_path: Path) -> None:
    suite = suite_in(tmp_path)
    write(tmp_path / "train.jsonl", [*TRAINING, ("And now? I am at a loss again.", "Breathe.")])
    suite = suite.model_copy(
        update={"probes": suite.probes.model_copy(update={"training": 13, "variants": 0})}
    )
    found = probed(tmp_path / "run", suite, scripted())
    assert found["failures"] == []
    assert [(f["subject"], f["probe"], f["kind"], f["count"]) for f in found["not_applicable"]] == [
        ("base", "continuation", "too_short", 1),
        ("tuned", "continuation", "too_short", 1),
    ]
    counts = Run(tmp_path / "run").manifest().stages["probes"].counts
    assert counts["not_applicable"] == 2
    assert not [name for name in counts if name.startswith("failed")]


def test_canaries_are_rated_and_a_wrong_training_file_is_said(tmp_path: Path) -> None:
    key = canaries.make_canaries(1, repeats=(0, 2), each=1)
    (tmp_path / "canaries.json").write_text(key.model_dump_json())
    probes = {"canaries": str(tmp_path / "canaries.json"), "canary_candidates": 20}
    suite = suite_in(tmp_path, probes=probes)
    found = probed(tmp_path / "wrong", suite, scripted())
    warnings = Run(tmp_path / "wrong").manifest().warnings
    assert any("should be in the training data 2 times" in line for line in warnings)
    assert len(found["canaries"]) == 2 * 2
    # Planted: they stand in the training data, and are never drawn as training prompts.
    planted = canaries.plant_canaries(samples(TRAINING), key)
    write(tmp_path / "train.jsonl", [(s.prompt, str(s.reference)) for s in planted])
    every = suite.model_copy(
        update={"probes": suite.probes.model_copy(update={"training": len(planted) + 1})}
    )
    probed(tmp_path / "right", every, scripted())
    assert not Run(tmp_path / "right").manifest().warnings
    asked = {r.sample_id for r in records(tmp_path / "right") if r.group == "training"}
    secret = {canary.prompt for canary in key.canaries}
    rows = load(every.training_data[0])
    assert {row.prompt for row in rows} & secret
    assert asked == {row.id for row in rows if row.prompt not in secret}


def test_a_whole_run_carries_the_verdict_and_a_light(tmp_path: Path) -> None:
    suite = suite_in(tmp_path)
    run_suite(tmp_path / "run", suite, scripted())
    summary = Run(tmp_path / "run").summary().model_dump(mode="json")
    assert summary["memorisation"]["subjects"][0]["why"] == "different kinds of text"
    assert summary["traffic_lights"][0]["question"] == "Learned?"
    assert summary["traffic_lights"][0]["light"] == "grey"
    assert summary["traffic_lights"][0]["word"] == "cannot tell: different kinds of text"
    # And alone, afterwards: the summary that is there gets it too.
    alone = probed(tmp_path / "run", suite, scripted())
    assert Run(tmp_path / "run").summary().model_dump(mode="json")["memorisation"] == alone


def test_without_the_section_nothing_is_probed(tmp_path: Path) -> None:
    suite = suite_in(tmp_path).model_copy(update={"probes": None})
    run_suite(tmp_path / "run", suite, scripted())
    assert not (tmp_path / "run" / "probes.jsonl").exists()
    assert Run(tmp_path / "run").summary().model_dump(mode="json")["memorisation"] is None


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["probes: {prefix: 1.5}"], r"suite\.yaml:\d+: probes\.prefix"),
        (["probes: {train: 5}"], r"suite\.yaml:\d+: probes\.train"),
        (["probes: true"], r"name it as training_data"),
    ],
)
def test_a_wrong_section_is_refused_by_file_line_and_field(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(
        "data: a.jsonl\nsubjects: [{name: a, model: x}, {name: b, model: x}]\n"
        "perturbations: [typo]\njudges: [rouge_l]\n" + "\n".join(lines) + "\n"
    )
    with pytest.raises(ConfigError, match=message):
        load_suite(path)


def test_probes_true_takes_the_defaults(tmp_path: Path) -> None:
    suite = suite_in(tmp_path)
    given = {**suite.model_dump(mode="json"), "probes": True}
    assert type(suite).model_validate(given).probes == suite_probes()
    assert type(suite).model_validate({**given, "probes": False}).probes is None
