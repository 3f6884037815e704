import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.config import AdapterSpec
from harness.models.batching import Batch
from harness.models.hf import HFModel
from harness.protocols import Model
from harness.records import Completion, GenerationSettings, Message, Request, Scored

QUESTIONS = [
    "How do I stop worrying?",
    "sad",
    "Write a function that returns the largest of three numbers, and say why it works at all.",
    "My father doesn't listen to me.",
    "a b c d e f g",
    "I am not so sure anymore; what could I do about it, and who would help me to do it?",
    "Füße 🙂",
    "exams exams exams",
]


def requests(model: HFModel, adapter: str | None = None, **settings: Any) -> list[Request]:
    settings = {"max_new_tokens": 12, **settings}
    return [
        Request(
            prompt=model.renderer().prompt([Message(role="user", content=question)]),
            settings=GenerationSettings(**settings),
            seed=1000 + i,
            adapter=adapter,
        )
        for i, question in enumerate(QUESTIONS)
    ]


def answers(model: HFModel, asked: Sequence[Request]) -> list[Completion]:
    found = dict(model.complete(asked))
    assert sorted(found) == list(range(len(asked)))
    return [found[i].model_copy(update={"seconds": None}) for i in range(len(asked))]


@pytest.fixture(scope="module")
def model(tiny_llama: Path, tiny_adapter: Path) -> HFModel:
    return HFModel.load(
        str(tiny_llama),
        adapters={"v1.0 tuned": [AdapterSpec(path=str(tiny_adapter))]},
        dtype="float32",
    )


def test_is_a_model(model: HFModel) -> None:
    assert isinstance(model, Model)
    assert model.context_length == 256
    assert model.warnings == ()


def test_base_and_adapter_from_one_load(model: HFModel) -> None:
    base, tuned = answers(model, requests(model)), answers(model, requests(model, "v1.0 tuned"))
    assert all(a.error is None and a.completion_tokens for a in base + tuned)
    assert sum(a.text != b.text for a, b in zip(base, tuned, strict=True)) >= len(QUESTIONS) // 2
    assert answers(model, requests(model)) == base, "the adapter stayed on"


def test_greedy_is_what_plain_generate_gives(model: HFModel, tiny_llama: Path) -> None:
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32)
    for request, answer in zip(requests(model), answers(model, requests(model)), strict=True):
        ids = torch.tensor([model.tokenizer(request.prompt.removeprefix("<s>"))["input_ids"]])
        out = plain.generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=0)
        expected = model.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
        assert answer.text == expected
        assert answer.prompt_tokens == ids.shape[1]


@pytest.mark.parametrize("adapter", [None, "v1.0 tuned"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"temperature": 0.8, "top_p": 0.95, "top_k": 50}, {"repetition_penalty": 1.3}],
    ids=["greedy", "sampled", "penalty"],
)
def test_batches_and_order_do_not_matter_in_fp32(
    tiny_llama: Path, tiny_adapter: Path, adapter: str | None, settings: dict[str, Any]
) -> None:
    adapters = {"v1.0 tuned": [AdapterSpec(path=str(tiny_adapter))]}
    alone, crowd = (
        HFModel.load(str(tiny_llama), adapters=adapters, dtype="float32") for _ in range(2)
    )
    alone.slots, crowd.slots = 1, 8
    asked = requests(alone, adapter, **settings)
    expected = answers(alone, asked)
    assert answers(crowd, asked) == expected
    order = list(range(len(asked)))
    random.Random(0).shuffle(order)
    shuffled = answers(crowd, [asked[i] for i in order])
    assert [shuffled[order.index(i)] for i in range(len(asked))] == expected


