"""The leakage check: candidates, the decision, templates, conversations."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.audit import mark_leaked, minhash
from harness.audit.clusters import cluster, cluster_rows, connected, mark_families
from harness.audit.corpus import Corpus
from harness.audit.leakage import leakage
from harness.audit.lookup import near_pairs
from harness.audit.similar import (
    LEAST_COSINE,
    SURE,
    embedded_pairs,
    needed_cosine,
    same_response,
)
from harness.audit.templates import Templates
from harness.records import Message, Sample
from harness.text import embedding
from harness.text.normalise import normalise_prompt

LEXICON = (
    "river garden window quiet teacher morning letter doctor carry bridge winter market silver"
    " button travel kitchen summer mother paper listen forest number animal cotton singer pocket"
    " hammer island yellow planet engine candle mirror saddle ticket basket corner dragon finger"
)
WORDS = LEXICON.split()


def prose(rng: random.Random, words: int) -> list[str]:
    return [rng.choice(WORDS) + rng.choice(("", "s", "ing", "ed", "ly")) for _ in range(words)]


def edited(words: Sequence[str], share: float, rng: random.Random) -> list[str]:
    out = list(words)
    for place in rng.sample(range(len(out)), max(1, round(share * len(out)))):
        out[place] = rng.choice(WORDS)
    return out


def sample(number: str, prompt: str, reference: str | None = None) -> Sample:
    return Sample(id=number, messages=(Message(role="user", content=prompt),), reference=reference)


def conversation(number: str, *turns: str, reference: str | None = None) -> Sample:
    roles = ("user", "assistant")
    messages = tuple(Message(role=roles[n % 2], content=turn) for n, turn in enumerate(turns))
    return Sample(id=number, messages=messages, reference=reference)


class Meaning:
    """Texts to unit vectors: equal up to ``cosine`` of the first text that it sees."""

    def __init__(self, cosine: float) -> None:
        self.cosine = cosine
        self.seen: list[str] = []

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.seen += texts
        vectors = np.zeros((len(texts), 2), dtype=np.float32)
        vectors[0] = (1, 0)
        vectors[1:] = (self.cosine, (1 - self.cosine**2) ** 0.5)
        return vectors


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters decide in these tests unless they bring their own embeddings."""

    def refuse(texts: Sequence[str]) -> NDArray[np.float32]:
        raise AssertionError(f"asked for embeddings of {texts}")

    monkeypatch.setattr(embedding, "embed", refuse)


def jaccard(a: str, b: str, width: int = minhash.SHINGLE) -> float:
    first, second = ({t[i : i + width] for i in range(len(t) - width + 1)} for t in (a, b))
    return len(first & second) / len(first | second)


def test_signatures_estimate_the_jaccard_similarity() -> None:
    rng = random.Random(1)
    for share in (0.05, 0.1, 0.2, 0.4):
        words = prose(rng, 120)
        a, b = " ".join(words), " ".join(edited(words, share, rng))
        first, second = minhash.signatures([a, b])
        # Four standard errors of a share of 192 trials.
        assert abs((first == second).mean() - jaccard(a, b)) < 4 * 0.5 / 192**0.5


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=8))
def test_a_signature_does_not_depend_on_its_company(texts: list[str]) -> None:
    together = minhash.signatures(texts)
    for text, row in zip(texts, together, strict=True):
        assert (minhash.signatures([text])[0] == row).all()


def test_signatures_across_blocks_equal_those_of_single_texts() -> None:
    rng = random.Random(2)
    texts = [" ".join(prose(rng, 700)) for _ in range(30)]  # several blocks
    together = minhash.signatures(texts)
    for number in (0, 11, 29):
        assert (minhash.signatures([texts[number]])[0] == together[number]).all()


