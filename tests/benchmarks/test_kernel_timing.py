"""The instrument of the kernels' benchmark, on subjects whose times are known."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels import timing as instrument
from tundish_bench.kernels.timing import Case, Timing, measure


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
    low, high = timing.ratio_range
    assert low <= timing.ratio <= high
    assert timing.met
    assert len(timing.operator) == len(timing.baseline) == len(timing.copy) == 30


@pytest.mark.usefixtures("processor_time")
def test_a_goal_that_is_not_reached_is_not_met() -> None:
    assert not measure(case(1e-3, 1e-3), rounds=10).met


def test_a_wrong_answer_is_not_timed() -> None:
    def check() -> None:
        raise BenchmarkError("work is wrong.")

    with pytest.raises(BenchmarkError, match="work is wrong"):
        measure(case(1e-4, 1e-4, check=check), rounds=10)


def test_one_slow_round_moves_no_median() -> None:
    fast, slow = 1e-3, 1.0
    timing = Timing(case=case(1, 1), operator=(fast, fast, slow), baseline=(fast,) * 3, copy=(fast,) * 3)
    assert timing.ratio == pytest.approx(1.0)
    assert timing.copy_ratio == pytest.approx(1.0)
    assert timing.gigabytes_per_second == pytest.approx(1000 / fast / 1e9)


def test_the_command_writes_its_figures(tmp_path: Path) -> None:
    file = tmp_path / "kernels.json"
    command = [sys.executable, "-m", "tundish_bench.kernels", "--only", "resize_normalize 512", "--rounds", "10"]
    result = subprocess.run([*command, "--json", file], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "resize_normalize 512" in result.stdout
    (figures,) = json.loads(file.read_text())["cases"]
    assert figures["ratio"] > 0
    assert len(figures["operator_seconds"]) == 10


def test_a_name_that_no_case_has_is_a_usage_error() -> None:
    command = [sys.executable, "-m", "tundish_bench.kernels", "--only", "nothing"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "no case's name contains 'nothing'" in result.stderr.replace("\n", " ")
