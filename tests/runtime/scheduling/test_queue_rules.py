"""The rules of the queue and of batching, on a clock that stands still: each by the number that `queue.py` gives it."""

from __future__ import annotations

import functools
from concurrent.futures import wait
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dispatching import Stage

from tundish.errors import DeadlineExceededError, QueueFullError, StoppingError
from tundish.scheduling.batching import MAX_PADDING, Batching
from tundish.scheduling.item import Item
from tundish.scheduling.queue import SECONDS_PER_PRIORITY


def drained(stage: Stage, lane: object) -> list[list[object]]:
    """The batches that the one instance runs until it has no more."""
    batches = []
    while running := stage.running(lane):  # type: ignore[arg-type]
        batches += running
        stage.finish(lane)  # type: ignore[arg-type]
    return batches


def test_1_batches_come_in_the_order_of_arrival() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_batch_size=3)
    stage.submit(lane, "head")
    for payload in range(5):
        stage.submit(lane, payload)
    assert drained(stage, lane) == [["head"], [0, 1, 2], [3, 4]]


def test_1_an_urgent_item_goes_first() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_batch_size=1)
    stage.submit(lane, "head")
    for payload, priority in (("low", 3), ("normal", 2), ("urgent", 1), ("urgent too", 1)):
        stage.submit(lane, payload, priority=priority)
    assert drained(stage, lane) == [["head"], ["urgent"], ["urgent too"], ["normal"], ["low"]]


def test_1_an_item_is_not_overtaken_by_what_comes_too_long_after_it() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_batch_size=1)
    stage.submit(lane, "head")
    stage.submit(lane, "low", priority=3)
    stage.now = 2 * SECONDS_PER_PRIORITY - 0.1
    stage.submit(lane, "urgent in time", priority=1)
    stage.now = 2 * SECONDS_PER_PRIORITY + 0.1
    stage.submit(lane, "urgent too late", priority=1)
    assert drained(stage, lane) == [["head"], ["urgent in time"], ["low"], ["urgent too late"]]


def test_2_an_idle_instance_takes_at_once_what_there_is() -> None:
    stage = Stage(cores=1)
    lane = stage.lane()
    stage.submit(lane, "alone")
    assert stage.running(lane) == [["alone"]]


def test_2_an_item_of_another_kind_ends_a_batch_and_is_not_overtaken() -> None:
    stage = Stage(cores=1)
    lane = stage.lane()
    stage.submit(lane, "head")
    stage.submit(lane, 0, 1)
    stage.submit(lane, 2, entry="engine", shape=(3,))
    stage.submit(lane, 3, entry="engine", shape=(4,))
    stage.submit(lane, 4)
    assert drained(stage, lane) == [["head"], [0, 1], [2], [3], [4]]


def test_2_a_batch_is_cut_to_a_preferred_size() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_batch_size=8, preferred_batch_sizes=(2, 4))
    stage.submit(lane, "head")
    stage.submit(lane, *range(7))
    assert drained(stage, lane) == [["head"], [0, 1, 2, 3], [4, 5], [6]]


@pytest.mark.parametrize(
    ("cores", "threads", "batching", "running"),
    [
        (2, 1, {}, [[0, 1, 2], [3, 4]]),  # half of six, and of what is left
        (2, 1, {"max_batch_size": 2}, [[0, 1], [2, 3]]),
        (1, 1, {}, [[0, 1, 2, 3]]),  # there is no core for the other instance
        (2, 2, {}, [[0, 1, 2, 3]]),
        (2, 1, {"preferred_batch_sizes": (4,)}, [[0, 1, 2, 3], [4, 5]]),
        (2, 1, {"max_queue_delay_microseconds": 1}, [[0, 1, 2, 3]]),
    ],
)
def test_2_what_waits_is_shared_by_those_who_can_work_at_a_time(
    cores: int, threads: int, batching: dict[str, Any], running: list[list[int]]
) -> None:
    stage = Stage(cores)
    lane = stage.lane(instances=2, threads=threads, **batching)
    stage.submit(lane, *range(6))
    assert sorted(stage.running(lane)) == running


