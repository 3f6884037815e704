"""The cheap truths: what must be seen, and what must not be mistaken for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, PluginError
from harness.records import JudgeItem
from harness.registry import judges
from harness.text import language
from harness.text.refusals import Refusals
from judges import answer_checks
from judges.answer_checks import AnswerChecks
from tests.support.fit_weights import shares

QUESTION = "I have been feeling very anxious since I lost my job in March. What can I do about it?"
GOLDEN = Path(__file__).parents[1] / "golden"
GOOD = (
    "Losing a job shakes the ground under anyone, so being anxious makes sense. You could start"
    " each morning with one small task you know you can finish, and keep a walk in the day. If the"
    " worry keeps you from sleeping for more than a few weeks, a counsellor can help you sort it."
)
ALL = {
    "empty",
    "degeneration",
    "truncated",
    "refusal",
    "language_switch",
    "prompt_echo",
    "run_on",
}


def flags(answer: str, question: str = QUESTION, **fields: Any) -> set[str]:
    judge = AnswerChecks(refusal_similarity=None)
    item = JudgeItem(question=question, answer=answer, **fields)
    judgements = list(judge.grade([item]))
    assert {j.dimension for j in judgements} == ALL
    assert all(j.value in (0.0, 1.0) and (j.reason is None) == (j.value == 0) for j in judgements)
    return {j.dimension for j in judgements if j.value}


def test_a_good_answer_has_no_flag() -> None:
    assert flags(GOOD) == set()


@pytest.mark.parametrize("answer", ["", " \n\t", "...", "---\n", "?!", "\u200b\u00a0"])
def test_empty(answer: str) -> None:
    assert "empty" in flags(answer)


@pytest.mark.parametrize("answer", ["7", "x + y", "🙂", "是", "€"])
def test_not_empty(answer: str) -> None:
    assert "empty" not in flags(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "You should talk to someone. " * 12,
        GOOD + " I am here for you." * 40,
        "haha" * 30,
        "他很难过" * 20,
        "no " * 200,
    ],
)
def test_degeneration(answer: str) -> None:
    assert "degeneration" in flags(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "No, no, no, no, no.",
        "=" * 200 + "\nTitle\n" + "-" * 200,
        "KEY = 'XXXXXXXXXXXXXXXXXXX'",
        "\n".join(f"{n}. Write down worry number {n} and what you can do." for n in range(1, 4)),
    ],
)
def test_no_degeneration(answer: str) -> None:
    assert "degeneration" not in flags(answer)


def test_truncated() -> None:
    assert flags(GOOD, finish_reason="length") == {"truncated"}


@pytest.mark.parametrize(
    "answer",
    [
        "I don't know.",
        "I don’t know what fake_fn_1266 is.",
        "I'm sorry, but I can't help with that.",
        "Unfortunately, I cannot answer this question without more context.",
        "Hi! As an AI language model, I have no feelings. Please ask a professional about it.",
        "As an AI language model I cannot advise on this. " + GOOD,
    ],
)
def test_refusal(answer: str) -> None:
    assert "refusal" in flags(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "I don't know how long you have been together, but here is what I can say. " + GOOD,
        GOOD + " I don't know your age.",
        "You may feel that you don't know where to turn.",
        "I know exactly how to start.",
    ],
)
def test_no_refusal(answer: str) -> None:
    assert "refusal" not in flags(answer)


def test_language_switch() -> None:
    french = (
        "Je comprends que ce soit une période très difficile pour vous, et il est normal de se"
        " sentir perdu quand on vient de quitter son travail après tant d'années."
    )
    assert "language_switch" in flags(french)
    assert "language_switch" in flags(GOOD + " " + french * 3)
    assert "language_switch" in flags("我理解这对您来说是一个非常困难的时期，感到迷茫是很正常的。")
    assert "language_switch" not in flags(french, question="Say in French that you understand me.")
    assert "language_switch" not in flags("Try `vous comprenez que ce soit difficile`, d'accord.")
    assert language.switched("ok", french) is None


def test_prompt_echo() -> None:
    assert flags(QUESTION) == {"prompt_echo"}
    assert "prompt_echo" in flags(QUESTION + " " + GOOD)
    assert "prompt_echo" in flags(
        "You said: been feeling very anxious since I lost my job in March."
    )
    code = "Fix this function: def add(a, b): return a - b; print(add(1, 2)); print(add(3, 4))"
    fixed = "def add(a, b): return a + b; print(add(1, 2)); print(add(3, 4))"
    assert "prompt_echo" not in flags(fixed, question=code)
    assert "prompt_echo" in flags(code, question=code)


@pytest.mark.parametrize(
    "tail",
    [
        "\n\nQuestion: My wife does not talk to me any more. What now?",
        "\nUser: thanks",
        "\n### Instruction:\nWrite a poem",
        "<|im_start|>user\nand then?",
        "[INST] next [/INST]",
        "\n\nI am 24 years old and my parents do not accept my boyfriend. What should I do?",
        "\n**Question 2:** why?",
    ],
)
def test_run_on(tail: str) -> None:
    assert flags(GOOD + tail) == {"run_on"}


@pytest.mark.parametrize(
    "answer",
    [
        "Question: what do you want? Start from there.",
        GOOD + "\n\nWhat would you say to a friend in your place?",
        "Ask yourself this question: who helps me?",
        GOOD + "\n```yaml\nuser: me\n```",
    ],
)
def test_no_run_on(answer: str) -> None:
    assert "run_on" not in flags(answer)


@pytest.mark.parametrize("piece", ["a", "ab ", "word ", "\n", "(", "x1.", "é", "question: "])
def test_huge_answers_are_quick(piece: str) -> None:
    flags((piece * 100_000)[:100_000], question=(piece * 10_000)[:10_000])


def test_a_list_of_ones_own(tmp_path: Path) -> None:
    listed = tmp_path / "refusals.txt"
    listed.write_text("# mine\nno comment\n(we|i) make no ... comment*\n!no comment on\n")
    refusals = Refusals(listed, None)
    assert refusals.evidence("No comment!") == "says 'no comment'"
    assert refusals.evidence("Sorry, we make no public comments here.") is not None
    assert refusals.evidence("No comment on that, ask him yourself.") is None
    assert refusals.evidence("I cannot help.") is None
    assert refusals.evidence("") is None
    listed.write_text("fine\n(not closed\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"refusals.txt:2: .* is no phrase"):
        Refusals(listed)


def test_likeness_counts_for_short_answers_only() -> None:
    sure = Refusals(similarity=0.01)
    assert sure.evidence("Nah, count me out.") is not None
    assert Refusals(similarity=None).evidence("Nah, count me out.") is None
    assert sure.evidence(GOOD + " " + GOOD + " " + GOOD) is None
    with pytest.raises(ValueError, match="similarity"):
        Refusals(similarity=0.0)


def test_refusals_that_nothing_was_fitted_or_listed_on() -> None:
    """180 labelled answers that their writer made without sight of list or weights."""
    refusals = Refusals()
    found = shares(
        lambda answer, _: refusals.evidence(answer) is not None, GOLDEN / "refusals.jsonl"
    )
    assert found["refusals general"] >= 0.55
    assert found["others general"] <= 0.05


@pytest.mark.model
def test_real_similarity() -> None:
    refusals = Refusals()
    assert refusals.evidence("Regrettably I can't offer guidance on this topic.") is not None
    assert refusals.evidence("I can listen. Tell me what happened at work today.") is None
    assert refusals.evidence("Call your doctor today.") is None


def test_bad_options(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no check named 'emtpy'"):
        judges.create("answer_checks", {"skip": ["emtpy"]})
    with pytest.raises(PluginError, match="similarity must lie"):
        judges.create("answer_checks", {"refusal_similarity": 7})
    with pytest.raises(DataError, match="cannot be read"):
        judges.create("answer_checks", {"refusals": str(tmp_path / "none.txt")})
    (tmp_path / "blank.txt").write_text("# nothing\n\n")
    with pytest.raises(DataError, match="holds no phrase"):
        Refusals(tmp_path / "blank.txt")


@pytest.mark.parametrize("skip", ["empty", 5, {"empty": True}, [["empty"]], [5]])
def test_what_skip_takes(skip: Any) -> None:
    with pytest.raises(PluginError, match=r"skip must be a list of checks such as|no check named"):
        judges.create("answer_checks", {"skip": skip})
    if not isinstance(skip, list):
        with pytest.raises(ValueError, match=r"skip must be a list of checks such as \[empty\]"):
            AnswerChecks(skip=skip)


def test_skip_and_version(tmp_path: Path) -> None:
    listed = tmp_path / "refusals.txt"
    listed.write_text("no comment\nwe make no comment\n", encoding="utf-8")
    judge = AnswerChecks(skip=["refusal", "run_on"])
    assert {d.name for d in judge.dimensions} == ALL - {"refusal", "run_on"}
    assert all(d.higher_is_better is False and d.description for d in judge.dimensions)
    assert AnswerChecks(str(listed)).version != AnswerChecks().version
    assert answer_checks.AnswerChecks is judges.get("answer_checks")
