"""The plots of a comparison with peers: throughput and the 99th percentile of each workload, by callers and server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tundish_bench.reports import Report, Row
from tundish_bench.reports.charts import render
from tundish_bench.reports.charts.bars import bars_chart

_FIGURES = ("throughput", "p99")


class Plot(NamedTuple):
    """An SVG file beside the document."""

    workload: str
    name: str
    """Of the file: 'images-p99.svg'."""
    says: str
    """Its title, for who cannot see it."""
    content: bytes


def plots_of(report: Report) -> Iterator[Plot]:
    """Those that have something to show."""
    for workload, rows in by_workload(report).items():
        for figure in _FIGURES:
            if (chart := bars_chart(report, figure, rows, workload)) is not None:
                name = re.sub(r"[^a-z0-9]+", "-", f"{workload} {figure}".lower()).strip("-")
                yield Plot(workload, f"{name}.svg", chart.title, render([chart], "svg"))


def by_workload(report: Report) -> dict[str, list[Row]]:
    """The rows of each, in their order."""
    rows: dict[str, list[Row]] = {}
    for row in report.rows:
        rows.setdefault(str(row.settings["workload"]), []).append(row)
    return rows
