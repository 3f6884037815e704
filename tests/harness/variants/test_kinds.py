"""Traits of perturbations: declared whole, one attribute alone, or not at all; and fingerprints."""

from __future__ import annotations

import random

import pytest

import tests.perturbations.kinds
from harness.errors import PluginError
from harness.protocols import Limits, PerturbationTraits
from harness.registry import Registry, perturbations
from harness.text.parse import Text
from harness.variants import kinds
from harness.variants.kinds import descriptions, make_kind, perturbation_traits_of
from perturbations.common import Limits as LimitsOfTheGuide


def plain(text: Text, rng: random.Random) -> str | None:
    return None


class Before:
    """A plug-in as the guide described it before there were traits."""

    limits = LimitsOfTheGuide(floor=0.9)
    label = "before.now"
    version = "7"

    def __call__(self, text: Text, rng: random.Random) -> str | None:
        return None


class LabelOnly:
    def __init__(self) -> None:
        self.label = "by.option"

    def __call__(self, text: Text, rng: random.Random) -> str | None:
        return None


def test_a_plain_function_has_the_defaults() -> None:
    assert perturbation_traits_of(plain) == PerturbationTraits()


def test_single_attributes_are_read() -> None:
    assert perturbation_traits_of(Before()) == PerturbationTraits(
        label="before.now", version="7", limits=Limits(floor=0.9)
    )
    assert perturbation_traits_of(LabelOnly()) == PerturbationTraits(label="by.option")


def test_our_kinds_declare_a_version_and_a_description() -> None:
    for name in perturbations.names():
        if perturbations.foreign_digest(name) == "":
            traits = perturbation_traits_of(perturbations.get(name))
            assert traits.version, name
            assert traits.description, name


def test_descriptions_leave_out_what_is_not_known() -> None:
    assert descriptions(["typo", "nobody's", "typo"]) == {"typo": "slips of the keyboard"}


def test_version_options_and_packages_decide_the_fingerprint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = make_kind("synonym").fingerprint
    assert make_kind("synonym").fingerprint == first
    assert make_kind("synonym", {"share": 0.5}).fingerprint != first
    composed = make_kind("compose", {"steps": ["synonym", "typo"]}).fingerprint
    monkeypatch.setattr(kinds, "_installed", lambda distribution: f"next {distribution}")
    assert make_kind("synonym").fingerprint != first
    assert make_kind("compose", {"steps": ["synonym", "typo"]}).fingerprint != composed


def test_a_foreign_plugin_is_told_apart_by_name_options_and_file() -> None:
    registry: Registry[object] = Registry("perturbation", "tests.none")
    for name in ("one", "two"):
        registry.register(name)(plain)
    registry.register("elsewhere")(tests.perturbations.kinds.reworded)
    digests = {registry.foreign_digest(name) for name in registry.names()}
    assert len(digests | {registry.foreign_digest("one", {"share": 1})}) == 4
    assert "" not in digests


class OneSeverity:
    """A kind that tells no severities apart."""

    traits = PerturbationTraits(description="d", version="1", severities=("medium",))

    def __call__(self, text: Text, rng: random.Random) -> str | None:
        return None


def test_a_kind_with_one_severity_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    registry: Registry[object] = Registry("perturbation", "tests.none")
    registry.register("one")(OneSeverity)
    monkeypatch.setattr(kinds, "perturbations", registry)
    assert make_kind("one").severity == "medium"
    assert make_kind("one", severity="heavy").severity == "medium"
    with pytest.raises(PluginError, match="one severity medium: 'heavy' is none of them"):
        make_kind("one", {"severity": "heavy"})
