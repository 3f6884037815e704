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
@click.option("--retry-failed", is_flag=True, help="Try again what failed for good, too.")
def command(run_dir: Path, judges_file: Path | None, retry_failed: bool) -> int:
    """Judge the answers of RUN again, then analyse and report. No model under test is loaded.

    What stands and is unchanged is kept; scores of judges that are gone are moved to stale/.
    """
    from harness.cli.common import conclude, stored_suite
    from harness.cli.show import reporter
    from harness.pipeline import runner
    from harness.pipeline.cache import Cache
    from harness.pipeline.session import Session
    from harness.pipeline.store import Run
    from reports.html import render

    suite = _suite(stored_suite(Run.open(run_dir).manifest()), run_dir, judges_file)
    parts = runner.assemble(suite)
    with Run.open(run_dir) as run:
        session = Session(
            run,
            suite,
            cache=Cache(),
            progress=reporter(),
            retry_failed=retry_failed,
        )
        return conclude(run, runner.assess(session, parts.judges, render))


def _suite(stored: dict[str, Any], run_dir: Path, judges_file: Path | None) -> Suite:
    """The run's own suite, with the judges of the file in place of its own.

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
                    f"{judges_file}:{lines['judges', index]}: judges.{index}: {label} stands there"
                    " twice; give one of them a name of its own (name: …)"
                )
        stored = stored | data
    try:
        return Suite.model_validate(stored)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(("suite", *map(str, first["loc"])))
        raise ConfigError(
            f"{run_dir / 'manifest.json'}: {field}: {first['msg'].removeprefix('Value error, ')}"
        ) from None
