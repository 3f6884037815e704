"""What is asked of a subject, and what counts as copied from another training sample."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.data.loading import DataSpec, load
from harness.memorisation.copying import Closeness
from harness.memorisation.probe_requests import (
    ProbedSubject,
    ProbeRequest,
    PromptProbes,
    answer_record,
)
from harness.memorisation.prompt_choice import ProbedPrompt
from harness.memorisation.training_responses import TrainingResponses, rows_of_same_prompt
from harness.models.prompting import Renderer
from harness.models.scripted import ScriptedModel
from harness.pipeline.store import Run
from harness.records import Completion, GenerationSettings, Message, Request, Sample, Scored
from harness.text.normalise import normalise_prompt
from judges.rouge import RougeL
from tests.harness.pipeline.stages.test_probe import (
    memoriser,
    probed,
    ratings,
    scripted,
    suite_in,
    suite_probes,
)

RESPONSE = "Write down what it means to you and read it aloud to a friend every single evening."


def row(name: str, prompt: str, response: str) -> Sample:
    return Sample(id=name, messages=(Message(role="user", content=prompt),), reference=response)


def item(sample: Sample, group: str = "training", form: str = "original") -> ProbedPrompt:
    return ProbedPrompt(group, form, sample.id, 0, sample.messages, sample.reference or "")


def asks(
    items: list[ProbedPrompt], training: TrainingResponses, **generation: Any
) -> list[ProbeRequest]:
    tokenizer = SimpleNamespace(eos_token="</s>", added_tokens_decoder={})
    subject = ProbedSubject(
        name="tuned",
        renderer=Renderer(tokenizer, "{prompt}\nAnswer:\n"),
        adapter="tuned",
        fingerprint={"weights": "w"},
        generation=GenerationSettings(**generation),
        continues=True,
    )
    probes = PromptProbes(subject, suite_probes(max_new_tokens=20), training.content)
    return list(probes.requests(items))


def requests(found: list[ProbeRequest], probe: str) -> list[Request]:
    return [
        ask.request
        for ask in found
        if ask.record.probe == probe and isinstance(ask.request, Request)
    ]


# --- what is asked


def test_answers_and_continuations_are_greedy_whatever_the_subject_is_set_to() -> None:
    one = row("a", "What now?", RESPONSE)
    found = asks(
        [item(one)], TrainingResponses([one], [item(one)]), temperature=0.9, max_new_tokens=400
    )
    made = requests(found, "answer") + requests(found, "continuation")
    assert len(made) == 2
    assert {request.settings.temperature for request in made} == {0.0}
    assert {request.settings.max_new_tokens for request in made} == {20}


def test_nothing_is_held_against_repetition_in_a_continuation_alone() -> None:
    one = row("a", "What now?", RESPONSE)
    found = asks([item(one)], TrainingResponses([one], [item(one)]), repetition_penalty=1.4)
    assert [r.settings.repetition_penalty for r in requests(found, "continuation")] == [1.0]
    assert [r.settings.repetition_penalty for r in requests(found, "answer")] == [1.4]


def test_a_continuation_begins_within_the_turn_and_the_rated_response_ends_it() -> None:
    one = row("a", "What now?", RESPONSE)
    found = asks([item(one)], TrainingResponses([one], [item(one)]))
    (begun,) = requests(found, "continuation")
    assert begun.prompt == "What now?\nAnswer:\nWrite down what it means to you and"
    (rated,) = [ask.request for ask in found if isinstance(ask.request, Scored)]
    assert rated.continuation == f"{RESPONSE}</s>"


# --- whose rows are whose


LONG = (
    "I keep thinking about my brother and the house that we lost. What should I do about it today?"
)


def test_a_prompts_own_rows_are_those_of_the_same_prompt_after_normalisation() -> None:
    rows = [
        row("a", LONG, "One."),
        row("b", LONG.upper().replace("?", " !"), "Two."),
        row("c", "How do I tell my mother that I will not come home?", "Three."),
    ]
    assert rows_of_same_prompt(rows, [item(rows[0]), item(rows[2])]) == {"a": (0, 1), "c": (2,)}
    assert rows_of_same_prompt(rows, []) == {}
    # The same last turn of another conversation is another prompt.
    talk = (Message(role="assistant", content="Hello."), *rows[0].messages)
    longer = rows[0].model_copy(update={"id": "d", "messages": talk})
    assert rows_of_same_prompt([*rows, longer], [item(longer)]) == {"d": (3,)}
    # A clean prompt has none, even where its id is that of a training row.
    assert rows_of_same_prompt(rows, [item(rows[1], group="clean")]) == {}


def copied(training: TrainingResponses, ask_of: ProbedPrompt, text: str) -> float:
    (ask,) = [ask for ask in asks([ask_of], training) if ask.record.probe == "answer"]
    done = Completion(text=text, finish_reason="stop")
    return answer_record(ask, done, training, Closeness(RougeL())).values["other_span"]


def test_saying_ones_own_response_is_no_copying_whatever_other_rows_say() -> None:
    rows = [
        row("a", LONG, RESPONSE),
        row("b", LONG.upper(), f"{RESPONSE} And then rest."),  # the same prompt
        row("c", "Why can I not sleep at night?", RESPONSE.upper()),  # the same response
        row("d", "How do I stop smoking?", f"Hello. {RESPONSE} You can do it, one day at a time."),
    ]
    training = TrainingResponses(rows, [item(rows[0])])
    own = item(rows[0])
    assert copied(training, own, RESPONSE) == 0.0
    assert copied(training, own, f"{RESPONSE} And then rest.") == 0.0  # what its other row says
    # What only another sample says is copied from there, and the shared part is not counted.
    said = f"{RESPONSE} You can do it, one day at a time."
    assert copied(training, own, said) == pytest.approx(3 + 9)  # a run of four may begin within
    # Nor does a clean prompt copy where it says its own response; it does where it says another's.
    clean = row("x", "My cat died last week and I cannot stop crying.", RESPONSE)
    assert copied(training, item(clean, group="clean"), RESPONSE) == 0.0
    stranger = row("y", "My cat died last week and I cannot stop crying.", "Grieve as you need.")
    assert copied(training, item(stranger, group="clean"), RESPONSE) == len(RESPONSE.split())


def test_a_form_that_the_prompts_words_fill_is_not_recited() -> None:
    """A rule that was learned gives the right answer to a new prompt; nothing of it was seen."""
    topics = [
        "sorted list of names", "mean of a column", "file with many lines", "queue of open jobs",
        "tree with red nodes", "date in another zone", "text without any vowels", "graph with loops",
    ]  # fmt: skip
    rows = [
        row(str(i), f"Write me the {topic}", f"def {topic.replace(' ', '_')}(value): return value")
        for i, topic in enumerate(topics)
    ]
    training = TrainingResponses(rows, [item(rows[0])])
    new = "def map_with_two_layers(value): return value"
    rest = new.split("def ")[1]
    assert training.own_recitation(rest, new, "Write me the map with two layers") == {
        "own_words": 0
    }
    # The same words under a prompt that does not give them must have been seen.
    seen = training.own_recitation(rest + " twice, thrice, never again", new, "Write me a poem")
    assert seen["own_words"] >= 4
    assert seen["own_share"] > 0


def test_a_perfect_reciter_of_real_rows_is_charged_with_no_copying() -> None:
    rows = load(DataSpec(path="bundled:data/counseling/train.jsonl"))
    items = [item(sample) for sample in rows]
    training = TrainingResponses(rows, items)
    spans = [
        near.span
        for sample in rows
        if (near := training.nearest(sample.reference or "", sample.reference or "", ()))
    ]
    assert spans == []
    # And every one that recites another row's is.
    caught = [
        near is not None and near.span >= 8
        for sample, other in zip(rows, rows[40:], strict=False)
        if len((other.reference or "").split()) >= 12
        and normalise_prompt(sample.prompt) != normalise_prompt(other.prompt)
        for near in [
            training.nearest(
                other.reference or "", sample.reference or "", training.rows_of[sample.id]
            )
        ]
    ]
    assert len(caught) > 50
    assert sum(caught) / len(caught) > 0.95


# --- before anything is asked


def test_a_subject_on_another_model_than_the_baseline_is_said_before_anything_is_asked(
    tmp_path: Path,
) -> None:
    suite = suite_in(tmp_path)
    base, tuned = suite.subjects
    other = suite.model_copy(
        update={"subjects": (base, tuned.model_copy(update={"model": "scripted:other"}))}
    )
    seen: list[tuple[str, ...]] = []

    class Watching(ScriptedModel):
        def logprobs(self, requests: Any) -> Any:
            seen.append(Run(tmp_path / "run").manifest().warnings)
            return super().logprobs(requests)

    probed(tmp_path / "same", suite, scripted())
    assert not Run(tmp_path / "same").manifest().warnings
    model = Watching(memoriser, fingerprint={"script": "other"}, ratings=ratings)
    probed(tmp_path / "run", other, model)
    assert "tuned and the baseline base differ in model" in seen[0][0]
