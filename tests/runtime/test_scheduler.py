"""The scheduler drives its instances, answers every item once, and survives what they do."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tundish.errors import EngineError, InvalidInputError, StoppingError, TundishError
from tundish.pipeline import Answer, Entry
from tundish.results import StageTimes
from tundish.scheduling import Batching, Scheduler

TIMES = StageTimes(0, 1, 2, 3, 1)


class Echo(Entry[Any, Any]):
    """Answers each item with itself; strings beginning with "bad" fail, "crash" breaks the whole batch."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.open = threading.Event()
        self.open.set()

    def run(self, batch: Sequence[Any]) -> list[Answer[Any] | TundishError]:
        self.open.wait(10)
        self.batches.append(list(batch))
        if "crash" in batch:
            raise ZeroDivisionError("a fault of the server's own")
        return [InvalidInputError(item) if str(item).startswith("bad") else Answer(item, TIMES) for item in batch]


def outputs(futures: Sequence[Future[Any]]) -> list[Any]:
    return [future.result(10).output for future in futures]


def scheduler(*echoes: Echo, **batching: int) -> Scheduler:
    settings = Batching(**{"max_batch_size": 4, "max_queue_size": 1000, **batching})
    return Scheduler("test", [{"pipeline": echo, "engine": echo} for echo in echoes], settings)


def test_answers_and_counts_the_time_in_the_queue() -> None:
    echo = Echo()
    target = scheduler(echo)
    (future,) = target.submit("pipeline", ["item"])
    answer = future.result(10)
    assert answer.output == "item"
    assert answer.stage_times.queue_nanoseconds > 0
    assert answer.stage_times.compute_nanoseconds == 2
    target.close()


def test_one_bad_item_fails_alone() -> None:
    echo = Echo()
    echo.open.clear()
    target = scheduler(echo)
    futures = target.submit("pipeline", ["first", "a", "bad", "b"])
    echo.open.set()
    assert futures[0].result(10).output == "first"
    assert futures[1].result(10).output == "a"
    with pytest.raises(InvalidInputError):
        futures[2].result(10)
    assert futures[3].result(10).output == "b"
    target.close()


def test_an_instance_survives_a_fault_of_its_own_and_tells_the_callers() -> None:
    target = scheduler(Echo(), max_batch_size=1)
    (future,) = target.submit("pipeline", ["crash"])
    with pytest.raises(EngineError, match="ZeroDivisionError"):
        future.result(10)
    assert outputs(target.submit("pipeline", ["after"])) == ["after"]
    target.close()


def test_a_cancelled_item_never_reaches_an_instance() -> None:
    echo = Echo()
    echo.open.clear()
    target = scheduler(echo, max_batch_size=1)
    first, second, third = (target.submit("pipeline", [name])[0] for name in ("first", "second", "third"))
    assert second.cancel()
    echo.open.set()
    assert outputs([first, third]) == ["first", "third"]
    target.close()
    assert ["second"] not in echo.batches


def test_closing_answers_what_was_accepted_and_refuses_the_rest() -> None:
    echo = Echo()
    echo.open.clear()
    target = scheduler(echo)
    futures = target.submit("pipeline", list(range(20)))
    closer = threading.Thread(target=target.close)
    closer.start()
    while True:
        try:
            futures += target.submit("pipeline", ["more"])
        except StoppingError:
            break
    echo.open.set()
    closer.join(10)
    assert not closer.is_alive()
    assert all(future.done() for future in futures)
    assert outputs(futures)[:20] == list(range(20))


def test_instances_work_side_by_side() -> None:
    both_run = threading.Barrier(2)

    class Meeting(Echo):
        def run(self, batch: Sequence[Any]) -> list[Answer[Any] | TundishError]:
            both_run.wait(10)
            return super().run(batch)

    target = scheduler(Meeting(), Meeting(), max_batch_size=1)
    assert outputs(target.submit("pipeline", ["a", "b"])) == ["a", "b"]
    target.close()


@settings(max_examples=40, deadline=None)
@given(
    plan=st.lists(
        st.tuples(st.sampled_from(["good", "bad", "crash"]), st.sampled_from(["pipeline", "engine"]), st.booleans()),
        max_size=60,
    ),
    instances=st.integers(1, 3),
    max_batch_size=st.integers(1, 5),
)
def test_every_item_is_answered_once_whatever_happens(
    plan: list[tuple[str, Any, bool]], instances: int, max_batch_size: int
) -> None:
    echoes = [Echo() for _ in range(instances)]
    target = scheduler(*echoes, max_batch_size=max_batch_size)
    answered: list[str] = []
    futures = []
    for index, (kind, entry, cancel) in enumerate(plan):
        payload = kind if kind == "crash" else f"{kind} {index}"
        (future,) = target.submit(entry, [payload])
        future.add_done_callback(functools.partial(lambda name, _: answered.append(name), payload))
        futures.append((future, payload, cancel and future.cancel()))
    target.close()
    assert len(answered) == len(plan)
    ran = [item for echo in echoes for batch in echo.batches for item in batch]
    for future, payload, cancelled in futures:
        assert future.done()
        assert future.cancelled() == cancelled
        if payload != "crash":
            assert ran.count(payload) == (0 if cancelled else 1)
    assert all(len(batch) <= max_batch_size for echo in echoes for batch in echo.batches)
