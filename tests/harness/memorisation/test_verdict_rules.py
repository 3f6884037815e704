"""The rules where they must not speak: too few prompts, too small an effect, unlike tokens."""

from __future__ import annotations

from typing import Any

import pytest

from harness.memorisation.conditions import RULES
from harness.records import Failure, Probe
from tests.harness.memorisation.test_verdict import TOKENS, held, judged, loss, summarised, world


def shifted(records: list[Probe], by: float) -> list[Probe]:
    """The tuned subject's ratings, every token of them moved by so much."""
    return [
        r.model_copy(
            update={
                "values": {**r.values, "loss": r.values["loss"] + by},
                "logprobs": tuple(value + by for value in r.logprobs),
            }
        )
        if r.probe == "loss" and r.subject == "tuned"
        else r
        for r in records
    ]


def answering(records: list[Probe], changed: int) -> list[Probe]:
    """So many answers of the tuned subject to training and to clean prompts each changed."""
    return [
        r.model_copy(update={"text": "other"})
        if r.probe == "answer" and r.subject == "tuned" and int(r.sample_id[1:]) < changed
        else r
        for r in records
    ]


def small(training: float, clean: float = 0.0, n: int = 60, **more: Any) -> list[Probe]:
    """Gains that vary by a fifth of themselves between prompts."""
    records = world(same=True, n=n, **more)
    gains = {"training": training, "clean": clean}

    def moved(r: Probe) -> Probe:
        by = gains[r.group] * (1 + 0.2 * (-1) ** int(r.sample_id[1:]))
        return r.model_copy(
            update={
                "values": {**r.values, "loss": r.values["loss"] + by},
                "logprobs": tuple(value + by for value in r.logprobs),
            }
        )

    return [moved(r) if r.probe == "loss" and r.subject == "tuned" else r for r in records]


# --- no effect


@pytest.mark.parametrize(("moved", "verdict"), [(0.015, "no effect"), (0.025, "cannot tell")])
def test_no_effect_ends_where_a_reference_moved_by_two_hundredths(
    moved: float, verdict: str
) -> None:
    one = judged(shifted(world(same=True), moved))
    assert one["largest_change"] == pytest.approx(moved)
    assert one["verdict"] == verdict


@pytest.mark.parametrize(("changed", "verdict"), [(2, "no effect"), (4, "cannot tell")])
def test_no_effect_ends_where_more_than_a_tenth_of_the_answers_changed(
    changed: int, verdict: str
) -> None:
    one = judged(answering(world(same=True, n=25), changed))  # 8 % and 16 %
    assert one["answers_changed"] == pytest.approx(changed / 25)
    assert one["verdict"] == verdict


@pytest.mark.parametrize("n", [1, RULES.least_prompts - 1])
def test_no_effect_is_not_told_of_few_prompts(n: int) -> None:
    one = judged(world(same=True, n=n))
    assert one["largest_change"] == 0.0
    assert one["verdict"] == "cannot tell"
    assert "10 is the least" in one["reasons"][0]


def test_no_effect_is_not_told_where_every_answer_failed() -> None:
    records = [r for r in world(same=True) if r.probe != "answer"]
    one = judged(records)
    assert one["answers_changed"] is None
    assert one["verdict"] == "cannot tell"
    assert "too small to matter" in one["reasons"][0]
    assert "No answer could be compared" in one["reasons"][1]
    assert "–%" not in str(one)


# --- the least effect


def test_a_gain_too_small_to_matter_is_not_memorised() -> None:
    one = judged(small(0.03))
    assert {"gain_training", "gap", "lost"} <= held(one)  # shown, every one of them
    assert one["verdict"] == "cannot tell"
    assert "too small to matter: the gains on training prompts (+0.03" in one["reasons"][0]


def test_a_small_gain_is_memorised_from_the_least_gain_on() -> None:
    assert RULES.least_gain == 0.05
    assert judged(small(0.047))["verdict"] == "cannot tell"
    assert judged(small(0.056))["verdict"] == "memorised"


