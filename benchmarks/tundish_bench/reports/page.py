"""A report as a page."""

from tundish_bench.reports.model import Report


def page(report: Report) -> str:
    """The HTML."""
    raise NotImplementedError(report.title)
