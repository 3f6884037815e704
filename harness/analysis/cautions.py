"""What a reader must know before relying on a finding: what it is about, and what it may hide.

A mean over prompts is a mean over the mix of topics that somebody happened to collect. Where the suite
says which prompts belong together (``data.group_by``), the differences with every group weighing alike
stand beside it; where the prompts only name their topics, the mix is named. Few prompts, cut answers,
missing scores and leaked prompts are cautions, a line each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.estimates import LeakGap
from harness.analysis.evidence import Evidence, VerdictBasis
from harness.analysis.summary_schema import AnswerCount, AuditCount
from harness.records import ORIGINAL
from harness.util.formatting import figure, listing, plural, with_interval

FEW_PROMPTS = 30
CUT_SHARE = 0.25
MOST_SHARE = 0.9


def cautions(basis: VerdictBasis, answers: Sequence[AnswerCount]) -> list[str]:
    """Warn of few prompts, cut answers and missing scores, a line each."""
    prompts, unrelated = int(basis.scope.prompts.sum()), count_unrelated(basis)
    lines = []
    if unrelated < FEW_PROMPTS:
        related = f" ({plural(prompts, 'prompt')} with related ones)" if unrelated < prompts else ""
        lines.append(
            f"Only {plural(unrelated, 'source prompt')}{related}: intervals are wide and their coverage is"
            f" less certain than from {FEW_PROMPTS} on."
        )
    cut = [a for a in answers if a.truncated > CUT_SHARE * a.given]
    if cut:
        counts = listing([f"{a.truncated} of {a.given} from {a.subject}" for a in cut])
        most = all(a.truncated > MOST_SHARE * a.given for a in cut)
        lines.append(
            f"{'Nearly all' if most else 'Many'} answers were cut at the token limit ({counts}):"
            " only their beginnings were scored, so the finding is about beginnings. Raise"
            " generation.max_new_tokens and run again, or see that the model ends its answers."
        )
    for measure in basis.headline:
        lines += [line for item in basis.evidence(measure) if (line := _missing(item))]
    return lines


def _missing(evidence: Evidence) -> str | None:
    """Say what missing scores leave open, where many are missing."""
    contrast = evidence.contrast
    if contrast.bounds is None:
        return None
    share = max(contrast.missing.share, contrast.missing_originals.share)
    low, high = (figure(x, 2, sign=True) for x in contrast.bounds.variants)
    return (
        f"{figure(100 * share, 0)}% of the paired scores of {evidence.label} behind"
        f" {evidence.subject} are missing; were all of them at one end of the scale, its"
        f" difference on reworded prompts would be {low}, at the other {high}."
    )


def leak_sentence(basis: VerdictBasis, audit: AuditCount, gaps: Sequence[LeakGap]) -> str | None:
    """Write what the verdict must begin with where prompts leaked; else None."""
    if not audit.leaked:
        return None
    stand = "stands" if audit.leaked == 1 else "stand"
    text = (
        f"Leaked: {audit.leaked} of {plural(audit.total, 'test prompt')} {stand} in the training"
        " data"
    )
    lead = basis.headline[0] if basis.headline and basis.table.sign(basis.headline[0]) > 0 else None
    gains = [
        f"{row.subject} gains {with_interval(row.gap, sign=True)} more on them than on clean ones"
        for row in gaps
        if (row.measure, row.what, row.kind) == (lead, "gain", ORIGINAL)
        and row.gap is not None
        and row.gap.low is not None
    ]
    if gains:
        text += f" ({'; '.join(gains)})"
    if basis.scope.name == "clean":
        return f"{text}; what follows rests on the other {audit.total - audit.leaked}."
    return f"{text}, too few do not, and what follows measures memory too."


def count_unrelated(basis: VerdictBasis) -> int:
    """Count the observations behind the finding: prompts, related ones together as one."""
    return len(np.unique(basis.table.families[basis.scope.prompts]))


def mix_words(basis: VerdictBasis, topic_key: str = "topic") -> str:
    """Say what mix of prompts the means are about, and how many are related; empty for a plain set."""
    table, inside = basis.table, np.flatnonzero(basis.scope.prompts)
    parts = []
    if table.groups is not None:
        groups = len({table.groups[i] for i in inside})
        parts.append(f"The means are for this mix of {plural(groups, 'group')} (data.group_by).")
    else:
        named = {table.samples[i].metadata.get(topic_key) for i in inside} - {None, ""}
        if len(named) > 1:
            parts.append(f"The means are for this mix of {len(named)} topics.")
    unrelated = count_unrelated(basis)
    if unrelated < len(inside):
        parts.append(
            f"Related prompts (near-duplicates, or of one group) count as one observation:"
            f" {unrelated} among {len(inside)} prompts."
        )
    return " ".join(parts)


def balanced_words(evidence: Evidence) -> str | None:
    """Say what the differences are with every group weighing alike; None without groups."""
    contrast = evidence.contrast
    originals, reworded = contrast.balanced_originals, contrast.balanced_variants
    if originals is None and reworded is None:
        return None
    groups = max(one.n for one in (originals, reworded) if one is not None)
    return (
        f"With each of the {plural(groups, 'group')} weighing alike the difference in"
        f" {evidence.label} is {with_interval(originals, sign=True)} on original and"
        f" {with_interval(reworded, sign=True)} on reworded prompts."
    )
