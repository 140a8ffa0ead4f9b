"""The instrument of engines, on stand-ins whose delays are known, by a clock that they move themselves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from tundish.manifest import Variant
from tundish_bench.in_process.loading import Loading
from tundish_bench.in_process.rows import Facts, row_of, whole
from tundish_bench.in_process.timing import Clock, Plan, measure_rounds, plan_of
from tundish_bench.reports import Row


class FakeTime:
    """A clock that stands still but for those who work by it."""

    def __init__(self, slowdown: Callable[[float], float] = lambda _: 1.0) -> None:
        self.wall = self.cpu = 0.0
        self._slowdown = slowdown
        self.clock = Clock(wall=lambda: self.wall, cpu=lambda: self.cpu)

    def work(self, seconds: float, threads: int = 1) -> None:
        """Takes so long, or as much longer as the machine is slower by now."""
        took = seconds * self._slowdown(self.wall)
        self.wall += took
        self.cpu += threads * took


def rows(time: FakeTime, plan: Plan, rounds: int, *, jitter: float = 0.0) -> dict[str, Row]:
    """Two engines, of 10 and 5 ms, that need 2 ms more for what comes before them."""
    random = np.random.default_rng(3)

    def call(seconds: float) -> Callable[[int], None]:
        return lambda _: time.work(seconds * random.lognormal(0, jitter) if jitter else seconds)

    subjects = {"slow": call(0.010), whole("slow"): call(0.012), "fast": call(0.005), whole("fast"): call(0.007)}
    measured = measure_rounds(subjects, plan, range(rounds), time.clock)
    facts = Facts(agreement=0.5, loadings=[Loading(seconds=0.25, megabytes=30)])
    return {
        name: row_of(variant(name), measured, facts, baseline="slow", batch_size=4, threads=1)
        for name in ("slow", "fast")
    }


def variant(name: str) -> Variant:
    return Variant.model_validate(VARIANT | {"name": name})


VARIANT = {
    "engine": "onnx",
    "precision": "int8",
    "device": "cpu",
    "recipe": "",
    "files": [{"path": "model.onnx", "sha256": "0" * 64, "bytes": 1}],
    "accuracy": None,
    "latency": {"median_milliseconds": 1, "p90_milliseconds": 1, "batch_size": 1, "runs": 1},
    "gate": {"passed": True, "max_drop": 0, "reason": ""},
}


def value(row: Row, name: str) -> float:
    figure = row.figure(name)
    assert figure
    return figure.value


def test_figures_are_those_of_the_delays() -> None:
    fast = rows(FakeTime(), Plan(calls=3, passes=4), 3)["fast"]
    assert value(fast, "throughput") == pytest.approx(4 / 0.005)
    assert value(fast, "p50") == pytest.approx(5)
    assert value(fast, "p99") == pytest.approx(5)
    assert value(fast, "CPU") == pytest.approx(5 / 4)
    assert value(fast, "speed-up") == pytest.approx(2)
    assert value(fast, "floor") == value(fast, "floor CPU") == pytest.approx(7 / 4)
    assert value(fast, "not engine") == pytest.approx(100 * 2 / 7)
    assert value(fast, "agreement") == 50
    assert value(fast, "load") == 250
    assert value(fast, "load memory") == 30
    assert fast.name == "fast, batch 4"
    assert fast.settings == {"variant": "fast", "engine": "onnx", "precision": "int8", "batch": 4, "threads": 1}


def test_the_interval_of_a_ratio_contains_the_true_one() -> None:
    """In calls that differ by a fifth, around the delays; 95 % of intervals do."""
    speedup = rows(FakeTime(), Plan(calls=10, passes=10), 10, jitter=0.2)["fast"].figure("speed-up")
    assert speedup
    assert speedup.interval
    assert speedup.value == pytest.approx(2, rel=0.05)
    assert speedup.interval.low <= 2 <= speedup.interval.high
    assert speedup.interval.low < speedup.interval.high


@pytest.mark.parametrize("calls", [1, 4])
def test_a_machine_that_becomes_slower_does_not_bias_a_ratio(calls: int) -> None:
    """From twice to several times as slow within a round: one after the other would be told apart by that alone."""
    time = FakeTime(lambda now: 1.0 + now)
    found = rows(time, Plan(calls=calls, passes=2), 4)["fast"]
    speedup = found.figure("speed-up")
    assert time.wall > 0.1
    assert speedup
    assert speedup.repeats == pytest.approx([2] * 4, rel=0.01)
    p50 = found.figure("p50")
    assert p50
    assert p50.repeats[-1] > 1.05 * p50.repeats[0]  # it was slower


def test_percentiles_are_those_of_the_calls_and_the_histogram_has_all_of_them() -> None:
    time = FakeTime()
    delays = [0.001 * (number + 1) for number in range(200)]
    measured = measure_rounds(
        {"slow": lambda turn: time.work(delays[turn % 200])}, Plan(calls=50, passes=4), range(2), time.clock
    )
    row = row_of(variant("slow"), measured, Facts(1.0, [Loading(1, 1)]), baseline="slow", batch_size=1, threads=1)
    assert value(row, "p50") == pytest.approx(np.percentile(range(1, 201), 50))
    assert value(row, "p99") == pytest.approx(np.percentile(range(1, 201), 99))
    assert row.figure("floor") is None
    assert row.histogram
    histogram = HdrHistogram.decode(row.histogram)
    assert histogram.get_total_count() == 400
    assert histogram.get_value_at_percentile(50) == pytest.approx(100_000, rel=0.001)


def test_bursts_are_on_the_same_inputs_and_every_other_pass_goes_backwards() -> None:
    calls: list[str] = []
    subjects = {name: lambda turn, name=name: calls.append(f"{name}{turn}") for name in "ab"}
    measure_rounds(subjects, Plan(calls=2, passes=2), range(2), FakeTime().clock)
    first = ["a0", "a0", "a1", "b0", "b0", "b1", "b2", "b2", "b3", "a2", "a2", "a3"]
    second = ["a4", "a4", "a5", "b4", "b4", "b5", "b6", "b6", "b7", "a6", "a6", "a7"]
    assert calls == first + second  # the first call of each burst is not timed


def test_one_call_that_takes_long_is_not_made_twice() -> None:
    calls: list[int] = []
    measure_rounds({"a": calls.append}, Plan(calls=1, passes=2), range(1), FakeTime().clock)
    assert calls == [0, 1]


@pytest.mark.parametrize(
    ("once", "seconds", "calls", "passes"),
    [(0.005, 0.5, 10, 10), (0.2, 0.5, 1, 4), (2.0, 0.5, 1, 4), (0.0001, 0.01, 50, 2)],
)
def test_a_plan_is_of_short_bursts_and_as_long_as_asked(once: float, seconds: float, calls: int, passes: int) -> None:
    time = FakeTime()
    assert plan_of(lambda _: time.work(once), seconds, time.clock) == Plan(calls=calls, passes=passes)