def test_2_an_instance_leaves_its_part_to_one_that_is_at_work() -> None:
    stage = Stage(cores=2)
    lane = stage.lane(instances=2)
    stage.submit(lane, "at work")
    stage.submit(lane, "ends first")
    stage.submit(lane, 0, 1)
    stage.finish(lane, stage.running(lane).index(["ends first"]))
    assert sorted(stage.running(lane), key=str) == [["at work"], [0]]


def test_3_with_a_delay_an_incomplete_batch_waits_for_more() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_batch_size=2, max_queue_delay_microseconds=5_000_000)
    stage.submit(lane, "first")
    assert stage.running(lane) == []
    assert stage.dispatcher.tick() == pytest.approx(5)
    stage.submit(lane, "second")
    assert stage.running(lane) == [["first", "second"]]


def test_3_with_a_delay_a_batch_of_a_preferred_size_does_not_wait() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_batch_size=8, preferred_batch_sizes=(2,), max_queue_delay_microseconds=5_000_000)
    stage.submit(lane, "first")
    stage.submit(lane, "second")
    assert stage.running(lane) == [["first", "second"]]


def test_3_with_a_delay_a_batch_does_not_wait_longer_than_that() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_queue_delay_microseconds=50_000)
    stage.submit(lane, "first")
    stage.now = 0.03
    stage.submit(lane, "second")
    assert stage.dispatcher.tick() == pytest.approx(0.02)
    assert stage.running(lane) == []
    stage.now = 0.0501
    stage.dispatcher.tick()
    assert stage.running(lane) == [["first", "second"]]


def test_3_with_a_delay_a_batch_that_cannot_grow_does_not_wait() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_queue_delay_microseconds=60_000_000)
    stage.submit(lane, 0)
    stage.submit(lane, 1, entry="engine")
    assert stage.running(lane) == [[0]]


def test_4_items_with_lengths_are_prepared_first_and_then_run_with_their_like() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(by_length=True)
    stage.submit(lane, 50)
    stage.submit(lane, 10, 100, 9, 98, 30)
    assert stage.finish(lane).kind == "prepare"
    assert stage.finish(lane).kind == "prepare"  # those that came meanwhile: the next batch may need them
    assert drained(stage, lane) == [[50], [10, 9], [100, 98], [30]]


def test_4_a_batch_has_no_more_tokens_than_allowed() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(by_length=True, max_batch_tokens=32)
    stage.submit(lane, 10, 10, 10, 10, 64)
    stage.finish(lane)
    assert drained(stage, lane) == [[10, 10, 10], [10], [64]]


def test_4_arrivals_do_not_keep_a_full_window_from_running() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(by_length=True, max_batch_size=2)
    stage.submit(lane, *[10] * 16)
    for _ in range(3):
        stage.submit(lane, *[10] * 16)
    assert stage.finish(lane).kind == "prepare"
    assert stage.finish(lane).kind == "run"


@given(st.lists(st.integers(1, 256), min_size=1, max_size=64), st.integers(1, 16), st.none() | st.integers(1, 2000))
def test_4_whatever_the_lengths_little_is_padding(lengths: list[int], most: int, tokens: int | None) -> None:
    rule = Batching(max_batch_size=most, by_length=True, max_batch_tokens=tokens)
    items = [Item(entry="pipeline", payload=length, priority=1, length=length) for length in lengths]
    batch = rule.choose(items)
    assert batch[0] is items[0]
    assert len(set(map(id, batch))) == len(batch) <= most
    longest, total = max(item.length for item in batch), sum(item.length for item in batch)
    assert longest * len(batch) - total <= MAX_PADDING * longest * len(batch)
    assert tokens is None or len(batch) == 1 or longest * len(batch) <= tokens


def test_5_a_cancelled_item_is_dropped() -> None:
    stage = Stage(cores=1)
    lane = stage.lane()
    stage.submit(lane, "head")
    gone, _ = stage.submit(lane, "gone", "stays")
    assert gone.future.cancel()
    assert drained(stage, lane) == [["head"], ["stays"]]


def test_5_an_item_that_is_cancelled_while_it_is_prepared_is_not_run() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(by_length=True)
    gone, _ = stage.submit(lane, 5, 6)
    assert gone.future.cancel()
    assert stage.finish(lane).kind == "prepare"
    assert stage.running(lane) == [[6]]


