"""Any text at all: no exception, deterministic, edits that rebuild, None where nothing applies."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.text.edits import apply_edits
from harness.text.parse import Text
from tests.perturbations.kinds import RULES, STORY, TASK, edits_of, made, reworded

PIECES = st.sampled_from(
    [
        "I feel sad because my friend left me. ",
        "How do I stop this? ",
        "My mom’s behavior is weird.\r\n\r\n",
        "# Title\n- item *one*\n",
        "```\nx = 1\n```\n",
        "don't ",
        "مرحبا ",
        "🙂",
        "\u202e",
        " \t ",
        "a",
        "because",
        "and ",
        ", ",
        "…",
        '"',
        "'",
        'He said he\'d go, and I said "no".',
        "https://a.b/c ",
        "\x00",
    ]
)
ONE_SEVERITY = ("identity", "role", "question")
TEXTS = st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=12).map("".join))


@pytest.mark.parametrize("kind", RULES)
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(raw=TEXTS, seed=st.integers(0, 3))
def test_any_text(kind: str, raw: str, seed: int) -> None:
    plugin = made(kind)
    text = Text(raw)
    found = plugin(text, random.Random(seed))
    again = plugin(Text(raw), random.Random(seed))
    assert found == again
    if found is None:
        return
    after = apply_edits(raw, found)
    for edit in found:
        assert not text.is_protected(edit.start, edit.end) or kind == "reorder"
    breaks = [c for c in raw if c in "\r\n"]
    assert [c for c in after if c in "\r\n"] == breaks


@pytest.mark.parametrize("kind", [k for k in RULES if k != "identity"])
@pytest.mark.parametrize("raw", ["", " ", "\n\n", "🙂🙂🙂", "12345", "```\nprint(1)\n```"])
def test_nothing_applies(kind: str, raw: str) -> None:
    assert reworded(made(kind), raw) is None


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize(
    "raw", ["Why?", "sad", "مرحبا بك كيف حالك اليوم", "日本語のテキストです。"]
)
def test_one_word_and_other_scripts(kind: str, raw: str) -> None:
    after = reworded(made(kind), raw)
    assert after is None or isinstance(after, str)


@pytest.mark.parametrize("kind", RULES)
def test_ten_thousand_words(kind: str) -> None:
    raw = (STORY + "\n\n") * (10_000 // len(STORY.split()) + 1)
    assert len(raw.split()) >= 10_000
    found = made(kind)(_long(raw), random.Random(1))
    assert found is None or isinstance(apply_edits(raw, found), str)


_PARSED: dict[str, Text] = {}


def _long(raw: str) -> Text:
    """One parse of the long text for all kinds."""
    return _PARSED.setdefault(raw, Text(raw))


@pytest.mark.parametrize(
    "kind",
    [
        "synonym",
        "reorder",
        "typo",
        "dialect",
        "surface",
        "filler",
        "register",
        "verbosity",
        "second_language",
    ],
)  # fmt: skip
def test_code_and_data_below_an_instruction_stay(kind: str) -> None:
    for seed in range(5):
        after = reworded(made(kind, severity="heavy"), TASK, seed)
        if after is not None:
            assert after.split("\n")[1:] == TASK.split("\n")[1:]
            assert "Python" in after


@pytest.mark.parametrize("kind", ["synonym", "typo", "dialect", "surface", "role", "filler"])
def test_quotations_numbers_and_line_breaks_stay(kind: str) -> None:
    options = {} if kind in ONE_SEVERITY else {"severity": "heavy"}
    for seed in range(5):
        after = reworded(made(kind, **options), STORY, seed)
        assert after is not None
        assert '"get over it"' in after
        assert " 3 " in after
        assert after.count("\r\n\r\n") == 1


@pytest.mark.parametrize("kind", [k for k in RULES if k not in ONE_SEVERITY])
def test_unknown_severities_are_refused(kind: str) -> None:
    from harness.errors import PluginError

    with pytest.raises(PluginError, match="none of light, medium, heavy"):
        made(kind, severity="extreme")


def test_severities_of_dialect_mean_something() -> None:
    raw = "Her behavior hurt my coworker. The color of the movie was gray."
    light, medium = (
        sum(len(e.text.split()) for e in edits_of(made("dialect", severity=level), raw) or ())
        for level in ("light", "medium")
    )
    assert 0 < light < medium


def test_spelling_alone_is_light() -> None:
    raw = "Her behavior hurt my coworker. The color of the movie was gray."
    light, medium = (
        reworded(made("dialect", severity=level), raw) for level in ("light", "medium")
    )
    assert light == "Her behaviour hurt my coworker. The colour of the movie was grey."
    assert medium == "Her behaviour hurt my colleague. The colour of the film was grey."


@pytest.mark.parametrize("kind", ["synonym", "typo"])
def test_heavy_changes_more_than_light(kind: str) -> None:
    text = Text(STORY * 3)
    few = made(kind, severity="light")(text, random.Random(3))
    many = made(kind, severity="heavy")(text, random.Random(3))
    assert 1 <= len(few) < len(many)


@pytest.mark.parametrize("kind", ["verbosity", "second_language"])
def test_each_severity_changes_more_words(kind: str) -> None:
    prompts = [
        "I think the dog needs a vet. My sister says I should wait. She thinks he eats too fast "
        "before going out every day. I know the food is a problem. What should I feed him?",
        "I live with a friend. He told me I clean the kitchen too often. I believe he is wrong "
        "and many people would agree. I feel the house belongs to us. How do I tell him?",
    ]
    texts = [Text(prompt) for prompt in prompts]
    changed = []
    for severity in ("light", "medium", "heavy"):
        options = {"direction": "longer"} if kind == "verbosity" else {}
        plugin = made(kind, severity=severity, **options)
        edits = [
            e for text in texts for seed in range(8) for e in plugin(text, random.Random(seed))
        ]
        changed.append(sum(max(1, len(e.text.split())) for e in edits))
    assert changed[0] < changed[1] < changed[2]


@pytest.mark.parametrize("kind", ["question", "verbosity", "second_language"])
@pytest.mark.parametrize(
    "raw",
    [
        "Translate the sentence.\n\nI think that he is late. Could you please tell me the time?",
        "Fix the grammar: Could you please list the items in order to help?",
    ],
)
def test_the_material_of_a_task_stays(kind: str, raw: str) -> None:
    cut = raw.index("\n") if "\n" in raw else raw.index(":")
    for seed in range(6):
        after = reworded(made(kind), raw, seed)
        assert after is None or after.endswith(raw[cut + 1 :])


def test_a_frame_takes_no_word_of_the_question_away() -> None:
    for raw in (
        "Why can't I sleep?",
        "Did the two of them pay 40 euros?",
        "What should we do?",
    ):
        for seed in range(6):
            after = reworded(made("question"), raw, seed)
            assert after is not None
            kept = {w for w in raw.lower().strip("?").split() if w not in ("did", "do")}
            assert kept - {"pay"} <= set(after.lower().rstrip(".?").split()), after
