"""Who gets the cores, and what becomes of who takes too long: each by the number that `dispatcher.py` gives it."""

from __future__ import annotations

import math

import pytest
from support.dispatching import FakeInstance, Stage

from tundish.errors import EngineError, ModelNotReadyError
from tundish.scheduling.dispatcher import Lane


def test_1_instances_never_hold_more_cores_than_there_are() -> None:
    stage = Stage(cores=3)
    lanes = [stage.lane(name, instances=3, max_batch_size=1) for name in "ab"]
    for lane in lanes:
        stage.submit(lane, 0, 1, 2)
    assert sum(len(stage.running(lane)) for lane in lanes) == 3


def test_1_an_instance_with_more_threads_than_cores_holds_them_all() -> None:
    stage = Stage(cores=2)
    wide, narrow = stage.lane("wide", threads=8), stage.lane("narrow")
    stage.submit(wide, "wide")
    stage.submit(narrow, "narrow")
    assert (stage.running(wide), stage.running(narrow)) == ([["wide"]], [])
    stage.finish(wide)
    assert stage.running(narrow) == [["narrow"]]


def shares(stage: Stage, work: dict[Lane, float], seconds: float) -> dict[str, float]:
    """Core seconds that each lane got, of which each always has more to do; a batch of it takes so long."""
    got = dict.fromkeys((lane.name for lane in work), 0.0)
    for lane in work:
        stage.submit(lane, *range(300))
    ends: dict[tuple[Lane, FakeInstance], float] = {}
    while stage.now < seconds:
        for lane in work:
            for instance in stage.instances[lane]:
                if instance.work:
                    ends.setdefault((lane, instance), stage.now + work[lane])
        (lane, instance), end = min(ends.items(), key=lambda entry: entry[1])
        del ends[lane, instance]
        stage.now = end
        got[lane.name] += work[lane]
        stage.finish(lane, stage.instances[lane].index(instance))
    return got


def test_2_models_get_equal_shares_whatever_a_batch_of_theirs_takes() -> None:
    stage = Stage(cores=1)
    slow, quick = (stage.lane(name, max_batch_size=1, max_queue_size=1000) for name in ("slow", "quick"))
    got = shares(stage, {slow: 1.0, quick: 0.1}, 20.0)
    assert got["quick"] == pytest.approx(got["slow"], rel=0.15)


def test_2_a_model_that_was_idle_is_not_owed_the_time() -> None:
    stage = Stage(cores=1)
    busy, idle = (stage.lane(name, max_batch_size=1, max_queue_size=1000) for name in ("busy", "idle"))
    stage.submit(busy, *range(50))
    for _ in range(40):
        stage.finish(busy, after=1.0)
    stage.submit(idle, *range(10))
    order = []
    for _ in range(6):
        lane = busy if stage.running(busy) else idle
        order.append(lane.name)
        stage.finish(lane, after=1.0)
    assert order.count("idle") == order.count("busy") == 3


def test_3_small_instances_do_not_keep_out_a_large_one() -> None:
    stage = Stage(cores=2)
    small = stage.lane("small", instances=2, max_batch_size=1)
    large = stage.lane("large", threads=2)
    stage.submit(small, *range(10))
    stage.submit(large, "large")
    stage.finish(small, 0, after=1.0)
    assert stage.running(large) == []
    assert len(stage.running(small)) == 1  # the free core waits for the other
    stage.finish(small, 1)
    assert stage.running(large) == [["large"]]


def test_1_a_lane_without_threads_takes_no_cores() -> None:
    stage = Stage(cores=1)
    leads, works = stage.lane("leads", instances=3, threads=0, max_batch_size=1), stage.lane("works")
    stage.submit(leads, 0, 1, 2, 3)
    stage.submit(works, "works")
    assert stage.running(works) == [["works"]]
    assert stage.running(leads) == [[2], [1], [0]]  # as many as it has instances
    stage.finish(leads, 1)
    assert stage.running(leads) == [[2], [3], [0]]


@pytest.mark.parametrize("leaders", [0, 2])
def test_2_a_lane_without_threads_does_not_change_the_shares_of_others(leaders: int) -> None:
    stage = Stage(cores=1)
    slow, quick = (stage.lane(name, max_batch_size=1, max_queue_size=1000) for name in ("slow", "quick"))
    leading = [
        stage.lane(f"leads-{n}", instances=2, threads=0, max_batch_size=1, max_queue_size=1000) for n in range(leaders)
    ]
    got = shares(stage, {slow: 1.0, quick: 0.1, **dict.fromkeys(leading, 0.3)}, 20.0)
    assert got["quick"] == pytest.approx(got["slow"], rel=0.15)


