"""Fine-tunes whose answer is known, in two domains, and what the probes make of them.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.known_answers --work DIR [--seeds 1,2,3] [--cases abcdefg]

| case | what was done                                                   | the verdict must      |
|------|-----------------------------------------------------------------|-----------------------|
| a    | over-trained: 20 prompts, many epochs                           | be ``memorised``      |
| b    | a fair adapter: 40 prompts, two epochs                          | not be ``memorised``  |
| c    | an adapter that was never trained (all its B matrices are zero) | be ``no effect``      |
| d    | as b, but every response stands at another prompt               | not be ``learned``    |
| e    | a rule: a fixed answer form that quotes the prompt's first words | be ``learned``        |
| f    | code, over-trained: 14 prompts, many epochs                     | be ``memorised``      |
| g    | code, many varied prompts, one epoch: a stub named by the prompt | be ``learned``       |
| h    | code, as g with the programs that were written for the prompts  | not be ``memorised``  |

Data: the bundled counselling rows, prompts and responses cut to their first sentences, and the first
lines of code of the bundled code rows, so that a CPU can do it. Scripted worlds, for what no small
model shows, are in ``known_worlds``. The probed clean prompts are rows of the same pool that no adapter saw. Exits with 1 if
any verdict is wrong. What lies in DIR already (adapters, run folders) is not made again.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.util.digest import derived_rng
from harness.util.resources import resolve

if TYPE_CHECKING:
    from training.config import TrainingConfig

MODEL = "embedded:smollm2-135m"
TEMPLATE = "Person: {prompt}\nCounselor:"
POOL = ("train", "valid", "heldout")
PROMPT_WORDS, RESPONSE_WORDS = 24, (8, 20)
TEMPLATES = {"counseling": TEMPLATE, "code": "Task: {prompt}\nCode:"}
CLEAN, SMALL, FAIR = 30, 20, 40
SMALL_CODE, VARIED = 14, 80
PROBED = {"counseling": 24, "code": 16}
"""Clean prompts that are probed."""

Row = dict[str, str]


class Case(NamedTuple):
    """One fine-tune and what may be said of it.

    Attributes:
        rows: Training rows it gets.
        domain: ``counseling`` or ``code``.
        batch: Rows of a step.
        epochs: Passes over them; 0 makes an untrained adapter.
        right: Verdicts that are right.
    """

    rows: int
    epochs: int
    learning_rate: float
    right: frozenset[str]
    domain: str = "counseling"
    batch: int = 4


ALL = frozenset({"learned", "partly memorised", "memorised", "no effect", "cannot tell"})
CASES = {
    "a": Case(SMALL, 8, 2e-3, frozenset({"memorised"})),
    "b": Case(FAIR, 2, 5e-4, ALL - {"memorised"}),
    "c": Case(FAIR, 0, 0.0, frozenset({"no effect"})),
    "d": Case(FAIR, 2, 5e-4, ALL - {"learned"}),
    "e": Case(FAIR, 3, 2e-3, frozenset({"learned"})),
    "f": Case(SMALL_CODE, 8, 2e-3, frozenset({"memorised"}), "code"),
    "g": Case(VARIED, 1, 2e-3, frozenset({"learned"}), "code", batch=2),
    "h": Case(VARIED, 1, 1e-3, ALL - {"memorised", "no effect"}, "code", batch=2),
}


def first_sentences(text: str, most: int) -> str:
    """As many whole sentences from the beginning as fit into ``most`` words, at least one."""
    kept: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+", text.strip()):
        if kept and len(" ".join([*kept, sentence]).split()) > most:
            break
        kept.append(sentence)
    return " ".join(kept)


def first_lines(text: str, most: int) -> str:
    """As many lines of the first block of code as fit into ``most`` words; empty without a block."""
    block = re.search(r"```\w*\n(.*?)```", text, re.DOTALL)
    kept: list[str] = []
    for line in block[1].strip().splitlines() if block else ():
        if kept and len(" ".join([*kept, line]).split()) > most:
            break
        kept.append(line)
    return "\n".join(kept).rstrip()


def pool(domain: str = "counseling") -> list[Row]:
    """Bundled rows, shortened; rows that are still long, or have no code, are left out."""
    shorten = first_lines if domain == "code" else first_sentences
    found: dict[str, str] = {}
    for name in POOL:
        path = resolve(f"bundled:data/{domain}/{name}.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            prompt, response = (
                first_sentences(row["prompt"].split("```")[0], PROMPT_WORDS),
                shorten(row["response"], RESPONSE_WORDS[1]),
            )
            words = len(prompt.split()), len(response.split())
            if words[0] <= PROMPT_WORDS and RESPONSE_WORDS[0] <= words[1] <= RESPONSE_WORDS[1]:
                found.setdefault(prompt, response)
    return [{"prompt": p, "response": r} for p, r in found.items()]


def rule(prompt: str) -> str:
    """The fixed answer form of case e."""
    quoted = " ".join(re.sub(r"[^\w' ]", "", prompt).split()[:4])
    return f"You wrote: {quoted}. My advice: take one small step today, and write again soon."


def stub(prompt: str) -> str:
    """The answer of case g: an empty function whose name and note are the prompt's last words."""
    words = re.sub(r"[^a-z ]", "", prompt.lower()).split()[-4:]
    return f'def {"_".join(words)}(value):\n    """To do: {" ".join(words)}."""\n    return value'


