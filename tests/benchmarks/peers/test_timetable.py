"""Time is shared evenly, and is never more than there is."""

from __future__ import annotations

import pytest

from tundish_bench.errors import BenchmarkError
from tundish_bench.peers.timetable import Timetable


class Clock:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def spent(minutes: float, points: dict[str, int], *, start: float, overhead: float) -> dict[str, list[float]]:
    """What each load of each workload was given, and that the end was kept."""
    clock = Clock()
    timetable = Timetable(60 * minutes, points, clock=clock)
    loads: dict[str, list[float]] = {}
    for workload in points:
        clock.now += start
        pace = timetable.begin(workload)
        assert pace.loads == pace.rounds * points[workload]
        loads[workload] = []
        for _ in range(pace.loads):
            loads[workload].append(pace.next_seconds())
            clock.now += loads[workload][-1] + overhead
            pace.done()
        timetable.end(workload)
    assert clock.now - 1000.0 <= 60 * minutes
    assert timetable.left == pytest.approx(60 * minutes - (clock.now - 1000.0))
    return loads


@pytest.mark.parametrize("start", [5.0, 29.0, 45.0])
@pytest.mark.parametrize("overhead", [0.05, 0.5, 1.2])
def test_all_of_the_time_is_shared_evenly(start: float, overhead: float) -> None:
    points = {"images": 24, "tensors": 24, "texts": 24, "four-models": 24}
    loads = spent(20, points, start=start, overhead=overhead)
    of_a_point = {name: sum(seconds) / points[name] for name, seconds in loads.items()}
    assert min(of_a_point.values()) > 0.75 * max(of_a_point.values())
    for seconds in loads.values():
        assert len(seconds) >= 3 * 24
        assert max(seconds[24:]) < 1.1 * min(seconds[24:])  # once it is known what a load takes besides


def test_a_workload_gets_time_by_its_points() -> None:
    loads = spent(10, {"images": 8, "texts": 24}, start=10.0, overhead=0.4)
    assert sum(loads["texts"]) == pytest.approx(3 * sum(loads["images"]), rel=0.2)


def test_rounds_are_two_at_least_and_eight_at_most() -> None:
    assert len(spent(6, dict.fromkeys("abcd", 24), start=15.0, overhead=0.5)["a"]) == 2 * 24
    assert len(spent(20, {"a": 3}, start=5.0, overhead=0.5)["a"]) == 8 * 3


def test_too_little_time_is_refused_at_once() -> None:
    with pytest.raises(
        BenchmarkError, match=r"3 minutes are too few for 96 points on 4 workloads; give at least 5\.7 "
    ):
        Timetable(180, dict.fromkeys("abcd", 24))


def test_the_time_of_a_workload_that_failed_is_for_the_others() -> None:
    clock = Clock()
    timetable = Timetable(600, {"a": 10, "b": 10, "c": 10}, clock=clock)
    timetable.end("a")  # before it began
    clock.now += 5
    timetable.begin("b")
    timetable.end("b")  # at once
    clock.now += 5
    pace = timetable.begin("c")
    assert pace.next_seconds() > 5
