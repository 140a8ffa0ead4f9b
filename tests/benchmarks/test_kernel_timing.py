"""The instrument of the kernels' benchmark, on subjects whose times are known."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels import timing as instrument
from tundish_bench.kernels.reporting import in_repeats
from tundish_bench.kernels.timing import Case, Timing, measure
from tundish_bench.reports.history import read_history
from tundish_bench.reports.model import read_report


def working(seconds: float) -> Callable[[], None]:
    """Takes this much of the processor's time, so that neither sleeping nor another process distorts it."""

    def work() -> None:
        ends = time.thread_time() + seconds
        while time.thread_time() < ends:
            pass

    return work


def case(operator: float, baseline: float, **changes: Any) -> Case:
    values: dict[str, Any] = {
        "name": "work",
        "operator": working(operator),
        "baseline": working(baseline),
        "baseline_name": "more work",
        "bytes_moved": 1000,
        "goal": 2.0,
        "check": lambda: None,
    }
    return Case(**{**values, **changes})


@pytest.fixture
def processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The instrument reads the clock of the subjects, which stands still while another process runs."""
    monkeypatch.setattr(instrument, "time", SimpleNamespace(perf_counter=time.thread_time))


@pytest.mark.usefixtures("processor_time")
def test_the_ratio_is_that_of_the_subjects() -> None:
    timing = measure(case(2e-4, 1e-3), rounds=30)
    assert 4.5 < timing.ratio < 5.5
    faster = timing.row().figure("times faster")
    assert faster is not None
    assert faster.interval is not None
    assert 4.5 < faster.interval.low <= faster.interval.high < 5.5
    assert timing.met
    assert timing.row().notes == ()
    assert len(timing.operator) == len(timing.baseline) == len(timing.copy) == 30


@pytest.mark.usefixtures("processor_time")
def test_a_goal_that_is_not_reached_is_not_met() -> None:
    timing = measure(case(1e-3, 1e-3), rounds=10)
    assert not timing.met
    (note,) = timing.row().notes
    assert "times as fast as more work, not 2, its goal" in note


def test_a_wrong_answer_is_not_timed() -> None:
    def check() -> None:
        raise BenchmarkError("work is wrong.")

    with pytest.raises(BenchmarkError, match="work is wrong"):
        measure(case(1e-4, 1e-4, check=check), rounds=10)


def test_one_slow_round_moves_no_figure() -> None:
    fast, slow = 1e-3, 1.0
    timing = Timing(case=case(1, 1), operator=(*[fast] * 9, slow), baseline=(2 * fast,) * 10, copy=(fast / 2,) * 10)
    assert timing.ratio == pytest.approx(2.0)
    row = timing.row()
    assert row.settings == {"against": "more work", "goal": 2.0}
    assert {figure.name: (figure.unit, figure.repeats) for figure in row.figures} == {
        "time": ("µs", pytest.approx((1000.0, 1000.0))),
        "moved": ("MB", (1e-3,)),
        "bandwidth": ("GB/s", pytest.approx((1e-3, 1e-3))),
        "share of copy": ("%", pytest.approx((50.0, 50.0))),
        "times faster": ("x", pytest.approx((2.0, 2.0))),
    }


@pytest.mark.parametrize(
    ("rounds", "repeats"),
    [([1, 2], (1, 2)), ([1, 9, 2, 3, 9, 4], (2, 4)), (range(60), (4.5, 14.5, 24.5, 34.5, 44.5, 54.5))],
)
def test_repeats_are_medians_of_rounds_in_a_row(rounds: Sequence[float], repeats: tuple[float, ...]) -> None:
    assert in_repeats(rounds) == repeats


def test_the_command_writes_its_report_and_adds_it_to_the_history(tmp_path: Path) -> None:
    file, history = tmp_path / "kernels.json", tmp_path / "history.jsonl"
    command = [sys.executable, "-m", "tundish_bench.kernels", "--only", "resize_normalize 512", "--rounds", "10"]
    result = subprocess.run(
        [*command, "--report", file, "--history", history], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "resize_normalize 512" in result.stdout
    report = read_report(file)
    (row,) = report.rows
    faster = row.figure("times faster")
    assert faster is not None
    assert faster.value > 0
    assert len(faster.repeats) == 2
    assert report.kind == "kernels"
    assert read_history(history).reports == (report,)


def test_a_name_that_no_case_has_is_a_usage_error() -> None:
    command = [sys.executable, "-m", "tundish_bench.kernels", "--only", "nothing"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "no case's name contains 'nothing'" in result.stderr.replace("\n", " ")