def test_a_small_gain_that_arrives_in_part_is_not_partly_memorised() -> None:
    found = small(0.04, 0.025)
    assert {"gain_training", "gap"} <= held(judged(found))
    assert judged(found)["verdict"] == "cannot tell"
    assert judged(small(0.08, 0.05))["verdict"] == "partly memorised"


def test_reciting_carries_a_verdict_however_small_the_gain() -> None:
    one = judged(small(0.03, recited=(0.9, 0.1)))
    assert one["verdict"] == "memorised"
    assert "recites" in one["reasons"][3]
    assert judged(small(0.03, 0.025, recited=(0.9, 0.1)))["verdict"] == "partly memorised"


def test_reciting_without_a_gain_is_said_and_not_called_too_small() -> None:
    def swung(r: Probe) -> Probe:
        by = 0.1 * (-1) ** int(r.sample_id[1:])
        return r.model_copy(
            update={
                "values": {**r.values, "loss": r.values["loss"] + by},
                "logprobs": tuple(value + by for value in r.logprobs),
            }
        )

    found = [
        swung(r) if r.probe == "loss" and r.subject == "tuned" else r
        for r in small(0.0, recited=(0.9, 0.1))
    ]
    one = judged(found)
    assert "recited" in held(one)
    assert "gain_training" not in held(one)
    assert one["verdict"] == "cannot tell"
    assert "recites" in one["reasons"][0]
    assert "look at what was recited" in one["reasons"][1]
    assert not any("too small" in line or "was not shown either" in line for line in one["reasons"])


def test_what_is_too_small_to_be_memorised_is_too_small_to_be_learned() -> None:
    def learner(gain: float) -> dict[str, Any]:
        records = [r for r in small(gain, gain) if r.form != "foreign"]
        for i in range(60):  # nothing is gained under a stranger's prompt
            for subject in ("base", "tuned"):
                records.append(loss(subject, "clean", "foreign", f"s{i}", -3.0, seed=200))
        return judged(records)

    assert {"gain_clean", "kept", "relation", "specific"} <= held(learner(0.03))
    assert learner(0.03)["verdict"] == "cannot tell"
    assert learner(0.08)["verdict"] == "learned"


def test_a_small_gain_beside_a_large_loss_says_which_of_the_two_is_not_shown() -> None:
    one = judged(small(0.03, -0.5))
    assert one["verdict"] == "cannot tell"
    assert "without which nothing is called memorised, is not shown (+0.03" in one["reasons"][0]


# --- what cannot be compared


def retokenised(records: list[Probe], *, only: str = "") -> list[Probe]:
    """The tuned subject's tokenizer makes a quarter more tokens, of all texts or of one sample's."""
    return [
        r.model_copy(update={"logprobs": (*r.logprobs, *r.logprobs[:5])})
        if r.subject == "tuned" and r.probe == "loss" and only in ("", r.sample_id)
        else r
        for r in records
    ]


@pytest.mark.parametrize("only", ["", "s3"])
def test_other_token_counts_of_the_same_text_are_refused_in_words(only: str) -> None:
    records = world(training=1.0, clean=0.95, foreign=0.5)
    assert judged(records)["verdict"] == "learned"
    one = judged(retokenised(records, only=only))
    assert one["verdict"] == "cannot tell"
    assert f"({TOKENS} and {TOKENS + 5}, for one)" in one["reasons"][0]
    assert "another tokenizer" in one["reasons"][0]
    # Nothing that subtracts the one from the other is shown either.
    assert one["contrasts"]["gain_training"] is None
    assert one["largest_change"] is None
    assert (one["training"], one["clean"]) == (25, 25)  # rated, if not to be compared
    assert not [row for row in one["levels"] if row["unit"] == "nats a token"]
    assert {m["how"] for m in one["membership"]} == {"base", "raw"}


