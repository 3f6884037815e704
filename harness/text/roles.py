"""Persons in a text by their role in its story: friend, mother, boss; from ``roles.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from harness.text.lexicon import SHARED


@dataclass(frozen=True)
class PersonRole:
    """One role: its words and the roles that may take its place.

    Attributes:
        name: Names the role.
        gender: f, m or n.
        words: Singular and plural of its formal word, and of its colloquial one if it has one.
        needs: What must determine a mention for an exchange: ``own`` (my, our, your), ``any``
            determiner, or ``never``.
        kin: Relatives, who are not exchanged with others in a story of romance.
        to: Roles that may take its place.
        other_sex: The same relative of the other sex, if any: the pronouns change with it.
        blocked: Facts of a text that forbid to replace it.
        needed: Facts of which a text must hold one for it to be replaced.
        unfit: Facts of a text that forbid to put it in.
    """

    name: str
    gender: str
    words: tuple[tuple[str, str], ...]
    needs: str = "never"
    kin: bool = False
    to: tuple[str, ...] = ()
    other_sex: str | None = None
    blocked: re.Pattern[str] | None = None
    needed: re.Pattern[str] | None = None
    unfit: re.Pattern[str] | None = None

    def word_like(self, formal: bool, plural: bool) -> str:
        """Return this role's word of the same register (if it has a colloquial one) and number."""
        singular, several = self.words[0 if formal or len(self.words) == 1 else 1]
        return several if plural else singular


@dataclass(frozen=True)
class Mention:
    """A role named at ``raw[start:end]``."""

    start: int
    end: int
    role: str
    formal: bool
    plural: bool


@dataclass(frozen=True)
class RoleGraph:
    """All roles and the exchanges between them.

    Attributes:
        roles: By name.
        romance: Words of romance.
        sexed: Words that hold for one sex only, or on which advice depends by sex.
        forms: Every form of a word to its role, whether it is formal, and whether it is plural.
        pattern: Matches any form.
    """

    roles: Mapping[str, PersonRole]
    romance: re.Pattern[str]
    sexed: re.Pattern[str]
    forms: Mapping[str, tuple[str, bool, bool]]
    pattern: re.Pattern[str]

    def mentions(self, raw: str) -> list[Mention]:
        """Return every role named in ``raw``, in order of place."""
        matches = self.pattern.finditer(raw)
        return [Mention(m.start(), m.end(), *self.forms[m.group().lower()]) for m in matches]


@lru_cache(maxsize=1)
def role_graph() -> RoleGraph:
    """Return the shipped graph."""
    import yaml

    raw = files(SHARED).joinpath("roles.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(raw)
    roles = {name: _role(name, entry) for name, entry in data["roles"].items()}
    forms: dict[str, tuple[str, bool, bool]] = {}
    for role in roles.values():
        for i, (singular, plural) in enumerate(role.words):
            forms.setdefault(plural, (role.name, i == 0, True))
            forms.setdefault(singular, (role.name, i == 0, singular == plural))
    alternatives = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
    return RoleGraph(
        roles=roles,
        romance=re.compile(data["romance"], re.IGNORECASE),
        sexed=re.compile("|".join(data["sexed"]), re.IGNORECASE),
        forms=forms,
        pattern=re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE),
    )


def _role(name: str, entry: Mapping[str, Any]) -> PersonRole:
    def facts(key: str) -> re.Pattern[str] | None:
        return re.compile("|".join(entry[key]), re.IGNORECASE) if entry.get(key) else None

    return PersonRole(
        name=name,
        gender=entry["gender"],
        words=tuple((forms[0], forms[-1]) for forms in map(_forms, entry["words"])),
        needs=entry.get("needs", "never"),
        kin=entry.get("kin", False),
        to=tuple(entry.get("to", ())),
        other_sex=entry.get("other_sex"),
        blocked=facts("blocked"),
        needed=facts("needed"),
        unfit=facts("unfit"),
    )


def _forms(line: str) -> list[str]:
    """Return the singular and the plural of a line, of as many words; or its one form for both."""
    words = line.split()
    half, odd = divmod(len(words), 2)
    return [line] if odd else [" ".join(words[:half]), " ".join(words[half:])]


def role_structure(raw: str) -> list[str]:
    """Return the roles named in ``raw``, in order; mom and mother are one."""
    return [m.role for m in role_graph().mentions(raw)]


# Pronouns of each sex; "her" and "his" count as one of theirs whatever their case.
_HE = re.compile(r"(?<!\w)(?:he|hes|him|his|himself)(?!\w)", re.IGNORECASE)
_SHE = re.compile(r"(?<!\w)(?:she|shes|her|hers|herself)(?!\w)", re.IGNORECASE)


def roles_consistent(before: str, after: str) -> str | None:
    """Return why the exchange of roles between two texts is not one for one, or None if it is.

    As many mentions, the same number (singular, plural), and one role for each role over the whole
    text. A woman becomes a man only as the same relative of the other sex, and then every "she"
    becomes "he"; otherwise the pronouns stay.
    """
    old, new = role_graph().mentions(before), role_graph().mentions(after)
    if len(old) != len(new):
        return f"{len(old)} mentions became {len(new)}"
    forth: dict[str, str] = {}
    back: dict[str, str] = {}
    turned = False
    for was, now in zip(old, new, strict=True):
        if forth.setdefault(was.role, now.role) != now.role:
            return f"{was.role!r} became both {forth[was.role]!r} and {now.role!r}"
        if back.setdefault(now.role, was.role) != was.role:
            return f"both {back[now.role]!r} and {was.role!r} became {now.role!r}"
        if was.plural != now.plural:
            return f"{was.role!r} changed its number"
        source, target = role_graph().roles[was.role], role_graph().roles[now.role]
        if {source.gender, target.gender} == {"f", "m"}:
            if source.other_sex != target.name:
                return f"{was.role!r} changed its gender"
            turned = True
    he, she = len(_HE.findall(before)), len(_SHE.findall(before))
    expected = (she, he) if turned and not (he and she) else (he, she)
    if (len(_HE.findall(after)), len(_SHE.findall(after))) != expected:
        return "pronouns do not fit the roles"
    return None
