"""The plots of a report."""

from typing import Literal

from tundish_bench.reports.model import Report


def draw(report: Report, form: Literal["svg", "png"]) -> bytes:
    """All plots of a report, below one another, as the bytes of a file."""
    raise NotImplementedError(f"{report.title} {form}")
