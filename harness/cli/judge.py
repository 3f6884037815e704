"""``jostle judge``: judge an existing run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from harness.config import Suite


@click.command(short_help="Judge an existing run again.")
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--judges",
    "judges_file",
    type=click.Path(path_type=Path),
    help="YAML with a judges: list that takes the place of the run's own.",
)
@click.option("--retry-failed", is_flag=True, help="Try permanent failures again, too.")
def command(run_dir: Path, judges_file: Path | None, retry_failed: bool) -> int:
    """Judge the answers of RUN again, then analyse and report. No model under test is loaded.

    Scores that are up to date are kept; those of judges that are gone are moved to stale/.
    """
    from harness.cli.common import open_context, print_outcome
    from harness.pipeline import runner
    from harness.pipeline.store import Run

    suite = _suite(Run.open(run_dir).manifest().suite, run_dir, judges_file)
    with open_context(suite, run_dir, retry_failed=retry_failed) as context:
        return print_outcome(context.session.run, runner.finish(context, runner.JUDGING))


def _suite(stored: dict[str, Any], run_dir: Path, judges_file: Path | None) -> Suite:
    """Return the suite of a run, with the judges of the file in place of its own.

    Raises:
        ConfigError: They do not fit; one line with file, line and field.
    """
    from pydantic import ValidationError

    from harness.config import JudgesFile, Suite
    from harness.errors import ConfigError
    from harness.util.yaml_config import load_yaml, parse_yaml

    if judges_file is not None:
        labels = [spec.label for spec in load_yaml(judges_file, (), JudgesFile).judges]
        data, lines = parse_yaml(judges_file)
        for index, label in enumerate(labels):
            if label in labels[:index]:
                raise ConfigError(
                    f"{judges_file}:{lines['judges', index]}: judges.{index}: {label} is listed"
                    " twice; give one of them a name of its own (name: …)"
                )
        stored = {**stored, **data}
    try:
        return Suite.model_validate(stored)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(("suite", *map(str, first["loc"])))
        raise ConfigError(
            f"{run_dir / 'manifest.json'}: {field}: {first['msg'].removeprefix('Value error, ')}"
        ) from None
