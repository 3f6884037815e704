"""Records of an audit, as ``audit.json`` has them."""

from __future__ import annotations

from pydantic import JsonValue

from harness.audit.leakage import KINDS, RESPONSE
from harness.records import Record


class Repeats(Record):
    """Counts of texts of one data set that say the same.

    Attributes:
        distinct: Different word for word.
        exact: Texts that repeat an earlier one word for word: ``texts - distinct``.
        normalised: Further ones that differ only in case, white space, punctuation or Unicode form.
        near: Further ones that are near-duplicates of another.
        different: What remains: groups that are no near-duplicates of each other.
    """

    texts: int
    distinct: int
    exact: int
    normalised: int
    near: int
    different: int


class WordCounts(Record):
    """Words per text: least, median, 95th percentile, greatest."""

    least: int
    median: float
    p95: float
    most: int


class DataReport(Record):
    """One data set by itself.

    Attributes:
        response_words: None where no row has a response.
        prompt_languages, response_languages: Texts by ISO 639 code, of at most 2,000 drawn.
        cut_off_responses: Rows whose response stops before its end.
        cut_at_characters: Length at which three or more distinct responses end, or None.
        cut_at_length: How many those are.
        several_answers: Prompts with different responses.
        several_answers_rows: Different responses that those have.
        contradicting: Such prompts with two responses that cannot both be right.
        personal_data: Rows with an e-mail address, and with a telephone number.
        undecided_pairs, told_apart, crowded_buckets: See ``similar.NearPairs``.
        examples: Places of each kind of finding; rows are counted from 1.
    """

    rows: int
    prompts: Repeats
    responses: Repeats
    prompt_words: WordCounts
    response_words: WordCounts | None
    prompt_languages: dict[str, int]
    response_languages: dict[str, int]
    empty_responses: int
    cut_off_responses: int
    cut_at_characters: int | None
    cut_at_length: int
    several_answers: int
    several_answers_rows: int
    contradicting: int
    personal_data: dict[str, int]
    undecided_pairs: int
    told_apart: int
    crowded_buckets: int
    examples: dict[str, list[dict[str, JsonValue]]]


class BetweenReport(Record):
    """Evaluation rows that are in the training data, by kind.

    Attributes:
        prompts: Rows by the kind of match of their prompt; ``response`` has none, but its answer was
            trained on under another prompt; ``unchecked`` is alike to more rows than could be
            compared; ``clean`` is none of these.
        responses: The same for responses, whatever the prompt; ``none`` has no response.
        pairs: Rows whose prompt and response match one training row, by the weaker of the two.
        undecided_pairs, told_apart, crowded_buckets: See ``similar.NearPairs``.
        matches: Every leaked row with the training row that it matches.
    """

    rows: int
    prompts: dict[str, int]
    responses: dict[str, int]
    pairs: dict[str, int]
    undecided_pairs: int
    told_apart: int
    crowded_buckets: int
    matches: list[dict[str, JsonValue]]

    @property
    def leaked(self) -> int:
        """Return how many evaluation rows leaked, by their prompt or by their answer alone."""
        return self.by_prompt + self.prompts[RESPONSE]

    @property
    def by_prompt(self) -> int:
        """Return how many evaluation rows have a prompt that is in the training data in any way."""
        return sum(self.prompts[kind] for kind in KINDS)


class AuditReport(Record):
    """The report of ``jostle audit``; ``evaluation`` and ``between`` are None for one data set."""

    training: DataReport
    evaluation: DataReport | None = None
    between: BetweenReport | None = None
