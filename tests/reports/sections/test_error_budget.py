"""The section that says what to spend on: its words and tables from a summary."""

from __future__ import annotations

from harness.analysis.error_budget_schema import ErrorBudget, Lever, VarianceComponent
from harness.analysis.error_words import budget_words
from reports.sections.error_budget import component_rows, component_text, lever_rows


def _lever(name: str, factor: float, answers: int, halves: float | None) -> Lever:
    return Lever(
        difference="did",
        lever=name,  # type: ignore[arg-type]
        now=1,
        then=3,
        factor=factor,
        answers=answers,
        judgements=answers,
        floor=0.55,
        halves_at=halves,
        halves_answers=None if halves is None else 9000,
        halves_judgements=None if halves is None else 9000,
    )


BUDGET = ErrorBudget(
    subject="tuned",
    judge="rubric",
    dimension="overall",
    prompts=60,
    answers=6.0,
    errors={"did": 0.1},
    components=(
        VarianceComponent(source="prompt", variance=0.25, low=0.16, high=0.36, share=0.2),
        VarianceComponent(source="prompt x kind", variance=-0.01, low=-0.1, high=0.09, share=0.0),
        VarianceComponent(
            source="variant", variance=1.0, low=0.81, high=1.21, share=0.8, includes=("repeat",)
        ),
        VarianceComponent(source="repeat", variance=None, low=None, high=None, share=None),
        VarianceComponent(source="judge", variance=None, low=None, high=None, share=None),
    ),
    levers=(_lever("originals", 0.6, 240, None), _lever("prompts", 0.71, 4000, 240)),
    words=(),
)


def test_components_are_standard_deviations_and_a_negative_one_is_zero() -> None:
    assert [text for _, text, _ in component_rows(BUDGET)] == [
        "0.50 [0.40, 0.60]",
        "0.00 [0.00, 0.30]",
        "1.00 [0.90, 1.10]",
        "not told apart",
        "not told apart",
    ]
    assert component_rows(BUDGET)[2][0] == "variants of one kind that differ (with repeat)"
    alone = BUDGET.components[0].model_copy(update={"low": None, "high": None})
    assert component_text(alone) == "0.50"


def test_steps_have_their_cost_beside_them() -> None:
    first, second = lever_rows(BUDGET)
    assert first[1] == "each original asked 3 times instead of 1 (suite.original_repeats)"
    assert first[2:] == ("40%", "240", "240", "–", "–")
    assert second[2:] == ("29%", "4,000", "4,000", "–", "240")


def test_the_words_name_the_cheapest_halving_and_the_best_step() -> None:
    components, step, unknown = budget_words(BUDGET, "rubric overall")
    assert "80% variants of one kind that differ (with the same prompt answered" in components
    assert step.startswith(
        "To halve the standard error of what rewording costs (difference in differences), the cheapest"
        " is 240 prompts instead of 1: 9,000 answers and 9,000 judgements more. The most for its cost:"
        " each original asked 3 times instead of 1 (suite.original_repeats) takes 40% off (240 answers"
        " and 240 judgements more; by itself never more than 45%)"
    )
    assert "suite.original_repeats: 2" in unknown
    none = BUDGET.model_copy(update={"levers": BUDGET.levers[:1]})
    assert "nothing suffices under 64 times what there is" in list(budget_words(none, "x"))[1]
