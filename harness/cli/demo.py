"""``jostle demo``: everything, small, offline."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Everything, small, offline.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/demo"), show_default=True
)
def command(out: Path) -> int:
    """Train a small LoRA adapter on the bundled counselling sample and jostle it.

    About ten minutes on two cores and no network: 30 training steps of the embedded model
    (SmolLM2-135M-Instruct), 24 prompts that it was not trained on, five kinds of variants, base and
    adapter answering every one. Stop at any time; the same command goes on from there.
    """
    from harness.cli.common import conclude, launch_command
    from harness.cli.show import reporter
    from harness.cli.train import train_with_progress
    from harness.config import load_suite
    from harness.models.subjects import open_subjects
    from harness.pipeline import runner
    from harness.pipeline.cache import Cache
    from harness.pipeline.session import Session
    from harness.pipeline.store import Run
    from harness.util.resources import configs_root
    from reports.html import render
    from training.config import load_training

    adapter = out / "adapter"
    training = load_training(configs_root() / "training" / "demo.yaml", [f"output_dir={adapter}"])
    suite = load_suite(
        configs_root() / "suites" / "demo.yaml", [f"subjects.1.adapters=[{adapter}]"]
    )
    progress = reporter()
    parts = runner.assemble(suite)
    with Run.create(out) as run:
        train_with_progress(training, progress)
        session = Session(run, suite, cache=Cache(), progress=progress, command=launch_command())
        return conclude(run, runner.run(session, parts, open_subjects, render))
