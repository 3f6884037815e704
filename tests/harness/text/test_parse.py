"""Parses, sentences and protected spans, all by exact character positions."""

from __future__ import annotations

import pytest

from harness.text.code_spans import code_spans
from harness.text.parse import MAX_PARSED, Text, parsable, parse


def protected(raw: str, kind: str) -> list[str]:
    (text,) = parse([raw])
    return [raw[p.start : p.end] for p in text.protected if p.kind == kind]


def test_tokens_count_characters_of_the_raw_prompt() -> None:
    raw = "I can't sleep.\r\n\r\nWhat  should I do? It’s “odd” 🙂 naïve."
    (text,) = parse([raw])
    for token in text.doc:
        assert raw[token.idx : token.idx + len(token.text)] == token.text
    assert [raw[s.start : s.end] for s in text.sentences][:2] == [
        "I can't sleep.",
        "What  should I do?",
    ]


def test_parse_keeps_order_and_parses_each_text_once() -> None:
    texts = parse(["One text.", "Two texts.", "One text."])
    assert [t.raw for t in texts] == ["One text.", "Two texts.", "One text."]
    assert texts[0] is texts[2]
    assert [t.text for t in texts[1].doc] == ["Two", "texts", "."]


def test_a_text_on_its_own_is_parsed_on_first_use() -> None:
    alone, (batched,) = Text("My friend left me."), parse(["My friend left me."])
    assert [t.tag_ for t in alone.doc] == [t.tag_ for t in batched.doc]
    assert alone.sentences == batched.sentences


@pytest.mark.parametrize("raw", ["", " ", "\r\n\r\n", "🙂🙂", "مرحبا بك", "\x00", "\ud800 lone"])
def test_odd_texts_parse(raw: str) -> None:
    (text,) = parse([raw])
    assert text.raw == raw
    assert isinstance(text.sentences, tuple)
    assert isinstance(text.protected, tuple)


def test_what_is_too_long_is_protected_and_not_parsed() -> None:
    raw = "word. " * (MAX_PARSED // 6 + 100)
    assert len(parsable(raw)) == MAX_PARSED
    text = Text(raw, doc=Text("Short.").doc)
    assert text.is_protected(MAX_PARSED + 1, MAX_PARSED + 3)


def test_quotations() -> None:
    raw = "He said \"you are lazy\" and “never mind”. She said 'go' but don't you, it isn't hers."
    assert protected(raw, "quote") == ['"you are lazy"', "“never mind”", "'go'"]


def test_links_and_addresses() -> None:
    raw = "See https://example.org/a?b=1, www.site.com or mail me.you@mail.example.com please."
    assert protected(raw, "url") == [
        "https://example.org/a?b=1,",
        "www.site.com",
        "me.you@mail.example.com",
    ]


def test_numbers_in_digits_and_words() -> None:
    raw = "I am 27, paid $3,000 at 4:30 and waited three weeks, twice."
    assert protected(raw, "number") == ["27,", "$3,000", "4:30", "three", "twice"]


def test_names_are_no_mere_capitals() -> None:
    raw = "Create a class in Python for Jennifer. My friend Paul lives in Ohio. Lately I cry."
    assert protected(raw, "name") == ["Python", "Jennifer", "Paul", "Ohio"]


def test_shouting_makes_no_names() -> None:
    assert protected("I HATE MY LIFE AND MY JOB. WHAT CAN I DO?", "name") == []


def test_an_empty_span_is_protected_only_inside() -> None:
    (text,) = parse(["I am 27 now."])
    assert text.is_protected(6, 6)
    assert not text.is_protected(5, 5)
    assert not text.is_protected(0, 0)


FENCED = "Explain this:\n```python\nx = [1, 2]\nprint(x)\n```\nWhy does it print that?"
CODE_AND_PROSE = "Fix the function below.\ndef f(x):\n    return x + 1\n\nprint(f(2))"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (FENCED, ["```python\nx = [1, 2]\nprint(x)\n```"]),
        (CODE_AND_PROSE, ["def f(x):", "    return x + 1", "print(f(2))"]),
        ("Sort this list.\narr = [3, 1, 2]", ["arr = [3, 1, 2]"]),
        ("Calculate the area.\nRadius: 3", ["Radius: 3"]),
        ("Reverse the string.\nhello", ["hello"]),
        ("Make this valid.\nSELECT * FROM t WHERE a = 4.0", ["SELECT * FROM t WHERE a = 4.0"]),
        ("Sum it up.\n| a | b |\n|---|---|\n| 1 | 2 |", ["| a | b |", "|---|---|", "| 1 | 2 |"]),
    ],
)
def test_blocks_of_code_and_data(raw: str, code: list[str]) -> None:
    spans = code_spans(raw, blocks_only=True)
    found = [raw[s:e] for s, e in spans]
    assert all(any(c in f for f in found) for c in code), found
    prose = raw.split("\n")[0]
    assert not any(prose in f for f in found)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("Use the `len` function.", ["`len`"]),
        ("Call count() on my_list in JavaScript.", ["count()", "my_list", "JavaScript"]),
        ("Compute a % b for the given input.", ["a % b"]),
        ("Evaluate x*y there.", ["x*y"]),
        ("Style the <div class='a'> element.", ["<div class='a'>"]),
        ("Open ./src/main.c and run it.", ["./src/main.c"]),
    ],
)
def test_code_within_a_sentence(raw: str, code: list[str]) -> None:
    assert [raw[s:e] for s, e in code_spans(raw)] == code


@pytest.mark.parametrize(
    "raw",
    [
        "I feel sad - really sad - and I can't stop crying.\n\nWhat should I do?",
        "My ex-boyfriend (we broke up) still calls; he's in his mid-30s.",
        "Here is my problem: I never sleep.\r\n   I lie awake for hours.",
        "I love him.\nHe hates me.\nWhy?",
    ],
)
def test_prose_is_not_code(raw: str) -> None:
    assert [raw[s:e] for s, e in code_spans(raw, blocks_only=True)] == []


def test_the_parse_does_not_see_code_but_keeps_its_places() -> None:
    (text,) = parse([CODE_AND_PROSE])
    assert "return" not in [t.text for t in text.doc]
    assert len(parsable(CODE_AND_PROSE)) == len(CODE_AND_PROSE)


def test_a_line_break_ends_a_sentence_unless_the_line_is_wrapped() -> None:
    (text,) = parse(["I lost my job last week\nMy friends do not\ncare about it at all"])
    raw = text.raw
    assert [raw[s.start : s.end] for s in text.sentences] == [
        "I lost my job last week",
        "My friends do not\ncare about it at all",
    ]