def test_5_an_item_that_is_cancelled_while_it_is_prepared_takes_no_room() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(by_length=True)
    _, gone = stage.submit(lane, 5, 6)
    gone.future.cancel()
    stage.submit(lane, 7)  # the queue looks for what is dead, and has not got it
    stage.finish(lane)
    assert stage.running(lane) == [[7]]
    assert len(lane.queue) == 1


def test_5_an_item_whose_deadline_has_passed_is_answered_and_never_run() -> None:
    stage = Stage(cores=1)
    lane = stage.lane()
    stage.submit(lane, "head")
    (late,), _ = stage.submit(lane, "late", deadline=1.0), stage.submit(lane, "good", deadline=9.0)
    stage.finish(lane, after=1.0)
    assert stage.running(lane) == [["good"]]
    with pytest.raises(DeadlineExceededError):
        late.future.result(0)


def test_5_what_is_dead_is_let_go_of_by_whatever_happens_next() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_batch_size=1)
    stage.submit(lane, "head")
    stage.submit(lane, "first")
    (late,), (gone,) = stage.submit(lane, "late", deadline=1.0), stage.submit(lane, "gone")
    gone.future.cancel()
    stage.now = 1.0
    stage.submit(lane, "last")
    assert isinstance(late.future.exception(0), DeadlineExceededError)
    assert len(lane.queue) == 2


def test_5_who_waits_for_a_cancelled_item_is_told() -> None:
    stage = Stage(cores=1)
    lane = stage.lane()
    stage.submit(lane, "head")
    (gone,) = stage.submit(lane, "gone")
    gone.future.cancel()
    stage.submit(lane, "next")
    assert wait([gone.future], timeout=0).done


def test_5_an_item_that_is_about_to_be_cancelled_is_not_told_that_it_is_late() -> None:
    stage = Stage(cores=1)
    lane = stage.lane()
    stage.submit(lane, "head")
    (gone,) = stage.submit(lane, "gone")
    noted = gone.future.on_abandoned
    assert noted is not None

    def note() -> None:
        noted()
        stage.submit(lane, "next")

    gone.future.on_abandoned = note
    assert gone.future.cancel()


def test_5_nobody_looks_for_an_item_that_has_its_answer() -> None:
    stage = Stage(cores=1)
    lane = stage.lane()
    (item,) = stage.submit(lane, "item")
    stage.finish(lane)
    assert not item.future.cancel()
    assert not lane.queue.may_hold_dead(stage.now)


def test_5_a_running_item_cannot_be_cancelled() -> None:
    stage = Stage(cores=1)
    (running,) = stage.submit(stage.lane(), "running")
    assert not running.future.cancel()


def test_6_a_full_queue_refuses_all_items_of_a_request_or_none() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_queue_size=3)
    stage.submit(lane, "head")
    stage.submit(lane, 0, 1)
    with pytest.raises(QueueFullError, match="holds 2 of at most 3 items, 2 more do not fit"):
        stage.submit(lane, 2, 3)
    stage.submit(lane, 4)
    assert drained(stage, lane) == [["head"], [0, 1, 4]]


def test_6_a_full_queue_lets_go_of_the_dead_first() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_queue_size=2)
    stage.submit(lane, "head")
    (gone,), (late,) = stage.submit(lane, "gone"), stage.submit(lane, "late", deadline=1.0)
    gone.future.cancel()
    stage.now = 1.0
    stage.submit(lane, "a", "b")
    assert isinstance(late.future.exception(0), DeadlineExceededError)
    assert drained(stage, lane) == [["head"], ["a", "b"]]


def test_6_a_request_that_would_be_late_is_refused_at_once_and_told_when_to_come_again() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_batch_size=1)
    stage.submit(lane, "first")
    stage.finish(lane, after=1.0)  # an item takes a second
    stage.submit(lane, "running")
    stage.submit(lane, "ahead", "ahead")
    with pytest.raises(
        QueueFullError, match=r"2 items are ahead .* about 4500 ms, and the deadline leaves 4400"
    ) as info:
        stage.submit(lane, "too late", deadline=stage.now + 4.4)
    assert info.value.retry_after_seconds == pytest.approx(2.25)
    stage.submit(lane, "urgent", deadline=stage.now + 4.4, priority=1)
    stage.submit(lane, "patient", deadline=stage.now + 9)


