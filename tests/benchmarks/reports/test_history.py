"""The file of all runs: two writers, a line that was cut off, and what belongs together."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from support.bench_reports import MACHINE, engines_report, history_reports, load_report, load_row, report

from tundish_bench.errors import BenchmarkError
from tundish_bench.history import main
from tundish_bench.reports import Report
from tundish_bench.reports.history import append, by_kind, points_of, read_history, since_before

WRITES = 20


def write_many(path: Path, text: str) -> None:
    for number in range(WRITES):
        append(report("load", [load_row(1, 200)], title=f"{text * 2000} {number}"), path)


def test_reports_are_read_as_they_were_appended_without_their_histograms(tmp_path: Path) -> None:
    path = tmp_path / "made" / "history.jsonl"
    first, second = load_report(), engines_report()
    append(first, path)
    append(second, path)
    bare = tuple(row.model_copy(update={"histogram": None}) for row in first.rows)
    assert read_history(path) == ((first.model_copy(update={"rows": bare}), second), ())


def test_two_writers_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        for writing in [pool.submit(write_many, path, text) for text in "ab"]:
            writing.result()
    reports, notes = read_history(path)
    assert notes == ()
    assert len({report.title for report in reports}) == 2 * WRITES


@pytest.mark.parametrize("cut", [1, 40])
def test_a_line_that_was_cut_off_is_said_and_costs_nothing_else(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    first, torn, last = history_reports(3)
    append(first, path)
    append(torn, path)
    path.write_bytes(path.read_bytes()[: -cut - 1])
    reports, notes = read_history(path)
    assert reports == (first,)
    assert len(notes) == 1
    append(last, path)
    reports, notes = read_history(path)
    assert reports == (first, last)
    assert notes == (f"Line 2 of {path} is no report and is left out; its writer may have been cut off.",)


def test_rows_belong_together_on_one_machine_whatever_tundish_it_runs() -> None:
    def run(day: int, cores: int, version: str, other: str = "1.23") -> Report:
        machine = MACHINE.model_copy(update={"cores": cores, "packages": {"tundish": version, "onnxruntime": other}})
        return history_reports(day + 1)[day].model_copy(update={"machine": machine})

    reports = [run(0, 8, "0.1.0"), run(1, 16, "0.1.0"), run(2, 8, "0.2.0"), run(3, 8, "0.2.0", "1.24")]
    machines = [point.machine for point in points_of(reports, "onnx-int8-cpu", "time")]
    assert machines[0] == machines[2]
    assert len(set(machines)) == 3
    comparison = since_before(reports[:3])
    assert comparison is not None
    assert comparison.before.endswith("2026-11-26 09:30 UTC")
    assert comparison.notes == ("tundish was 0.1.0 before and is 0.2.0 after.",)
    assert since_before(reports) is None  # with the other runtime it is another machine
    assert list(by_kind([*reports, load_report()])) == ["engines", "load"]


def test_the_command_shows_the_newest_run_against_the_one_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, html, png = (tmp_path / name for name in ("history.jsonl", "history.html", "history.png"))
    for each in history_reports(8)[5:]:
        append(each, path)
    append(report("load", [load_row(1, 200)]), path)
    main(path, html=html, png=png)
    shown = capsys.readouterr().out
    assert "2 regressed" in shown
    assert "The run of 2026-11-26 09:30 UTC is the first on its machine." in shown
    assert html.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert png.read_bytes().startswith(b"\x89PNG")


def test_a_history_that_is_not_there_or_not_writable_is_said(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="cannot be read: No such file or directory; `make bench` writes one"):
        read_history(tmp_path / "none")
    with pytest.raises(BenchmarkError, match="cannot be written: Is a directory"):
        append(engines_report(), tmp_path)
