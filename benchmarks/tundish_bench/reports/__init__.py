"""What every benchmark says and keeps: one form for tables, files, plots, comparisons and the history."""

from tundish_bench.reports.model import Better, Figure, Interval, Report, Row

__all__ = ["Better", "Figure", "Interval", "Report", "Row"]
