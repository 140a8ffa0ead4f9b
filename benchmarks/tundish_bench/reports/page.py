"""A report, or the history of some, as a page that needs nothing but itself and opens without a network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tundish_bench.reports.charts import Chart, charts_of, key_figures, render
from tundish_bench.reports.charts.over_time import history_chart
from tundish_bench.reports.charts.style import GRID, INK, PAPER, SOFT
from tundish_bench.reports.comparison_table import cells, summary
from tundish_bench.reports.history import History, by_kind, since_before
from tundish_bench.reports.model import Report
from tundish_bench.reports.table import axes_of, cell, headings, notes_of

_TEMPLATES = Path(__file__).parent / "templates"
_THEME = {INK: "var(--ink)", SOFT: "var(--soft)", GRID: "var(--grid)", PAPER: "none"}
"""What a plot's colours are in a page, which may be dark."""


def page(report: Report) -> str:
    """The HTML of a report."""
    return _rendered(
        "report.html",
        title=report.title,
        report=report,
        notes=notes_of(report),
        plots=[_inline(chart) for chart in charts_of(report)],
        headings=headings(report),
        axes=axes_of(report),
        cell=cell,
    )


def history_page(history: History) -> str:
    """The HTML of a history: for each benchmark what has changed since the run before, and its figures over time."""
    kinds = [_kind(reports) for reports in by_kind(history.reports).values()]
    title = "What the benchmarks measured, run after run"
    return _rendered("history.html", title=title, notes=history.notes, kinds=kinds)


def _kind(reports: Sequence[Report]) -> dict[str, Any]:
    newest, comparison = reports[-1], since_before(reports)
    proven = [each for each in comparison.changes if each.verdict in ("regressed", "improved")] if comparison else []
    return {
        "newest": newest,
        "comparison": comparison,
        "summary": summary(comparison) if comparison else "",
        "changes": [(*cells(each), each.verdict) for each in proven],
        "plot": _inline(history_chart(reports, key_figures(newest))),
    }


def _rendered(template: str, **values: Any) -> str:
    html = _templates().get_template(template).render(**values)
    # A name may hold half a surrogate pair, which UTF-8 cannot carry.
    return html.encode("utf-8", errors="backslashreplace").decode("utf-8")


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["style"] = Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8"))  # noqa: S704  # ours
    return templates


def _inline(chart: Chart) -> Markup:
    """The plot as part of a page, in the colours of its theme, with its title for those who cannot see it."""
    drawn = render([chart], "svg").decode()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", drawn, flags=re.DOTALL)
    # Of a style, and of nothing else: names are drawn as outlines, so that no text is in it.
    drawn = re.sub("|".join(_THEME), lambda found: _THEME[found[0]], drawn)
    label = escape(f"{chart.title}; {chart.subtitle}")
    return Markup(drawn.replace("<svg", f'<svg role="img" aria-label="{label}"', 1))  # noqa: S704  # matplotlib's
