"""The report in a real browser: driven by mouse and keys, attacked, printed, on a phone."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from reports.html import render
from tests.browser.chromium import Chromium, texts
from tests.synthetic import HOSTILE, make_run

pytestmark = pytest.mark.timeout(500)

ROWS = "#explorer-list tbody tr"


@pytest.fixture
def page(browser: Chromium, report: Path) -> Chromium:
    browser.media()
    browser.resize(1280, 1000)
    browser.open(report)
    return browser


def click(browser: Chromium, selector: str, index: int = 0) -> None:
    browser.run(f"document.querySelectorAll({json.dumps(selector)})[{index}].click()")


def choose(browser: Chromium, selector: str, value: str) -> None:
    browser.run(
        f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
        f" e.value = {json.dumps(value)}; e.dispatchEvent(new Event('change'));"
        " e.dispatchEvent(new Event('input')); })()"
    )


def test_page_asks_the_network_for_nothing(page: Chromium, report: Path) -> None:
    assert page.requests == [report.resolve().as_uri()]
    assert page.problems == []


def test_first_screen_holds_verdict_and_lights(page: Chromium, report: Path) -> None:
    summary = json.loads((report.parent / "summary.json").read_text())
    heading = page.run("document.querySelector('h1').innerText")
    for subject in summary["finding"]["subjects"]:
        assert subject["sentence"] in heading
    assert page.run("document.querySelector('h1').getBoundingClientRect().bottom") < 600
    assert len(texts(page, ".light")) == len(summary["traffic_lights"])


def test_charts_are_text_and_have_alt(page: Chromium) -> None:
    assert page.run("document.querySelectorAll('figure svg').length") >= 5
    assert page.run(
        "[...document.querySelectorAll('figure svg')].every((s) =>"
        " s.getAttribute('role') === 'img' && s.querySelector('title').textContent"
        " && s.querySelector('desc').textContent && s.querySelectorAll('text').length > 3)"
    )
    ids = page.run("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))


def test_table_sorts_both_ways_by_number(page: Chromium) -> None:
    table = "#kinds table.sortable"
    column = f"{table} tbody tr td:nth-child(3)"
    click(page, f"{table} thead button", 2)
    first = page.run(f"document.querySelector('{table}').tHead.rows[0].cells[2].ariaSort")
    rising = page.run(
        f"[...document.querySelector('{table}').tBodies[0].rows].map((r) => +r.cells[2].dataset.sort)"
    )
    assert first == "ascending"
    assert rising == sorted(rising)
    assert len(set(rising)) > 1
    click(page, f"{table} thead button", 2)
    falling = page.run(
        f"[...document.querySelector('{table}').tBodies[0].rows].map((r) => +r.cells[2].dataset.sort)"
    )
    assert falling == sorted(falling, reverse=True)
    assert texts(page, column)


def test_table_filters(page: Chromium) -> None:
    visible = "[...document.querySelector('#all-cells').tBodies[0].rows].filter((r) => !r.hidden)"
    everything = page.run(f"{visible}.length")
    choose(page, "[data-filter='all-cells']", "typo rouge")
    some = page.run(f"{visible}.map((r) => r.textContent.toLowerCase())")
    assert 0 < len(some) < everything
    assert all("typo" in row and "rouge" in row for row in some)


def test_explorer_filters_by_kind_subject_and_outcome(page: Chromium) -> None:
    kinds = texts(page, "#f-kind option")
    choose(page, "#f-kind", str(kinds.index("typo") - 1))
    assert set(texts(page, f"{ROWS} td:nth-child(2)")) == {"typo"}
    subjects = texts(page, "#f-subject option")
    choose(page, "#f-subject", str(subjects.index("tuned") - 1))
    assert set(texts(page, f"{ROWS} td:nth-child(3)")) == {"tuned"}
    choose(page, "#f-outcome", "gain")
    drops = texts(page, f"{ROWS} td:nth-child(5)")
    assert drops
    assert all(d.startswith("\N{MINUS SIGN}") for d in drops)


def test_explorer_finds_failed_answers(page: Chromium) -> None:
    choose(page, "#f-outcome", "failed")
    assert set(texts(page, f"{ROWS} td:nth-child(4)")) == {"no answer"}
    click(page, f"{ROWS} button")
    page.wait("document.querySelector('#detail article')")
    assert "context_length" in page.run("document.querySelector('#detail').textContent")


def test_explorer_sorts_by_largest_drop_and_pages(page: Chromium) -> None:
    def drops() -> list[float]:
        cells = texts(page, f"{ROWS} td:nth-child(5)")
        return [float(c.replace("\N{MINUS SIGN}", "-")) for c in cells]

    first = drops()
    assert len(first) == 50
    assert first == sorted(first, reverse=True)
    click(page, "#next")
    second = drops()
    assert second[0] <= first[-1]
    assert "page 2" in texts(page, "#page-of")[0]
    click(page, "#prev")
    assert drops() == first


def test_sample_opens_side_by_side_with_differences(page: Chromium) -> None:
    choose(page, "#f-kind", str(texts(page, "#f-kind option").index("typo") - 1))
    click(page, f"{ROWS} button")
    page.wait("document.querySelector('#detail article')")
    boxes = texts(page, "#detail .box h4")
    assert boxes[:2] == ["Original prompt", "Reworded prompt"]
    assert texts(page, "#detail .pair ins")
    assert texts(page, "#detail .pair del")
    left, right = texts(page, "#detail .pair .text")[:2]
    assert left != right
    assert len(left.split()) == len(right.split())
    assert "Warm, and names a next step." in page.run(
        "document.querySelector('#detail').textContent"
    )


def test_search_in_prompts(page: Chromium) -> None:
    choose(page, "#f-text", "(case 3)")
    page.wait(
        f"document.querySelectorAll('{ROWS}').length > 0 && document.querySelector('{ROWS}').textContent.includes('(case 3)')"
    )
    assert all("(case 3)" in row for row in texts(page, f"{ROWS} td:nth-child(1)"))


def test_theme_switches_and_stays(page: Chromium, report: Path) -> None:
    ink = "getComputedStyle(document.body).color"
    light = page.run(ink)
    page.media(scheme="dark")
    dark = page.run(ink)
    assert light != dark
    click(page, "#theme")
    assert page.run(ink) == light
    click(page, "#theme")
    assert page.run(ink) == dark
    page.media(scheme="light")
    assert page.run(ink) == dark
    page.open(report)
    assert page.run(ink) == dark
    click(page, "#theme")
    assert page.run(ink) == light
    # Charts follow: their text has the theme's colour.
    page.media(scheme="dark")
    assert (
        page.run("getComputedStyle(document.querySelector('figure svg text')).fill")
        != "rgb(0, 0, 0)"
    )


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_no_width_scrolls_sideways(page: Chromium, width: int) -> None:
    page.resize(width, 844, phone=width < 700)
    click(page, f"{ROWS} button")
    page.wait("document.querySelector('#detail article')")
    assert page.run("document.documentElement.scrollWidth") <= width


def test_keyboard_reaches_and_opens_a_sample(page: Chromium) -> None:
    page.run("document.querySelector('#f-text').focus()")
    for _ in range(4):
        page.key("Tab")
        if page.run(f"document.activeElement.matches('{ROWS} button')"):
            break
    assert page.run(f"document.activeElement.matches('{ROWS} button')")
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.key("Enter", text="\r")
    page.wait("document.querySelector('#detail article')")


def test_prints_to_pdf(page: Chromium) -> None:
    pdf = page.pdf()
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 50_000
    page.media(kind="print")
    assert page.run("getComputedStyle(document.querySelector('#explorer')).display") == "none"
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Chromium, scheme: str) -> None:
    spec = importlib.util.find_spec("axe_core_python")
    if spec is None or spec.origin is None:
        pytest.skip("axe-core-python is not installed: pip install -e .[dev]")
    page.media(scheme=scheme)
    click(page, f"{ROWS} button")
    page.wait("document.querySelector('#detail article')")
    page.run((Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8") + "\n;0")
    found = page.run(
        "axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations.map((v) =>"
        " [v.id, v.help, v.nodes.length, v.nodes[0].html.slice(0, 200), v.nodes[0].failureSummary]))"
    )
    assert found == []


def test_hostile_content_runs_nothing_and_breaks_nothing(
    browser: Chromium, hostile_report: Path
) -> None:
    browser.media()
    browser.open(hostile_report)
    intact = "document.querySelectorAll('main > section').length"
    sections = browser.run(intact)
    assert sections >= 9
    rows = browser.run("document.querySelectorAll('#explorer-list tbody tr').length")
    assert rows == 50
    for index in range(rows):
        click(browser, f"{ROWS} button", index)
        browser.wait("document.querySelector('#detail article')")
    # Let whatever was injected fire.
    browser.run("new Promise((done) => setTimeout(done, 500))")
    assert browser.run("window.pwned === undefined")
    assert browser.problems == []
    assert browser.requests == [hostile_report.resolve().as_uri()]
    assert browser.run(intact) == sections
    assert browser.run("document.querySelectorAll('iframe, img, object, embed').length") == 0
    ours = browser.run("[...document.scripts].filter((s) => !s.type).length")
    assert ours == 1
    assert browser.run("getComputedStyle(document.body).display") == "block"
    shown = browser.run("document.body.innerText")
    assert "<script>window.pwned=1</script>" in shown
    assert "⟨U+202E⟩" in shown
    assert "\u202e" not in shown
    assert "\x1b" not in shown
    assert "{{ 7*7 }}" in shown


def test_hostile_content_would_be_seen(
    browser: Chromium, hostile_report: Path, tmp_path: Path
) -> None:
    """The detector detects: the same text put in unescaped and without the policy does run."""
    html = hostile_report.read_text(encoding="utf-8")
    start = html.index('<meta http-equiv="Content-Security-Policy"')
    html = html[:start] + html[html.index(">", start) + 1 :]
    broken = tmp_path / "broken.html"
    main = '<main class="wrap">'
    assert main in html
    broken.write_text(html.replace(main, main + HOSTILE[0], 1), encoding="utf-8")
    browser.open(broken)
    assert browser.run("window.pwned") == 1


@pytest.mark.slow
def test_samples_beside_the_page_load_when_looked_at(
    browser: Chromium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.html.INLINE_CHARACTERS", 1000)
    monkeypatch.setattr("reports.explorer.CHUNK_BYTES", 20_000)
    large = render(make_run(12).write(tmp_path / "large"))
    scripts = sorted((tmp_path / "large" / "report-samples").glob("*.js"))
    assert len(scripts) > 2
    browser.open(large)
    assert browser.requests == [large.resolve().as_uri()]
    click(browser, f"{ROWS} button")
    browser.wait("document.querySelector('#detail article')")
    assert len(browser.requests) == 2
    assert browser.problems == []
    for script in scripts:
        script.unlink()
    browser.open(large)
    click(browser, f"{ROWS} button")
    browser.wait("document.querySelector('#detail').textContent.includes('could not be loaded')")
