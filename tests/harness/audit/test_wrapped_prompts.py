"""Prompts inside wrappers: templates of large and small data sets, and prompts within prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audit import contain
from harness.audit.clusters import cluster_rows
from harness.audit.contain import contained
from harness.audit.corpus import Corpus
from harness.audit.leakage import leakage
from harness.audit.templates import Templates, Unwrapped
from harness.data.loading import load
from harness.records import Leak, Message, Sample
from harness.text import embedding
from harness.text.normalise import normalise_prompt

ALPACA = (
    "Below is an instruction that describes a task. Write a response that appropriately completes"
    " the request.\n\n### Instruction:\n{}\n\n### Response:\n"
)
ADVISER = "You are a helpful counselor. Answer with empathy and in a few sentences. Question: {}"


@pytest.fixture(autouse=True)
def nothing_means_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.eye(len(texts), dtype=np.float32)

    monkeypatch.setattr(embedding, "embed", embed)


def rows(prompts: Sequence[str], wrapper: str = "{}") -> list[Sample]:
    return [
        Sample(id=str(n), messages=(Message(role="user", content=wrapper.format(prompt)),))
        for n, prompt in enumerate(prompts)
    ]


def found(evaluation: Sequence[Sample], training: Sequence[Sample]) -> list[Leak]:
    return [leak for leak in leakage(evaluation, training).leaks if leak is not None]


PROMPTS = [sample.prompt for sample in load("bundled:data/counseling/train.jsonl")]
NEW = [sample.prompt for sample in load("bundled:data/counseling/heldout.jsonl")]


@pytest.mark.parametrize("wrapper", [ALPACA, ADVISER])
@pytest.mark.parametrize("count", [3, 10, 19, 25, 100])
def test_wrapped_prompts_are_found_in_evaluation_sets_of_any_size(wrapper: str, count: int) -> None:
    training = rows(PROMPTS)
    assert len(found(rows(PROMPTS[:count], wrapper), training)) == count
    assert found(rows(NEW[:count], wrapper), training) == []
    # It is the other way about where the training data are wrapped.
    assert len(found(rows(PROMPTS[:count]), rows(PROMPTS, wrapper))) == count


SHORT = ["What is a mutex?", "What is the time?", "What is grief?", "What is a closure?"]


def test_a_template_that_reaches_into_short_prompts_hides_none() -> None:
    kinds = [leak.kind for leak in found(rows(SHORT, ALPACA), rows(SHORT))]
    assert kinds == ["normalised"] * 4
    kinds = [leak.kind for leak in found(rows(SHORT), rows(SHORT, ALPACA))]
    assert kinds == ["normalised"] * 4


def test_one_wrapped_prompt_is_found_by_what_it_contains() -> None:
    long = next(prompt for prompt in PROMPTS if 20 <= len(prompt.split()) <= 40)
    (leak,) = found(rows([long], ALPACA), rows(PROMPTS))
    assert (leak.kind, PROMPTS[leak.row - 1]) == ("near", long)
    assert leak.similarity < 0.9
    assert found(rows([NEW[0]], ALPACA), rows(PROMPTS)) == []
    # A split keeps them together, in either order.
    assert cluster_rows(rows([ALPACA.format(long), NEW[0], long])).of_row == [0, 1, 0]


def words(count: int, letter: str) -> str:
    return " ".join(f"{letter}{n}" for n in range(count))


def test_whole_texts_within_others() -> None:
    inner = [words(12, "a"), words(11, "b"), words(30, "c"), words(12, "a") + " more"]
    outer = [
        f"before {inner[0]} after",
        f"before {inner[1]} after",  # too short to be told from chance
        words(29, "c") + " other",
        inner[0],  # not within itself
        inner[0].replace("a3", "a4"),
        f"{words(25, 'x')} {inner[0]}",  # hardly a third of it
        f"{words(24, 'x')} {inner[0]}",
        f"{inner[2]} {words(12, 'z')}",
        inner[0][1:] + " and on",  # "0" is another word than "a0"
    ]
    assert contained(inner, outer).pairs == [(0, 0), (0, 6), (2, 7)]
    assert contained(inner, inner).pairs == [(0, 3)]
    assert contained([], outer) == contained(inner, []) == ([], 0)


def test_texts_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = [words(20, letter) for letter in "abcdef"]
    outer = [f"so {text} it is" for text in inner]
    monkeypatch.setattr(contain, "_WORDS_AT_ONCE", 30)
    assert contained(inner, outer).pairs == [(n, n) for n in range(6)]


def test_wording_that_too_many_share_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contain, "COMMON", 2)
    inner = [words(12, "a") + f" {n}" for n in range(3)] + [words(40, "a") + " end"]
    result = contained(inner, [f"so {text}" for text in inner])
    assert (result.pairs, result.skipped) == ([(0, 0), (1, 1), (2, 2), (3, 3)], 0)
    same = [words(12, "a") + " " * n for n in range(3)]
    assert contained(same, [f"so {words(12, 'a')}"]) == ([], 3)


TASKS = [
    "sum of all the even numbers in a list of lists that may be empty",
    "longest run of all the equal letters in a line that was read from a file",
    "number of all the ways to climb a stair of some steps by one or two",
]


def returns(language: str, task: str) -> str:
    return f"Write a function in {language} that returns the {task}"


def test_what_was_stripped_must_not_be_replaced_by_something_else() -> None:
    java, python = ([returns(name, task) for task in TASKS] for name in ("Java", "Python"))
    # Only the small set teaches its template: the others hold the bare tasks within their prompts.
    assert found(rows(java), rows([*python, *PROMPTS])) == []
    assert len(found(rows(java), rows([*java, *PROMPTS]))) == 3
    slightly = [returns("Python", task.replace("all the", "all of the")) for task in TASKS]
    assert found(rows(java), rows(slightly)) == []


def test_long_prompts_in_different_wrappers_are_near() -> None:
    longer = [f"{task}, {words(40, task[0])}" for task in TASKS]
    leaks = found(
        rows([returns("Java", task) for task in longer]),
        rows([returns("Python", task) for task in longer]),
    )
    assert [leak.kind for leak in leaks] == ["near"] * 3


def test_unwrapped_texts_agree_unless_both_are_wrapped_unlike() -> None:
    bare, one, other = (Unwrapped(start, "x", ()) for start in ((), ("a",), ("b",)))
    assert bare.agrees(one)
    assert one.agrees(one)
    assert not one.agrees(other)
    assert not Unwrapped((), "x", ("a",)).agrees(Unwrapped(("c",), "x", ("b",)))
    ties = Corpus(["x y", "go on then x y", "stop it now x y"],
                  Templates(starts=[("go", "on", "then"), ("stop", "it", "now")])).same()  # fmt: skip
    assert ties == [(0, 1), (0, 2)]


def test_a_template_ends_where_many_go_on_in_their_own_way() -> None:
    """What 60 % of its rows say next is no part of it (COVERED), however much that is."""
    start = "below is a task that you should solve"
    common = "write a short answer to the following question about"
    alike = [f"{start} {common} x{n}" for n in range(60)]
    templates = Templates.learn([*alike, *(f"{start} y{n} z" for n in range(40))])
    assert templates.starts == [tuple(start.split())]
    templates = Templates.learn([*alike, *(f"{start} y{n} z" for n in range(4))])
    assert [" ".join(words) for words in templates.starts] == [f"{start} {common}", start]


def test_a_template_ends_before_what_many_prompts_begin_with() -> None:
    start = ("below", "is", "a", "task", "that", "you", "should", "solve")
    # Nine in ten prompts begin with "I": the others would keep their template.
    texts = [" ".join((*start, "i" if n % 10 else f"w{n}", f"x{n}")) for n in range(100)]
    assert Templates.learn(texts).starts == [start]


def test_short_ends_are_templates_only_beside_a_long_start() -> None:
    wrapped = [normalise_prompt(ALPACA.format(prompt)) for prompt in PROMPTS[:30]]
    templates = Templates.learn(wrapped)
    assert templates.ends == []
    (start,) = templates.starts
    assert templates.after[start] == [("response",)]
    assert templates.unwrap("I wait for a response").core == "I wait for a response"
    assert templates.unwrap(wrapped[0]).core == normalise_prompt(PROMPTS[0])
    assert Templates.learn(wrapped[:2]).starts == []


CHATS = [
    "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<|user|>\n{}</s>\n<|assistant|>\n",
    "<s>[INST] {} [/INST]",
    "<start_of_turn>user\n{}<end_of_turn>\n<start_of_turn>model\n",
    "User: {}\nAssistant:",
]


@pytest.mark.parametrize("wrapper", CHATS)
@pytest.mark.parametrize("count", [1, 4])
def test_a_chats_markers_are_left_out_however_few_rows_have_them(wrapper: str, count: int) -> None:
    asked = [*SHORT, "What is the longest word?"][:count]
    for pair in ((rows(asked, wrapper), rows(SHORT)), (rows(asked), rows(SHORT, wrapper))):
        assert [leak.kind for leak in found(*pair)] == ["normalised"] * count
    assert found(rows(["What is a monad?"], wrapper), rows(SHORT, wrapper)) == []


def test_markers_that_are_asked_about_are_kept() -> None:
    texts = ["Is <|im_end|> one token?", "Is <|im_start|> one token?", "<|im_end|>", "[INST]"]
    assert len(Corpus(texts).keys) == 4


def test_short_starts_are_templates_beside_a_long_end() -> None:
    wrapper = "Task: {} Now give a short answer in one line"
    training = rows(SHORT, wrapper)
    templates = Templates.learn([normalise_prompt(row.prompt) for row in training])
    assert (templates.starts, len(templates.ends)) == ([], 1)
    assert [leak.kind for leak in found(rows(SHORT), training)] == ["normalised"] * 4
    assert [leak.kind for leak in found(training, rows(SHORT))] == ["normalised"] * 4
    mixed = ["Why do I dream?", "What is grief?", "How old is it?", "Sort my list"]
    templates = Templates.learn([normalise_prompt(wrapper.format(prompt)) for prompt in mixed])
    assert templates.before == {templates.ends[0]: [("task",)]}
    assert templates.unwrap(normalise_prompt(wrapper.format("Task one?"))).core == "task one"
    assert (templates | Templates()).before == templates.before
