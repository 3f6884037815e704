"""``jostle judge``: judge an existing run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command(short_help="Judge an existing run again.")
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--judges",
    "judges_file",
    type=click.Path(path_type=Path),
    help="YAML with a judges: list that replaces the judges of the run.",
)
@click.option("--retry-failed", is_flag=True, help="Try permanent failures again, too.")
def command(run_dir: Path, judges_file: Path | None, retry_failed: bool) -> int:
    """Judge the answers of RUN again, then analyse and report. No model under test is loaded.

    Scores that are up to date are kept; those of judges that are gone are moved to stale/.
    """
    from harness.cli.common import open_context, print_outcome, suite_of_run
    from harness.pipeline import runner

    suite = suite_of_run(run_dir, {} if judges_file is None else _judges_of(judges_file))
    with open_context(suite, run_dir, retry_failed=retry_failed) as context:
        return print_outcome(context.session.run, runner.finish(context, runner.JUDGING))


def _judges_of(path: Path) -> dict[str, Any]:
    """Read a file of judges: the sections of a suite that it replaces."""
    from harness.config import JudgesFile
    from harness.errors import ConfigError
    from harness.util.yaml_config import load_yaml, parse_yaml

    labels = [spec.label for spec in load_yaml(path, (), JudgesFile).judges]
    sections, lines = parse_yaml(path)
    for index, label in enumerate(labels):
        if label in labels[:index]:
            raise ConfigError(
                f"{path}:{lines['judges', index]}: judges.{index}: {label} is listed twice; give one"
                " of them another name (name: …)"
            )
    return sections