def test_2_a_model_that_comes_after_one_without_threads_begins_level_with_the_others() -> None:
    stage = Stage(cores=1)
    busy, late = (stage.lane(name, max_batch_size=1, max_queue_size=1000) for name in ("busy", "late"))
    leads = stage.lane("leads", threads=0, max_batch_size=1, max_queue_size=1000)
    stage.submit(busy, *range(50))
    for _ in range(20):
        stage.finish(busy, after=1.0)
    stage.submit(leads, *range(5))
    stage.submit(late, *range(10))
    order = []
    for _ in range(6):
        lane = busy if stage.running(busy) else late
        order.append(lane.name)
        stage.finish(lane, after=1.0)
    assert order.count("late") == order.count("busy") == 3


def test_3_a_lane_without_threads_does_not_wait_for_a_large_one() -> None:
    stage = Stage(cores=2)
    small, large = stage.lane("small", max_batch_size=1), stage.lane("large", threads=2)
    leads = stage.lane("leads", threads=0, max_batch_size=1)
    stage.submit(small, *range(3))
    for _ in range(2):
        stage.finish(small, after=1.0)  # so that the large one has had less than it, and than whoever comes
    stage.submit(large, "large")
    stage.submit(leads, "leads")
    assert stage.running(large) == []
    assert stage.running(leads) == [["leads"]]


def test_4_a_lane_without_a_limit_is_not_looked_after() -> None:
    stage = Stage(cores=1)
    leads = stage.lane("leads", threads=0, run_limit_seconds=math.inf)
    (item,) = stage.submit(leads, "long")
    stage.now = 1e9
    assert stage.dispatcher.tick() is None
    assert not item.future.done()


def test_4_an_instance_that_takes_too_long_is_given_up_and_its_items_fail() -> None:
    stage = Stage(cores=1)
    lane = stage.lane("model", run_limit_seconds=10, max_batch_size=2)
    first, second = stage.submit(lane, "first", "second")
    (after,) = stage.submit(lane, "after")
    assert stage.dispatcher.tick() == pytest.approx(10)
    stage.now = 9.9
    stage.dispatcher.tick()
    assert not first.future.done()
    stage.now = 10.0
    stage.dispatcher.tick()
    for item in (first, second):
        with pytest.raises(EngineError, match="'model' gave no answer within 10 seconds; its instance was replaced"):
            item.future.result(0)
    (hanging,) = stage.instances[lane]
    assert hanging.given_up
    stage.add_instance(lane)
    assert stage.running(lane) == [["after"]]
    assert not stage.dispatcher.finish(lane, hanging)  # it comes back: nobody listens
    assert stage.running(lane) == [["after"]]
    stage.finish(lane, 1)
    assert after.future.result(0) == "after"


def test_4_an_instance_that_hangs_while_it_prepares_is_given_up_too() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(run_limit_seconds=10, by_length=True)
    gone, stays = stage.submit(lane, 1, 2)
    gone.future.cancel()
    stage.now = 10.0
    stage.dispatcher.tick()
    assert isinstance(stays.future.exception(0), EngineError)
    assert gone.future.cancelled()


def test_4_the_cores_of_an_instance_that_hangs_are_free_for_others() -> None:
    stage = Stage(cores=1)
    hanging, other = stage.lane("hanging", run_limit_seconds=10), stage.lane("other")
    stage.submit(hanging, "hangs")
    stage.submit(other, "waits")
    stage.now = 10.0
    stage.dispatcher.tick()
    assert stage.running(other) == [["waits"]]


def test_5_a_lane_without_work_is_drained_at_once() -> None:
    stage = Stage(cores=1)
    lane = stage.lane()
    stage.dispatcher.close(lane)
    assert lane.drained.is_set()


def cores_of(stage: Stage, lane: Lane) -> list[int | None]:
    """That the instances at work were pinned to."""
    return [instance.core for instance in stage.instances[lane] if instance.work]