def test_near_ties_are_asked_again_alone(model: HFModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every row called a near-tie, each is decoded alone and that answer is given."""
    import harness.models.hf as hf

    sizes: list[int] = []
    decode = hf.decode

    def counting(decoder: Any, prompts: Any, *rest: Any) -> Any:
        sizes.append(len(prompts))
        return decode(decoder, prompts, *rest)

    monkeypatch.setattr(hf, "decode", counting)
    expected = answers(model, requests(model))
    assert sizes == []
    monkeypatch.setattr(hf, "NEAR_TIE", float("inf"))
    assert answers(model, requests(model)) == expected
    assert sizes == [1] * len(QUESTIONS)
    sizes.clear()
    monkeypatch.setattr(model, "_continuous", False)
    assert answers(model, requests(model)) == expected
    assert sizes == [len(QUESTIONS)] + [1] * len(QUESTIONS)


def test_gaps_are_the_least_over_the_answer(model: HFModel) -> None:
    """The gap that is reported is that of the logits along the answer itself."""
    from harness.models.decoding import Decoder, decode
    from harness.models.prompting import encode

    request = requests(model)[0]
    ids = encode(model.tokenizer, request.prompt)
    with model._adapters.active(None) as net:
        decoder = Decoder(net, model.tokenizer, model._stops, "cpu", watch=True)
        answer = decode(decoder, [ids], request.settings, [0])[0]
        out = net.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False, pad_token_id=0)[
            0
        ]
        best = net(out[None, :-1]).logits[0, len(ids) - 1 :].topk(2).values
    assert answer.gap == pytest.approx(float((best[:, 0] - best[:, 1]).min()), rel=1e-3)


def test_sampling_follows_the_softmax(model: HFModel) -> None:
    """First tokens drawn with many seeds have the frequencies of the softmax (chi-squared)."""
    from scipy.stats import chisquare

    from harness.models.decoding import Decoder, decode
    from harness.models.prompting import encode

    ids = encode(model.tokenizer, requests(model)[0].prompt)
    n, temperature = 2000, 0.7
    with model._adapters.active(None) as net:
        decoder = Decoder(net, model.tokenizer, model._stops, "cpu")
        p = (net(torch.tensor([ids])).logits[0, -1] / temperature).softmax(-1)
        settings = GenerationSettings(max_new_tokens=1, temperature=temperature)
        drawn = decode(decoder, [ids] * n, settings, range(n))
    weights: dict[str, float] = defaultdict(float)  # Several tokens can read the same.
    for token, weight in enumerate(p.tolist()):
        weights[model.tokenizer.decode([token], skip_special_tokens=True)] += weight
    texts = [answer.text for answer in drawn]
    common = sorted(weights, key=lambda text: -weights[text])[:8]
    counts = [texts.count(text) for text in common]
    expected = [weights[text] * n for text in common]
    assert min(expected) > 5
    counts.append(n - sum(counts))
    expected.append(n - sum(expected))
    assert chisquare(counts, expected).pvalue > 1e-4


def test_seeds_decide_samples(model: HFModel) -> None:
    asked = requests(model, temperature=1.0)
    assert answers(model, asked) == answers(model, asked)
    other = [request.model_copy(update={"seed": request.seed + 1}) for request in asked]
    assert answers(model, other) != answers(model, asked)


def test_stop_strings_cut_the_answer(model: HFModel) -> None:
    full = answers(model, requests(model, max_new_tokens=24))
    long = max(full, key=lambda answer: len(answer.text or ""))
    assert long.text is not None
    middle = len(long.text) // 2
    stop = long.text[middle : middle + 3]
    cut = answers(model, requests(model, max_new_tokens=24, stop=(stop, "never there")))
    for before, after in zip(full, cut, strict=True):
        assert before.text is not None
        assert after.text == before.text.split(stop)[0]
        assert after.finish_reason == ("stop" if stop in before.text else before.finish_reason)
    assert cut[full.index(long)].completion_tokens < long.completion_tokens  # type: ignore[operator]


def test_the_room_ends_an_answer(model: HFModel) -> None:
    for answer in answers(model, requests(model, max_new_tokens=3)):
        assert answer.completion_tokens is not None
        assert answer.completion_tokens <= 3
        assert answer.finish_reason == ("length" if answer.completion_tokens == 3 else "stop")


def test_a_stop_token_ends_an_answer(tiny_llama: Path) -> None:
    """Whatever token a model writes third becomes its end-of-answer token."""
    model = HFModel.load(str(tiny_llama), dtype="float32")
    request = requests(model)[0]
    ids = model.tokenizer(request.prompt.removeprefix("<s>"))["input_ids"]
    with model._adapters.active(None) as net:
        written = net.generate(
            torch.tensor([ids]), max_new_tokens=12, do_sample=False, pad_token_id=0
        )[0, len(ids) :].tolist()
    third = next(i for i in range(2, 12) if written[i] not in written[:i])
    model._stops = (written[third],)
    asked = [request, *requests(model)[1:]]
    answer = answers(model, asked)[0]
    assert answer.finish_reason == "stop"
    assert answer.completion_tokens == third + 1
    assert answer.text == model.tokenizer.decode(written[:third], skip_special_tokens=True)


def test_defaults_that_come_with_a_model_do_not_count(
    model: HFModel, tiny_llama: Path, tmp_path: Path
) -> None:
    import json
    import shutil

    shutil.copytree(tiny_llama, tmp_path / "m")
    path = tmp_path / "m" / "generation_config.json"
    defaults = {"do_sample": True, "temperature": 9.0, "repetition_penalty": 3.0, "top_k": 3}
    path.write_text(json.dumps(json.loads(path.read_text()) | defaults))
    other = HFModel.load(str(tmp_path / "m"), dtype="float32")
    assert answers(other, requests(other)) == answers(model, requests(model))


def test_a_prompt_beyond_the_context_is_a_recorded_failure(model: HFModel) -> None:
    asked = requests(model)
    asked[2] = asked[2].model_copy(update={"prompt": "<s>" + "word " * 400})
    found = answers(model, asked)
    failure = found[2].error
    assert failure is not None
    assert (failure.kind, failure.transient) == ("context_length", False)
    assert "256" in failure.message
    assert all(answer.error is None for i, answer in enumerate(found) if i != 2)


def test_the_last_position_of_the_context_can_be_used(model: HFModel) -> None:
    from harness.models.prompting import encode

    prompt = "<s>" + "a " * 100
    used = len(encode(model.tokenizer, prompt))
    for room, fits in ((256 - used, True), (257 - used, False)):
        settings = GenerationSettings(max_new_tokens=room)
        answer = answers(model, [Request(prompt=prompt, settings=settings)])[0]
        assert (answer.error is None) == fits


OOM = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OOM, ids=["cuda", "cpu", "python"])
def test_out_of_memory_halves_the_slots(
    model: HFModel, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """With room for two answers at once, and an error after some have ended already."""
    import harness.models.hf as hf

    expected = answers(model, requests(model))
    decode, tried = hf.decode_continuously, []

    def small_machine(decoder: Any, rows: Any, settings: Any, seeds: Any, limits: Any) -> Any:
        tried.append((limits[0], len(rows)))
        if limits[0] > 2 and len(tried) > 1:
            raise error
        for count, ended in enumerate(decode(decoder, rows, settings, seeds, limits)):
            if limits[0] > 2 and count == 3:
                raise error
            yield ended

    monkeypatch.setattr(hf, "decode_continuously", small_machine)
    assert answers(model, requests(model)) == expected
    assert [n for n, _ in tried] == [model.slots, 2]
    assert [n for _, n in tried] == [8, 5], "what had ended is not asked again"


@pytest.mark.parametrize("error", OOM, ids=["cuda", "cpu", "python"])
def test_out_of_memory_halves_the_padded_batch(
    model: HFModel, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(model, "_continuous", False)
    expected = answers(model, requests(model))
    decode, tried = model._decode, []

    def small_machine(asked: Any, grammar: Any, batch: Batch) -> Any:
        tried.append(len(batch))
        if len(batch) > 2:
            raise error
        return decode(asked, grammar, batch)

    monkeypatch.setattr(model, "_decode", small_machine)
    assert answers(model, requests(model)) == expected
    assert tried[0] == 8
    assert sum(n for n in tried if n <= 2) == 8


@pytest.mark.parametrize("continuous", [True, False])
def test_a_request_that_never_fits_is_a_transient_failure(
    model: HFModel, monkeypatch: pytest.MonkeyPatch, continuous: bool
) -> None:
    import harness.models.hf as hf

    decode, together = model._decode, hf.decode_continuously

    def small_machine(asked: Any, grammar: Any, batch: Batch) -> Any:
        if any(row.index == 5 for row in batch):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(asked, grammar, batch)

    def so_too(decoder: Any, rows: Any, *rest: Any) -> Any:
        if any(row.index == 5 for row in rows):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return together(decoder, rows, *rest)

    monkeypatch.setattr(model, "_decode", small_machine)
    monkeypatch.setattr(hf, "decode_continuously", so_too)
    monkeypatch.setattr(model, "_continuous", continuous)
    found = answers(model, requests(model))
    failure = found[5].error
    assert failure is not None
    assert (failure.kind, failure.transient) == ("out_of_memory", True)
    assert [i for i, answer in enumerate(found) if answer.error] == [5]


def test_other_errors_are_not_taken_for_memory(
    model: HFModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(model, "_decode", broken)
    monkeypatch.setattr("harness.models.hf.decode_continuously", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        answers(model, requests(model))


def test_scores_that_are_not_numbers_are_a_failure(
    tiny_llama: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_adapter, tmp_path / "bad")
    tensors = load_file(tmp_path / "bad" / "adapter_model.safetensors")
    save_file(
        {key: torch.full_like(tensor, torch.inf) for key, tensor in tensors.items()},
        tmp_path / "bad" / "adapter_model.safetensors",
    )
    model = HFModel.load(
        str(tiny_llama),
        adapters={"bad": [AdapterSpec(path=str(tmp_path / "bad"))]},
        dtype="float32",
    )
    found = answers(model, requests(model, "bad"))
    assert {answer.error.kind for answer in found if answer.error} == {"not_a_number"}
    assert all(answer.error for answer in found)
    assert all(answer.error is None for answer in answers(model, requests(model)))


def test_padded_answers_come_batch_by_batch(
    model: HFModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode, calls = model._decode, []

    def counting(asked: Any, grammar: Any, batch: Batch) -> Any:
        calls.append(len(batch))
        return decode(asked, grammar, batch)

    monkeypatch.setattr(model, "_continuous", False)
    monkeypatch.setattr(model, "_decode", counting)
    monkeypatch.setattr(model, "max_rows", 3)
    stream = model.complete(requests(model))
    next(stream)
    assert calls == [3], "later batches are not begun before the first is given"
    assert len(list(stream)) == len(QUESTIONS) - 1
    assert calls == [3, 3, 2]


# --- log-probabilities -------------------------------------------------------------------------


def scored(model: HFModel, adapter: str | None = None) -> list[Scored]:
    renderer = model.renderer()
    pairs = zip(QUESTIONS, ["It is hard.", "x", *QUESTIONS[:5], "return a + b"], strict=True)
    found = []
    for question, response in pairs:
        prompt, text = renderer.example([Message(role="user", content=question)], response)
        found.append(Scored(prompt=prompt, continuation=text, adapter=adapter))
    return found


@pytest.mark.parametrize("adapter", [None, "v1.0 tuned"])
def test_logprobs_are_the_models_own(model: HFModel, adapter: str | None) -> None:
    from harness.models.prompting import encode_example

    asked = scored(model, adapter)
    found = dict(model.logprobs(asked))
    assert sorted(found) == list(range(len(asked)))
    for i, item in enumerate(asked):
        before, after = encode_example(model.tokenizer, item.prompt, item.continuation)
        with model._adapters.active(adapter) as net, torch.inference_mode():
            logp = net(torch.tensor([before + after])).logits[0].double().log_softmax(-1)
        logp = logp[len(before) - 1 : -1]
        mean = (logp.exp() * logp).sum(-1)
        std = ((logp.exp() * logp**2).sum(-1) - mean**2).sqrt()
        assert found[i].token_ids == tuple(after)
        picked = logp[torch.arange(len(after)), torch.tensor(after)]
        assert found[i].logprobs == pytest.approx(picked.tolist(), abs=1e-4)
        assert found[i].means == pytest.approx(mean.tolist(), abs=1e-4)
        assert found[i].stds == pytest.approx(std.tolist(), abs=1e-4)


def test_logprobs_in_small_batches_and_chunks(
    model: HFModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.models import hf, scoring

    whole = dict(model.logprobs(scored(model)))
    monkeypatch.setattr(hf, "_SCORED_BYTES", 1)
    monkeypatch.setattr(scoring, "_CHUNK", 3)
    parts = dict(model.logprobs(scored(model)))
    for i, rating in whole.items():
        assert parts[i].token_ids == rating.token_ids
        assert parts[i].logprobs == pytest.approx(rating.logprobs, abs=1e-4)


def test_logprobs_failures_are_data(model: HFModel) -> None:
    asked = [
        Scored(prompt="<s>a", continuation="b " * 400),
        Scored(prompt="<s>a", continuation=""),
        Scored(prompt="<s>a", continuation="b"),
    ]
    found = dict(model.logprobs(asked))
    assert [found[i].error.kind if found[i].error else None for i in range(3)] == [  # type: ignore[union-attr]
        "context_length",
        "empty",
        None,
    ]


# --- fingerprints ------------------------------------------------------------------------------


def test_fingerprint_follows_content_and_not_place(
    model: HFModel,
    tiny_llama: Path,
    tiny_adapter: Path,
    tmp_path: Path,
    make_llama: Callable[..., Path],
    make_adapter: Callable[..., Path],
) -> None:
    import shutil

    copy, adapter = tmp_path / "elsewhere", tmp_path / "other name"
    shutil.copytree(tiny_llama, copy)
    shutil.copytree(tiny_adapter, adapter)
    same = HFModel.load(
        str(copy), adapters={"x": [AdapterSpec(path=str(adapter))]}, dtype="float32"
    )
    assert same.fingerprint() == model.fingerprint()
    assert same.fingerprint("x") == model.fingerprint("v1.0 tuned") != model.fingerprint()
    text = str(same.fingerprint("x"))
    assert str(tmp_path) not in text
    assert "elsewhere" not in text

    other = make_llama(tmp_path / "other", seed=7)
    changed = [
        HFModel.load(str(other), dtype="float32").fingerprint(),
        HFModel.load(str(tiny_llama), dtype="bfloat16").fingerprint(),
        HFModel.load(
            str(tiny_llama),
            adapters={"x": [AdapterSpec(path=str(tiny_adapter), weight=0.5)]},
            dtype="float32",
        ).fingerprint("x"),
        HFModel.load(
            str(tiny_llama),
            adapters={
                "x": [AdapterSpec(path=str(make_adapter(tiny_llama, tmp_path / "a2", seed=9)))]
            },
            dtype="float32",
        ).fingerprint("x"),
    ]
    known = [model.fingerprint(), model.fingerprint("v1.0 tuned")]
    for one in changed:
        assert one not in known
        known.append(one)


def test_weights_changed_in_place_are_seen(
    tiny_llama: Path, tmp_path: Path, make_llama: Callable[..., Path]
) -> None:
    folder = make_llama(tmp_path / "m", seed=0)
    before = HFModel.load(str(folder), dtype="float32").fingerprint()
    make_llama(folder, seed=5)
    after = HFModel.load(str(folder), dtype="float32").fingerprint()
    assert before["weights"] != after["weights"]
    assert {k: v for k, v in before.items() if k != "weights"} == {
        k: v for k, v in after.items() if k != "weights"
    }
