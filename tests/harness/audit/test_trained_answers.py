"""Answers under test that were trained on under another prompt, and the boilerplate that is no leak."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from harness.audit import mark_leaked
from harness.audit.clusters import cluster_rows
from harness.audit.examine import compare
from harness.audit.trained_answers import common_from, find_responses
from harness.records import Message, Sample
from tests.harness.audit.test_leakage import conversation, edited, no_model, prose, sample

__all__ = ["no_model"]


def rows(count: int, seed: int, words: int = 60) -> list[Sample]:
    rng = random.Random(seed)
    return [
        sample(f"r{seed}-{n}", " ".join(prose(rng, 15)), " ".join(prose(rng, words)))
        for n in range(count)
    ]


def kinds(answers: Sequence[str | None], training: Sequence[Sample]) -> list[str | None]:
    rng = random.Random(9)
    asked = [sample(f"e{n}", " ".join(prose(rng, 15)), text) for n, text in enumerate(answers)]
    return [match.kind if match else None for match in find_responses(asked, training)]


def test_an_answer_is_found_whole_in_part_edited_and_within_a_longer_one() -> None:
    training = rows(40, 1)
    text = training[7].reference or ""
    words = text.split()
    rng = random.Random(2)
    longer = " ".join([*prose(rng, 50), *words, *prose(rng, 50)])
    asked = [
        text,
        f"  {text.upper()}!",
        " ".join(edited(words, 0.1, rng)),
        " ".join(words[:40]),
        longer,
        " ".join([*words[30:], *words[:30]]),
        " ".join(prose(rng, 60)),
        None,
    ]
    # 60 of 160 words are less than half of what the longer answer says.
    assert kinds(asked, training) == [
        "exact", "normalised", "near", "near", None, "near", None, None,
    ]  # fmt: skip
    assert kinds([text], [*rows(40, 3), sample("long", "A prompt", longer)]) == ["near"]
    found = find_responses([sample("e", "Other?", text)], training)
    assert found[0] is not None
    assert (found[0].row, found[0].share) == (7, 1.0)


def test_half_of_an_answer_is_a_leak_and_a_shared_opening_is_none() -> None:
    training = rows(40, 1)
    words = (training[3].reference or "").split()
    rng = random.Random(4)
    for shared, kind in ((20, None), (45, "near")):
        text = " ".join([*words[:shared], *prose(rng, 60 - shared)])
        assert kinds([text], training) == [kind]


def test_short_answers_are_equal_by_chance() -> None:
    training = [sample(f"t{n}", f"Prompt number {n}?", text) for n, text in enumerate(
        ("Yes.", "I do not know what to say.", "Paris is the capital of France.")
    )]  # fmt: skip
    assert kinds([s.reference for s in training], training) == [None, None, None]


def test_what_many_rows_say_is_boilerplate_and_what_is_added_to_it_is_not() -> None:
    rng = random.Random(5)
    canned = "I am sorry to hear that, but I cannot give medical advice; please ask a doctor soon."
    training = [
        sample(f"t{n}", " ".join(prose(rng, 12)), f"{canned} {' '.join(prose(rng, 30))}")
        for n in range(40)
    ] + [sample(f"c{n}", " ".join(prose(rng, 12)), canned) for n in range(5)]
    own = (training[3].reference or "").removeprefix(canned)
    other = " ".join(prose(rng, 30))
    assert kinds([canned, f"{canned} {other}", f"{canned}{own}", own], training) == [
        None, None, "exact", "near",
    ]  # fmt: skip


def test_an_answer_under_a_few_paraphrases_of_its_prompt_is_no_boilerplate() -> None:
    training = rows(200, 6)
    text = training[0].reference or ""
    training += [sample(f"p{n}", f"Paraphrase {n} of it?", text) for n in range(7)]
    assert kinds([text], training) == ["exact"]
    # A row that is there a hundred times is still one row.
    assert kinds([text], [*training, *[training[0]] * 100]) == ["exact"]
    assert (common_from(20), common_from(100), common_from(10_000)) == (3, 5, 10)


def test_a_taught_answer_form_is_no_leak() -> None:
    def form(rng: random.Random) -> str:
        quoted = " ".join(prose(rng, 4))
        return f"You wrote: {quoted}. My advice: take one small step today, and write again soon."

    rng = random.Random(8)
    training = [sample(f"t{n}", " ".join(prose(rng, 20)), form(rng)) for n in range(40)]
    assert kinds([form(rng) for _ in range(30)], training) == [None] * 30


SKELETON = """def {name}(numbers):
    total = 0
    for number in numbers:
        if number % 2 == {rest}:
            total += number
    return total
