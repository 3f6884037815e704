"""The draw of the probed prompts: related ones are one observation."""

from __future__ import annotations

import pytest

from harness.memorisation.prompt_choice import _draw
from harness.records import Message, Sample

WORDS = [
    "amber",
    "basket",
    "cedar",
    "donkey",
    "engine",
    "forest",
    "garden",
    "harbour",
    "island",
    "jacket",
    "kettle",
    "lantern",
    "meadow",
    "needle",
    "orchard",
    "pepper",
    "quarry",
    "ribbon",
    "saddle",
    "timber",
]


def asked(number: int, text: str, group: str | None = None) -> Sample:
    return Sample(
        id=f"s{number}",
        messages=(Message(role="user", content=text),),
        reference="An answer of some words.",
        group=group,
    )


def questions(count: int) -> list[str]:
    """Return prompts of twelve words and more that have little in common."""
    return [
        " ".join(WORDS[(7 * number + 3 * place * (number + 1)) % 20] for place in range(14))
        + f" number {number * number + 17}?"
        for number in range(count)
    ]


def test_of_related_prompts_only_one_is_probed_and_others_take_their_place() -> None:
    texts = questions(6)
    near = [text.replace("?", ", please?") for text in texts[:3]]
    samples = [asked(number, text) for number, text in enumerate([*texts, *near])]
    chosen = _draw(samples, 6, 5, "training")
    kinds = [int(sample.id[1:]) % 6 for sample in chosen]
    assert sorted(kinds) == [0, 1, 2, 3, 4, 5]
    assert chosen == _draw(samples, 6, 5, "training")
    assert len(_draw(samples, 9, 5, "training")) == 6  # there are no more unrelated ones


@pytest.mark.parametrize(("groups", "drawn"), [(("a", "a", "b", "b"), 2), ((None,) * 4, 4)])
def test_a_group_is_probed_once(groups: tuple[str | None, ...], drawn: int) -> None:
    samples = [asked(n, text, groups[n]) for n, text in enumerate(questions(4))]
    assert len(_draw(samples, 4, 1, "clean")) == drawn
