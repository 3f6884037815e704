"""Another person in the same place of the story: "my brother left me" → "my sister left me"."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.parse import Text
from harness.text.roles import Mention, PersonRole, role_graph
from perturbations.common import article_edit, match_case, word_set
from perturbations.other_sex import pronoun_edits, turns


class Role:
    """Exchanges a person for one in a like place: good advice would stand unchanged.

    Every mention changes, one for one, along a hand-made graph (``lexicons/roles.yaml``): a boss
    becomes a supervisor, a husband a partner, a brother a sister with all pronouns, and only where no
    other fact of the prompt contradicts. One severity: one person changes, since each further one is
    a further risk and most prompts name only one who may.
    """

    traits = PerturbationTraits(
        description="another person in the same place of the story",
        version="3",
        limits=Limits(
            floor=0.55,
            words={"medium": 0.45},
            exempt=frozenset({"roles", "exchange", "pronouns"}),
        ),
        severities=("medium",),
        one_story=True,
    )

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where no role may be exchanged."""
        options = exchanges(text, changeable_roles(text))
        if not options:
            return None
        role, target = rng.choice(options)
        graph = role_graph()
        edits = [
            edit
            for mention in graph.mentions(text.raw)
            if mention.role == role
            for edit in _edits(text, mention, target)
        ]
        if graph.roles[role].other_sex == target:
            edits += pronoun_edits(text)
        return sorted(edits, key=lambda e: e.start)


def changeable_roles(text: Text) -> list[str]:
    """Return the roles all of whose mentions may be changed, whatever the other facts say."""
    mentions = role_graph().mentions(text.raw)
    if not mentions:
        return []
    tokens = {token.idx: token for token in text.doc}
    tokens |= {t.idx + 3: t for t in text.doc if t.lower_.startswith("ex-")}
    return [
        role
        for role in sorted({m.role for m in mentions})
        if all(_changeable(text, m, tokens) for m in mentions if m.role == role)
    ]


def _changeable(text: Text, mention: Mention, tokens: Mapping[int, Any]) -> bool:
    """Return whether this mention is a person determined as the role needs, and not protected."""
    needs = role_graph().roles[mention.role].needs
    token = tokens.get(mention.start)
    if needs == "never" or token is None or text.is_protected(mention.start, mention.end):
        return False
    if token.pos_ not in ("NOUN", "PROPN") or token.dep_ in ("compound", "nmod", "attr", "oprd"):
        return False
    after = text.raw[mention.end : mention.end + 1]
    before = text.raw[max(0, mention.start - 3) : mention.start].lower()
    if after in ("-", "/") or (before[-1:] in ("-", "/") and before != "ex-"):
        return False
    return _determined(token, needs)


def _determined(token: Any, needs: str, depth: int = 0) -> bool:
    left = [c for c in token.lefts if not c.is_punct]
    if any(
        c.lower_ in word_set("role_modifiers.txt") or (c.dep_ == "compound" and c.lower_ != "ex")
        for c in left
    ):
        return False
    owners = [c for c in left if c.dep_ == "poss"]
    if owners:
        # "Her father and I", "his friend": other people's relatives are often mentioned elsewhere too.
        return all(c.lower_ in ("my", "our", "your") for c in owners)
    if any(c.lower_ in word_set("determiners.txt") for c in left):
        return needs == "any"
    return (
        token.dep_ == "conj"
        and not left
        and depth < 3
        and _determined(token.head, needs, depth + 1)
    )


def exchanges(text: Text, changeable: Sequence[str]) -> list[tuple[str, str]]:
    """Return all exchanges that fit the facts of the prompt, each a role and the one for it."""
    graph = role_graph()
    mentions = graph.mentions(text.raw)
    mentioned = frozenset(m.role for m in mentions)
    fitting = []
    for role in (graph.roles[name] for name in changeable):
        targets = role.to
        if role.other_sex and turns(text, role.name, mentions):
            targets += (role.other_sex,)
        fitting += [
            (role.name, target)
            for target in targets
            if target not in mentioned and _fits(text.raw, role, graph.roles[target])
        ]
    return fitting


def _fits(raw: str, role: PersonRole, target: PersonRole) -> bool:
    return not (
        (role.blocked and role.blocked.search(raw))
        or (role.needed and not role.needed.search(raw))
        or (target.unfit and target.unfit.search(raw))
        or (target.kin and not role.kin and role_graph().romance.search(raw))
    )


def _edits(text: Text, mention: Mention, target: str) -> Sequence[Edit]:
    word = role_graph().roles[target].word_like(mention.formal, mention.plural)
    word = match_case(text.raw[mention.start : mention.end], word)
    edits = [Edit(start=mention.start, end=mention.end, text=word)]
    article = article_edit(text.raw, mention.start, word)
    return [article, *edits] if article else edits