def brute_force(left: minhash.Signatures, right: minhash.Signatures) -> set[tuple[int, int]]:
    shape = (minhash.BANDS, minhash.ROWS)
    return {
        (i, j)
        for i, a in enumerate(left)
        for j, b in enumerate(right)
        if (a.reshape(shape) == b.reshape(shape)).all(axis=1).any()
        and (a == b).mean() >= minhash.LEAST_JACCARD + 0.02
    }


def test_candidates_are_those_that_share_a_band() -> None:
    rng = random.Random(3)
    base = [prose(rng, 40) for _ in range(12)]
    texts = [" ".join(edited(words, share, rng)) for words in base for share in (0.02, 0.1, 0.2)]
    marks = minhash.signatures(texts)
    within = minhash.candidates(marks)
    found = set(zip(within.left.tolist(), within.right.tolist(), strict=True))
    assert all(a < b for a, b in found)
    assert {pair for pair in brute_force(marks, marks) if pair[0] < pair[1]} <= found
    between = minhash.candidates(marks[:20], marks[20:])
    pairs = set(zip(between.left.tolist(), between.right.tolist(), strict=True))
    assert brute_force(marks[:20], marks[20:]) <= pairs
    assert {(a, b + 20) for a, b in pairs} <= found
    assert within.crowded == between.crowded == 0


def test_crowded_buckets_are_passed_over_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minhash, "CROWDED", 10)
    same = minhash.signatures(["one and the same long enough text"] * 6)  # 15 pairs within
    found = minhash.candidates(same)
    assert len(found.left) == 0
    assert found.crowded == minhash.BANDS
    assert minhash.candidates(same[:2], same[:4]).crowded == 0  # 8 pairs
    assert minhash.candidates(same[:2], same).crowded == minhash.BANDS  # 12 pairs


def test_a_few_dozen_near_duplicates_of_one_text_are_no_crowd() -> None:
    rng = random.Random(12)
    words = prose(rng, 60)
    texts = [" ".join([*words, f"end{n}"]) for n in range(30)]
    groups = cluster(Corpus(texts))
    assert (groups.total, groups.search.crowded) == (1, 0)
    assert len(groups.search.pairs) == 30 * 29 / 2


def test_nothing_to_compare() -> None:
    empty = minhash.signatures([])
    assert minhash.candidates(empty).left.size == 0
    assert near_pairs(Corpus([]), Corpus(["something or other"])).pairs == []
    assert near_pairs(Corpus(["alone"])).pairs == []


def test_long_prompts_with_a_tenth_of_the_words_edited_are_found_and_others_are_not() -> None:
    rng = random.Random(4)
    prompts = [prose(rng, 60) for _ in range(200)]
    training = [sample(f"t{n}", " ".join(words)) for n, words in enumerate(prompts)]
    evaluation = [
        sample(f"e{n}", " ".join(edited(prompts[n], 0.1, rng) if n % 2 else prose(rng, 60)))
        for n in range(100)
    ]
    marked, counts = mark_leaked(evaluation, training)
    for number, row in enumerate(marked):
        if number % 2:
            assert row.audit == "leaked"
            assert row.leak is not None
            assert (row.leak.kind, row.leak.id, row.leak.row) == ("near", f"t{number}", number + 1)
            assert SURE <= row.leak.similarity < 1
        else:
            assert (row.audit, row.leak) == ("clean", None)
    assert (counts["near"], counts["clean"], counts["training_rows"]) == (50, 50, 200)


