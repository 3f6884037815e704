"""The file ``summary.json``: typed, versioned, and open to the measures of third parties."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.analysis import (
    SUMMARY_VERSION,
    Summary,
    estimates,
    memorisation_schema,
    summary_schema,
    unanswerable_schema,
)
from harness.errors import StoreError
from harness.pipeline.store import Run
from tests.pipeline import make_suite, run_suite, write_data
from tests.synthetic import make_run

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "summary.json"
"""Written once by version 4: a change that cannot read it must raise the version."""

JUDGE = '''
"""A third party's judge."""

from harness.records import Dimension, Judgement


class Kindness:
    """Rates how kind an answer is."""

    dimensions = (Dimension(name="kind", low=0, high=1, label="kindness", headline=10),)
    version = "1"

    def grade(self, items):
        for index, item in enumerate(items):
            value = (len(item.answer) % 7) / 6
            yield Judgement(item=index, dimension="kind", value=value)
'''

SCRIPT = """
import json, sys
from pathlib import Path
from harness.pipeline.store import Run
from tests.pipeline import make_suite, run_suite, write_data
folder = Path(sys.argv[1])
write_data(folder)
run_suite(folder / "run", make_suite(folder, judges=["rouge_l", "kindness"]))
summary = Run(folder / "run").summary()
print(json.dumps([summary.headline.measures, summary.finding.rests_on]))
"""


def test_a_runs_summary_is_what_the_schema_says(tmp_path: Path) -> None:
    write_data(tmp_path)
    run_suite(tmp_path / "run", make_suite(tmp_path))
    text = (tmp_path / "run" / "summary.json").read_text(encoding="utf-8")
    summary = Summary.load(text)
    assert summary.dump() == text
    assert summary.schema_version == SUMMARY_VERSION
    assert set(json.loads(text)) == set(Summary.model_json_schema()["properties"])


def test_a_summary_of_this_version_stays_readable() -> None:
    summary = Summary.load(GOLDEN.read_text(encoding="utf-8"))
    assert summary.headline.scope == "clean"
    assert [gap.what for gap in summary.leak_gaps if gap.subject == "base"].count("gain") == 0


def test_every_field_of_the_summary_is_described_in_its_schema() -> None:
    schema = Summary.model_json_schema()
    modules = (estimates, memorisation_schema, summary_schema, unanswerable_schema)
    records = {
        name
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    }
    parts = {name: part for name, part in schema["$defs"].items() if name in records} | {"": schema}
    assert len(parts) > 30
    assert [
        f"{name}.{field}"
        for name, part in parts.items()
        for field, described in part.get("properties", {}).items()
        if not {"description", "$ref"} & set(described)  # a reference shows its record's own
    ] == []


def test_another_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = make_run(10, rubric=False, kinds=("typo",)).write(tmp_path / "old")
    path = folder / "summary.json"
    raw = json.loads(path.read_text(encoding="utf-8")) | {"schema_version": 2}
    path.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(StoreError, match=r"summary\.json: .*version 2.*jostle report RUN") as error:
        Run.open(folder).summary()
    assert "\n" not in str(error.value)


def test_what_the_schema_does_not_know_is_refused() -> None:
    raw = json.loads(GOLDEN.read_text(encoding="utf-8"))
    raw["cells"][0]["colour"] = "green"
    with pytest.raises(StoreError, match=r"damaged \(cells\.0\.colour: "):
        Summary.load(json.dumps(raw))
    with pytest.raises(StoreError, match=r"summary\.json:1: damaged"):
        Summary.load("{")


def test_an_installed_judge_leads_the_headline_by_its_own_rank(tmp_path: Path) -> None:
    place = tmp_path / "site"
    info = place / "kindness-1.0.dist-info"
    info.mkdir(parents=True)
    (place / "kindness_judge.py").write_text(JUDGE, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: kindness\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[jostle.judges]\nkindness = kindness_judge:Kindness\n")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(place), str(ROOT)])},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    measures, rests_on = json.loads(done.stdout)
    assert measures == [["kindness", "kind"]]
    assert rests_on == "Measured by kindness (scale 0 to 1, higher is better)."
