"""Which texts a judge looks at, so that its verdicts hang on no others."""

from __future__ import annotations

from typing import Any

from harness.judging.members import leaves
from judges.llm.rubric_file import RubricFile

_NEEDED = {
    "reference": ("reference",),
    # Both are there for variants, and only for variants.
    "original_answer": ("original_question", "original_answer"),
}


def texts_for(judge: Any) -> frozenset[str]:
    """What an item has to hold beside question and answer (and an opponent's).

    By what the judge's dimensions need, and by what its rubric shows where an item has it; of all
    members of a panel.
    """
    found: set[str] = set()
    for leaf in leaves(judge):
        for dimension in leaf.dimensions:
            for need in dimension.needs:
                found.update(_NEEDED.get(need, ()))
        rubric = getattr(leaf, "rubric", None)
        if isinstance(rubric, RubricFile):
            for criterion in rubric.dimensions:
                found.update(rubric.shown(criterion))
    return frozenset(found - {"question", "answer"})
