"""The coordinator gives each item a place, hears on one thread what becomes of it, and answers every item once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

import pytest

from tundish.errors import DeadlineExceededError, InvalidInputError, QueueFullError, StoppingError
from tundish.scheduling import Batching, Coordinator, Cores
from tundish.scheduling.item import Item

SECONDS = 10.0


class Stage:
    """A coordinator whose items are under way until the test ends them."""

    def __init__(self, cores: Cores, *, places: int, max_queue_size: int) -> None:
        self.begun: SimpleQueue[str] = SimpleQueue()
        self._ends: dict[str, Callable[[Any], None]] = {}
        self.threads: set[str] = set()
        """Those on which items began."""
        self.coordinator = Coordinator(
            "model",
            Batching(max_batch_size=1, max_queue_size=max_queue_size),
            cores,
            places=places,
            begin=self._begin,
        )

    def submit(self, *names: str, deadline: float | None = None, priority: int = 2) -> list[Future[Any]]:
        return self.coordinator.submit(names, deadline=deadline, priority=priority)

    def next(self) -> str:
        """The item that begins next."""
        return self.begun.get(timeout=SECONDS)

    def end(self, name: str, outcome: Any = None) -> None:
        """The item's last step is done."""
        end = self._ends.pop(name)
        self.coordinator.post(lambda: end(f"{name} is done" if outcome is None else outcome))

    def settle(self) -> None:
        """Returns when the coordinator has done what it has to do."""
        done = threading.Event()
        self.coordinator.post(done.set)
        assert done.wait(SECONDS)

    def _begin(self, item: Item, end: Callable[[Any], None]) -> None:
        self.threads.add(threading.current_thread().name)
        self._ends[item.payload] = end
        self.begun.put(item.payload)


@pytest.fixture(scope="module")
def cores() -> Iterator[Cores]:
    made = Cores(1)
    yield made
    made.close()


@pytest.fixture
def make(cores: Cores) -> Iterator[Callable[..., Stage]]:
    """Makes a stage, whose items are to be ended by the test."""
    stages: list[Stage] = []

    def made(places: int = 1, max_queue_size: int = 100) -> Stage:
        stages.append(Stage(cores, places=places, max_queue_size=max_queue_size))
        return stages[-1]

    yield made
    for stage in stages:
        stage.coordinator.close()


def test_so_many_items_are_under_way_as_there_are_places(make: Callable[..., Stage]) -> None:
    stage = make(places=2)
    futures = stage.submit("a", "b", "c", "d")
    assert [stage.next(), stage.next()] == ["a", "b"]
    stage.settle()
    assert stage.begun.empty()
    assert stage.coordinator.waiting == 2
    stage.end("b")
    assert stage.next() == "c"
    assert futures[1].result(SECONDS) == "b is done"
    stage.settle()
    assert stage.begun.empty()
    for name in ("a", "c", "d"):
        stage.end(name)
        if name == "a":
            assert stage.next() == "d"
    assert [future.result(SECONDS) for future in futures] == [f"{name} is done" for name in "abcd"]
    assert stage.threads == {"model-coordinator"}


def test_who_goes_first_has_a_place_first(make: Callable[..., Stage]) -> None:
    stage = make()
    stage.submit("head")
    stage.submit("last", priority=3)
    stage.submit("second")
    stage.submit("first", priority=1)
    order = []
    for _ in range(4):
        order.append(stage.next())
        stage.end(order[-1])
    assert order == ["head", "first", "second", "last"]


def test_an_item_that_is_late_or_that_nobody_wants_does_not_begin(make: Callable[..., Stage]) -> None:
    stage = make()
    stage.submit("head")
    assert stage.next() == "head"
    (late,) = stage.submit("late", deadline=time.monotonic() - 1)
    (gone,), (next_one,) = stage.submit("gone"), stage.submit("next")
    assert gone.cancel()
    stage.end("head")
    assert stage.next() == "next"
    with pytest.raises(DeadlineExceededError):
        late.result(SECONDS)
    stage.end("next")
    assert next_one.result(SECONDS) == "next is done"
    assert stage.begun.empty()


def test_a_full_queue_refuses_a_request_whole(make: Callable[..., Stage]) -> None:
    stage = make(max_queue_size=2)
    stage.submit("head")
    assert stage.next() == "head"
    stage.submit("a")
    with pytest.raises(QueueFullError, match="holds 1 of at most 2 items, 2 more do not fit"):
        stage.submit("b", "c")
    stage.submit("d")
    for name in ("head", "a", "d"):
        stage.end(name)
        if name != "d":
            stage.next()


def test_an_error_is_raised_to_the_caller(make: Callable[..., Stage]) -> None:
    stage = make()
    (future,) = stage.submit("a")
    stage.next()
    stage.end("a", InvalidInputError("unreadable"))
    with pytest.raises(InvalidInputError, match="unreadable"):
        future.result(SECONDS)


def test_closing_refuses_what_comes_and_answers_what_was_accepted(make: Callable[..., Stage]) -> None:
    stage = make()
    futures = stage.submit("a", "b", "c")
    assert stage.next() == "a"
    closing = threading.Thread(target=stage.coordinator.close)
    closing.start()
    while True:
        try:
            futures += stage.submit("too early")
        except StoppingError:
            break
    accepted = len(futures)
    stage.end("a")
    for _ in range(accepted - 1):
        assert closing.is_alive()
        stage.end(stage.next())
    closing.join(SECONDS)
    assert not closing.is_alive()
    assert all(future.result(0) for future in futures)
    assert not [thread for thread in threading.enumerate() if thread.name == "model-coordinator"]
    with pytest.raises(StoppingError):
        stage.submit("late")
    stage.coordinator.close()  # twice is once


def test_an_event_that_raises_costs_no_other_its_answer(
    make: Callable[..., Stage], caplog: pytest.LogCaptureFixture
) -> None:
    stage = make()

    def fail() -> None:
        raise ZeroDivisionError

    stage.coordinator.post(fail)
    (future,) = stage.submit("a")
    stage.next()
    stage.end("a")
    assert future.result(SECONDS) == "a is done"
    assert "An event of model-coordinator failed." in caplog.text


def test_items_under_way_take_no_cores(make: Callable[..., Stage]) -> None:
    stage, other = make(places=3), make()
    stage.submit("a", "b", "c")
    assert {stage.next() for _ in range(3)} == {"a", "b", "c"}
    other.submit("d")  # there is one core, and nobody holds it
    assert other.next() == "d"
    for name in "abc":
        stage.end(name)
    other.end("d")