def test_exact_goes_before_normalised_and_whole_pairs_are_told() -> None:
    long = " ".join(prose(random.Random(5), 30))
    training = [
        sample("a", "how do I sleep better"),
        sample("b", "How do I sleep better?", "Go to bed early."),
        sample("c", "How do I sleep better?", "Get up early."),
        sample("d", "What is a mutex?", long),
    ]
    evaluation = [
        sample("1", "How do I sleep better?", "get up early"),
        sample("2", "HOW do I  sleep better"),
        sample("3", "What is a mutex?", long.replace("river", "rivers", 1)),
        sample("4", "What is a mutex?", long),
        sample("5", "Why is the sky blue?", long),
    ]
    marked, counts = mark_leaked(evaluation, training)
    told = [s.leak and (s.leak.kind, s.leak.id, s.leak.pair) for s in marked]
    assert told[0] == ("exact", "c", "normalised")
    assert told[1] == ("normalised", "a", None)
    assert told[3] == ("exact", "d", "exact")
    assert told[4] == ("response", "d", None)  # another prompt, but this answer was trained on
    assert told[2] is not None
    assert told[2][:2] == ("exact", "d")
    assert {key: counts[key] for key in ("samples", "exact", "normalised", "near", "response", "clean")} == {
        "samples": 5, "exact": 3, "normalised": 1, "near": 0, "response": 1, "clean": 0,
    }  # fmt: skip
    assert counts["pairs"] == 1


TIRED = (
    "I have been feeling very tired and sad since my mother moved away last winter and I do not know"
    " what to do about it"
)
CALL = "Talk to her every week and plan a visit for the next holidays, it will help you both."


def test_the_whole_pair_is_found_where_the_prompt_alone_stands_elsewhere() -> None:
    other = TIRED.replace("winter", "summer")
    training = [sample("a", TIRED, "Wholly different advice."), sample("b", other, CALL)]
    (leak,) = leakage([sample("1", TIRED, CALL)], training).leaks
    assert leak is not None
    assert (leak.kind, leak.id, leak.pair) == ("exact", "a", "near")
    # The response of a prompt that is not alike makes no pair, nor does a short response.
    training[1] = sample("b", "Why is the sky blue?", CALL)
    assert [leak and leak.pair for leak in leakage([sample("1", TIRED, CALL)], training).leaks] == [
        None
    ]
    training[1] = sample("b", other, "Yes.")
    assert [
        leak and leak.pair for leak in leakage([sample("1", TIRED, "Yes.")], training).leaks
    ] == [None]


@pytest.mark.parametrize(("cosine", "found"), [(0.5, False), (0.99, True)])
def test_open_pairs_are_decided_by_meaning(cosine: float, found: bool) -> None:
    rng = random.Random(6)
    words = prose(rng, 40)
    # Every fourth word another one: about 86 % of the characters stay.
    other = [rng.choice(WORDS) if n % 4 == 0 else word for n, word in enumerate(words)]
    embed = Meaning(cosine)
    result = near_pairs(Corpus([" ".join(words)]), Corpus([" ".join(other)]), embed=embed)
    assert embed.seen  # the letters alone left it open
    assert bool(result.pairs) is found
    if found:
        assert result.pairs[0].cosine == pytest.approx(cosine, abs=1e-3)


@pytest.mark.parametrize(("cosine", "found"), [(0.8, False), (0.95, True)])
def test_short_prompts_must_also_mean_the_same(cosine: float, found: bool) -> None:
    left = Corpus(["Create a function in Python to reverse a string"])
    right = Corpus(["Create a function in Python reversing the string"])
    assert bool(near_pairs(left, right, embed=Meaning(cosine)).pairs) is found


def test_the_less_the_letters_agree_the_more_the_meaning_must() -> None:
    needed = [needed_cosine(letters) for letters in (0.5, 0.8, 0.85, 0.9)]
    assert needed == pytest.approx([LEAST_COSINE, LEAST_COSINE, 0.75, 0.6])


NURSES = [
    f"How can I best {verb} the night nurse" for verb in ("thank", "thank for all", "thank now")
]


