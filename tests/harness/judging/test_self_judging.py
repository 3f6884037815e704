"""A model must not judge its own answers, be it a member of a panel within a panel."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import PluginError
from harness.judging.self_judging import check_named, check_self_judging
from harness.protocols import JudgeTraits

SUBJECTS = {"base": {"weights": "w"}}


def judge(**traits: Any) -> Any:
    return SimpleNamespace(traits=JudgeTraits(**traits))


def nested(leaf: Any) -> Any:
    inner = judge(members={"a": judge(fingerprint={"weights": "other"}), "b": leaf})
    return judge(members={"inner": inner, "c": SimpleNamespace()})


@pytest.mark.parametrize("wrap", [lambda leaf: leaf, nested])
def test_a_shared_model_is_found_however_deep(wrap: Any) -> None:
    same = {"fingerprint": {"weights": "w"}, "named_model": "m"}
    models = {"base": "m"}
    with pytest.raises(PluginError, match="same base weights as base"):
        check_self_judging("j", wrap(judge(**same)), SUBJECTS)
    with pytest.raises(PluginError, match="same base weights as base"):
        check_named("j", wrap(judge(**same)), models)
    allowed = judge(**same, allow_self_judging=True)
    assert "judges itself" in (check_self_judging("j", wrap(allowed), SUBJECTS) or "")
    check_named("j", wrap(allowed), models)
    other = judge(fingerprint={"weights": "x"})
    assert check_self_judging("j", wrap(other), SUBJECTS) is None
    check_named("j", wrap(other), {})


def test_an_attribute_of_the_judge_itself_will_do() -> None:
    plain: Any = SimpleNamespace(fingerprint={"weights": "w"})
    with pytest.raises(PluginError, match="same base weights as base"):
        check_self_judging("j", plain, SUBJECTS)


def test_one_that_may_does_not_excuse_another() -> None:
    free = judge(fingerprint={"weights": "w"}, allow_self_judging=True)
    bound = judge(fingerprint={"weights": "w"})
    with pytest.raises(PluginError, match="same base weights as base"):
        check_self_judging("j", judge(members={"a": free, "b": bound}), SUBJECTS)


def test_names_are_checked_without_loading_anything() -> None:
    class Late:
        traits = JudgeTraits(named_model="other")

        @property
        def fingerprint(self) -> dict[str, str]:
            raise AssertionError("loaded")

    late: Any = Late()
    check_named("j", late, {"base": "m"})
