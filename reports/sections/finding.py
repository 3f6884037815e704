"""The finding: the verdict in words, the traffic lights, and the leading charts."""

from __future__ import annotations

from harness.analysis.summary_schema import Summary, TrafficLight
from reports.rows import judge_note
from reports.sections.section import PageData, PageSection


def light_groups(summary: Summary) -> list[tuple[str | None, list[TrafficLight]]]:
    """Group the lights by subject; with one compared subject they stay together, under None."""
    names = list(dict.fromkeys(light.subject for light in summary.traffic_lights))
    if len(names) <= 2:
        return [(None, list(summary.traffic_lights))]
    return [
        (name, [light for light in summary.traffic_lights if light.subject == name])
        for name in names
    ]


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    summary = page.summary
    notes = (judge_note(summary, measure) for measure in summary.headline.measures)
    return {
        "finding": summary.finding,
        "memorisation": summary.memorisation,
        "headline_note": next((note for note in notes if note), ""),
        "has_llm": any(judge.llm for judge in summary.judges.values()),
        "has_learned": any(judge.learned for judge in summary.judges.values()),
        "light_groups": light_groups(summary),
    }


SECTION = PageSection("finding", "Finding", "finding", context)
