"""Headless Chromium and two rendered runs. Where Chromium is missing, the tests say so and skip."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from reports.html import render
from tests.browser.chromium import Chromium, find
from tests.synthetic import World, make_run


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = find()
    if path is None:
        pytest.skip(
            "CHROMIUM IS MISSING: the report's browser tests did NOT run (apt-get install chromium)"
        )
    return path


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Chromium]:
    with Chromium(chromium_path) as running:
        running.resize(1280, 1000)
        yield running


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ordinary run with three subjects, leaked prompts and some failures."""
    made = make_run(
        30,
        world=World(gain={"base": 0.0, "tuned": 0.08, "other": 0.02}),
        leaked=0.2,
        failing=0.03,
    )
    return render(made.write(tmp_path_factory.mktemp("runs") / "ordinary"))


@pytest.fixture(scope="session")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose every text attacks the page."""
    with warnings.catch_warnings():
        # Fonts lack the attacking characters; the browser's own fonts draw the page.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        return render(
            make_run(30, hostile=True, failing=0.1).write(
                tmp_path_factory.mktemp("runs") / "hostile"
            )
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A skip that nobody sees is a test that nobody runs."""
    skipped = terminalreporter.stats.get("skipped", [])
    if any("CHROMIUM IS MISSING" in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(
            "CHROMIUM IS MISSING: the report's browser tests did NOT run"
            " (apt-get install chromium)",
            red=True,
            bold=True,
        )
