"""The ``jostle`` command: loads subcommands lazily and turns errors into one line."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import version
from typing import cast

import click

from harness.errors import JostleError
from harness.util.suggestions import did_you_mean

_COMMANDS = {
    "demo": "Everything, small, offline: train an adapter, run the suite, write the report.",
    "run": "Perturb, generate, judge, analyse, report; resumes automatically.",
    "probe": "Learned or memorised: the probes of a suite alone.",
    "perturb": "Variants only, to look at.",
    "judge": "Judge an existing run again.",
    "report": "Analyse and render a run again, or compare runs.",
    "plan": "Power and cost, before spending.",
    "audit": "Leakage, duplicates and quality of a data set.",
    "split": "Leak-free splits.",
    "unknown": "Questions that nobody can answer, to see who refuses.",
    "train": "Make an adapter.",
    "study": "A grid of trainings and its report.",
    "calibrate": "How far a judge agrees with labels.",
    "labels": "People's labels of a run's own answers, which correct its judge.",
    "convert": "Any data set to prompt–response JSONL.",
    "list": "Perturbations, judges, models, suites.",
}


class _Lazy(click.Group):
    """Subcommands by name, each imported only when it is called: ``--help`` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        return cast(click.Command, importlib.import_module(f"harness.cli.{name}").command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS:
            ctx.fail(f"unknown command {args[0]!r}.{did_you_mean(args[0], list(_COMMANDS))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("jostle"), prog_name="jostle")
def cli() -> None:
    """Did the fine-tune learn, or memorise?

    Jostle rewords every test prompt without changing what it means, lets the base model and its
    fine-tuned version answer every variant, scores the answers, and reports the paired difference
    with honest error bars.

    Exit codes: 0 done, 1 the run finished with failed items, 2 bad input, 130 stopped by Ctrl-C.
    """


def main() -> None:
    """Run the ``jostle`` command and leave with its exit code."""
    # The tokenizers' own threads and our worker threads would fight over the cores.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except JostleError as error:
        click.echo(f"jostle: error: {error}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.exceptions.Abort):  # click turns the one into the other
        click.echo("\njostle: stopped; run the same command again to resume", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
