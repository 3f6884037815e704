"""Short prompts that look alike and ask different things."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audit.corpus import Corpus
from harness.audit.leakage import leakage
from harness.audit.lookup import near_pairs
from harness.audit.similar import same_response
from harness.audit.wording import Difference, apart, difference, opposite, same_word, short
from harness.records import Message, Sample
from harness.text.normalise import normalise_prompt


def told(one: str, other: str) -> Difference | None:
    return difference(normalise_prompt(one), normalise_prompt(other))


def alike(texts: Sequence[str]) -> NDArray[np.float32]:
    """All sentences mean the same; single words only where they are equal."""
    vectors = np.zeros((len(texts), len(texts) + 1), dtype=np.float32)
    for row, text in enumerate(texts):
        vectors[row, row if " " not in text else -1] = 1
    return vectors


OTHER_QUESTIONS = [
    ("Write a function in Python to reverse a string", "Write a function in Java to reverse a string"),
    ("Write a function in C++ to reverse a string", "Write a function in C# to reverse a string"),
    ("Find the highest salary in each department", "Find the lowest salary in each department"),
    ("Sort the list in ascending order", "Sort the list in descending order"),
    (
        "Take a list of integers and return the sum of all the even numbers in it",
        "Take a list of integers and return the sum of all the odd numbers in it",
    ),
    (
        "My husband hit me yesterday and I do not know whether I should leave him or stay with him",
        "My husband left me yesterday and I do not know whether I should leave him or stay with him",
    ),
    (
        "Translate the following sentence into French: I would like to book a table for two tonight",
        "Translate the following sentence into German: I would like to book a table for two tonight",
    ),
    (
        "Calculate the area of a circle with radius 5 and print it with two decimals on one line",
        "Calculate the area of a circle with radius 9 and print it with two decimals on one line",
    ),
    (
        "Why should I tell my mother that I have decided to move away from home this summer",
        "Why shouldn't I tell my mother that I have decided to move away from home this summer",
    ),
    ("Return x if x > 5 and print a line for it", "Return x if x < 5 and print a line for it"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), OTHER_QUESTIONS)
def test_one_word_makes_another_question_of_a_short_prompt(one: str, other: str) -> None:
    found = near_pairs(Corpus([one]), Corpus([other]), embed=alike)
    assert (found.pairs, found.undecided, found.told_apart) == ([], [], 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Write a function to reverse a string", "Write a function that reverses the string"),
        ("What can I do about feeling depressed", "What could I do about feelin depresed"),
        ("Find two large numbers in a given array", "Find two big numbers in the given array"),
        ("I do not know how to sleep at night", "I don't know how to sleep at night"),
        ("I felt sad when my friends moved away", "I feel unhappy when my friends moved away"),
        ("How do I tell my mother about school", "How do I tell my mother about the new school"),
    ],
)
def test_other_words_for_the_same_leave_it_to_the_meaning(one: str, other: str) -> None:
    found = told(one, other)
    assert found is not None
    assert not found.open


@pytest.mark.model
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Write a function to reverse a string", "Write a function that reverses the string"),
        ("Find two large numbers in a given array", "Find two big numbers in the given array"),
        ("I do not know how to sleep at night", "I don't know how to sleep at night"),
        ("How do I write a loop in Python?", "How do I wirte a loop in Pyhton"),
        ("What is recursion?", "What is recurison"),
        ("What can I do about my depression", "What can I do about my depresion"),
    ],
)
def test_the_same_question_in_other_words_is_near(one: str, other: str) -> None:
    assert len(near_pairs(Corpus([one]), Corpus([other])).pairs) == 1


SAVED = "How could we have kept {} of it for a year on one small salary without a car"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,000", "1000"),
        ("$5", "5 dollars"),
        ("€5", "5 euros"),
        ("5 kg", "5kg"),
        ("50%", "50 percent"),
        ("50%", "50 per cent"),
        ("values >= 5", "values ≥ 5"),
        ("3×4", "3*4"),
        ("the co-worker", "the coworker"),
        ("the DataFrame", "the data frame"),
        ("the week-ends and the coworker", "the weekends and the co-worker"),
        ("a 3x3 board", "a 3 x 3 board"),
        ("1990s music", "1990's music"),
        ("what can not stay", "what cannot stay"),
        ("what isn't mine", "what isnt mine"),
    ],
)
def test_the_same_written_differently_is_near(one: str, other: str) -> None:
    one, other = SAVED.format(one), SAVED.format(other)
    assert told(one, other) == ((), ())
    left, right = Corpus([one]), Corpus([other])
    assert left.keys == right.keys or len(near_pairs(left, right, embed=alike).pairs) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$5", "$7"),
        ("$5", "5 euros"),
        ("5kg", "7 kg"),
        ("5kg", "5lb"),
        ("5m", "5s"),
        ("5%", "5 dollars"),
        ("1,000", "1,001"),
        ("x ≥ 5", "x <= 5"),
        ("a 3x3 board", "a 3 x 4 board"),
        ("1 2", "12"),
        ("3×4", "3÷4"),
    ],
)
def test_spellings_of_numbers_do_not_hide_other_numbers(one: str, other: str) -> None:
    found = near_pairs(Corpus([SAVED.format(one)]), Corpus([SAVED.format(other)]), embed=alike)
    assert (found.pairs, found.told_apart) == ([], 1)


def unlike(texts: Sequence[str]) -> NDArray[np.float32]:
    """Nothing means the same."""
    return np.eye(len(texts), dtype=np.float32)


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("What is recursion?", "What is recurison", 1),
        ("How do I write a loop in Python?", "How do I wirte a loop in Pyhton", 1),
        ("Why is my coworker so loud?", "Why is my co-worker so loud?", 1),
        ("How far is the station from my house?", "How far is the sattion from my house?", 1),
        ("How far is the station from my house?", "How far is a station to my house?", 0),
        ("What is the largest class of 5 to 9?", "What is the largest class of 9 to 5?", 0),
        ("Is the time of an insertion constant", "Is the time of insertion constant", 0),
        ("Convert the color weight of it", "Convert the color height of it", 0),
    ],
)
def test_a_misspelt_word_of_a_brief_prompt_needs_no_cosine(one: str, other: str, near: int) -> None:
    assert len(near_pairs(Corpus([one]), Corpus([other]), embed=unlike).pairs) == near


def test_in_a_long_prompt_one_word_counts_for_little() -> None:
    story = " ".join(f"word{n}x" for n in range(39))
    assert short(story, story + " x") is False
    assert short(story, story) is True
    pair = Corpus([f"{story} in Python"]), Corpus([f"{story} in Java"])
    assert near_pairs(*pair, embed=alike).pairs
    brief = story.split(" ", 2)[2]
    assert not near_pairs(
        Corpus([f"{brief} in Python"]), Corpus([f"{brief} in Java"]), embed=alike
    ).pairs


def test_meaning_decides_what_words_leave_open() -> None:
    found = told("my car is tired", "my automobile is tired")
    assert found == (("car",), ("automobile",))
    assert not apart(found, lambda a, b: 0.88)
    assert apart(found, lambda a, b: 0.75)
    assert apart(None, lambda a, b: 1.0)
    # Names of things that are no words have no meaning to compare.
    assert apart(told("in C++ please", "in C# please"), lambda a, b: 1.0)


def test_words() -> None:
    assert same_word("sorting", "sorted")
    assert same_word("felt", "feel")
    assert same_word("recieve", "receive")
    assert same_word("tell", "tlel")
    assert same_word("anuglra", "angular")
    assert not same_word("listen", "silent")
    assert same_word("recognising", "recognizing")
    assert same_word("behaviour", "behavior")
    assert same_word("dealt", "handled")
    assert not same_word("qwxa", "qwxb")  # neither is: names
    assert not same_word("tell", "tall")
    assert not same_word("weight", "height")  # both are words
    assert not same_word("seven", "even")
    assert opposite("happy", "unhappy")
    assert opposite("odd", "even")
    assert not opposite("to", "into")
    assert told("two of them", "2 of them") == ((), ())


def test_script_without_spaces_has_no_words_to_compare() -> None:
    text = "我最近总是睡不着觉晚上躺在床上想很多事情第二天上班没有精神不知道该怎么办才好"
    assert not short(text, text.replace("晚上", "夜里"))


def test_responses_that_differ_in_a_number_are_others() -> None:
    long = "the train leaves at 9 in the morning from the second platform of the old station"
    assert same_response(long, long.replace("the train", "this train")) == "near"
    assert same_response(long, long.replace("9", "7")) is None


def sample(number: str, prompt: str) -> Sample:
    return Sample(id=number, messages=(Message(role="user", content=prompt),))


def test_a_data_set_in_another_language_is_no_leak() -> None:
    tasks = [
        f"{what} of {which} {where}"
        for what in ("sum", "maximum", "median", "product", "average", "count")
        for which in ("all even numbers in", "the squares of", "the unique items of")
        for where in ("a list", "a matrix", "a linked queue")
    ]
    # Both files teach their prefix as a template; what is stripped must not vanish unseen.
    python = [sample(t, f"Write a function in Python that returns the {t}.") for t in tasks]
    java = [sample(t, f"Write a function in Java that returns the {t}.") for t in tasks]
    for count in (len(tasks), 12):
        assert leakage(java[:count], python[:count], embed=alike).leaks == [None] * count
    assert all(leak and leak.kind == "exact" for leak in leakage(java, java, embed=alike).leaks)
    bare = [sample(t, t) for t in tasks]
    kinds = [leak and leak.kind for leak in leakage(bare, python, embed=alike).leaks]
    assert kinds == ["normalised"] * len(tasks)


CITIES = ("Paris", "London", "Berlin", "Madrid", "Lisbon", "Vienna")


def test_words_decide_where_there_are_too_many_pairs_to_embed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.audit.similar.MOST_EMBEDDED", 1)
    corpus = Corpus([f"What are the nicest places to see in {city} today" for city in CITIES])
    found = near_pairs(corpus, embed=alike)
    assert (found.pairs, found.undecided, found.told_apart) == ([], [], 15)
    monkeypatch.setattr("harness.audit.similar.MOST_WORDS", 2)
    assert len(near_pairs(corpus, embed=alike).undecided) == 14


def test_what_is_too_much_to_read_is_undecided_unless_it_is_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.audit.similar.MOST_READ", 0)
    story = " ".join(f"word{n}x" for n in range(45))
    corpus = Corpus(
        [story, f"{story} once", *(f"Is it nice to live in {c}" for c in ("Rom", "Rome"))]
    )
    found = near_pairs(corpus, embed=alike)
    assert [(pair.left, pair.right) for pair in found.pairs] == [(0, 1)]
    assert found.undecided == [(2, 3)]


ASKED = [
    "How do I write a loop in Python?",
    "Why does my sister no longer talk to me at dinner, and what could I say to her about that?",
    "Reverse a linked list.",
]


@pytest.mark.parametrize(
    "changed",
    [
        "{n}. {p}",
        "{n}) {p}",
        "Question {n}: {p}",
        "Q{n}: {p}",
        "{p} (2023)",
        "{p} Answer in 3 sentences.",
        "{p} ({n} points)",
    ],
)
def test_a_number_on_one_side_alone_makes_no_other_question(changed: str) -> None:
    training = [sample(str(n), prompt) for n, prompt in enumerate(ASKED)]
    asked = [sample(str(n), changed.format(n=n + 7, p=p)) for n, p in enumerate(ASKED)]
    leaks = leakage(asked, training, embed=alike).leaks
    # Of a short prompt, what is added can be most of the letters.
    assert all(leaks[1:2] if changed.startswith("{p}") else leaks)
    assert told(ASKED[0], changed.format(n=12, p=ASKED[0])) is not None


@pytest.mark.parametrize("changed", ["{n}. {p}", "Question {n}: {p}", "exercise {n}) {p}"])
def test_two_copies_with_different_numbers_in_their_lists_say_the_same(changed: str) -> None:
    corpus = Corpus([changed.format(n=n, p=p) for n in (3, 1004) for p in ASKED])
    assert corpus.key_of == [0, 1, 2, 0, 1, 2]
    # What is nothing but a number is kept; a decimal and a time are no place in a list.
    assert len(Corpus(["12.", "13.", "3.5 or 4?", "2.5 or 4?"]).keys) == 4


def test_numbers_tell_apart_where_both_have_one() -> None:
    assert told("the 2 of the 3 largest", "two of the largest") is not None
    assert told("the 2 of the 3 largest", "the 2 of the 4 largest") is None
    assert told("the 3 sisters", "the unhappy sisters") == (("3",), ("unhappy",))
    assert told("the sisters in 2023", "the sistres") == (("2023",), ())