def test_open_pairs_beyond_the_limit_are_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.audit.similar.MOST_EMBEDDED", 1)
    left, right = Corpus(NURSES[:1]), Corpus(NURSES[1:])
    result = near_pairs(left, right, embed=Meaning(0.99))
    assert (len(result.pairs), len(result.undecided)) == (1, 1)
    # Such a row is neither leaked nor clean, and in a split such rows stay together.
    rows = [sample(f"s{n}", text) for n, text in enumerate(NURSES)]
    marked, counts = mark_leaked([*rows[1:], sample("n", "Why?")], rows[:1], embed=Meaning(0.99))
    assert [row.audit for row in marked] == ["unchecked", "leaked", "clean"]
    assert (counts["unchecked"], counts["clean"], counts["undecided_pairs"]) == (1, 1, 1)
    assert cluster_rows(rows, embed=Meaning(0.0)).of_row == [0, 0, 0]
    assert cluster(Corpus(NURSES), embed=Meaning(0.0)).total == 3


def test_prompts_under_test_are_marked_with_their_family() -> None:
    words = prose(random.Random(3), 40)
    turned = [*words[:-1], "otherwise"]
    rows = [
        sample("c", " ".join(words)),
        sample("b", "Why is the sky blue?"),
        sample("a", " ".join(turned)),
        conversation("d", "Hello", "Good day", "Why is the sky blue, and why is grass green then?"),
        conversation("e", "Hello", "Yes?", "How do I bake bread without any yeast in the house?"),
    ]
    families = mark_families(rows, embed=Meaning(0.0))
    assert [row.family for row in families.samples] == ["a", "b", "a", "d", "e"]
    backwards = mark_families(rows[::-1], embed=Meaning(0.0))
    assert backwards.samples == families.samples[::-1]
    nurses = [sample(f"s{n}", text) for n, text in enumerate(NURSES)]
    assert {row.family for row in mark_families(nurses, embed=Meaning(0.99)).samples} == {"s0"}


def test_the_limit_grows_with_the_rows() -> None:
    assert [embedded_pairs(rows) for rows in (10, 5_000, 10**6)] == [2_000, 5_000, 10_000]


def test_chinese_prompts_are_compared_by_shorter_shingles() -> None:
    text = "我最近总是睡不着觉晚上躺在床上想很多事情第二天上班没有精神不知道该怎么办才好请问有什么办法可以改善睡眠质量谢谢大家的帮助"
    other = text.replace("晚上", "夜里").replace("精神", "力气")
    assert near_pairs(Corpus([text]), Corpus([other])).pairs
    assert not near_pairs(Corpus([text]), Corpus(["今天天气很好我们一起去公园散步吧" * 3])).pairs


def alpaca(instruction: str, *, further: bool) -> str:
    paired = ", paired with an input that provides further context" if further else ""
    return (
        f"Below is an instruction that describes a task{paired}. Write a response that"
        f" appropriately completes the request. Instruction: {instruction} Now write the response"
        " to the instruction that stands above here."
    )


def test_a_template_neither_makes_nor_hides_a_leak() -> None:
    rng = random.Random(7)
    asked = [" ".join(prose(rng, 14)) for _ in range(80)]
    training = [
        sample(f"t{n}", alpaca(text, further=n % 3 == 0)) for n, text in enumerate(asked[:60])
    ]
    evaluation = [sample(f"e{n}", text) for n, text in enumerate(asked[50:80])]
    marked, counts = mark_leaked(evaluation, training)
    assert [row.audit for row in marked] == ["leaked"] * 10 + ["clean"] * 20
    assert counts["normalised"] == 10
    wrapped = [sample(f"w{n}", alpaca(text, further=False)) for n, text in enumerate(asked[60:])]
    assert mark_leaked(wrapped, training)[1]["clean"] == 20


