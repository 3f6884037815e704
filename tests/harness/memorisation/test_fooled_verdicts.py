"""Cases that once fooled the verdict, each on the real analysis with scripted records or texts."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audit import mark_leaked
from harness.memorisation.conditions import RULES
from harness.memorisation.probe_summary import BesideProbes, traffic_lights
from harness.memorisation.text_shift import ComparedTexts, SeenText, text_shift
from harness.records import Probe, Sample
from tests.harness.memorisation.test_probe_requests import row
from tests.harness.memorisation.test_verdict import (
    ALIKE,
    held,
    judged,
    loss,
    other,
    summarised,
    world,
)

GARDEN = [
    "soil",
    "rose",
    "hedge",
    "prune",
    "seed",
    "compost",
    "weed",
    "lawn",
    "water",
    "tulip",
    "root",
    "spade",
    "mulch",
    "bloom",
]
MONEY = [
    "loan",
    "rent",
    "debt",
    "budget",
    "wage",
    "invoice",
    "tax",
    "bank",
    "savings",
    "credit",
    "mortgage",
    "fee",
    "pension",
    "cost",
]
SKY = ["star", "moon", "orbit", "comet", "planet", "lens", "dust", "ring", "eclipse"]
COMMON = [
    "how",
    "should",
    "i",
    "deal",
    "with",
    "my",
    "when",
    "the",
    "and",
    "it",
    "is",
    "not",
    "what",
    "can",
    "we",
    "do",
    "about",
    "this",
    "now",
]


def texts(side: str, topic: list[str], n: int, words: int = 20) -> list[SeenText]:
    """Rows that mix words of one topic with common ones."""
    rng = random.Random(f"{side} {words}")
    return [
        SeenText(
            f"s{i}",
            " ".join(rng.choice(topic if rng.random() < 0.4 else COMMON) for _ in range(14)),
            " ".join(rng.choice(topic if rng.random() < 0.4 else COMMON) for _ in range(words)),
            f"{side}{i}",
        )
        for i in range(n)
    ]


def by_topic(rows: Any) -> NDArray[np.float32]:
    """Unit vectors that know the topic alone."""
    hits = np.array(
        [[sum(w in t.split() for w in topic) for topic in (GARDEN, MONEY, SKY)] for t in rows]
    )
    vectors = hits + 0.01
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def beside(training: list[SeenText], clean: list[SeenText], **more: Any) -> BesideProbes:
    return BesideProbes(text_shift(ComparedTexts(training, clean), seed=1, embed=by_topic, **more))


def test_another_topic_is_no_memory() -> None:
    """Unseen prompts of the training topic would gain as much: the gap is the topic's."""
    records = world(training=0.6, clean=0.2, foreign=0.2, n=40)
    apart = beside(texts("t", GARDEN, 40), texts("c", MONEY, 40))
    one = judged(records, apart)
    assert (one["verdict"], one["why"]) == ("cannot tell", "different kinds of text")
    assert one["sentence"].startswith("tuned: cannot tell: different kinds of text. Training and")
    assert "told apart without any model (by" in one["reasons"][0]
    assert {"gain_training", "gap", "lost"} <= held(
        one
    )  # all of it is there, and all of it in vain
    (light,) = traffic_lights(summarised(records, beside=apart))
    assert (light.light, light.word) == ("grey", "cannot tell: different kinds of text")
    # With texts of one kind the same records are memory.
    same = beside(texts("t", GARDEN, 40), texts("c", GARDEN, 40))
    assert same.shift is not None
    assert same.shift.whole.likeness == "alike"
    assert judged(records, same)["verdict"] == "memorised"


def test_texts_that_nobody_compared_carry_no_verdict() -> None:
    one = judged(world(training=2.5, clean=-0.3), None)
    assert (one["verdict"], one["why"]) == ("cannot tell", "kinds of text not compared")


