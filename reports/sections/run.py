"""Run details: how to repeat the run, what it was made from, the whole manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping

from harness.records import Manifest
from reports.display import clipped
from reports.sections.section import PageData, PageSection

FACT_CHARACTERS = 700


def facts(page: PageData) -> list[tuple[str, str]]:
    """Return run details that are worth a line each, with their names."""
    manifest, summary = page.manifest, page.summary
    values = [
        ("Started", manifest.created),
        ("Finished", manifest.finished or ""),
        ("Subjects", f"{', '.join(summary.subjects)} (baseline: {summary.baseline})"),
        ("Seed", str(manifest.seed)),
        ("Code", _commit(manifest)),
        ("Data", _one_line(manifest.data)),
        ("Models", _one_line(manifest.models)),
        ("Hardware", _one_line(manifest.hardware)),
        ("Packages", ", ".join(f"{k} {v}" for k, v in sorted(manifest.packages.items()))),
    ]
    return [(name, clipped(value, FACT_CHARACTERS)) for name, value in values if value]


def _commit(manifest: Manifest) -> str:
    commit = str(manifest.git.get("commit") or "unknown")
    return commit + (" with local changes" if manifest.git.get("dirty") else "")


def _one_line(values: Mapping[str, object]) -> str:
    """Put a small nested mapping on one line."""
    return ", ".join(
        f"{key}: {_plain(value)}"
        for key, value in values.items()
        if value not in (None, "", {}, [])
    )


def _plain(value: object) -> str:
    if isinstance(value, str | int | float | bool):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    return {
        "command": page.manifest.command or "jostle run <suite>",
        "facts": facts(page),
        "manifest_json": page.manifest.model_dump_json(indent=2),
    }


SECTION = PageSection("run", "Run", "run", context)