def test_templates_end_where_instructions_begin() -> None:
    rng = random.Random(8)
    texts = [normalise_prompt(alpaca("Write " + " ".join(prose(rng, 8)), further=False))
             for _ in range(15)]  # fmt: skip
    texts += [normalise_prompt(alpaca(" ".join(prose(rng, 8)), further=False)) for _ in range(45)]
    templates = Templates.learn(texts)
    assert [start[-1] for start in templates.starts] == ["instruction"]
    assert templates.unwrap(texts[0]).core.startswith("write ")
    assert Templates.learn(" ".join(prose(rng, 20)) for _ in range(60)).starts == []
    whole = Templates(starts=[("just", "this")])
    assert whole.unwrap(texts[0]).core == texts[0]
    text = "just this"
    assert whole.unwrap(text) == ((), text, ())


def test_conversations_leak_as_a_whole_and_by_a_long_last_turn() -> None:
    turn = " ".join(prose(random.Random(9), 20))
    training = [
        conversation("t", "Hello", "Hi.", "Yes, please.", "Well.", turn, reference="Sure."),
    ]
    cases = {
        "the same": (conversation("1", "Hello", "Hi.", "Yes, please."), True),
        "first turn": (conversation("2", "Hello"), True),
        "short last turn elsewhere": (conversation("3", "Tea?", "Milk?", "Yes, please."), False),
        "long last turn elsewhere": (conversation("4", "Tea?", "Milk?", turn), True),
        "long last turn alone": (conversation("5", turn), True),
        "begins alike": (conversation("6", "Hello", "Hi.", "No, thanks."), False),
    }
    found = leakage([row for row, _ in cases.values()], training, embed=Meaning(0.0))
    assert {name: leak is not None for name, leak in zip(cases, found.leaks, strict=True)} == {
        name: leaked for name, (_, leaked) in cases.items()
    }


def test_system_text_is_left_out_of_account() -> None:
    row = Sample(
        id="s",
        messages=(Message(role="system", content="Be kind."), Message(role="user", content="Why?")),
    )
    assert mark_leaked([row], [sample("t", "Why?")])[1]["exact"] == 1


def test_the_order_of_the_training_data_decides_only_which_row_is_named() -> None:
    rng = random.Random(10)
    prompts = [prose(rng, 50) for _ in range(60)]
    training = [sample(f"t{n}", " ".join(words)) for n, words in enumerate(prompts)]
    evaluation = [sample(f"e{n}", " ".join(edited(w, 0.1, rng))) for n, w in enumerate(prompts)]
    forward, _ = mark_leaked(evaluation, training)
    backward, _ = mark_leaked(evaluation, training[::-1])
    assert [s.leak and s.leak.id for s in forward] == [s.leak and s.leak.id for s in backward]


def test_same_response() -> None:
    long = "sleep is a skill that can be learned by anyone who gives it a little time and patience"
    assert same_response(long, long) == "exact"
    assert same_response(long, long.upper() + "!") == "normalised"
    assert same_response(long, long.replace("little", "bit of")) == "near"
    assert same_response("Yes.", "Yet.") is None


def test_clusters_follow_chains() -> None:
    assert connected(6, [(4, 1), (5, 4), (2, 3)]) == [0, 1, 2, 2, 1, 1]
    rng = random.Random(11)
    first = prose(rng, 40)
    second = edited(first, 0.06, rng)
    third = edited(second, 0.06, rng)
    texts = [" ".join(words) for words in (first, prose(rng, 40), third, second)]
    groups = cluster(Corpus([*texts, texts[1].upper()]), embed=Meaning(1.0))
    assert groups.of_row == [0, 1, 0, 0, 1]
    assert groups.total == 2


def test_conversations_that_only_begin_alike_are_not_tied() -> None:
    rows = [
        conversation("1", "Hello", "Hi.", "Tell me about cats."),
        conversation("2", "Hello", "Hi.", "Tell me about trains."),
        conversation("3", "Hello", "Hi.", "Tell me about cats.", "Cats purr.", "And dogs?"),
    ]
    assert cluster_rows(rows, embed=Meaning(0.0)).of_row == [0, 1, 0]
    assert cluster_rows([*rows, conversation("4", "Hello")], embed=Meaning(0.0)).total == 1