def test_where_enough_matched_pairs_remain_the_verdict_rests_on_them() -> None:
    """Half of either side has a topic of its own; the rest is matched and compared anew."""
    both = "shared"
    training = [*texts(both, GARDEN, 60), *texts("t", MONEY, 60)]
    clean = [*texts("c", GARDEN, 60), *texts("d", SKY, 60)]
    training = [t._replace(id=f"s{i}", family=f"t{i}") for i, t in enumerate(training)]
    clean = [c._replace(id=f"s{i}", family=f"c{i}") for i, c in enumerate(clean)]
    found = beside(training, clean)
    assert found.shift is not None
    assert found.shift.whole.likeness == "different"
    assert found.shift.matched is not None
    assert found.shift.matched.likeness == "alike"
    chosen = {pair[0] for pair in found.shift.pairs}
    assert all(int(name[1:]) < 60 for name in chosen)
    # Within the shared topic nothing is lost on clean prompts; the other topic gains nothing.
    shared = world(training=1.0, clean=0.95, foreign=0.4, n=120)
    one = judged(shared, found)
    assert (one["verdict"], one["rests_on"]) == ("learned", "matched pairs")
    assert one["training"] == len(found.shift.pairs) >= RULES.least_pairs
    assert any(
        f"{len(found.shift.pairs)} pairs of a training and a clean" in r for r in one["reasons"]
    )
    never = beside(training, clean, match="never")
    assert judged(shared, never)["why"] == "different kinds of text"


def long_clean(records: list[Probe], tokens: int) -> list[Probe]:
    """Clean responses of so many tokens with the same mean."""
    return [
        r.model_copy(update={"logprobs": (r.values["loss"],) * tokens})
        if r.probe == "loss" and r.group == "clean"
        else r
        for r in records
    ]


def test_ten_nats_a_response_are_as_much_of_a_long_one() -> None:
    """0.5 nats of 20 tokens and a sixth of 60: as whole responses both gained 10."""
    one = judged(long_clean(world(training=0.5, clean=10 / 60, foreign=0.1, n=40), 60))
    assert {"gain_training", "gap", "lost"} <= held(one)
    assert not {"gap_response", "lost_response"} & held(one)
    assert one["contrasts"]["gain_training_response"]["mean"] == pytest.approx(10, abs=0.4)
    assert one["contrasts"]["gain_clean_response"]["mean"] == pytest.approx(10, abs=1.2)
    assert (one["verdict"], one["why"]) == (
        "cannot tell", "a token says one thing, a response another",
    )  # fmt: skip
    assert "Not shown in the other unit" in one["reasons"][1]


PHRASES = (
    "I keep lying awake over my sister and the money that she owes me since last spring",
    "My sister borrowed a sum in spring, never paid it back, and I cannot sleep for it",
)


def test_clean_prompts_with_trained_responses_leaked() -> None:
    """Paraphrases with the training response word for word, which share few letters of the prompt."""
    rng = random.Random(3)
    answers = [" ".join(rng.choice(GARDEN + COMMON) for _ in range(30)) for _ in range(12)]
    training = [row(f"t{i}", f"{PHRASES[0]}, case {i}.", text) for i, text in enumerate(answers)]
    clean: list[Sample] = [
        row(f"c{i}", f"Number {i} here. {PHRASES[1]}.", text) for i, text in enumerate(answers)
    ]
    marked, counts = mark_leaked(
        clean, training, embed=lambda t: np.eye(len(t), 384, dtype=np.float32)
    )
    assert {sample.audit for sample in marked} == {"leaked"}
    assert counts["response"] == 12
    # Probed all the same (the rows are not named as training data), what they recite gives them away.
    one = judged(world(training=2.0, clean=1.9, foreign=0.4, recited=(0.80, 0.78)))
    assert (one["verdict"], one["why"]) == ("cannot tell", "leaked")
    assert "recites clean responses, which it should never have seen (78%" in one["reasons"][0]
    assert "Suspected contamination" in one["reasons"][1]


def test_a_base_that_saw_the_test_set_carries_no_verdict() -> None:
    """Clean responses cannot gain: the base knows them by heart."""

    def known(r: Probe) -> Probe:
        if r.probe == "loss" and (r.group, r.form) == ("clean", "original"):
            return r.model_copy(
                update={
                    "values": {**r.values, "loss": -0.4},
                    "logprobs": tuple(-0.4 + 0.01 * (i % 3) for i in range(20)),
                }
            )
        if r.probe == "continuation" and r.group == "clean" and recites:
            return r.model_copy(update={"values": {"share": 0.9, "span": 9.0}})
        return r

    for recites in (True, False):
        records = [known(r) for r in world(training=2.0, recited=(0.8, 0.1))]
        one = judged(records)
        assert (one["verdict"], one["why"]) == ("cannot tell", "contaminated base"), recites


