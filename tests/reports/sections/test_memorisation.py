"""The report's section on memorising."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis import Summary
from harness.analysis.memorisation_schema import Memorisation
from harness.memorisation.probe_summary import with_memorisation
from harness.records import Failure, Probe
from reports.bars import memorisation_gains, memorisation_shares
from reports.html import render
from tests.harness.memorisation.test_verdict import summarised, world
from tests.reports.test_html import Balance
from tests.synthetic import make_run


def canary(subject: str, replicate: int, nll: float) -> Probe:
    return Probe(
        probe="canary", group="canary", sample_id="c1", subject=subject, replicate=replicate,
        values={"repeats": 4.0, "nll": nll},
    )  # fmt: skip


@pytest.fixture(scope="module")
def memorisation() -> Memorisation:
    records = world(training=2.5, clean=-0.3, foreign=-0.2, recited=(0.9, 0.1))
    records += [canary("tuned", i, 30.0 + i % 7 if i else 1.0) for i in range(31)]
    records.append(
        Probe(
            probe="answer", group="clean", sample_id="s99", subject="tuned",
            error=Failure(kind="timeout", message="no reply <b>in</b> time"),
        )
    )  # fmt: skip
    return summarised(records, resamples=500)


@pytest.fixture(scope="module")
def summary(memorisation: Memorisation) -> Summary:
    return with_memorisation(make_run(14, rubric=False).summary(), memorisation)


@pytest.fixture(scope="module")
def html(summary: Summary, tmp_path_factory: pytest.TempPathFactory) -> str:
    run = make_run(14, rubric=False)
    folder = run.write(tmp_path_factory.mktemp("run") / "probed", summary)
    return render(folder).read_text(encoding="utf-8")


def test_the_verdict_stands_under_the_finding_and_as_a_light(html: str) -> None:
    finding = html[html.index('id="finding"') : html.index('id="memory"')]
    assert "<strong>tuned: memorised.</strong> Training responses became likelier" in finding
    assert "Learned?" in finding
    assert '<a href="#memory">Learned?</a>' in html


def test_the_section_shows_evidence_conditions_membership_and_canaries(html: str) -> None:
    section = html[html.index('id="memory"') : html.index('id="kinds"')]
    for words in (
        "Loss on training responses", "Recited of the rest, training", "The conditions of the rules",
        "Min-K%", "relative to the base", "Times planted", "The longest recitations",
        "no reply &lt;b&gt;in&lt;/b&gt; time",
    ):  # fmt: skip
        assert words in section, words
    Balance().feed(html)


def test_its_charts_carry_their_figures_in_words(summary: Summary, html: str) -> None:
    drawn = [memorisation_gains(summary), memorisation_shares(summary)]
    gains, shares = (chart for chart in drawn if chart)
    assert summary.memorisation
    gain = summary.memorisation.subjects[0].contrasts.gain_training
    assert gain
    assert f"training prompts, tuned: {gain.mean:.3f}" in gains.alt
    assert "a stranger's prompt, tuned: −0." in gains.alt
    assert "recited, training, tuned: 0.8" in shares.alt
    assert 'id="memory-gains-title"' in html


def test_a_run_without_probes_has_no_such_section(tmp_path: Path) -> None:
    html = render(make_run(14, rubric=False).write(tmp_path / "plain")).read_text(encoding="utf-8")
    assert 'id="memory"' not in html
    assert "#memory" not in html