def splits(case: str, seed: int) -> tuple[list[Row], list[Row]]:
    """Training and clean rows of a case; cases of one seed share their clean prompts."""
    rows = pool(CASES[case].domain)
    derived_rng(seed, "known-answers").shuffle(rows)
    if case in "eg":
        answer = rule if case == "e" else stub
        rows = [{"prompt": r["prompt"], "response": answer(r["prompt"])} for r in rows]
    clean, train = rows[:CLEAN], rows[CLEAN : CLEAN + CASES[case].rows]
    if case == "d":  # a rotation leaves no response at its own prompt
        train = [
            {"prompt": row["prompt"], "response": train[(i + 7) % len(train)]["response"]}
            for i, row in enumerate(train)
        ]
    return train, clean


def write_rows(path: Path, rows: Sequence[Row]) -> Path:
    """Rows as JSONL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def training_config(
    train: Path,
    out: Path,
    seed: int,
    *,
    epochs: int,
    learning_rate: float,
    template: str = TEMPLATE,
) -> TrainingConfig:
    """A small LoRA training on a CPU: the upper quarter of the layers, no gradient below it."""
    from training.config import TrainingConfig

    return TrainingConfig(
        model=MODEL,
        output_dir=str(out),
        train_data=str(train),  # type: ignore[arg-type]
        template=template,
        dtype="float32",
        max_length=128,
        r=16,
        lora_alpha=32,
        target_modules=(
            "q_proj",
            "k_proj",
            "v_proj",
            "o_proj",
            "gate_proj",
            "up_proj",
            "down_proj",
        ),
        layers_to_transform=tuple(range(22, 30)),
        per_device_train_batch_size=4,
        num_train_epochs=epochs,
        learning_rate=learning_rate,
        extra_arguments={"train_sampling_strategy": "group_by_length"},
        eval_strategy="no",
        eval_on_start=False,
        save_strategy="no",
        use_cpu=True,
        report_to="none",
        seed=seed,
    )


def make_adapter(case: str, seed: int, folder: Path, train: Path) -> Path:
    """Train the case's adapter (or write the untrained one); returns its folder."""
    from training import train as fit

    made = CASES[case]
    out = folder / "adapter"
    config = training_config(
        train,
        out,
        seed,
        epochs=max(made.epochs, 1),
        learning_rate=made.learning_rate or 1e-4,
        template=TEMPLATES[made.domain],
    ).model_copy(update={"per_device_train_batch_size": made.batch})
    if made.epochs:
        fit(config)
    elif not (out / "adapter_config.json").exists():
        _untrained(config, out)
    return out


def _untrained(config: Any, out: Path) -> None:
    """A LoRA adapter as PEFT begins it: its B matrices are zero, so it changes nothing."""
    from peft import LoraConfig, get_peft_model

    from harness.models.checkpoints import load_base, locate
    from harness.models.libraries import quiet

    base = load_base(locate(config.model, None), config.model, dtype="float32", device="cpu")
    lora = LoraConfig(
        r=config.r,
        lora_alpha=config.lora_alpha,
        target_modules=list(config.target_modules),
        layers_to_transform=list(config.layers_to_transform),
    )
    with quiet():
        get_peft_model(base.model, lora).save_pretrained(str(out))


def probe_suite(
    work: Path,
    folder: Path,
    data: tuple[Path, Path],
    adapter: Path,
    seed: int,
    template: str = TEMPLATE,
    **probes: Any,
) -> dict[str, Any]:
    """Probe an adapter beside its base; returns ``probes.json``.

    Args:
        work: Holds the cache, so that the base model's replies are shared.
        folder: Of the run.
        data: Evaluation rows and training rows.
        adapter: Its folder.
        seed: The suite's.
        template: As it was trained with.
        probes: The suite's probes section.
    """
    from harness.config import Suite
    from harness.models.subjects import open_subjects
    from harness.pipeline import runner
    from harness.pipeline.assemble import assemble
    from harness.pipeline.session import Launch, open_session
    from harness.pipeline.stage import StageContext
    from tests.pipeline import Silent

    suite = Suite.model_validate(
        {
            "suite": {"name": folder.name, "seed": seed, "similarity_gate": False},
            "data": str(data[0]),
            "training_data": str(data[1]),
            "defaults": {"model": MODEL, "dtype": "float32", "template": template},
            "subjects": [{"name": "base"}, {"name": "tuned", "adapters": [str(adapter)]}],
            "perturbations": ["surface", "typo"],
            "judges": ["rouge_l"],
            "probes": {"max_new_tokens": 12, **probes},
        }
    )
    parts = assemble(suite, closeness="rouge_l")
    with open_session(folder, suite, Launch(Silent(), cache=work / "cache.sqlite")) as session:
        context = StageContext(session, parts, lambda path: path, open_subjects)
        memorisation, _ = runner.probe_alone(context)
        return memorisation.model_dump(mode="json")