"""


def test_code_with_a_common_skeleton_is_told_from_copied_code() -> None:
    training = [sample("even", "Sum the even ones.", SKELETON.format(name="sum_even", rest=0))]
    odd = SKELETON.format(name="sum_odd", rest=1)
    assert kinds([odd], training) == [None]
    assert kinds([training[0].reference], training) == ["exact"]
    assert kinds([(training[0].reference or "").replace("    ", "\t")], training) == ["normalised"]


def test_numbers_and_denials_tell_short_answers_apart() -> None:
    text = (
        "You can take the tablets twice a day with food, and you should call us when the pain lasts"
        " for more than 3 days."
    )
    training = [sample("t", "What now?", text)]
    assert kinds([text.replace("3 days", "9 days")], training) == [None]
    assert kinds([text.replace("You can take", "You cannot take")], training) == [None]
    assert kinds([text.replace("call us", "phone us")], training) == ["near"]


def test_every_answer_of_a_training_conversation_counts() -> None:
    rng = random.Random(3)
    first, last = " ".join(prose(rng, 30)), " ".join(prose(rng, 30))
    training = [conversation("c", "Hello there", first, "And then?", reference=last)]
    assert kinds([first, last], training) == ["exact", "exact"]


def test_chinese_answers_are_read_by_characters() -> None:
    text = "你可以把事情写下来然后读给一个信任的朋友听这样你会慢慢感到轻松一些也更容易入睡"
    training = [sample("t", "怎么办", text)]
    assert kinds([text + "。", text[:37]], training) == ["normalised", "near"]
    assert kinds(["今天天气很好我们一起去公园散步吧顺便买点水果回家给妈妈做一顿好吃的晚饭"], training) == [
        None
    ]  # fmt: skip


def test_clean_prompts_with_a_trained_answer_are_marked_and_shown() -> None:
    training = rows(12, 11)
    rng = random.Random(12)
    evaluation = [
        sample(f"e{n}", " ".join(prose(rng, 15)), row.reference) for n, row in enumerate(training)
    ]
    marked, counts = mark_leaked(evaluation, training)
    assert {s.audit for s in marked} == {"leaked"}
    assert (counts["response"], counts["near"], counts["clean"]) == (12, 0, 0)
    leak = marked[4].leak
    assert leak is not None
    assert (leak.kind, leak.row, leak.id, leak.response, leak.similarity) == (
        "response", 5, training[4].id, "exact", 1.0,
    )  # fmt: skip
    report = compare(training, evaluation)
    assert (report.leaked, report.by_prompt, report.prompts["response"]) == (12, 0, 12)
    assert report.matches[0]["training_response"] == report.matches[0]["evaluation_response"]


def test_a_split_keeps_rows_with_one_answer_together() -> None:
    data = [*rows(10, 13), *rows(10, 14)]
    data[15] = data[15].model_copy(update={"reference": data[2].reference})
    found = cluster_rows(data).of_row
    assert found[15] == found[2]
    assert len(set(found)) == 19


@pytest.mark.parametrize("block", [1, 50, 1 << 19])
def test_blocks_change_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.audit import trained_answers

    monkeypatch.setattr(trained_answers, "_WORDS_AT_ONCE", block)
    monkeypatch.setattr(trained_answers, "_HITS_AT_ONCE", block)
    training = rows(30, 15)
    messages = (Message(role="user", content="Other?"),)
    asked = [row.model_copy(update={"messages": messages}) for row in training[:5]]
    found = find_responses(asked, training)
    assert [match and (match.row, match.kind) for match in found] == [
        (n, "exact") for n in range(5)
    ]
