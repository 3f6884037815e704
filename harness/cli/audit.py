"""``jostle audit``: leakage, duplicates and quality of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.common import refuse_overwriting
from harness.cli.options import collected

if TYPE_CHECKING:
    from rich.console import Console

    from harness.audit.report import AuditReport, BetweenReport, DataReport, WordCounts
    from harness.config import DataSpec
    from harness.records import Sample


@dataclass(frozen=True)
class AuditOptions:
    """Arguments and options of ``jostle audit``, which its help describes."""

    train: str
    evaluation: str | None
    out: Path | None
    as_json: bool
    fail_on_leak: bool
    show: int
    prompt: str | None
    reference: str | None
    messages: str | None
    plant: Path | None
    seed: int

    def data(self, path: str) -> DataSpec:
        """Name a file with the fields that the options give."""
        from harness.config import DataSpec

        return DataSpec(
            path=path, prompt=self.prompt, reference=self.reference, messages=self.messages
        )


@click.command(short_help="Leakage, duplicates and quality of a data set.")
@click.argument("train")
@click.argument("evaluation", required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for audit.json.")
@click.option("--json", "as_json", is_flag=True, help="Print the JSON instead of the tables.")
@click.option(
    "--fail-on-leak",
    is_flag=True,
    help="Exit with 1 where a prompt or its answer leaked, or was not checked (for CI).",
)
@click.option(
    "--show", type=click.IntRange(0), default=5, show_default=True, help="Matching pairs to print."
)
@click.option("--prompt", help="Field with the prompt, in both files.")
@click.option("--reference", help="Field with the answer, in both files.")
@click.option("--messages", help="Field with chat-style messages, in both files.")
@click.option(
    "--plant",
    type=click.Path(path_type=Path),
    help="Folder for TRAIN with canaries in it, to train on, and the canaries' key.",
)
@click.option("--seed", default=0, show_default=True, help="Of the canaries.")
@collected(AuditOptions)
def command(options: AuditOptions) -> int:
    """Report which rows of EVALUATION are in TRAIN, and the quality of both.

    Prompts and responses are compared word for word, after normalisation (case, white space,
    punctuation, Unicode forms) and as near-duplicates. A row whose prompt is not in TRAIN leaked all
    the same where its answer is, word for word, in part or lightly edited, unless the answer is
    short or boilerplate. With TRAIN alone, only that file is looked
    at. A leak is a finding, not an error: the exit code is 0 unless --fail-on-leak asks for 1.

    With --plant nothing is compared: TRAIN is written anew with made-up secrets in it. Train on that
    file, name its canaries.json in the suite (probes.canaries), and the run says how exposed they are.
    """
    from harness.audit import audit
    from harness.data.loading import load
    from harness.util.files import make_folder, write_atomically

    refuse_combinations(options)
    train, evaluation, out, plant = options.train, options.evaluation, options.out, options.plant
    sources = [path for path in (train, evaluation) if path is not None]
    if plant is not None:
        refuse_overwriting([plant / "train.jsonl", plant / "canaries.json"], sources)
    if out is not None:
        refuse_overwriting([out / "audit.json"], sources)
    training = load(options.data(train))
    if plant is not None:
        return _plant(training, plant, options.seed)
    report = audit(training, None if evaluation is None else load(options.data(evaluation)))
    text = report.model_dump_json(indent=2)
    if out is not None:
        make_folder(out)
        write_atomically(out / "audit.json", text + "\n")
    if options.as_json:
        click.echo(text)
    else:
        from rich.console import Console

        _print(Console(highlight=False), report, [train, evaluation or ""], options.show)
        if out is not None:
            click.echo(f"{out / 'audit.json'}: every match and example")
    between = report.between
    return int(
        options.fail_on_leak
        and between is not None
        and between.leaked + between.prompts["unchecked"] > 0  # unchecked is not clean
    )


def refuse_combinations(options: AuditOptions) -> None:
    """Stop where an option would have no effect.

    Raises:
        click.UsageError: One line that says which.
    """
    compared = options.evaluation is not None
    if options.plant is not None:
        others = {"EVALUATION": compared, "--out": options.out is not None,
                  "--json": options.as_json, "--fail-on-leak": options.fail_on_leak}  # fmt: skip
        if given := [name for name, is_given in others.items() if is_given]:
            raise click.UsageError(
                f"--plant compares nothing: leave out {', '.join(given)}, or run jostle audit twice"
            )
    elif options.fail_on_leak and not compared:
        raise click.UsageError("--fail-on-leak needs EVALUATION: one data set alone cannot leak")


def _plant(trained: list[Sample], out: Path, seed: int) -> int:
    from harness.data.loading import jsonl
    from harness.errors import StoreError
    from harness.memorisation import canaries
    from harness.util.files import make_folder, write_atomically

    if (out / "train.jsonl").exists() and not (out / "canaries.json").exists():
        raise StoreError(
            f"{out / 'train.jsonl'}: already exists and was not planted; choose another folder"
        )
    key = canaries.make_canaries(seed)
    if (out / "canaries.json").exists() and canaries.read_canary_key(out / "canaries.json") != key:
        raise StoreError(
            f"{out / 'canaries.json'}: the key of other canaries, which a model may have been trained"
            " on; choose another folder"
        )
    rows = canaries.plant_canaries(trained, key)
    make_folder(out)
    write_atomically(out / "train.jsonl", jsonl(rows))
    write_atomically(out / "canaries.json", key.model_dump_json(indent=2) + "\n")
    times = ", ".join(f"{sum(c.repeats == n for c in key.canaries)} {n}x" for n in canaries.REPEATS)
    click.echo(
        f"{out / 'train.jsonl'}: {len(rows)} rows, {len(rows) - len(trained)} of them planted"
    )
    click.echo(f"{out / 'canaries.json'}: the key of {len(key.canaries)} canaries ({times})")
    return 0


def _print(console: Console, report: AuditReport, names: list[str], show: int) -> None:
    from rich.markup import escape
    from rich.table import Table

    between = report.between
    if between is not None:
        _print_between(console, between)
    sides = [side for side in (report.training, report.evaluation) if side is not None]
    table = Table("", box=None, pad_edge=False)
    for name in names[: len(sides)]:
        table.add_column(escape(Path(name).name), justify="right")
    for cells in zip(*(_column(side) for side in sides), strict=True):
        table.add_row(cells[0][0], *(str(cell) for _, cell in cells))
    console.print()
    console.print(table)
    if between is not None and between.prompts["unchecked"]:
        console.print(
            f"{between.prompts['unchecked']} evaluation rows could not be checked", style="red"
        )
    for remark in _remarks(report):
        console.print(remark, soft_wrap=True)
    matches = between.matches if between is not None else []
    # Near-duplicates first, the least alike foremost: there the audit could be wrong.
    for match in sorted(matches, key=lambda match: (match["kind"] != "near", match["similarity"]))[
        :show
    ]:
        by_answer = match["kind"] == "response"
        kind = f"answer ({match['response']})" if by_answer else match["kind"]
        of = "its own words" if by_answer else "the characters"
        console.print(
            f"\n[dim]{kind}, {match['similarity']:.0%} of {of}:"
            f" evaluation row {match['evaluation_row']}, training row {match['training_row']}[/dim]",
            soft_wrap=True,
        )
        what = "response" if by_answer else "prompt"
        console.print("  " + escape(str(match[f"evaluation_{what}"])), soft_wrap=True)
        if match["kind"] != "exact":
            console.print("  " + escape(str(match[f"training_{what}"])), soft_wrap=True)


def _print_between(console: Console, between: BetweenReport) -> None:
    from rich.table import Table

    pairs, unchecked = sum(between.pairs.values()), between.prompts["unchecked"]
    alone = between.prompts["response"]
    console.print(
        f"[bold]{between.by_prompt} of {between.rows}[/bold] evaluation rows have a prompt that"
        f" is in the training data; {pairs} whole pairs are."
        + (f" Of {alone} more the answer is, under another prompt." if alone else ""),
        style="red" if between.leaked else "yellow" if unchecked else "green",
        soft_wrap=True,
    )
    table = Table("in the training data", box=None, pad_edge=False)
    kinds = {"word for word": "exact", "normalised": "normalised", "nearly": "near"}
    kinds |= {"only its answer": "response"} if alone else {}
    kinds |= {"unchecked": "unchecked"} if unchecked else {}
    kinds["not"] = "clean"
    for title in kinds:
        table.add_column(title, justify="right")
    for texts, counts in (
        ("prompts", between.prompts),
        ("responses", between.responses),
        ("whole pairs", between.pairs | {"clean": between.rows - pairs}),
    ):
        table.add_row(texts, *(str(counts.get(kind, "")) for kind in kinds.values()))
    console.print(table)


def _column(side: DataReport) -> list[tuple[str, object]]:
    """Return the labels of the table of all data sets, with one data set's cells."""

    def lengths(words: WordCounts | None) -> str:
        return "–" if words is None else f"{words.median:.0f} ({words.least}–{words.most})"

    def languages(counts: dict[str, int]) -> str:
        return ", ".join(f"{code} {count}" for code, count in list(counts.items())[:4]) or "–"

    cells: list[tuple[str, object]] = [("rows", side.rows)]
    for texts, repeats in (("prompts", side.prompts), ("responses", side.responses)):
        cells += [
            (f"{texts}, different", repeats.different),
            ("  again, word for word", repeats.exact),
            ("  again, normalised", repeats.normalised),
            ("  again, nearly", repeats.near),
        ]
    cut = f"{side.cut_at_length} at {side.cut_at_characters} characters"
    return [
        *cells,
        ("words a prompt: median", lengths(side.prompt_words)),
        ("words a response", lengths(side.response_words)),
        ("language of prompts", languages(side.prompt_languages)),
        ("language of responses", languages(side.response_languages)),
        ("empty responses", side.empty_responses),
        ("responses that stop early", side.cut_off_responses),
        ("responses cut at one length", cut if side.cut_at_length else 0),
        ("prompts with several answers",
         f"{side.several_answers} ({side.several_answers_rows} answers)"),
        ("  that contradict each other", side.contradicting),
        ("rows with an e-mail address", side.personal_data["email"]),
        ("rows with a telephone number", side.personal_data["phone"]),
    ]  # fmt: skip


def _remarks(report: AuditReport) -> list[str]:
    """Return what was not looked at, or not counted, in the whole report."""
    parts = [part for part in (report.training, report.evaluation, report.between) if part]
    remarks = (
        (
            sum(part.undecided_pairs for part in parts),
            "alike pairs were too many to decide and count as different",
        ),
        (
            sum(part.crowded_buckets for part in parts),
            "groups of texts share so much wording that they were passed over:"
            " near-duplicates among them can be missing",
        ),
        (
            sum(part.told_apart for part in parts),
            "alike pairs of short texts differ in a word that makes them ask different"
            " things (a number, a name, a negation): not counted",
        ),
    )
    return [f"{count} {remark}" for count, remark in remarks if count]