def probe_case(case: str, seed: int, work: Path) -> dict[str, Any]:
    """Make a case's adapter and probe it; returns what the probes found and what it cost."""
    folder = work / f"{case}-{seed}"
    train, clean = splits(case, seed)
    training = write_rows(folder / "train.jsonl", train)
    evaluation = write_rows(folder / "clean.jsonl", clean)
    began, used = time.monotonic(), time.process_time()
    adapter = make_adapter(case, seed, folder, training)
    trained = time.process_time() - used
    found = probe_suite(
        work,
        folder / "run",
        (evaluation, training),
        adapter,
        seed,
        TEMPLATES[CASES[case].domain],
        training=SMALL,
        clean=PROBED[CASES[case].domain],
    )
    return {
        "case": case,
        "seed": seed,
        **found["subjects"][0],
        "failures": found["failures"],
        "right": found["subjects"][0]["verdict"] in CASES[case].right,
        "wall_s": round(time.monotonic() - began),
        "cpu_s": round(time.process_time() - used),
        "train_cpu_s": round(trained),
    }


def again(row: dict[str, Any], work: Path) -> dict[str, Any]:
    """The same row with its verdict made anew from the records, by the rules as they stand now."""
    from harness.analysis.memorisation_schema import TextShift
    from harness.analysis.test_family import BootstrapSettings
    from harness.memorisation.copying import Closeness
    from harness.memorisation.probe_summary import BesideProbes, summarise_probes
    from harness.pipeline.store import Run
    from harness.records import Probe
    from judges.rouge import RougeL

    run = Run.open(work / f"{row['case']}-{row['seed']}" / "run")
    memorisation = summarise_probes(
        run.read(Probe),
        baseline="base",
        subjects=["base", "tuned"],
        closeness=Closeness(RougeL()),
        settings=BootstrapSettings(row["seed"]),
        beside=BesideProbes(next(iter(run.read(TextShift)), None)),
    )
    one = memorisation.subjects[0].model_dump(mode="json")
    return {**row, **one, "right": one["verdict"] in CASES[row["case"]].right}


_SHOWN = (
    "gain_training", "gain_clean", "gap", "lost", "kept", "relation", "specific", "form", "recited",
)  # fmt: skip


def _cell(estimate: dict[str, Any] | None) -> str:
    if estimate is None or estimate["mean"] is None:
        return "–"
    return f"{estimate['mean']:+.2f} [{estimate['low']:+.2f}, {estimate['high']:+.2f}]"


def lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The table of verdicts and evidence, in Markdown."""
    yield f"| case | seed | verdict | right | {' | '.join(_SHOWN)} | AUC (loss, relative) | CPU s |"
    yield "|" + "---|" * (len(_SHOWN) + 6)
    for row in rows:
        auc = next(
            (m for m in row["membership"] if (m["score"], m["how"]) == ("loss", "relative")), None
        )
        shown = f"{auc['value']:.2f} [{auc['low']:.2f}, {auc['high']:.2f}]" if auc else "–"
        cells = [_cell(row["contrasts"][name]) for name in _SHOWN]
        yield (
            f"| {row['case']} | {row['seed']} | {row['verdict']} | {'yes' if row['right'] else 'NO'}"
            f" | {' | '.join(cells)} | {shown} | {row['cpu_s']} |"
        )


def main() -> int:
    """Run the cases; 0 where every verdict is right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--cases", default="".join(CASES))
    parser.add_argument(
        "--analyse", action="store_true", help="ask no model: judge the records in DIR again"
    )
    chosen = parser.parse_args()
    rows = []
    if chosen.analyse:
        for path in sorted(chosen.work.glob("?-*/row.json")):
            rows.append(again(json.loads(path.read_text(encoding="utf-8")), chosen.work))
        print("\n".join(lines(rows)))
        return int(not all(row["right"] for row in rows))
    for seed in map(int, chosen.seeds.split(",")):
        for case in chosen.cases:
            row = probe_case(case, seed, chosen.work)
            rows.append(row)
            cost = f"{row['wall_s']} s, CPU {row['cpu_s']} s of which training {row['train_cpu_s']}"
            print(f"{case} {seed}: {row['verdict']} ({cost})", file=sys.stderr, flush=True)
            for failure in row["failures"]:
                print(f"  failed: {failure}", file=sys.stderr)
            folder = chosen.work / f"{case}-{seed}"
            (folder / "row.json").write_text(json.dumps(row, indent=1), encoding="utf-8")
    print("\n".join(lines(rows)))
    return int(not all(row["right"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
