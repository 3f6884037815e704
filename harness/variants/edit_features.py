"""Numbers about an edit that do not come from the rules that made it.

They compare two parses of the passage, before and after, word by word (``alignment.py``): whether
what was not edited is still parsed alike, which parts of speech were touched, what denies, limits or
conditions, whether pronouns that move still have somebody in front of them, and oddities of the surface.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.text.lexicon import word_set
from harness.variants.alignment import Alignment, Word
from harness.variants.checks import Passage

Features = Mapping[str, float]

_NEAR = 3
_OPERATORS = frozenset(
    [
        "only",
        "just",
        "even",
        "if",
        "unless",
        "when",
        "until",
        "before",
        "after",
        "because",
        "although",
        "though",
        "while",
        "since",
        "so",
        "then",
        "every",
        "each",
        "all",
        "any",
        "some",
        "most",
        "many",
        "few",
        "both",
        "either",
        "neither",
        "always",
        "often",
        "usually",
    ]
)
_TIME = frozenset(
    [
        "then",
        "after",
        "before",
        "first",
        "next",
        "finally",
        "later",
        "now",
        "once",
        "until",
        "since",
        "already",
        "yet",
        "again",
        "still",
        "today",
        "yesterday",
        "tomorrow",
        "tonight",
        "ago",
        "when",
        "while",
    ]
)
_POINTING = frozenset(
    [
        "this",
        "that",
        "these",
        "those",
        "it",
        "its",
        "they",
        "them",
        "their",
        "theirs",
        "he",
        "him",
        "his",
        "she",
        "her",
        "hers",
        "one",
        "ones",
        "such",
        "so",
        "there",
        "then",
        "same",
        "other",
        "others",
        "another",
        "both",
        "either",
        "neither",
        "too",
        "also",
        "yours",
        "mine",
        "ours",
    ]
)
_CONTENT = ("NOUN", "VERB", "ADJ", "ADV", "PROPN")
_ODD = re.compile(
    r"[,;:]\s*[.!?,;:]|[.!?]\s+[a-z]|(?<=[a-z]) [A-HJ-Z][a-z]+|\s[,.!?;:]|,\s*$|,\s*\n|^\s*[,.;:]|\b(\w+) \1\b"
)
_AN = re.compile(r"\b(?:a [aeio]\w|an [^aeiouhm\W\d]\w)", re.IGNORECASE)
_REQUEST = re.compile(
    r"\?|\b(?:please|help|advice|advise|suggest\w*|how (?:do|can|should)|what (?:do|can|should)|tell me|"
    r"let me know|need|want to know|wondering|would like to know|explain|write|create|give|show|find|list)\b",
    re.IGNORECASE,
)


def features(passage: Passage, alignment: Alignment) -> dict[str, float]:
    """Return all features by name."""
    values: dict[str, float] = {}
    for group in GROUPS:
        values.update(group(passage, alignment))
    return values


def _share(count: float, total: float) -> float:
    return count / total if total else 0.0


def _log(count: float) -> float:
    return math.log1p(count)


def stability(passage: Passage, alignment: Alignment) -> Features:
    """Compare the parse of what was not edited, and of what was moved."""
    before, after = alignment.before, alignment.after
    site_of = {b: k for k, (olds, _) in enumerate(alignment.sites) for b in olds}
    site_to = {a: k for k, (_, news) in enumerate(alignment.sites) for a in news}
    near = _near(alignment)

    def head_kept(b: int, a: int) -> bool:
        one, two = before[b].head, after[a].head
        if one == b or two == a:
            return (one == b) == (two == a)
        if alignment.image.get(one) == two:
            return True
        return one in site_of and site_of[one] == site_to.get(two)

    values: dict[str, float] = {}
    for name, pairs in (("kept", alignment.kept), ("moved", alignment.moved)):
        words = [(b, a) for b, a in pairs if before[b].pos not in ("PUNCT", "SYM")]
        heads = [head_kept(b, a) for b, a in words]
        deps = [before[b].dep == after[a].dep for b, a in words]
        tags = [before[b].tag == after[a].tag for b, a in words]
        values |= {
            f"{name}_heads_changed": _log(len(heads) - sum(heads)),
            f"{name}_deps_changed": _log(len(deps) - sum(deps)),
            f"{name}_tags_changed": _log(len(tags) - sum(tags)),
            f"{name}_heads_share": _share(len(heads) - sum(heads), len(heads)),
        }
        if name == "kept":
            close = [at for at, (b, _) in enumerate(words) if b in near]
            values["near_heads_changed"] = _log(sum(not heads[at] for at in close))
            values["near_deps_changed"] = _log(sum(not deps[at] for at in close))
            values["near_tags_changed"] = _log(sum(not tags[at] for at in close))
    roots = [sum(w.dep == "ROOT" for w in words) for words in (before, after)]
    values["roots_changed"] = float(roots[1] - roots[0])
    return values


def _near(alignment: Alignment) -> set[int]:
    edited = {b for b, _ in alignment.moved} | set(alignment.removed)
    return {b + step for b in edited for step in range(-_NEAR, _NEAR + 1)}


def touched(passage: Passage, alignment: Alignment) -> Features:
    """Describe the words that went, came and moved."""
    before, after = alignment.before, alignment.after
    gone = [before[at] for at in alignment.removed]
    come = [after[at] for at in alignment.added]
    moved = [before[at] for at, _ in alignment.moved]
    total = len(before) or 1
    values: dict[str, float] = {
        "sites": _log(len(alignment.sites)),
        "removed": _log(len(gone)),
        "added": _log(len(come)),
        "moved": _log(len(moved)),
        "changed_share": (len(gone) + len(come) + len(moved)) / total,
        "length": _log(total),
    }
    for pos in ("NOUN", "VERB", "ADJ", "ADV", "ADP", "PRON", "AUX", "SCONJ", "PART"):
        values[f"removed_{pos}"] = float(any(w.pos == pos for w in gone))
        values[f"pos_{pos}"] = float(
            sum(w.pos == pos for w in come) - sum(w.pos == pos for w in gone)
        )
    pairs = _replacements(alignment)
    values["replaced_tag_changed"] = _log(sum(one.tag != two.tag for one, two in pairs))
    values["replaced_pos_changed"] = _log(sum(one.pos != two.pos for one, two in pairs))
    values["replaced_dep_changed"] = _log(sum(one.dep != two.dep for one, two in pairs))
    values["more_words"] = float(len(come) - len(gone))
    values["repeats"] = _log(_repeated(come, after, alignment))
    values["opening"] = float(any(at < 2 for at in (*alignment.removed, *alignment.added)))
    return values


def _replacements(alignment: Alignment) -> list[tuple[Word, Word]]:
    """Pair the head of what each edit takes away with the head of what it puts in."""
    pairs: list[tuple[Word, Word]] = []
    removed, added = set(alignment.removed), set(alignment.added)
    for olds, news in alignment.sites:
        one = _heads([at for at in olds if at in removed], alignment.before)
        two = _heads([at for at in news if at in added], alignment.after)
        pairs += zip(one, two, strict=False)
    return pairs


def _heads(places: Sequence[int], words: Sequence[Word]) -> list[Word]:
    inside = set(places)
    return [words[at] for at in places if words[at].head not in inside or words[at].head == at]


def _repeated(come: Sequence[Word], after: Sequence[Word], alignment: Alignment) -> int:
    """Count content words put in that stand in the passage anyway."""
    stay = {after[a].lemma for _, a in (*alignment.kept, *alignment.moved)}
    return sum(w.pos in _CONTENT and w.lemma in stay for w in come)


def scope(passage: Passage, alignment: Alignment) -> Features:
    """Compare what denials, conditions and quantifiers govern, and whether the edit lies within."""
    before, after = alignment.before, alignment.after
    negations = word_set("negations.txt") | {"n't", "n’t"}
    changed = {b for b, _ in alignment.moved} | set(alignment.removed)
    values: dict[str, float] = {}
    for name, listed in (("negation", negations), ("operator", _OPERATORS)):
        one, two = _governed(before, listed), _governed(after, listed)
        differing = sum(((one - two) + (two - one)).values())
        values[f"{name}_scope_changed"] = _log(differing)
        values[f"{name}s"] = _log(sum(w.lower in listed for w in before))
        values[f"{name}_over_edit"] = float(
            any(
                before[at].lower in listed and _reaches(at, before, changed)
                for at in range(len(before))
            )
        )
        values[f"{name}_edited"] = float(any(before[at].lower in listed for at in changed))
    values["time_words"] = _log(sum(w.lower in _TIME for w in before))
    return values


def _governed(words: Sequence[Word], listed: Iterable[str]) -> Counter[tuple[str, str]]:
    """Count pairs of an operator and a content word below its head."""
    listed = set(listed)
    pairs: Counter[tuple[str, str]] = Counter()
    for word in words:
        if word.lower in listed:
            top = word.head
            for at, other in enumerate(words):
                if other.pos in _CONTENT and top in _chain(at, words):
                    pairs[word.lower, other.lemma] += 1
    return pairs


def _chain(at: int, words: Sequence[Word]) -> list[int]:
    """Return a word and its heads up to the root, at most ten."""
    chain = [at]
    while words[at].head != at and len(chain) < 10:
        at = words[at].head
        chain.append(at)
    return chain


def _reaches(operator: int, words: Sequence[Word], changed: set[int]) -> bool:
    """Return whether a changed word stands behind an operator and below its head."""
    top = words[operator].head
    return any(at > operator and top in _chain(at, words) for at in changed)


def reference(passage: Passage, alignment: Alignment) -> Features:
    """Look for pronouns whose order with the words around them changes."""
    before, after = alignment.before, alignment.after
    ahead = behind = 0
    image = alignment.image
    for b, a in image.items():
        word = before[b]
        if word.lower in _POINTING and (word.pos in ("PRON", "DET", "ADV", "ADJ")):
            nouns_before = {i for i in range(b) if before[i].pos in ("NOUN", "PROPN", "VERB")}
            nouns_after = {
                i for i, j in image.items() if j < a and before[i].pos in ("NOUN", "PROPN", "VERB")
            }
            lost = len(nouns_before - nouns_after)
            ahead += lost > 0
            behind += len(nouns_after - nouns_before) > 0
    moved_first = any(a <= 1 for _, a in alignment.moved)
    opening = [after[a] for _, a in alignment.moved if a <= 12] if moved_first else []
    return {
        "pronoun_ahead": _log(ahead),
        "pronoun_behind": _log(behind),
        "pointing_opening": _log(sum(w.lower in _POINTING for w in opening)),
        "moved_to_front": float(
            moved_first and not passage.text.raw[: passage.spans[0][0]].strip()
        ),
        "moved_distance": _log(max((abs(a - b) for b, a in alignment.moved), default=0)),
    }


def coordination(passage: Passage, alignment: Alignment) -> Features:
    """Describe conjuncts of which one moved: like to like, verbs, and what hangs on them."""
    before, after = alignment.before, alignment.after
    image = alignment.image
    unlike = verbs = sizes = 0.0
    for b, _a in alignment.moved:
        word = before[b]
        if word.dep == "conj" and word.head != b:
            head = before[word.head]
            unlike += word.tag != head.tag
            verbs += word.pos in ("VERB", "AUX")
            sizes = max(sizes, abs(_children(b, before) - _children(word.head, before)))
    conj_before = sum(w.dep == "conj" for w in before)
    conj_after = sum(w.dep == "conj" for w in after)
    subjects = _arguments(before, None) - _arguments(after, None)
    lost = sum((_arguments(before, None) - _arguments(after, None)).values())
    return {
        "conj_unlike": _log(unlike),
        "conj_verbs": _log(verbs),
        "conj_sizes": _log(sizes),
        "conj_changed": float(abs(conj_after - conj_before)),
        "arguments_lost": _log(lost if len(image) else 0) if subjects else 0.0,
    }


def _children(at: int, words: Sequence[Word]) -> int:
    return sum(w.head == at and i != at for i, w in enumerate(words))


def _arguments(words: Sequence[Word], _: None) -> Counter[tuple[str, str, str]]:
    """Count (verb, relation, argument) of core relations."""
    core = ("nsubj", "nsubjpass", "dobj", "pobj", "acomp", "attr", "xcomp", "ccomp", "neg", "amod")
    return Counter((words[w.head].lemma, w.dep, w.lemma) for w in words if w.dep in core)


def surface(passage: Passage, alignment: Alignment) -> Features:
    """Count oddities of capitals, punctuation and articles that are new."""
    before, after = passage.before, passage.after
    return {
        "odd": _log(max(0, len(_ODD.findall(after)) - len(_ODD.findall(before)))),
        "articles": float(len(_AN.findall(after)) > len(_AN.findall(before))),
        "lower_starts": float(sum(a[:1].islower() and b[:1].isupper() for b, a in passage.pairs)),
        "commas": float(after.count(",") - before.count(",")),
        "signs": float(len(re.findall(r"[.!?]", after)) - len(re.findall(r"[.!?]", before))),
    }


def prompt(passage: Passage, alignment: Alignment) -> Features:
    """Describe the prompt: does it ask for anything, is it long, is it about code."""
    raw = passage.text.raw
    inserted = [e for e in passage.edits if e.start == e.end]
    last = max((e.end for e in passage.edits), default=0)
    tail = not raw[last:].strip(" .!?\n")
    final = raw.rstrip()[-160:]
    return {
        "asks": float(bool(_REQUEST.search(raw))),
        "asks_last": float(bool(_REQUEST.search(final))),
        "question_mark": float("?" in raw),
        "insertions": _log(len(inserted)),
        "insert_at_end": float(any(not raw[e.end :].strip() for e in inserted)),
        "insert_at_start": float(any(not raw[: e.start].strip() for e in inserted)),
        "insert_at_end_unasked": float(
            any(not raw[e.end :].strip() for e in inserted) and not _REQUEST.search(raw)
        ),
        "edit_at_end": float(tail),
        "lines": _log(raw.count("\n")),
        "prompt_length": _log(len(raw)),
        "code": float(any(kind == "code" for _, _, kind in passage.text.protected)),
        "passages": _log(len(passage.pairs)),
    }


GROUPS: tuple[Callable[[Passage, Alignment], Features], ...] = (
    stability,
    touched,
    scope,
    reference,
    coordination,
    surface,
    prompt,
)
