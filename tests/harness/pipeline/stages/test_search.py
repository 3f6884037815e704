"""The search for worst cases: it finds the word that hurts, within its budget, for all alike."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from harness.config import Suite
from harness.errors import DataError, PluginError
from harness.pipeline.assemble import assemble
from harness.pipeline.store import Run
from harness.protocols import Limits, PerturbationTraits
from harness.records import Completion, Edit, Failure, Request, Sample, Search, Variant
from harness.registry import perturbation
from harness.text import Text
from harness.text.edits import apply_edits
from tests.pipeline import contents, make_suite, run_suite, scripted, write_data

PROMPTS = (
    "I am sad because my friend is ill. Sometimes I want to cry, and nobody helps me.",
    "My boss is angry and I am scared of the meeting. What should I do about this?",
    "I am glad that the weather is nice in the evening.",
)
GOOD = "Talk to them about it:"

SWAPS = {
    "sad": ("unhappy", "down"),
    "friend": ("buddy",),
    "sometimes": ("occasionally",),
    "cry": ("weep",),
    "angry": ("furious", "cross"),
    "scared": ("terrified", "afraid"),
    "meeting": ("talk",),
    "glad": ("happy",),
    "evening": ("night",),
}


@perturbation("swaps_for_search")
class SwapsForSearch:
    """Swaps words of a fixed list: the search must not hang on a lexicon that grows."""

    traits = PerturbationTraits(
        version="1",
        limits=Limits(
            words={"light": 0.9, "medium": 0.9, "heavy": 0.9}, exempt=frozenset({"roles", "terms"})
        ),
    )

    def __init__(self, severity: str = "medium") -> None:
        self.share = {"light": 0.2, "medium": 0.5, "heavy": 1.0}[severity]

    def __call__(self, text: Text, rng: random.Random) -> list[Edit] | None:
        sites = [span for span in text.words if text.raw[span.start : span.end].lower() in SWAPS]
        edits = [
            Edit(start=start, end=end, text=rng.choice(SWAPS[text.raw[start:end].lower()]))
            for start, end in sites
            if rng.random() < self.share
        ]
        return edits or None


pytestmark = pytest.mark.filterwarnings("ignore")


def is_tuned(request: Request) -> bool:
    return request.settings.max_new_tokens == 7


def fails_on(*words: str, tuned_only: bool = True) -> Any:
    """A model whose answer is good unless the prompt holds one of these words."""

    def answer(request: Request) -> str:
        prompt = request.messages[-1].content.lower()
        hurt = sum(word in prompt for word in words)
        if hurt and (is_tuned(request) or not tuned_only):
            return " ".join(GOOD.split()[hurt * 2 :]) or "no"
        return GOOD

    return answer


def searched(folder: Path, search: Any = None, **changes: Any) -> Suite:
    write_data(folder, PROMPTS)
    kind = {"swaps_for_search": {"severity": "heavy", "search": search or {"budget": 40}}}
    return make_suite(folder, perturbations=[kind], **changes)


def searches(root: Path) -> dict[tuple[str, str], Search]:
    samples = {s.id: s.prompt for s in Run.open(root).read(Sample)}
    return {(samples[s.sample_id], s.subject): s for s in Run.open(root).read(Search)}


def test_it_finds_the_one_word_that_hurts(tmp_path: Path) -> None:
    run_suite(tmp_path / "run", searched(tmp_path), scripted(fails_on("unhappy")))
    found = searches(tmp_path / "run")
    assert len(found) == len(PROMPTS) * 2
    tuned = found[PROMPTS[0], "tuned"]
    assert tuned.worst is not None
    assert "unhappy" in apply_edits(PROMPTS[0], tuned.worst.edits)
    assert tuned.drop is not None
    assert tuned.drop > 0
    assert tuned.answer != GOOD
    assert found[PROMPTS[0], "base"].worst is None
    assert found[PROMPTS[0], "base"].drop == 0.0
    assert found[PROMPTS[2], "tuned"].worst is None


def test_the_worst_is_at_least_as_bad_as_all_that_was_asked(tmp_path: Path) -> None:
    model = scripted(fails_on("unhappy", "buddy", "terrified", "supervisor", tuned_only=False))
    run_suite(tmp_path / "run", searched(tmp_path), model)
    for record in searches(tmp_path / "run").values():
        harms = [trial.harm for trial in record.trials if trial.harm is not None]
        assert record.drop == max([0.0, *harms])
        assert record.calls == len(record.trials) <= record.budget
        texts = [trial.edits for trial in record.trials]
        assert len(set(texts)) == len(texts)


def test_it_combines_edits_that_hurt_more_together(tmp_path: Path) -> None:
    singles = scripted(fails_on("unhappy"))
    run_suite(tmp_path / "run", searched(tmp_path), singles)
    trials = searches(tmp_path / "run")[PROMPTS[0], "tuned"].trials
    other = next(
        text
        for trial in trials
        if "sad" in (text := apply_edits(PROMPTS[0], trial.edits)) and len(trial.edits) == 1
    )
    word = next(w for w in other.lower().split() if w not in PROMPTS[0].lower().split())
    both = scripted(fails_on("unhappy", word))
    run_suite(tmp_path / "both", searched(tmp_path), both, cache=tmp_path / "both.sqlite")
    worst = searches(tmp_path / "both")[PROMPTS[0], "tuned"].worst
    assert worst is not None
    text = apply_edits(PROMPTS[0], worst.edits).lower()
    assert "unhappy" in text
    assert word in text


def test_a_small_budget_is_kept_and_said(tmp_path: Path) -> None:
    model = scripted(fails_on("unhappy"))
    run_suite(tmp_path / "run", searched(tmp_path, {"budget": 1}), model)
    found = searches(tmp_path / "run")
    assert {record.calls for record in found.values()} == {1}
    assert found[PROMPTS[0], "tuned"].ended == "budget"
    assert {record.budget for record in found.values()} == {1}


def test_every_candidate_went_through_the_gate_and_none_is_a_variant(tmp_path: Path) -> None:
    run_suite(tmp_path / "run", searched(tmp_path), scripted(fails_on("unhappy")))
    assert {v.perturbation for v in Run.open(tmp_path / "run").read(Variant)} <= {
        "original", "swaps_for_search", "shortfall",
    }  # fmt: skip
    plain = searched(tmp_path)
    bare = plain.model_copy(
        update={
            "perturbations": (
                plain.perturbations[0].model_copy(update={"options": {"severity": "heavy"}}),
            )
        }
    )
    run_suite(tmp_path / "bare", bare, scripted(fails_on("unhappy")))
    with_search, without = contents(tmp_path / "run"), contents(tmp_path / "bare")
    assert with_search["generations.jsonl"] == without["generations.jsonl"]
    assert with_search["scores.jsonl"] == without["scores.jsonl"]
    assert with_search["summary"]["cells"] == without["summary"]["cells"]
    assert without["summary"]["worst_found"] is None


def test_an_interrupted_search_ends_as_one_that_was_not(tmp_path: Path) -> None:
    suite = searched(tmp_path)
    run_suite(tmp_path / "whole", suite, scripted(fails_on("unhappy")))
    stop_after = 25
    asked = 0

    def stopping(request: Request) -> str:
        nonlocal asked
        asked += 1
        if asked > stop_after:
            raise KeyboardInterrupt
        return str(fails_on("unhappy")(request))

    with pytest.raises(KeyboardInterrupt):
        run_suite(tmp_path / "run", suite, scripted(stopping), cache=tmp_path / "other.sqlite")
    again = scripted(fails_on("unhappy"))
    run_suite(tmp_path / "run", suite, again, cache=tmp_path / "other.sqlite")
    assert (
        contents(tmp_path / "run")["searches.jsonl"]
        == contents(tmp_path / "whole")["searches.jsonl"]
    )
    third = scripted(fails_on("unhappy"))
    run_suite(tmp_path / "run", suite, third, cache=tmp_path / "third.sqlite")
    assert third.calls == []  # all is there


@pytest.mark.parametrize("batch", [1, 3, 50])
def test_batches_and_company_change_nothing(tmp_path: Path, batch: int) -> None:
    suite = searched(tmp_path)
    run_suite(tmp_path / "one", suite, scripted(fails_on("unhappy"), batch=batch))
    record = searches(tmp_path / "one")[PROMPTS[0], "tuned"]
    alone = tmp_path / "alone"
    alone.mkdir()
    write_data(alone, PROMPTS[:1])
    kind = {"swaps_for_search": {"severity": "heavy", "search": {"budget": 40}}}
    run_suite(alone / "run", make_suite(alone, perturbations=[kind]), scripted(fails_on("unhappy")))
    assert searches(alone / "run")[PROMPTS[0], "tuned"].trials == record.trials


def test_another_budget_makes_searches_stale(tmp_path: Path) -> None:
    run_suite(tmp_path / "run", searched(tmp_path, {"budget": 2}), scripted(fails_on("unhappy")))
    run_suite(tmp_path / "run", searched(tmp_path, {"budget": 3}), scripted(fails_on("unhappy")))
    assert {s.budget for s in Run.open(tmp_path / "run").read(Search)} == {3}
    assert (tmp_path / "run" / "stale").exists()


def test_a_failing_answer_costs_its_candidate_only(tmp_path: Path) -> None:
    def answer(request: Request) -> str | Failure:
        text = request.messages[-1].content
        if "unhappy" in text:
            return Failure(kind="timeout", message="slow", transient=True)
        return GOOD

    run_suite(tmp_path / "run", searched(tmp_path), scripted(answer))
    record = searches(tmp_path / "run")[PROMPTS[0], "tuned"]
    assert record.error is not None
    assert record.worst is None
    assert any(trial.harm is None for trial in record.trials)
    again = scripted(fails_on("unhappy"))
    run_suite(tmp_path / "run", searched(tmp_path), again)
    assert searches(tmp_path / "run")[PROMPTS[0], "tuned"].error is None


def test_prompts_limit_the_search_to_a_draw(tmp_path: Path) -> None:
    suite = searched(tmp_path, {"budget": 2, "prompts": 2})
    run_suite(tmp_path / "run", suite, scripted(fails_on("unhappy")))
    found = searches(tmp_path / "run")
    assert len(found) == 4
    assert len({prompt for prompt, _ in found}) == 2


def test_both_subjects_get_the_same_budget_in_the_summary(tmp_path: Path) -> None:
    run_suite(tmp_path / "run", searched(tmp_path), scripted(fails_on("unhappy")))
    worst = Run.open(tmp_path / "run").summary().worst_found
    assert worst is not None
    rows = {row.subject: row for row in worst.rows}
    assert {row.budget for row in rows.values()} == {40}
    assert rows["tuned"].harmed is not None
    assert rows["tuned"].harmed.mean == pytest.approx(1 / 3, abs=1e-5)
    assert rows["base"].harmed.mean == 0.0
    assert rows["base"].drop.mean == 0.0
    (contrast,) = worst.contrasts
    assert (contrast.subject, contrast.against, contrast.n) == ("tuned", "base", 3)
    assert contrast.difference.mean == pytest.approx(rows["tuned"].drop.mean)
    (example, *_) = worst.examples
    assert example.prompt == PROMPTS[0]
    assert {case.subject for case in example.cases} == {"base", "tuned"}


def test_a_judge_must_be_able_to_score_an_answer(tmp_path: Path) -> None:
    for search, fragment in (
        ({"judge": "rogue_l"}, "Did you mean 'rouge_l'?"),
        ({"judge": "rouge_l", "dimension": "beauty"}, "no dimension 'beauty'"),
    ):
        with pytest.raises(PluginError, match=fragment):
            assemble(searched(tmp_path, search), closeness="rouge_l")
    kind = {"identity": {"search": {"budget": 3}}}
    with pytest.raises(PluginError, match="unchanged"):
        assemble(make_suite(tmp_path, perturbations=[kind]), closeness="rouge_l")


def test_a_search_without_references_says_so(tmp_path: Path) -> None:
    suite = searched(tmp_path, {"judge": "rouge_l"})
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps({"prompt": p}) + "\n" for p in PROMPTS))
    with pytest.raises(DataError, match="needs reference answers"):
        run_suite(tmp_path / "run", suite, scripted(fails_on("unhappy")))


@pytest.mark.parametrize("search", [{"budget": 0}, {"bugdet": 3}, 40, {"prompts": "x"}])
def test_a_search_that_cannot_be_read_says_how(tmp_path: Path, search: Any) -> None:
    with pytest.raises(ValueError, match=r"write search: \{budget: 40\}"):
        searched(tmp_path, search)


def test_a_completion_is_no_text(tmp_path: Path) -> None:
    # The original fails: there is nothing to fall from.
    def answer(request: Request) -> Completion | Failure:
        return Failure(kind="content", message="no")

    run_suite(tmp_path / "run", searched(tmp_path), scripted(answer))
    records = searches(tmp_path / "run").values()
    assert {record.ended for record in records} == {"not_scored"}
    assert {record.drop for record in records} == {None}