def test_6_an_instance_that_leaves_no_core_free_is_pinned_to_its_own() -> None:
    stage = Stage(cores=3)
    lane = stage.lane(instances=3, max_batch_size=1, pinnable=True)
    stage.submit(lane, *range(2))
    assert [core for core in cores_of(stage, lane) if core is not None] == []
    stage.submit(lane, *range(10))
    assert len([core for core in cores_of(stage, lane) if core is not None]) == 1  # the last that began
    for index in range(3):
        stage.finish(lane, index)
    assert sorted(core for core in cores_of(stage, lane) if core is not None) == [0, 1, 2]


def test_6_an_instance_comes_back_to_its_core() -> None:
    stage = Stage(cores=2)
    lane = stage.lane(instances=2, max_batch_size=1, pinnable=True)
    stage.submit(lane, *range(20))
    for index in (0, 1):
        stage.finish(lane, index)
    before = cores_of(stage, lane)
    for index in (0, 0, 1, 0, 1, 1):
        stage.finish(lane, index)
    assert cores_of(stage, lane) == before


def test_6_an_instance_is_let_go_once_a_core_is_free() -> None:
    stage = Stage(cores=2)
    lane = stage.lane(instances=2, max_batch_size=1, pinnable=True)
    stage.submit(lane, *range(3))
    stage.finish(lane, 0)
    assert cores_of(stage, lane)[0] is not None
    stage.finish(lane, 0)
    stage.finish(lane, 1)
    stage.submit(lane, "alone")
    assert cores_of(stage, lane) == [None]


def test_6_instances_that_compute_on_other_threads_than_their_own_are_never_pinned() -> None:
    stage = Stage(cores=2)
    own, others = stage.lane("own", max_batch_size=1, pinnable=True), stage.lane("others", max_batch_size=1)
    stage.submit(others, *range(4))
    stage.submit(own, *range(4))
    stage.finish(others)
    assert cores_of(stage, others) == [None]
    assert None not in cores_of(stage, own)


def test_removing_a_lane_refuses_what_waits_and_frees_its_cores() -> None:
    stage = Stage(cores=1)
    lane, other = stage.lane("model", max_batch_size=1), stage.lane("other")
    _, waits = stage.submit(lane, "runs", "waits")
    stage.submit(other, "other")
    stage.dispatcher.remove(lane, ModelNotReadyError("gone"))
    assert isinstance(waits.future.exception(0), ModelNotReadyError)
    assert stage.running(other) == [["other"]]
    stage.dispatcher.remove(lane, ModelNotReadyError("gone"))  # twice is once


def test_the_alarm_rings_when_the_clock_must_be_looked_at_earlier_than_it_said() -> None:
    stage = Stage(cores=2)
    lane = stage.lane("late", run_limit_seconds=50)
    stage.submit(lane, 0)
    assert stage.alarms == 1
    assert stage.dispatcher.tick() == pytest.approx(50)
    stage.finish(lane)
    stage.now = 5.0
    stage.submit(lane, 1)  # due at 55, and somebody looks at 50
    assert stage.alarms == 1
    sooner = stage.lane("sooner", max_queue_delay_microseconds=1_000_000)
    stage.submit(sooner, 2)
    assert stage.alarms == 2
    assert stage.dispatcher.tick() == pytest.approx(1)


def test_5_a_closed_lane_ends_also_if_its_last_caller_goes_in_the_middle_of_an_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(cores=1)
    closed, other = stage.lane("closed"), stage.lane("other")
    stage.submit(other, 0)
    (gone,) = stage.submit(closed, 1)
    reckon = stage.dispatcher._next_event

    def cancelling(now: float) -> float | None:
        gone.future.cancel()
        return reckon(now)

    monkeypatch.setattr(stage.dispatcher, "_next_event", cancelling)
    stage.dispatcher.close(closed)
    stage.finish(other)
    assert closed.drained.is_set()


class Untouched:
    """Stands for a queue that nothing may be asked of."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"asked for {name}")


def test_models_without_work_are_not_looked_at() -> None:
    stage = Stage(cores=1)
    was_busy, idle = stage.lane("was busy"), stage.lane("idle")
    stage.submit(was_busy, 0)
    stage.finish(was_busy)
    for lane in (was_busy, idle):
        lane.queue = Untouched()  # type: ignore[assignment]
    busy = stage.lane("busy")
    stage.submit(busy, 1)
    stage.finish(busy)
    stage.dispatcher.tick()