def test_no_clean_prompts_is_said_as_what_it_is() -> None:
    records = [r for r in world(training=2.5, recited=(0.9, 0.1)) if r.group != "clean"]
    one = judged(records)
    assert one["verdict"] == "cannot tell"
    assert "no clean prompts to compare with" in one["reasons"][0]
    assert "stands in the training data" in one["reasons"][0]
    assert "jostle split" in one["reasons"][0]
    assert not any("log-probabilities" in line for line in one["reasons"])
    assert not any("not measured nats" in row["words"] for row in one["conditions"])


def test_few_clean_prompts_are_told_from_few_that_could_be_rated() -> None:
    records = world(training=2.5, clean=-0.3)
    few = [r for r in records if r.group != "clean" or int(r.sample_id[1:]) < 4]
    assert "Only 4 clean prompts to compare with" in judged(few)["reasons"][0]
    failed = Failure(kind="timeout", message="no reply")
    broken = [
        r.model_copy(update={"values": {}, "logprobs": (), "error": failed})
        if r.group == "clean" and r.probe == "loss" and int(r.sample_id[1:]) >= 4
        else r
        for r in records
    ]
    one = judged(broken)
    assert one["reasons"] == [
        "Only 25 of 25 training prompts and 4 of 25 clean prompts could be rated for both models;"
        " 10 of each is the least."
    ]


# --- lines that are read against each other


def reworded(n: int, of: int) -> list[Probe]:
    records = world(training=1.0, clean=0.9, foreign=0.2, n=of)
    for i in range(n):
        for subject, gain in (("base", 0.0), ("tuned", 2.0)):
            records.append(loss(subject, "training", "variant", f"s{i}", -3.0 + gain, seed=0))
            records.append(
                Probe(
                    probe="answer", group="training", form="variant", sample_id=f"s{i}",
                    subject=subject, values={"rouge_l": 0.1}, text="x",
                )
            )  # fmt: skip
    return records


def test_a_line_and_its_rewording_rest_on_the_same_prompts() -> None:
    one = judged(reworded(8, 25))
    rows = [(r["key"], r["difference"]["n"]) for r in one["levels"]]
    assert rows[:3] == [("loss_training", 25), ("loss_training_common", 8), ("loss_reworded", 8)]
    at = rows.index(("rouge_training", 25))
    assert rows[at + 1 : at + 3] == [("rouge_training_common", 8), ("rouge_reworded", 8)]
    between = one["levels"][1]
    assert "Those whose prompt was reworded" in between["label"]
    first = [r for r in reworded(8, 8) if (r.probe, r.form) == ("loss", "original")]
    mean = sum(
        -r.values["loss"] for r in first if r.subject == "base" and r.group == "training"
    ) / 8  # fmt: skip
    assert between["base"] == pytest.approx(mean, abs=1e-5)


def test_where_all_are_reworded_no_line_is_put_between() -> None:
    keys = [row["key"] for row in judged(reworded(25, 25))["levels"]]
    assert keys[:2] == ["loss_training", "loss_reworded"]
    assert not [key for key in keys if key.endswith("_common")]


def test_a_rewording_whose_original_failed_is_left_out_of_its_line() -> None:
    records = [
        r
        for r in reworded(8, 25)
        if (r.probe, r.group, r.form, r.sample_id) != ("loss", "training", "original", "s2")
    ]
    one = judged(records)
    found = {row["key"]: row["difference"]["n"] for row in one["levels"]}
    assert (found["loss_training"], found["loss_training_common"], found["loss_reworded"]) == (
        24,
        7,
        7,
    )
    assert one["contrasts"]["gain_reworded"]["n"] == 7


def test_the_thresholds_stand_in_the_summary() -> None:
    rules = summarised(world(same=True)).rules
    assert (rules.version, rules.least_gain) == (4, 0.05)
