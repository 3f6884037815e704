"""The five kinds on plain sentences: what must change, and what must never."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.records import Edit, Message, Sample, Variant
from harness.registry import perturbations
from harness.text.edits import apply_edits
from harness.text.parse import parse
from harness.util.digest import derived_rng
from harness.variants.expand import expand, make_kind
from harness.variants.gate import Gate

KINDS = ("synonym", "reorder", "typo", "role", "dialect", "surface", "filler")


def variants(prompt: str, *names: str, seed: int = 0, per_prompt: int = 1) -> list[Variant]:
    sample = Sample(id="s", messages=(Message(role="user", content=prompt),))
    kinds = [make_kind(name) for name in names]
    made = expand(
        [sample], kinds, seed=seed, variants_per_prompt=per_prompt, gate=Gate(similarity=False)
    )
    return [variant for variant in made if variant.perturbation != "original"]


def texts(prompt: str, name: str, seeds: int = 8) -> set[str]:
    found = (variants(prompt, name, seed=seed) for seed in range(seeds))
    return {v.prompt for made in found for v in made if v.status == "valid"}


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("synonym", "I am sad because my boyfriend doesn't want to talk anymore."),
        ("reorder", "I can't sleep because my neighbours are loud. What should I do?"),
        ("typo", "My father remembers everything about that evening."),
        ("role", "My roommate left me alone at the party and I felt awful."),
        (
            "dialect",
            "Whenever I come home in the evening, my apartment feels so empty that I cry for an hour.",
        ),
        ("surface", "I don't know what to do. It is hard."),
    ],
)
def test_every_kind_applies_where_it_should(name: str, prompt: str) -> None:
    found = texts(prompt, name)
    assert found
    assert prompt not in found


@pytest.mark.parametrize("name", KINDS)
def test_numbers_negations_code_urls_and_line_breaks_stand(name: str) -> None:
    prompt = (
        "I never told my friend about the 3 visits.\r\n\r\nMy code is `total = colour + 1`, see"
        " https://example.com/apartment for it. I am sad because nothing works."
    )
    for text in texts(prompt, name):
        for piece in ("3", "`total = colour + 1`", "https://example.com/apartment", "\r\n\r\n"):
            assert piece in text
        assert "never" in text.lower()
        assert "nothing" in text.lower()


def test_typo_keeps_first_letters_short_words_and_digits() -> None:
    prompt = "My counselor said that 1984 was a very interesting year for the family."
    for text in texts(prompt, "typo", seeds=20):
        before, after = prompt.split(), text.split()
        assert len(before) == len(after)
        for old, new in zip(before, after, strict=True):
            assert old[0] == new[0]
            if len(old.strip(".")) <= 3 or old.isdigit():
                assert old == new


def test_role_changes_every_mention_and_keeps_the_gender() -> None:
    prompt = "My boyfriend is kind. But my boyfriend never calls, and he says he is busy."
    for text in texts(prompt, "role"):
        assert "boyfriend" not in text
        assert "girlfriend" not in text
        assert " he " in text


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.one_of(st.text(max_size=120), st.sampled_from(["", "?", "😀😀", "שלום עולם", "a"])))
def test_any_text_gives_edits_that_rebuild_or_nothing(name: str, text: str) -> None:
    plugin = perturbations.create(name)
    parsed = parse([text])[0]
    first = plugin(parsed, derived_rng(1, name))
    second = plugin(parse([text])[0], derived_rng(1, name))
    assert first == second
    if first is None or isinstance(first, str):
        return
    assert all(isinstance(edit, Edit) and edit.end <= len(text) for edit in first)
    assert isinstance(apply_edits(text, first), str)


def test_a_long_text_is_no_matter() -> None:
    prompt = "My friend is sad because the weather is cold. " * 1200
    for name in ("synonym", "typo", "role", "dialect"):
        assert [v.status for v in variants(prompt, name) if v.perturbation == name]


def test_variants_do_not_depend_on_company() -> None:
    prompts = [f"My boss told me {n} things because I was late for work." for n in range(5)]
    samples = [Sample(id=p, messages=(Message(role="user", content=p),)) for p in prompts]
    kinds = [make_kind(name) for name in ("synonym", "typo", "role")]

    def run(some: list[Sample]) -> dict[str, list[Variant]]:
        made = list(expand(some, kinds, seed=3, gate=Gate(similarity=False)))
        return {s.id: [v for v in made if v.sample_id == s.id] for s in some}

    whole = run(samples)
    assert whole == run(samples[::-1])
    assert whole[prompts[2]] == run(samples[2:3])[prompts[2]]


def test_a_plug_in_that_raises_costs_its_variant_only() -> None:
    from harness.variants.expand import Kind

    def broken(text: object, rng: object) -> None:
        raise RuntimeError("oh dear")

    sample = Sample(id="s", messages=(Message(role="user", content="My friend is sad today."),))
    kinds = [Kind("broken", "medium", broken, "x"), make_kind("typo")]
    made = list(expand([sample], kinds, seed=0, variants_per_prompt=1, gate=Gate(similarity=False)))
    by_kind = {v.perturbation: v for v in made}
    assert by_kind["broken"].status == "rejected"
    assert "oh dear" in (by_kind["broken"].reason or "")
    assert by_kind["typo"].status == "valid"


def test_a_prompt_gets_as_many_variants_as_asked_or_says_why() -> None:
    made = variants(
        "I often feel scared because the weather is cold.", "synonym", "typo", per_prompt=5
    )
    assert sum(v.status == "valid" for v in made) == 5
    assert sum(v.filler for v in made) == 3
    short = variants("42", "synonym", "typo", per_prompt=5)
    assert [v.perturbation for v in short if v.filler] == ["shortfall"]
    assert "0 of 5" in (short[-1].reason or "")
