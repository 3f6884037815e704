"""Another person in the same place of the story: "my friend left me" → "my cousin left me"."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.parse import Text
from harness.text.roles import Mention, role_graph
from perturbations.common import Level, article_edit, check_level, match_case, word_set

# How many roles change; those that must change together count as one.
COUNTS: Mapping[Level, int] = {"light": 1, "medium": 2, "heavy": 99}


class Role:
    """Exchanges a person for one in a like place: good advice would stand unchanged.

    Every mention changes, one for one, gender kept so that pronouns stay right, along a hand-made
    graph (``lexicons/roles.yaml``), and only where no other fact of the prompt contradicts.

    Args:
        severity: How many roles may change: one, two or all.
        across: Follow the graph's wider edges too (friend → coworker, son → nephew).
    """

    traits = PerturbationTraits(
        description="another person in the same place of the story",
        version="1",
        limits=Limits(
            floor=0.55,
            words={"light": 0.25, "medium": 0.3, "heavy": 0.4},
            exempt=frozenset({"roles", "exchange"}),
        ),
        one_story=True,
    )

    def __init__(self, severity: Level = "medium", across: bool = False) -> None:
        check_level(severity)
        self.count = COUNTS[severity]
        self.across = across

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where no role may be exchanged."""
        mentions = role_graph().mentions(text.raw)
        mentioned = frozenset(m.role for m in mentions)
        options = exchanges(text.raw, changeable_roles(text), mentioned, self.across)
        rng.shuffle(options)
        chosen: dict[str, str] = {}
        changed = 0
        for option in options:
            taken = option.keys() & chosen or {*option.values()} & {*chosen.values()}
            if not taken and changed < self.count:
                chosen |= option
                changed += 1
        edits = [e for m in mentions if m.role in chosen for e in _edits(text, m, chosen[m.role])]
        return edits or None


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


def exchanges(
    raw: str, changeable: Sequence[str], mentioned: frozenset[str], across: bool
) -> list[dict[str, str]]:
    """Return all exchanges that fit the facts of ``raw``, each a map from role to role."""
    graph = role_graph()
    fitting: list[dict[str, str]] = []
    bound: set[str] = set()
    for members, options in graph.together:
        present = members & mentioned
        if len(present) < 2:
            continue
        bound |= present
        for option in options:
            if present <= option.keys() and all(
                role in changeable and _fits(raw, role, option[role], mentioned) for role in present
            ):
                fitting.append({role: option[role] for role in sorted(present)})
    for role in (role for role in changeable if role not in bound):
        targets = graph.roles[role].to + (graph.roles[role].across if across else ())
        fitting += ({role: to} for to in targets if _fits(raw, role, to, mentioned))
    return fitting


def _fits(raw: str, role: str, target: str, mentioned: frozenset[str]) -> bool:
    graph = role_graph()
    source, other = graph.roles[role], graph.roles[target]
    return not (
        target in mentioned
        or (source.blocked and source.blocked.search(raw))
        or (other.unfit and other.unfit.search(raw))
        or (other.kin and not source.kin and graph.romance.search(raw))
    )


def _edits(text: Text, mention: Mention, target: str) -> Sequence[Edit]:
    word = role_graph().roles[target].word_like(mention.formal, mention.plural)
    word = match_case(text.raw[mention.start : mention.end], word)
    edits = [Edit(start=mention.start, end=mention.end, text=word)]
    article = article_edit(text.raw, mention.start, word)
    return [article, *edits] if article else edits
