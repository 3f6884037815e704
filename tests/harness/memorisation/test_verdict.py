"""From made probe records to the verdict: each of the five, for the reason the rules give."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from harness.analysis.memorisation_schema import (
    Likeness,
    Memorisation,
    SeparationAuc,
    TextComparison,
    TextShift,
)
from harness.analysis.test_family import BootstrapSettings
from harness.memorisation.conditions import RULES
from harness.memorisation.copying import Closeness
from harness.memorisation.probe_summary import BesideProbes, summarise_probes, traffic_lights
from harness.records import Failure, Probe
from judges.rouge import RougeL

TOKENS = 20


def loss(
    subject: str, group: str, form: str, sample: str, mean: float, *, seed: int, replicate: int = 0
) -> Probe:
    """A rated reference whose mean log-probability is ``mean`` give or take its own noise."""
    rng = np.random.default_rng([seed, len(sample), int(sample[1:])])
    values = mean + rng.normal(0, 0.3, TOKENS) + rng.normal(0, 0.1)
    return Probe(
        probe="loss", group=group, form=form, sample_id=sample, subject=subject,  # type: ignore[arg-type]
        replicate=replicate,
        values={"loss": float(values.mean()), "min_k": float(np.sort(values)[:4].mean())},
        logprobs=tuple(map(float, values)),
    )  # fmt: skip


def other(subject: str, probe: str, group: str, sample: str, text: str, **values: float) -> Probe:
    return Probe(
        probe=probe, group=group, sample_id=sample, subject=subject, values=values, text=text,  # type: ignore[arg-type]
    )  # fmt: skip


def world(
    *,
    training: float = 0.0,
    clean: float = 0.0,
    foreign: float = 0.0,
    recited: tuple[float, float] = (0.1, 0.1),
    n: int = 25,
    same: bool = False,
    form: bool = False,
) -> list[Probe]:
    """Records of base and tuned; the gains are nats a token, ``recited`` the tuned one's shares.

    With ``form``, what is recited is a form that many training responses have.
    """
    of_form = {"own_words": 0.0} if form else {}
    records = []
    for i in range(n):
        for subject, gains, shares in (
            ("base", (0.0, 0.0, 0.0), (0.1, 0.1)),
            ("tuned", (training, clean, foreign), recited),
        ):
            # Base and tuned see the same text: most of a prompt's difficulty is shared.
            for group, form, gain, offset in (
                ("training", "original", gains[0], 0),
                ("clean", "original", gains[1], 100),
                ("clean", "foreign", gains[2], 200),
            ):
                mean = -3.0 + gain
                if gain:
                    mean += float(np.random.default_rng([offset, i]).normal(0, 0.05))
                records.append(loss(subject, group, form, f"s{i}", mean, seed=offset))
            for group, share in zip(("training", "clean"), shares, strict=True):
                records.append(
                    other(
                        subject,
                        "continuation",
                        group,
                        f"s{i}",
                        "x",
                        share=share,
                        span=9 * share,
                        **of_form,
                    )
                )
                text = "same" if same or subject == "base" else f"answer {i}"
                records.append(
                    other(
                        subject, "answer", group, f"s{i}", text,
                        rouge_l=0.2, other_span=2.0, other_share=0.1,
                    )
                )  # fmt: skip
    return records


def comparison(likeness: Likeness = "alike", n: int = 25) -> TextComparison:
    areas = {"alike": (0.5, 0.4, 0.6), "different": (0.97, 0.9, 1.0), "unclear": (0.6, 0.3, 0.9)}
    value, low, high = areas[likeness]
    return TextComparison(
        training=n, clean=n, likeness=likeness, balance=(),
        aucs=(SeparationAuc(features="topic", value=value, low=low, high=high),),
    )  # fmt: skip


ALIKE = BesideProbes(TextShift(whole=comparison()))


def summarised(
    records: list[Probe],
    seed: int = 1,
    resamples: int = 10_000,
    beside: BesideProbes | None = ALIKE,
) -> Memorisation:
    return summarise_probes(
        records,
        baseline="base",
        subjects=["base", "tuned"],
        closeness=Closeness(RougeL()),
        settings=BootstrapSettings(seed, resamples),
        beside=beside,
    )


def judged(records: list[Probe], beside: BesideProbes | None = ALIKE) -> dict[str, Any]:
    """The part of the tuned subject, as JSON has it."""
    found = summarised(records, seed=3, resamples=1000, beside=beside)
    dumped = found.model_dump(mode="json")
    json.dumps(dumped, allow_nan=False)
    (one,) = dumped["subjects"]
    return dict(one)


def held(one: dict[str, Any]) -> set[str]:
    return {row["name"] for row in one["conditions"] if row["holds"]}


def test_the_same_gain_on_clean_prompts_is_learned() -> None:
    one = judged(world(training=1.0, clean=0.95, foreign=0.5))
    assert one["verdict"] == "learned"
    assert {"gain_clean", "kept", "relation"} <= held(one)
    assert "recited" not in held(one)
    assert one["contrasts"]["gain_clean"]["mean"] == pytest.approx(0.95, abs=0.05)


def test_a_fixed_form_gains_alike_under_any_prompt_and_is_learned() -> None:
    assert judged(world(training=2.0, clean=1.95, foreign=1.95))["verdict"] == "learned"


def test_a_gain_on_training_prompts_alone_is_memorised() -> None:
    one = judged(world(training=2.5, clean=-0.3, foreign=-0.3, recited=(0.9, 0.1)))
    assert one["verdict"] == "memorised"
    assert {"gain_training", "gap", "lost", "recited"} <= held(one)
    assert len(one["reasons"]) == 4


def test_memorised_needs_no_reciting() -> None:
    assert judged(world(training=1.0, clean=0.1, foreign=0.1))["verdict"] == "memorised"


def test_a_gain_that_arrives_in_part_is_partly_memorised() -> None:
    one = judged(world(training=1.0, clean=0.62, foreign=0.3))
    assert one["verdict"] == "partly memorised"
    assert "gap" in held(one)
    assert not {"lost", "kept"} & held(one)


def test_a_learner_that_recites_is_partly_memorised() -> None:
    one = judged(world(training=1.0, clean=0.97, foreign=0.2, recited=(0.7, 0.1)))
    assert one["verdict"] == "partly memorised"
    assert {"gain_clean", "kept", "relation", "recited"} <= held(one)


def test_reciting_what_a_rule_says_on_clean_prompts_too_is_no_memorising() -> None:
    one = judged(world(training=2.0, clean=1.95, foreign=0.3, recited=(0.95, 0.95), form=True))
    assert one["verdict"] == "learned"


def test_the_manner_of_the_responses_without_their_relation_is_not_learned() -> None:
    # As after training on shuffled responses: a stranger's prompt does better than the own one.
    one = judged(world(training=0.4, clean=0.4, foreign=0.55))
    assert one["verdict"] == "cannot tell"
    assert "relation" not in held(one)
    assert any("gain no more under a stranger's prompt" in line for line in one["reasons"])


def test_a_gain_alike_under_any_prompt_is_the_manner_alone_unless_it_is_a_form() -> None:
    # A weak training on shuffled responses: the relation is not lost, but nothing of it was learned.
    one = judged(world(training=0.4, clean=0.4, foreign=0.4))
    assert {"gain_clean", "kept", "relation"} <= held(one)
    assert not {"specific", "form"} & held(one)
    assert one["verdict"] == "cannot tell"
    assert any("manner of the responses alone" in line for line in one["reasons"])
    formed = judged(world(training=1.9, clean=1.9, foreign=1.9))  # of a base loss of 3
    assert "form" in held(formed)
    assert formed["verdict"] == "learned"


def test_an_untrained_adapter_has_no_effect() -> None:
    one = judged(world(same=True))
    assert one["verdict"] == "no effect"
    assert one["largest_change"] == 0.0
    assert one["contrasts"]["gain_training"]["low"] == 0.0


def test_changed_answers_are_an_effect_even_where_no_loss_moved() -> None:
    assert judged(world())["verdict"] == "cannot tell"


def test_few_prompts_cannot_tell_and_say_so() -> None:
    one = judged(world(training=2.5, clean=-0.3, n=RULES.least_prompts - 1))
    assert one["verdict"] == "cannot tell"
    assert "Only 9 clean prompts to compare with; 10 is the least" in one["reasons"][0]
    assert "Only 9 training prompts with an answer" in one["reasons"][1]


def test_no_power_cannot_tell_and_says_what_could_have_been_seen() -> None:
    records = world(training=0.02, clean=0.02, foreign=0.02, n=10)
    one = judged(records)
    assert one["verdict"] == "cannot tell"
    assert any("80% probability" in line for line in one["reasons"])


def test_a_model_without_log_probabilities_cannot_tell_and_counts_the_failures() -> None:
    failed = Failure(kind="unsupported", message="no log-probabilities")
    records = [
        record.model_copy(update={"values": {}, "logprobs": (), "error": failed})
        if record.probe == "loss"
        else record
        for record in world(n=12)
    ]
    found = summarised(records)
    assert found.subjects[0].verdict == "cannot tell"
    assert "no log-probabilities" in found.subjects[0].reasons[0]
    assert sum(row.count for row in found.failures) == 2 * 3 * 12


def test_clean_prompts_of_another_kind_are_a_caution() -> None:
    records = [
        record.model_copy(update={"values": {**record.values, "loss": record.values["loss"] - 1.0}})
        if (record.probe, record.group, record.form) == ("loss", "clean", "original")
        else record
        for record in world(training=1.0, clean=0.9, foreign=0.2)
    ]
    assert "another kind" in judged(records)["cautions"][0]


def test_rewordings_of_one_prompt_are_averaged_before_prompts_are() -> None:
    records = world(n=12)
    for i in range(12):
        for replicate in range(1 + 3 * (i == 0)):
            for subject, gain in (("base", 0.0), ("tuned", 1.0 if i == 0 else 0.0)):
                records.append(
                    loss(
                        subject, "training", "variant", f"s{i}", -3.0 + gain,
                        seed=replicate, replicate=replicate,
                    )
                )  # fmt: skip
    assert judged(records)["contrasts"]["gain_reworded"]["mean"] == pytest.approx(1 / 12, abs=1e-6)


def test_records_in_another_order_give_the_same_figures() -> None:
    records = world(training=1.0, clean=0.62, foreign=0.3)
    assert judged(records) == judged(list(reversed(records)))


def test_canaries_are_exposed_by_their_rank_among_rivals() -> None:
    def rated(subject: str, replicate: int, nll: float) -> Probe:
        return Probe(
            probe="canary", group="canary", sample_id="c1", subject=subject, replicate=replicate,
            values={"repeats": 4.0, "nll": nll},
        )  # fmt: skip

    rng = np.random.default_rng(1)
    rivals = [(i + 1, float(x)) for i, x in enumerate(rng.normal(30, 2, 50))]
    records = world(same=True)
    for subject, own in (("base", 30.0), ("tuned", 5.0)):
        records += [rated(subject, 0, own), *(rated(subject, i, x) for i, x in rivals)]
    base, tuned = summarised(records).canaries
    assert (tuned.repeats, tuned.rank, tuned.rivals) == (4, 1, 50)
    assert tuned.exposure is not None
    assert base.exposure is not None
    assert tuned.exposure > 15 > 3 > base.exposure


def test_the_light_carries_the_verdict() -> None:
    (one,) = traffic_lights(summarised(world(training=2.5, clean=-0.3)))
    assert (one.light, one.word, one.subject) == ("red", "memorised", "tuned")


@pytest.mark.parametrize("share", [0.0, 0.09])
def test_reciting_less_than_a_tenth_does_not_count(share: float) -> None:
    one = judged(world(training=1.0, clean=0.97, foreign=0.2, recited=(0.1 + share, 0.1)))
    assert one["verdict"] == "learned"
