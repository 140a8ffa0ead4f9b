"""Reports as files, by the suffix of their name."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image
from support.bench_reports import engines_report, load_row, peers_report, report

from tundish_bench.errors import BenchmarkError
from tundish_bench.reports import Figure, Report, Row
from tundish_bench.reports.model import read_report
from tundish_bench.reports.writing import check_report_file, write_report


def test_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "report.JSON"
    write_report(peers_report(), path)
    assert read_report(path) == peers_report()
    assert [each.name for each in tmp_path.iterdir()] == ["report.JSON"]


def test_csv_has_a_line_for_each_figure(tmp_path: Path) -> None:
    rows = [load_row(4, 200), Row(name='a, "b"', figures=(Figure(name="f", unit="", repeats=(0.1,)),))]
    write_report(report("load", rows), tmp_path / "report.csv")
    with (tmp_path / "report.csv").open(newline="") as stream:
        first, *others = list(csv.DictReader(stream))
    throughput = rows[0].figures[0]
    assert throughput.interval is not None
    assert {**first, "repeats": [float(each) for each in first["repeats"].split(" ")]} == {
        "row": "4 callers, batch 1", "callers": "4", "batch": "1", "figure": "throughput", "unit": "/s",
        "value": repr(throughput.value), "low": repr(throughput.interval.low), "high": repr(throughput.interval.high),
        "repeats": list(throughput.repeats),
    }  # fmt: skip
    assert len(others) == len(rows[0].figures)
    assert (others[-1]["row"], others[-1]["callers"], others[-1]["low"]) == ('a, "b"', "", "")


@pytest.mark.parametrize("made", [engines_report()])
def test_pictures_are_pictures_and_always_the_same(made: Report, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "a.png"):
        write_report(made, tmp_path / name)
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width == 1440


def test_what_cannot_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    alone = report("load", [load_row(1, 200)])
    forms = r"ends in \.json, \.csv, \.html, \.svg or \.png\.$"
    for path in (tmp_path / "report.txt", tmp_path / "report"):
        with pytest.raises(BenchmarkError, match=forms):
            check_report_file(path)
        with pytest.raises(BenchmarkError, match=forms):
            write_report(alone, path)
    with pytest.raises(BenchmarkError, match="there is no directory"):
        check_report_file(tmp_path / "nowhere" / "report.json")
    (tmp_path / "directory.json").mkdir()
    with pytest.raises(BenchmarkError, match=r"directory\.json cannot be written: it is a directory; give another"):
        check_report_file(tmp_path / "directory.json")
    (tmp_path / "directory.json").rmdir()
    with pytest.raises(BenchmarkError, match=r"x\.json cannot be written: .*; give another path\."):
        check_report_file(Path("/proc/self/x.json"))  # a directory that takes no files
    with pytest.raises(BenchmarkError, match="cannot be written: No such file or directory"):
        write_report(alone, tmp_path / "nowhere" / "report.json")
    with pytest.raises(BenchmarkError, match=r"has nothing to plot; write it as \.json"):
        write_report(alone, tmp_path / "report.png")
    assert list(tmp_path.iterdir()) == []
