"""The same words in another order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import Level, check_level
from perturbations.layout import is_english
from perturbations.reordering.adverbials import adverbials
from perturbations.reordering.adverbs import adverb_shifts
from perturbations.reordering.also import also_shifts
from perturbations.reordering.clause_adverbs import clause_adverb_shifts
from perturbations.reordering.clauses import clause_moves
from perturbations.reordering.comments import comments, parentheses, reporting_clauses
from perturbations.reordering.confirm import confirmed
from perturbations.reordering.courtesy import please_moves
from perturbations.reordering.joined_verbs import clause_swaps, verb_swaps
from perturbations.reordering.lists import comma_swaps, list_swaps
from perturbations.reordering.manner import manner_shifts, manner_swaps
from perturbations.reordering.moves import Move, independent
from perturbations.reordering.neighbours import sentence_swaps
from perturbations.reordering.pairs import between_swaps, pair_swaps
from perturbations.reordering.particles import particle_shifts
from perturbations.reordering.phrases import phrase_moves, proviso_moves, purpose_questions
from perturbations.reordering.predicates import predicate_swaps
from perturbations.reordering.questions import question_first, question_last

COUNTS: Mapping[Level, int] = {"light": 1, "medium": 2, "heavy": 5}

_FINDERS: tuple[Callable[[Text], Iterator[Move]], ...] = (
    clause_moves,
    adverbials,
    adverb_shifts,
    also_shifts,
    clause_adverb_shifts,
    particle_shifts,
    manner_shifts,
    manner_swaps,
    comments,
    parentheses,
    reporting_clauses,
    purpose_questions,
    phrase_moves,
    proviso_moves,
    please_moves,
    pair_swaps,
    verb_swaps,
    predicate_swaps,
    comma_swaps,
    list_swaps,
    between_swaps,
    question_first,
    question_last,
    sentence_swaps,
    clause_swaps,
)


class Reorder:
    """Another order of the same words: "Y because X" ↔ "Because X, Y", "A and B" swapped.

    Also safe adverbials fronted, a closing question moved to the front, and neighbouring constraints
    swapped where nothing refers back. Capitals and commas are repaired.

    Args:
        severity: One, two or up to five such moves.
    """

    traits = PerturbationTraits(
        description="the same words in another order",
        version="3",
        limits=Limits(floor=0.75, same_words=True),
    )

    def __init__(self, severity: Level = "medium") -> None:
        check_level(severity)
        self.count = COUNTS[severity]

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where nothing can safely stand elsewhere."""
        if not is_english(text.raw):
            return None
        moves = [move for finder in _FINDERS for move in finder(text)]
        rng.shuffle(moves)
        chosen: list[Move] = []
        for move in moves:
            if len(chosen) == self.count:
                break
            if all(independent(text, move, other) for other in chosen) and confirmed(text, move):
                chosen.append(move)
        return [edit for move in chosen for edit in move.edits] or None
