"""The rules of the queue: what becomes a batch, what is dropped, what is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tundish.errors import DeadlineExceededError, QueueFullError, StoppingError
from tundish.scheduling.queue import Batching, Item, ItemQueue


def item(payload: object, *, entry: str = "pipeline", shape: object = None, deadline: float | None = None) -> Item:
    return Item(entry, shape, payload, deadline)  # type: ignore[arg-type]


def queue(**batching: int) -> ItemQueue:
    return ItemQueue(Batching(**{"max_batch_size": 4, **batching}))


def put(target: ItemQueue, *items: Item) -> None:
    target.put(list(items), drain_seconds_per_item=0.0)


def payloads(target: ItemQueue) -> list[object]:
    batch = target.take()
    assert batch is not None
    return [each.payload for each in batch]


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_takes_what_waits_up_to_the_maximum_in_order_of_arrival() -> None:
    target = queue(max_batch_size=3)
    put(target, *map(item, range(5)))
    assert payloads(target) == [0, 1, 2]
    assert payloads(target) == [3, 4]


def test_a_greedy_queue_never_waits_for_more() -> None:
    target = queue()
    put(target, item("alone"))
    started = time.monotonic()
    assert payloads(target) == ["alone"]
    assert time.monotonic() - started < 0.5


def test_an_item_of_another_kind_ends_a_batch_and_is_not_overtaken() -> None:
    target = queue()
    put(target, item(0), item(1), item(2, entry="engine", shape=(3,)), item(3, entry="engine", shape=(4,)), item(4))
    assert [payloads(target) for _ in range(4)] == [[0, 1], [2], [3], [4]]


def test_take_blocks_until_something_arrives() -> None:
    target = queue()
    taken: list[object] = []
    thread = in_thread(lambda: taken.extend(payloads(target)))
    time.sleep(0.05)
    assert not taken
    put(target, item("late"))
    thread.join(5)
    assert taken == ["late"]


def test_with_a_delay_a_batch_waits_for_more() -> None:
    target = queue(max_batch_size=2, max_queue_delay_microseconds=5_000_000)
    put(target, item("first"))
    taken: list[object] = []
    thread = in_thread(lambda: taken.extend(payloads(target)))
    time.sleep(0.05)
    assert not taken
    put(target, item("second"))
    thread.join(2)
    assert taken == ["first", "second"]


def test_with_a_delay_a_batch_does_not_wait_longer_than_that() -> None:
    target = queue(max_queue_delay_microseconds=50_000)
    put(target, item("alone"))
    started = time.monotonic()
    assert payloads(target) == ["alone"]
    assert 0.02 < time.monotonic() - started < 2


def test_with_a_delay_a_batch_that_cannot_grow_does_not_wait() -> None:
    target = queue(max_queue_delay_microseconds=60_000_000)
    put(target, item(0), item(1, entry="engine"))
    assert payloads(target) == [0]


def test_a_cancelled_item_is_dropped() -> None:
    target = queue()
    gone, stays = item("gone"), item("stays")
    put(target, gone, stays)
    assert gone.future.cancel()
    assert payloads(target) == ["stays"]


def test_an_item_whose_deadline_has_passed_is_answered_and_never_run() -> None:
    target = queue()
    late, good = item("late", deadline=time.monotonic() - 1), item("good", deadline=time.monotonic() + 60)
    put(target, good, late)
    assert payloads(target) == ["good"]
    with pytest.raises(DeadlineExceededError):
        late.future.result(0)


def test_a_running_item_cannot_be_cancelled() -> None:
    target = queue()
    running = item("running")
    put(target, running)
    payloads(target)
    assert not running.future.cancel()


def test_a_full_queue_refuses_all_items_of_a_request_or_none() -> None:
    target = queue(max_queue_size=3)
    put(target, item(0), item(1))
    with pytest.raises(QueueFullError, match="holds 2 of at most 3 items, 2 more do not fit") as caught:
        target.put([item(2), item(3)], drain_seconds_per_item=0.5)
    assert caught.value.retry_after_seconds == pytest.approx(0.75)
    put(target, item(4))
    assert payloads(target) == [0, 1, 4]


def test_a_closed_queue_refuses_and_gives_out_what_it_has() -> None:
    target = queue(max_batch_size=1, max_queue_delay_microseconds=60_000_000)
    put(target, item(0), item(1))
    target.close()
    with pytest.raises(StoppingError):
        put(target, item(2))
    assert payloads(target) == [0]
    assert payloads(target) == [1]
    assert target.take() is None


def test_closing_wakes_those_who_wait() -> None:
    target = queue()
    results: list[object] = []
    threads = [in_thread(lambda: results.append(target.take())) for _ in range(3)]
    time.sleep(0.05)
    target.close()
    for thread in threads:
        thread.join(5)
    assert results == [None, None, None]
