"""The pages of reports in a real browser: their plots are drawn, nothing is fetched, and what they quote stays text."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from support.bench_reports import engines_report, history_reports, load_row, report
from support.browser import Browser, Visit

from tundish_bench.reports import Report
from tundish_bench.reports.history import History
from tundish_bench.reports.page import history_page
from tundish_bench.reports.wording import with_interval
from tundish_bench.reports.writing import write_report

HOSTILE = "</title></style></svg><script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{7*7}}$\\bad{--"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a report whose words are hostile."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(hostile_report(), path)
    return path


def hostile_report() -> Report:
    made = engines_report()
    rows = [row.model_copy(update={"name": f"{row.name} {HOSTILE}", "notes": (HOSTILE,)}) for row in made.rows]
    return made.model_copy(update={"title": HOSTILE, "method": HOSTILE, "rows": tuple(rows), "notes": ("Other work.",)})


def assert_harmless(visit: Visit, browser: Browser) -> None:
    assert len(visit.requests) == 1
    assert visit.requests[0].startswith("file://")
    assert visit.complaints == []
    assert browser.evaluate("document.scripts.length + document.images.length") == 0
    assert browser.evaluate("document.querySelectorAll('[src], a').length") == 0


def plots(browser: Browser) -> list[int]:
    """How many shapes each plot has."""
    count = "[...document.querySelectorAll('figure > svg')].map(svg => svg.querySelectorAll('path, use').length)"
    drawn: list[int] = browser.evaluate(count)
    return drawn


@pytest.mark.parametrize(("width", "scheme"), [(1000, "light"), (400, "dark")])
def test_a_report_is_drawn_whatever_its_words_are(
    page: Path, width: int, scheme: Literal["light", "dark"], browser: Browser
) -> None:
    assert_harmless(browser.open(page, width=width, scheme=scheme), browser)
    assert min(plots(browser)) > 20
    assert len(plots(browser)) == 2
    text = browser.evaluate("document.body.textContent")
    made = hostile_report()
    assert text.count(HOSTILE) >= 2 + len(made.rows)
    assert all(with_interval(figure) in text for row in made.rows for figure in row.figures)
    assert all(fact in text for fact in ("Some Processor 9000", "onnxruntime 1.23", "2026-11-26 09:30 UTC"))
    first_note = browser.evaluate("document.querySelector('.notes li').textContent")
    assert first_note == "Other work."
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    paper = np.asarray(browser.screenshot())[0, 0]
    assert (paper.mean() < 64) == (scheme == "dark")


def test_plots_take_the_colours_of_the_theme(page: Path, browser: Browser) -> None:
    fill = "getComputedStyle(document.querySelector('figure svg [style*=\"--ink\"]')).fill"
    colors = []
    for scheme in ("light", "dark"):
        browser.open(page, scheme=scheme)
        colors.append(browser.evaluate(fill))
    assert colors == ["rgb(27, 32, 39)", "rgb(230, 233, 238)"]


def test_a_report_without_plots_has_its_figures_alone(tmp_path: Path, browser: Browser) -> None:
    write_report(report("load", [load_row(1, 200)]), tmp_path / "report.html")
    assert_harmless(browser.open(tmp_path / "report.html"), browser)
    assert plots(browser) == []
    sections = browser.evaluate("[...document.querySelectorAll('section')].map(section => section.id)")
    assert sections == ["figures", "machine"]


def test_a_history_says_what_is_worse(tmp_path: Path, browser: Browser) -> None:
    (tmp_path / "history.html").write_text(
        history_page(History(tuple(history_reports()), (HOSTILE,))), encoding="utf-8"
    )
    assert_harmless(browser.open(tmp_path / "history.html"), browser)
    assert len(plots(browser)) == 1
    verdicts = browser.evaluate("[...document.querySelectorAll('td.regressed')].length")
    assert verdicts == 2
    assert HOSTILE in browser.evaluate("document.body.textContent")
