"""The graph of exchangeable roles, read from ``lexicons/roles.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Role:
    """One role: its words and whom it may be exchanged for."""

    name: str
    gender: str
    words: tuple[tuple[str, str], ...]
    needs: str = "never"
    kin: bool = False
    to: tuple[str, ...] = ()
    across: tuple[str, ...] = ()
    blocked: re.Pattern[str] | None = None
    unfit: re.Pattern[str] | None = None

    def word_like(self, formal: bool, plural: bool) -> str:
        """This role's word of the same register (if it has a colloquial one) and number."""
        singular, several = self.words[0 if formal or len(self.words) == 1 else 1]
        return several if plural else singular


@dataclass(frozen=True)
class Mention:
    """A role named at ``raw[start:end]``."""

    role: str
    start: int
    end: int
    formal: bool
    plural: bool


@dataclass(frozen=True)
class Graph:
    """All roles, the sets that change together, and the words of romance."""

    roles: Mapping[str, Role]
    together: tuple[tuple[frozenset[str], tuple[Mapping[str, str], ...]], ...]
    romance: re.Pattern[str]
    forms: Mapping[str, tuple[str, bool, bool]]
    pattern: re.Pattern[str]

    def mentions(self, raw: str) -> list[Mention]:
        """Every role named in ``raw``, in order of place."""
        found = []
        for match in self.pattern.finditer(raw):
            role, formal, plural = self.forms[match.group().lower()]
            found.append(Mention(role, match.start(), match.end(), formal, plural))
        return found


@lru_cache(maxsize=1)
def graph() -> Graph:
    """The shipped graph."""
    import yaml

    raw = files("perturbations.lexicons").joinpath("roles.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(raw)
    roles = {name: _role(name, entry) for name, entry in data["roles"].items()}
    forms: dict[str, tuple[str, bool, bool]] = {}
    for role in roles.values():
        for i, (singular, plural) in enumerate(role.words):
            forms.setdefault(plural, (role.name, i == 0, True))
            forms.setdefault(singular, (role.name, i == 0, singular == plural))
    alternatives = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
    return Graph(
        roles=roles,
        together=tuple(
            (frozenset(group["members"]), tuple(group["to"])) for group in data["together"]
        ),
        romance=re.compile(data["romance"], re.IGNORECASE),
        forms=forms,
        pattern=re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE),
    )


def _role(name: str, entry: Mapping[str, Any]) -> Role:
    def words() -> list[tuple[str, str]]:
        pairs = []
        for line in entry["words"]:
            parts = line.split() if " in law" not in line else [line]
            pairs.append((parts[0], parts[-1]))
        return pairs

    def facts(key: str) -> re.Pattern[str] | None:
        return re.compile("|".join(entry[key]), re.IGNORECASE) if entry.get(key) else None

    return Role(
        name=name,
        gender=entry["gender"],
        words=tuple(words()),
        needs=entry.get("needs", "never"),
        kin=entry.get("kin", False),
        to=tuple(entry.get("to", ())),
        across=tuple(entry.get("across", ())),
        blocked=facts("blocked"),
        unfit=facts("unfit"),
    )


def role_structure(raw: str) -> list[str]:
    """The roles named in ``raw``, in order; mom and mother are one."""
    return [m.role for m in graph().mentions(raw)]


def roles_consistent(before: str, after: str) -> str | None:
    """Why the exchange of roles between two texts is not one for one, or None if it is.

    As many mentions, the same number (singular, plural), one role for each role over the whole
    text, and no woman turned into a man.
    """
    old, new = graph().mentions(before), graph().mentions(after)
    if len(old) != len(new):
        return f"{len(old)} mentions became {len(new)}"
    forth: dict[str, str] = {}
    back: dict[str, str] = {}
    for was, now in zip(old, new, strict=True):
        if forth.setdefault(was.role, now.role) != now.role:
            return f"{was.role!r} became both {forth[was.role]!r} and {now.role!r}"
        if back.setdefault(now.role, was.role) != was.role:
            return f"both {back[now.role]!r} and {was.role!r} became {now.role!r}"
        if was.plural != now.plural:
            return f"{was.role!r} changed its number"
        genders = {graph().roles[was.role].gender, graph().roles[now.role].gender}
        if genders == {"f", "m"}:
            return f"{was.role!r} changed its gender"
    return None


def exchanges(
    raw: str, changeable: Sequence[str], mentioned: frozenset[str], across: bool
) -> list[dict[str, str]]:
    """All exchanges that fit the facts of ``raw``, each a map from role to role.

    Args:
        raw: The prompt.
        changeable: Roles all of whose mentions may be changed.
        mentioned: All roles named in the prompt.
        across: Follow the wider edges too.
    """
    known = graph()
    found: list[dict[str, str]] = []
    bound: set[str] = set()
    for members, options in known.together:
        present = members & mentioned
        if len(present) < 2:
            continue
        bound |= present
        for option in options:
            fits = present <= set(option) and all(
                role in changeable and _fits(raw, role, option[role], mentioned) for role in present
            )
            if fits:
                found.append({role: option[role] for role in sorted(present)})
    for role in changeable:
        if role in bound:
            continue
        entry = known.roles[role]
        for target in (*entry.to, *(entry.across if across else ())):
            if _fits(raw, role, target, mentioned):
                found.append({role: target})
    return found


def _fits(raw: str, role: str, target: str, mentioned: frozenset[str]) -> bool:
    known = graph()
    source, other = known.roles[role], known.roles[target]
    if target in mentioned:
        return False
    if source.blocked and source.blocked.search(raw):
        return False
    if other.unfit and other.unfit.search(raw):
        return False
    return not (other.kin and not source.kin and known.romance.search(raw))
