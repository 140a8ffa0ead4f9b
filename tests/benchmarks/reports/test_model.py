"""Figures' means and intervals, and reports through their files."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tundish_bench.errors import BenchmarkError
from tundish_bench.reports import Figure, Report, Row
from tundish_bench.reports.model import read_report

REPEATS = (101.0, 99.5, 103.25, 98.0, 100.5)


def test_value_and_interval_are_those_of_scipy() -> None:
    figure = Figure(name="throughput", unit="/s", better="more", repeats=REPEATS)
    expected = stats.t.interval(0.95, len(REPEATS) - 1, loc=np.mean(REPEATS), scale=stats.sem(REPEATS))
    assert figure.value == pytest.approx(np.mean(REPEATS))
    assert figure.interval == pytest.approx(expected)
    assert figure.median == np.median(REPEATS)


def test_ratios_are_averaged_by_their_logarithms() -> None:
    ratio = Figure(name="speed-up", unit="x", repeats=(0.5, 2.0, 1.0))
    inverse = Figure(name="slow-down", unit="x", repeats=(2.0, 0.5, 1.0))
    assert ratio.value == pytest.approx(stats.gmean(ratio.repeats))
    assert ratio.interval is not None
    assert inverse.interval is not None
    assert ratio.interval.low == pytest.approx(1 / inverse.interval.high)
    logarithms = [math.log(each) for each in ratio.repeats]
    expected = stats.t.interval(0.95, 2, loc=np.mean(logarithms), scale=stats.sem(logarithms))
    assert ratio.interval == pytest.approx(tuple(np.exp(expected)))


def test_one_repeat_has_no_interval() -> None:
    assert Figure(name="p50", unit="ms", repeats=(3.0,)).interval is None


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    figure = Figure(name="p99", unit="ms", better="less", repeats=REPEATS)
    row = Row(name="16 callers", settings={"callers": 16}, figures=(figure,), notes=("The server is saturated.",))
    report = Report(kind="load", title="photo-labels", method="Five repeats.", rows=(row,))
    path = tmp_path / "report.json"
    path.write_text(report.model_dump_json(), encoding="utf-8")
    again = read_report(path)
    assert again == report
    assert again.row("16 callers") == row
    assert row.figure("p99") == figure
    assert (again.row("8 callers"), row.figure("p98")) == (None, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is no report of a benchmark: the file: Invalid JSON"),
        ('{"kind": "load"}', "is no report of a benchmark: title: Field required; give a file that --json wrote"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(BenchmarkError, match=message):
        read_report(path)
