"""What is asked of a judge is asked of every member, of panels within panels too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import PluginError
from harness.judging.members import leaves
from harness.judging.metered import priced
from harness.judging.self_judging import check_named, check_self_judging

SUBJECTS = {"base": {"weights": "w"}}


def nested(leaf: Any) -> Any:
    other = SimpleNamespace(fingerprint={"weights": "other"})
    inner = SimpleNamespace(members={"a": other, "b": leaf})
    return SimpleNamespace(members={"inner": inner, "c": SimpleNamespace()})


def test_leaves() -> None:
    alone = SimpleNamespace()
    assert list(leaves(alone)) == [alone]
    assert len(list(leaves(nested(alone)))) == 3


@pytest.mark.parametrize("wrap", [lambda leaf: leaf, nested])
def test_a_shared_model_is_found_however_deep(wrap: Any) -> None:
    same = SimpleNamespace(fingerprint={"weights": "w"}, named_model="m")
    subject = SimpleNamespace(name="base", model="m")
    with pytest.raises(PluginError, match="same base weights as base"):
        check_self_judging("j", wrap(same), SUBJECTS)
    with pytest.raises(PluginError, match="same base weights as base"):
        check_named("j", wrap(same), [subject])
    same.allow_self_judging = True
    assert "judges itself" in (check_self_judging("j", wrap(same), SUBJECTS) or "")
    check_named("j", wrap(same), [subject])
    other = SimpleNamespace(fingerprint={"weights": "x"}, named_model=None)
    assert check_self_judging("j", wrap(other), SUBJECTS) is None
    check_named("j", wrap(other), [SimpleNamespace(name="base", model=None)])


def test_one_that_may_does_not_excuse_another() -> None:
    free = SimpleNamespace(fingerprint={"weights": "w"}, allow_self_judging=True)
    bound = SimpleNamespace(fingerprint={"weights": "w"})
    panel = SimpleNamespace(members={"a": free, "b": bound})
    with pytest.raises(PluginError, match="same base weights as base"):
        check_self_judging("j", panel, SUBJECTS)


def test_prices_of_all_members() -> None:
    def endpoint(*fields: str) -> Any:
        settings = SimpleNamespace(model_fields_set=set(fields))
        return SimpleNamespace(transport=SimpleNamespace(settings=settings))

    local: Any = SimpleNamespace()
    assert not priced(local)
    assert priced(endpoint("model", "prices"))
    both: Any = SimpleNamespace(members={"a": endpoint("prices"), "b": endpoint("model")})
    assert not priced(both)
    with_local: Any = SimpleNamespace(members={"a": endpoint("prices"), "b": local})
    assert priced(with_local)
