"""The rounds of the servers' benchmarks as reports."""

from __future__ import annotations

from pathlib import Path

from tundish_bench.report import Comparison, Goal
from tundish_bench.reports.history import read_history
from tundish_bench.rounds import Rounds, Sample
from tundish_bench.rounds_report import add_to_history, report_of


def sample(speed: float, others: float = 0.0, p99: float | None = None) -> Sample:
    return Sample(items=10, cpu_milliseconds=2.0, items_per_second=speed, other_cores=others, p99_milliseconds=p99)


MEASURED = {"images": Rounds([{"tundish": sample(100.0, p99=7.0), "floor": sample(120.0, others=0.5)}] * 3)}
COMPARED = [
    Comparison("tundish / floor, CPU", [1.25, 1.3, 1.2], Goal(bound=1.1, at_most=True)),
    Comparison("start to ready, s", [1.5], Goal(bound=2.0, at_most=True)),
]


def test_a_round_is_a_repeat_of_each_subject_and_comparison() -> None:
    report = report_of("image server", "images", MEASURED, COMPARED)
    tundish, floor, ratio, ready = report.rows
    assert (tundish.name, floor.name) == ("images: tundish", "images: floor")
    assert {each.name: each.repeats for each in tundish.figures} == {
        "throughput": (100.0,) * 3, "p99": (7.0,) * 3, "CPU": (2.0,) * 3, "other work": (0.0,) * 3,
    }  # fmt: skip
    assert floor.figure("p99") is None
    assert tundish.settings == {"load": "images", "server": "tundish"}
    (figure,) = ratio.figures
    assert (figure.unit, figure.better, figure.repeats) == ("x", "less", (1.25, 1.3, 1.2))
    assert ratio.notes == ("Its goal of at most 1.1 is missed.",)
    assert (ready.figures[0].unit, ready.figures[0].repeats, ready.notes) == ("", (1.5,), ())
    assert report.notes == ("Other work took up to 0.50 cores; measure on an idle machine.",)


def test_it_is_in_the_history_if_there_is_one(tmp_path: Path) -> None:
    add_to_history(None, "image server", "images", MEASURED, COMPARED)
    assert list(tmp_path.iterdir()) == []
    add_to_history(tmp_path / "history.jsonl", "image server", "images", MEASURED, COMPARED)
    (report,) = read_history(tmp_path / "history.jsonl").reports
    assert report.kind == "image server"
    assert len(report.rows) == 4
