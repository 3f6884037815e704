"""Looks at a growing run: which count, what they allow for, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from array_run import array_records, array_summary

from harness.analysis import ALL, Summary
from harness.analysis.looks import LookBook, design_of, look_words
from harness.analysis.summary_schema import Look
from harness.records import Dimension

QUALITY = Dimension(name="quality", low=0, high=10)


def run_of(prompts: int, start: int = 0) -> Any:
    rng = np.random.default_rng(5)
    values = np.clip(5 + rng.normal(0, 1, (300, 2, 2)), 0, 10)
    records = array_records({QUALITY: values}, ("original", "typo"))
    ids = {f"s{n:04d}" for n in range(start, start + prompts)}
    return replace(
        records,
        samples=[s for s in records.samples if s.id in ids],
        generations=[g for g in records.generations if g.sample_id in ids],
    )


def look(answers: int, declared: int | None) -> Look:
    return Look(prompts=answers // 4, answers=answers, declared=declared)


def test_an_analysis_that_saw_new_records_is_a_look() -> None:
    book = LookBook()
    for prompts, made in ((30, 1), (30, 1), (60, 2), (61, 2), (30, 2), (60, 2), (90, 3)):
        book = book.with_analysis(run_of(prompts), None)
        assert len(book.looks) == made, prompts
    assert [one.prompts for one in book.plain] == [30, 60, 90]
    assert [one.answers for one in book.plain] == [120, 240, 360]


def test_other_prompts_are_a_look_too() -> None:
    book = LookBook().with_analysis(run_of(30), 4).with_analysis(run_of(30, start=100), 4)
    assert len(book.looks) == 2
    assert design_of(book.plain) is None
    assert "the prompts were exchanged" in (look_words(book.plain) or "")


def test_a_run_without_answers_was_not_looked_at() -> None:
    assert LookBook().with_analysis(run_of(0), None).looks == ()
    assert look_words(()) is None


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ((None, None, None), "look 3 at a growing run (after 30, 60 and 90 prompts), and none was"),
        ((None, 3, 3), "none was declared before the first"),
        ((3, 3, 4), "declared anew in between"),
        ((2, 2, 2), "only 2 were declared"),
    ],
)
def test_looks_that_were_not_declared_bring_a_caution(
    declared: tuple[int | None, ...], words: str
) -> None:
    looks = [look(120 * n, of) for n, of in enumerate(declared, start=1)]
    assert design_of(looks) is None
    said = look_words(looks) or ""
    assert words in said
    assert "errs in 11% of runs" in said  # Armitage et al. 1969: 10.7 %


def test_declared_looks_are_allowed_for_and_named() -> None:
    looks = [look(120, 4), look(240, 4)]
    assert (look_words(looks) or "").startswith(
        "Look 2 of 4 declared looks (after 30 and 60 prompts)"
    )
    assert look_words([look(120, 1)]) is None
    assert look_words([look(120, None)]) is None
    design = design_of(looks)
    assert design is not None
    assert (design.declared, design.information) == (4, (120, 240))


def summary_at(looks: list[Look], gain: float = 0.4) -> Summary:
    rng = np.random.default_rng(2)
    values = np.clip(5 + rng.normal(0, 0.6, (60, 2, 2)), 0, 10)
    values[:, 1] += gain
    return array_summary({QUALITY: values}, looks=looks)


def test_an_early_look_claims_less_and_its_intervals_are_wider() -> None:
    alone, early = summary_at([look(240, None)]), summary_at([look(240, 4)])
    last = summary_at([look(60 * n, 4) for n in (1, 2, 3, 4)])
    assert alone.finding.subjects[0].original == last.finding.subjects[0].original == "better"
    assert early.finding.subjects[0].original == "unclear"
    widths = {}
    for name, summary in (("alone", alone), ("early", early), ("last", last)):
        gain = next(row for row in summary.contrasts if row.kind == ALL).gain_originals
        assert gain is not None
        assert gain.low is not None
        assert gain.high is not None
        widths[name] = gain.high - gain.low
    assert widths["alone"] < widths["last"] < 1.1 * widths["alone"]
    assert widths["early"] > 1.8 * widths["alone"]
    assert [one.answers for one in early.looks] == [240]
    assert "Look 1 of 4 declared looks" in early.finding.cautions[0]


def test_an_undeclared_look_is_the_first_caution() -> None:
    summary = summary_at([look(120, None), look(240, None)])
    assert "look 2 at a growing run" in summary.finding.cautions[0]