def test_6_what_is_dead_is_not_ahead_of_anyone() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_batch_size=1)
    stage.submit(lane, "first")
    stage.finish(lane, after=1.0)
    stage.submit(lane, "running")
    (gone,), _ = stage.submit(lane, "gone"), stage.submit(lane, "late", deadline=stage.now + 9)
    gone.future.cancel()
    stage.now += 9
    stage.submit(lane, "hurried", deadline=stage.now + 0.1)


def test_6_a_request_that_nothing_is_ahead_of_is_taken_however_slow_the_model_was() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_batch_size=1)
    stage.submit(lane, "first")
    stage.finish(lane, after=100.0)
    stage.submit(lane, "hopeful", deadline=stage.now + 1)
    assert stage.running(lane) == [["hopeful"]]


def test_6_whether_there_is_room_can_be_asked_beforehand() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_queue_size=2)
    stage.submit(lane, "head")
    ask = functools.partial(stage.dispatcher.check_room, lane)
    stage.submit(lane, "one")
    ask(deadline=None, priority=2)
    (gone,) = stage.submit(lane, "two")
    with pytest.raises(QueueFullError, match="holds 2 of at most 2 items, 1 more do not fit"):
        ask(deadline=None, priority=2)
    gone.future.cancel()
    ask(deadline=None, priority=2)  # what is dead has to be looked for: by who has something to submit
    stage.submit(lane, "three")
    stage.dispatcher.close(lane)
    with pytest.raises(StoppingError):
        ask(deadline=None, priority=2)


def test_6_whether_a_request_would_be_late_can_be_asked_beforehand() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_batch_size=1)
    stage.submit(lane, "first")
    stage.finish(lane, after=1.0)  # an item takes a second
    stage.submit(lane, "running")
    ask = functools.partial(stage.dispatcher.check_room, lane)
    ask(deadline=stage.now + 0.1, priority=2)
    stage.submit(lane, "ahead", "ahead")
    with pytest.raises(QueueFullError, match=r"2 items are ahead .* about 4500 ms, and the deadline leaves 4400"):
        ask(deadline=stage.now + 4.4, priority=2)
    ask(deadline=stage.now + 4.4, priority=1)
    ask(deadline=stage.now + 9, priority=2)
    ask(deadline=stage.now - 1, priority=2)  # which is told that it is late, and not to come again


def test_6_what_belongs_to_a_request_under_way_is_never_refused_for_others() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_batch_size=1, max_queue_size=2)
    stage.submit(lane, "first")
    stage.finish(lane, after=1.0)  # an item takes a second
    stage.submit(lane, "running")
    stage.submit(lane, 0, 1)
    stage.submit(lane, 2, 3, accepted=True, deadline=stage.now + 0.1)  # no room, and it will be late
    with pytest.raises(QueueFullError, match="holds 4 of at most 2 items, 1 more do not fit"):
        stage.submit(lane, 4)
    assert drained(stage, lane) == [["running"], [0], [1], [2], [3]]


def test_7_each_refusal_is_an_error_of_its_own() -> None:
    stage = Stage(cores=1)
    lane = stage.lane()
    stage.dispatcher.close(lane)
    errors = []
    for _ in range(2):
        with pytest.raises(StoppingError) as caught:
            stage.submit(lane, 0)
        errors.append(caught.value)
    assert errors[0] is not errors[1]  # or it would keep where it was raised, each time


def test_7_a_closed_queue_refuses_and_gives_out_what_it_has() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(max_batch_size=2, max_queue_delay_microseconds=60_000_000)
    stage.submit(lane, 0)
    stage.dispatcher.close(lane)
    with pytest.raises(StoppingError):
        stage.submit(lane, 1)
    assert stage.running(lane) == [[0]]
    assert not lane.drained.is_set()
    stage.finish(lane)
    assert lane.drained.is_set()
