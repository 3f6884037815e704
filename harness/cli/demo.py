"""``jostle demo``: everything, small, offline."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Everything, small, offline.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/demo"), show_default=True
)
def command(out: Path) -> int:
    """Train a small LoRA adapter on the bundled counselling sample and test it.

    About ten minutes on two cores, without a network: 30 training steps of the embedded model
    (SmolLM2-135M-Instruct), 24 prompts that it was not trained on, five kinds of variants, each
    answered by base and adapter. Stop at any time; the same command resumes.
    """
    from harness.cli.common import launch_command, open_context, print_outcome
    from harness.cli.train import train_with_progress
    from harness.config import load_suite
    from harness.pipeline import runner
    from harness.util.resources import configs_root
    from training.config import load_training

    adapter = out / "adapter"
    training = load_training(configs_root() / "training" / "demo.yaml", [f"output_dir={adapter}"])
    suite = load_suite(
        configs_root() / "suites" / "demo.yaml", [f"subjects.1.adapters=[{adapter}]"]
    )
    with open_context(suite, out, command=launch_command()) as context:
        train_with_progress(training, context.session.progress)
        return print_outcome(context.session.run, runner.run(context))
