"""Charts: any name, safe file names, and one entry in a list for a new one."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from harness.analysis import Summary
from harness.analysis.estimates import Measure
from reports import charts
from reports.bars import drops
from reports.drawing import Chart, draw, slug
from reports.html import SECTIONS, render, template_text
from reports.maps import heatmap, radar
from reports.sections.section import PageSection
from tests.synthetic import World, make_run


@pytest.mark.parametrize("name", ["x" * 80, "<b>", "a\nb", "$x^2$", "𝕬🧑‍🚀"])
@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
def test_charts_take_any_name(name: str) -> None:
    made = make_run(6, world=World(gain={name: 0.0, "tuned": 0.1}), rubric=False)
    made.baseline = name
    summary = made.summary(resamples=200)
    for chart in (
        drops(summary, Measure("rouge_l", "rouge_l")),
        heatmap(summary),
        radar(summary, summary.headline.measures[0]),
    ):
        assert chart
        ET.fromstring(chart.svg)
        ET.fromstring(chart.inline())


def test_slugs_are_safe_and_distinct() -> None:
    names = ["semantic closeness", "semantic/closeness", "../../etc", "ROUGE-L", "…", "", "a" * 90]
    slugs = [slug(n) for n in names]
    assert len(set(slugs)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", s) for s in slugs)


def test_a_new_chart_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def prompts(summary: Summary) -> Chart:
        title = f"All {summary.prompts} prompts"
        return draw("prompts", title, title, lambda page: page.add_subplot(), (3, 2))

    entry = charts.ChartEntry("failures", charts.once(prompts), "One bar a prompt.")
    monkeypatch.setattr(charts, "CHARTS", (*charts.CHARTS, entry))
    page = render(make_run(4, rubric=False).write(tmp_path / "run")).read_text(encoding="utf-8")
    section = page[page.index('<section id="failures"') : page.index('<section id="figures"')]
    assert "All 4 prompts" in section
    assert "One bar a prompt." in section
    assert (tmp_path / "run" / "figures" / "prompts.png").exists()


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.id)
def test_every_section_has_a_heading_and_a_place_for_charts(section: PageSection) -> None:
    template = template_text(f"{section.template}.html.j2")
    assert f'id="{section.id}-h"' in template
    assert "{{ charts }}" in template


def test_every_chart_has_a_section() -> None:
    assert {entry.section for entry in charts.CHARTS} <= {section.id for section in SECTIONS}