def test_a_base_that_recites_the_training_set_already_carries_no_verdict() -> None:
    def recites(r: Probe) -> Probe:
        known = r.probe == "continuation" and r.group == "training"
        return r.model_copy(update={"values": {"share": 0.82, "span": 9.0}}) if known else r

    one = judged([recites(r) for r in world(training=1.0, clean=0.95, foreign=0.4)])
    assert (one["verdict"], one["why"]) == (
        "cannot tell", "the base knows the training responses",
    )  # fmt: skip
    assert "the base recites training responses already (82%" in one["reasons"][0].lower()


def skewed(rng: np.random.Generator, n: int) -> list[Probe]:
    """Lognormal gains on training prompts, of which exactly 75 % arrive on clean ones, evenly."""
    training = 0.5 * rng.lognormal(-0.5, 1.0, n)
    clean = 0.375 + 0.1 * rng.standard_normal(n)
    records = []
    for i in range(n):
        for subject, share in (("base", 0.0), ("tuned", 1.0)):
            for group, form, gain in (
                ("training", "original", training[i]),
                ("clean", "original", clean[i]),
                ("clean", "foreign", 0.3 * clean[i]),
            ):
                value = -3.0 + share * float(gain)
                records.append(
                    Probe(
                        probe="loss", group=group, form=form, sample_id=f"s{i}", subject=subject,  # type: ignore[arg-type]
                        values={"loss": value}, logprobs=(value,) * 20,
                    )
                )  # fmt: skip
    return records


@pytest.mark.parametrize("n", [20, 50])
def test_three_quarters_kept_with_skewed_gains_are_seldom_learned(n: int) -> None:
    """tests/benchmarks/kept_share.py has the rates; here are forty draws of the whole path."""
    verdicts = [
        summarised(skewed(np.random.default_rng([n, trial, 5]), n), trial, 400).subjects[0].verdict
        for trial in range(40)
    ]
    assert verdicts.count("learned") <= 3  # 2.5 % of forty are one; four or more have p < 0.02


def test_a_neighbour_that_gained_as_much_is_learning_and_one_that_did_not_is_memory() -> None:
    def with_neighbours(gain: float) -> dict[str, Any]:
        records = world(training=1.0, clean=0.9, foreign=0.4)
        for i in range(25):
            for subject, by in (("base", 0.0), ("tuned", gain)):
                records.append(
                    loss(
                        subject,
                        "training",
                        "neighbour",
                        f"s{i}",
                        -3.0 + by,
                        seed=5,
                        replicate=i % 2,
                    )
                )
        return judged(records)

    taught, recited = with_neighbours(1.0), with_neighbours(0.2)
    assert taught["contrasts"]["neighbour"]["low"] < 0 < taught["contrasts"]["neighbour"]["high"]
    assert recited["contrasts"]["neighbour"]["low"] > 0.7
    assert "13 other responses to the same prompt, 12 rewordings" in recited["neighbours"]
    assert "No neighbour control" in judged(world(training=1.0))["neighbours"]


def test_what_is_recited_of_own_words_counts_however_little_of_the_whole() -> None:
    def own(share: float) -> dict[str, Any]:
        records = [
            r for r in world(training=1.0, clean=0.95, foreign=0.4) if r.probe != "continuation"
        ]
        for i in range(25):
            for subject, value in (("base", 0.0), ("tuned", share)):
                for group in ("training", "clean"):
                    records.append(
                        other(
                            subject, "continuation", group, f"s{i}", "x", share=0.3, span=4.0,
                            own_words=9.0, own_share=value,
                        )
                    )  # fmt: skip
        return judged(records)

    assert own(0.0)["verdict"] == "learned"
    assert own(0.3)["why"] == "leaked"


def test_the_default_of_these_tests_is_alike() -> None:
    assert ALIKE.shift is not None
    assert not ALIKE.matched()
