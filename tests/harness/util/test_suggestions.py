"""Hints for names that are not known."""

from __future__ import annotations

from harness.util.suggestions import did_you_mean


def test_a_close_name_is_suggested_and_else_all_are_listed() -> None:
    assert did_you_mean("synonims", ["typo", "synonym"]) == " Did you mean 'synonym'?"
    assert did_you_mean("x", ["typo", "synonym"]) == " Known: synonym, typo."
    assert did_you_mean("x", []) == " Known: none."
