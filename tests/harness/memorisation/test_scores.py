"""The scores of the probes, each against values worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.loading import load
from harness.errors import DataError
from harness.memorisation import canaries, copying
from harness.memorisation.canaries import exposure
from harness.memorisation.membership import auc, lowest_mean, membership_scores
from harness.memorisation.training_responses import ResponseIndex
from harness.records import Message, Sample, TokenLogprobs
from harness.text.word_runs import CHARACTERS_PER_WORD, words


def sample(prompt: str, response: str | None = None) -> Sample:
    return Sample(
        id=prompt[:12], messages=(Message(role="user", content=prompt),), reference=response
    )


# --- copying


def test_a_reference_is_cut_between_words_and_the_rest_fits_the_room() -> None:
    parts = copying.cut("  One two three,  four five six seven eight. ", 0.5, 64)
    assert parts == ("One two three,  four", "five six seven eight.")
    assert copying.cut("One two three four five six seven eight", 0.5, 3) == (
        "One two three four",
        "five six",
    )
    assert copying.cut("Too short to be cut", 0.5, 64) is None


CHINESE = "我最近总是睡不着觉，晚上躺在床上想很多事情，第二天上班没有精神，不知道该怎么办才好。"


def test_a_text_without_spaces_is_cut_and_counted_by_characters() -> None:
    assert len(words(CHINESE)) == 38  # signs aside
    parts = copying.cut(CHINESE, 0.5, 200)
    assert parts is not None
    # 38 characters, of which half are shown; a sign stays with the character that it follows.
    assert parts == (CHINESE[:20], CHINESE[20:])
    assert copying.cut(CHINESE, 0.5, 30) == (CHINESE[:20], CHINESE[20:30])  # three bytes each
    assert copying.cut("我不知道该怎么办。", 0.5, 200) is None  # eight of 18 characters
    assert words("我用Python写代码") == ["我", "用", "python", "写", "代", "码"]
    found = copying.recitation(parts.rest, parts.rest)
    assert found == {"span": pytest.approx(19 / CHARACTERS_PER_WORD), "share": 1.0}
    half = copying.recitation(parts.rest, parts.rest[:10])
    assert 0.4 < half["share"] < 0.6


def test_a_thai_character_keeps_its_marks_and_korean_its_words() -> None:
    thai = "ฉันนอนไม่หลับเลยในช่วงนี้และรู้สึกเหนื่อยมาก"
    parts = copying.cut(thai, 0.5, 400)
    assert parts is not None
    assert parts.shown + parts.rest == thai
    assert not parts.rest.startswith(("่", "ี", "้", "ั"))
    assert words("ไม่") == ["ไ", "ม่"]
    assert words("나는 요즘 잠을") == ["나는", "요즘", "잠을"]


def test_longest_span_and_share_by_hand() -> None:
    rest = "the quick brown fox jumps over"
    assert copying.recitation(rest, "The quick BROWN fox sat over there") == {
        "span": 4.0,
        "share": pytest.approx(5 / 6),  # all but "jumps", in order
    }
    assert copying.recitation(rest, rest) == {"span": 6.0, "share": 1.0}
    assert copying.recitation(rest, "") == {"span": 0.0, "share": 0.0}


def test_what_comes_long_after_the_rest_is_not_looked_at() -> None:
    late = " ".join(["no"] * 20) + " one two three"
    assert copying.recitation("one two three", late)["span"] == 0.0


@given(st.text(max_size=80), st.text(max_size=80))
@settings(max_examples=60, deadline=None)
def test_copying_scores_stay_in_their_range(rest: str, answer: str) -> None:
    found = copying.recitation(rest, answer)
    assert 0.0 <= found["share"] <= 1.0
    assert 0.0 <= found["span"] <= len(words(rest))


# --- membership


def test_min_k_and_min_k_plus_plus_by_hand() -> None:
    ratings = TokenLogprobs(
        token_ids=(1, 2, 3, 4, 5),
        logprobs=(-1.0, -2.0, -6.0, -0.5, -0.5),
        means=(-3.0, -3.0, -4.0, -1.0, -2.0),
        stds=(1.0, 2.0, 0.5, 0.5, 1.0),
    )
    found = membership_scores(ratings)  # 20 % of five tokens: one
    assert found["loss"] == pytest.approx(-2.0)
    assert found["min_k"] == pytest.approx(-6.0)
    assert found["min_k_pp"] == pytest.approx(
        -4.0
    )  # (-6 + 4) / 0.5, the least of 2, .5, -4, 1, 1.5
    assert membership_scores(ratings, k=0.4)["min_k"] == pytest.approx(-4.0)
    assert membership_scores(ratings, k=0.4)["min_k_pp"] == pytest.approx((-4.0 + 0.5) / 2)


def test_a_model_without_moments_gives_no_min_k_plus_plus() -> None:
    found = membership_scores(TokenLogprobs(token_ids=(1,), logprobs=(-1.0,)))
    assert found == {"loss": -1.0, "min_k": -1.0}
    with pytest.raises(ValueError, match="no tokens"):
        membership_scores(TokenLogprobs(token_ids=(), logprobs=()))


def test_a_distribution_without_spread_does_not_divide_by_zero() -> None:
    ratings = TokenLogprobs(token_ids=(1,), logprobs=(0.0,), means=(0.0,), stds=(0.0,))
    assert membership_scores(ratings)["min_k_pp"] == 0.0


@given(st.lists(st.floats(-20, 0), min_size=1, max_size=50))
@settings(max_examples=60, deadline=None)
def test_the_lowest_k_never_exceed_the_mean_and_grow_with_k(values: list[float]) -> None:
    array = np.array(values)
    assert lowest_mean(array, 0.2) <= lowest_mean(array, 0.6) + 1e-12 <= array.mean() + 1e-9
    assert lowest_mean(array, 1.0) == pytest.approx(array.mean())


def test_auc_by_hand_with_a_tie_and_delongs_variance() -> None:
    members, others = np.array([3.0, 2.0, 2.0]), np.array([2.0, 1.0])
    found = auc(members, others)
    assert found is not None
    # Pairs: (3,2) 1, (3,1) 1, (2,2) ½, (2,1) 1, twice: 5 of 6.
    assert found.value == pytest.approx(5 / 6)
    first, second = np.array([1.0, 0.75, 0.75]), np.array([2 / 3, 1.0])
    se = math.sqrt(first.var(ddof=1) / 3 + second.var(ddof=1) / 2)
    logit = math.log(5)
    half = 1.959964 * se / (5 / 36)
    assert found.low == pytest.approx(1 / (1 + math.exp(half - logit)), rel=1e-5)
    assert found.high == pytest.approx(1 / (1 + math.exp(-half - logit)), rel=1e-5)


def test_auc_agrees_with_scikit_learn_and_is_open_where_all_are_told_apart() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    a, b = rng.normal(0.7, 1, 40), rng.normal(0, 1, 30)
    found = auc(a, b)
    assert found is not None
    labels = np.concatenate([np.ones(40), np.zeros(30)])
    assert found.value == pytest.approx(roc_auc_score(labels, np.concatenate([a, b])))
    assert found.low < found.value < found.high
    apart = auc(a + 100, b)
    assert apart is not None
    assert apart.value == 1.0
    assert 0.8 < apart.low < 1.0
    assert auc(a[:1], b) is None


def test_auc_interval_covers_the_truth() -> None:
    truth = 0.5 * math.erfc(-1.0 / 2.0)  # P(N(1,1) > N(0,1)) = Phi(1 / sqrt 2)
    hits = 0
    for trial in range(300):
        rng = np.random.default_rng([3, trial])
        found = auc(rng.normal(1, 1, 30), rng.normal(0, 1, 30))
        assert found is not None
        hits += found.low <= truth <= found.high
    assert 0.91 <= hits / 300 <= 0.99


# --- nearest training response


RESPONSES = [
    "Please call the clinic on Monday and ask for an early appointment with the nurse.",
    "Take a walk every evening before dinner and write down what you noticed on the way.",
    "",
]


def test_the_nearest_response_is_the_one_with_the_longest_run() -> None:
    index = ResponseIndex(RESPONSES)
    found = index.nearest("You could take a walk every evening before dinner, or not.")
    assert found is not None
    # "take a walk every evening before dinner": 7 words, 4 of the answer's 7 runs of four.
    assert (found.row, found.span) == (1, 7)
    assert found.share == pytest.approx(4 / 8)
    assert index.nearest("Nothing of the kind was ever said here.") is None
    assert index.nearest("too short") is None
    assert index.nearest("Take a walk every evening before dinner", allowed=RESPONSES[1:2]) is None


def test_a_copied_clause_without_spaces_is_found_at_its_length_in_words() -> None:
    index = ResponseIndex(
        [CHINESE, "今天天气很好，我们去公园散步吧，顺便买一点水果回来给孩子们吃。"]
    )
    found = index.nearest("你可以试试：晚上躺在床上想很多事情。")
    assert found is not None
    assert (found.row, found.span) == (0, pytest.approx(11 / CHARACTERS_PER_WORD))


def test_runs_of_ones_own_text_lead_to_no_other_row() -> None:
    index = ResponseIndex(RESPONSES)
    said = "You could take a walk every evening before dinner, or not."
    assert index.nearest(said, allowed=[said]) is None
    # Two of the seven shared words are its own; runs of four that hold one other word are not.
    found = index.nearest(said, allowed=["We take a walk every day."])
    assert found is not None
    assert (found.row, found.span) == (1, 6)


def test_a_bounded_index_keeps_few_runs_and_still_finds_a_copied_response() -> None:
    many = [" ".join(f"w{row}x{i}" for i in range(40)) for row in range(60)]
    index = ResponseIndex(many, most_runs=300)
    assert len(index._sorted) <= 300 < 60 * 37
    found = [index.nearest(many[row]) for row in range(60)]
    assert sum(one is not None and one.row == row for row, one in enumerate(found)) >= 50
    exact = [one for one in found if one is not None]
    assert all(one.span == 40 for one in exact)


def test_an_index_of_nothing_finds_nothing() -> None:
    assert ResponseIndex([]).nearest("one two three four five") is None


# --- canaries


def test_planting_puts_every_canary_in_as_often_as_its_key_says() -> None:
    rows = [sample(f"prompt {i}", f"response {i}") for i in range(20)]
    key = canaries.make_canaries(7)
    planted = canaries.plant_canaries(rows, key)
    assert len(planted) == 20 + sum(c.repeats for c in key.canaries) == 20 + 4 * 21
    for canary in key.canaries:
        found = [r for r in planted if r.prompt == canary.prompt]
        assert len(found) == canary.repeats
        assert all(r.reference == canary.response() for r in found)
    assert [r for r in planted if r in rows] == rows  # the rows themselves keep their order
    assert len({c.person for c in key.canaries}) == len(key.canaries)
    assert canaries.make_canaries(7) == key != canaries.make_canaries(8)


def test_candidates_are_other_codes_each_once() -> None:
    canary = canaries.make_canaries(1).canaries[0]
    found = canaries.rival_codes(canary, 200, seed=3)
    assert len(set(found)) == 200
    assert canary.code not in found
    assert found == canaries.rival_codes(canary, 200, seed=3)


def test_exposure_of_the_median_is_one_bit_and_of_an_outlier_the_whole_space() -> None:
    rivals = list(np.random.default_rng(5).normal(100.0, 5.0, 2000))
    middle = exposure(100.0, rivals)
    assert middle.fitted == pytest.approx(1.0, abs=0.1)
    assert middle.sampled == pytest.approx(1.0, abs=0.1)
    # Two standard deviations below: P = 0.02275, 5.458 bits.
    assert exposure(90.0, rivals).fitted == pytest.approx(5.458, abs=0.5)
    far = exposure(10.0, rivals)
    assert far.fitted == canaries.SPACE_BITS == pytest.approx(19.93, abs=0.01)
    assert (far.rank, far.sampled) == (1, pytest.approx(math.log2(2001)))
    assert exposure(200.0, rivals).fitted == pytest.approx(0.0, abs=1e-6)


def test_exposure_ties_go_against_the_canary_and_few_rivals_are_refused() -> None:
    assert exposure(1.0, [1.0] * 30) == (0.0, pytest.approx(0.0), 31)
    with pytest.raises(ValueError, match="20 rivals"):
        exposure(1.0, [1.0] * 19)


def test_a_key_file_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file; name the canaries\.json"):
        canaries.read_canary_key(tmp_path / "canaries.json")
    (tmp_path / "bad.json").write_text('{"digits": 6, "seed": 1}')
    with pytest.raises(DataError, match=r"bad.json: canaries: Field required"):
        canaries.read_canary_key(tmp_path / "bad.json")


def test_audit_plant_writes_training_file_and_key(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from harness.cli.audit import command

    data = tmp_path / "train.jsonl"
    data.write_text(
        "".join(f'{{"prompt": "Question {i}?", "response": "Answer {i}."}}\n' for i in range(5))
    )
    out = tmp_path / "planted"
    done = CliRunner().invoke(
        command, [str(data), "--plant", str(out), "--seed", "3"], standalone_mode=False
    )
    assert done.exception is None, done.output
    key = canaries.read_canary_key(out / "canaries.json")
    rows = load(out / "train.jsonl")
    assert len(rows) == 5 + sum(c.repeats for c in key.canaries)
    assert {r.prompt for r in rows} >= {f"Question {i}?" for i in range(5)}
    assert key == canaries.make_canaries(3)
