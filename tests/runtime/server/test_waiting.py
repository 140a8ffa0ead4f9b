"""How a coroutine that belongs to no event loop is run: by whom, and how its waits end."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest

from tundish.server.waiting import Answering, all_done, on_loop, set_by_another

SECONDS = 10
RACES = 500


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One that runs, for timers."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


class Ends(list[tuple[Any, BaseException | None]]):
    """What coroutines have ended with, and the threads that were told."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[int] = []
        self.told = threading.Event()

    def __call__(self, result: Any, error: BaseException | None) -> None:
        self.append((result, error))
        self.threads.append(threading.get_ident())
        self.told.set()


def begin(coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> tuple[Answering, Ends]:
    ends = Ends()
    answering = Answering(coroutine, ends, loop)
    answering.start()
    return answering, ends


async def sum_of(*futures: Future[int], seconds: float | None = None) -> int:
    await all_done(futures, seconds)
    return sum(future.result() for future in futures)


async def fail() -> None:
    raise ValueError("a fault")


def test_one_that_does_not_wait_ends_at_once(loop: asyncio.AbstractEventLoop) -> None:
    done: Future[int] = Future()
    done.set_result(3)
    _, ends = begin(sum_of(done), loop)
    assert ends == [(3, None)]
    assert ends.threads == [threading.get_ident()]


def test_an_error_ends_it(loop: asyncio.AbstractEventLoop) -> None:
    _, ends = begin(fail(), loop)
    ((result, error),) = ends
    assert result is None
    assert isinstance(error, ValueError)


def test_it_goes_on_on_the_thread_that_brings_the_last_result(loop: asyncio.AbstractEventLoop) -> None:
    first, second = Future[int](), Future[int]()
    _, ends = begin(sum_of(first, second), loop)
    first.set_result(1)
    assert not ends
    with ThreadPoolExecutor(1) as pool:
        there = pool.submit(threading.get_ident).result()
        pool.submit(second.set_result, 2)
    assert ends == [(3, None)]
    assert ends.threads == [there]


def test_several_waits(loop: asyncio.AbstractEventLoop) -> None:
    futures = [Future[int]() for _ in range(3)]

    async def one_by_one() -> list[int]:
        return [await sum_of(future) for future in futures]

    _, ends = begin(one_by_one(), loop)
    for number, future in enumerate(futures):
        assert not ends
        future.set_result(number)
    assert ends == [([0, 1, 2], None)]


def test_cancelling_ends_the_wait_and_cancels_what_was_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    future = Future[int]()
    answering, ends = begin(sum_of(future), loop)
    answering.cancel()
    ((_, error),) = ends
    assert isinstance(error, asyncio.CancelledError)
    assert future.cancelled()
    answering.cancel()
    assert len(ends) == 1


def test_one_that_is_running_is_cancelled_at_its_next_wait(loop: asyncio.AbstractEventLoop) -> None:
    future = Future[int]()

    async def cancelled_meanwhile() -> int:
        answering.cancel()
        return await sum_of(future)

    ends = Ends()
    answering = Answering(cancelled_meanwhile(), ends, loop)
    answering.start()
    assert isinstance(ends[0][1], asyncio.CancelledError)
    assert future.cancelled()


def test_what_concerns_others_is_not_cancelled(loop: asyncio.AbstractEventLoop) -> None:
    future = Future[None]()
    answering, ends = begin(set_by_another(future), loop)
    answering.cancel()
    assert isinstance(ends[0][1], asyncio.CancelledError)
    assert not future.cancelled()


def test_a_wait_that_is_too_long(loop: asyncio.AbstractEventLoop) -> None:
    future = Future[int]()
    _, ends = begin(sum_of(future, seconds=0.05), loop)
    assert ends.told.wait(SECONDS)
    assert isinstance(ends[0][1], TimeoutError)
    assert future.cancelled()


def test_a_wait_that_is_not(loop: asyncio.AbstractEventLoop) -> None:
    future = Future[int]()
    _, ends = begin(sum_of(future, seconds=0.2), loop)
    future.set_result(1)
    assert ends == [(1, None)]
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0.3), loop).result(SECONDS)
    assert len(ends) == 1


def test_a_timer_is_not_left_behind_by_a_wait_that_ends_while_it_is_set() -> None:
    """It would keep the call, for as long as its caller was ready to wait."""
    future, timer = Future[int](), Mock()

    def answered_meanwhile(*_: object) -> Mock:
        future.set_result(1)
        return timer

    soon: list[Callable[[], object]] = []
    loop = Mock(
        call_soon_threadsafe=lambda call, *args: soon.append(partial(call, *args)), call_later=answered_meanwhile
    )
    _, ends = begin(sum_of(future, seconds=3600), loop)
    for call in soon:
        call()
    assert ends == [(1, None)]
    timer.cancel.assert_called_once_with()


def test_whoever_comes_first_ends_it_once(loop: asyncio.AbstractEventLoop) -> None:
    """Results, cancellation and the timer, all at the same time."""
    kinds = set()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(RACES):
            future = Future[int]()
            answering, ends = begin(sum_of(future, seconds=0.0003), loop)
            together = threading.Barrier(2)

            def answer(future: Future[int] = future, together: threading.Barrier = together) -> None:
                together.wait(SECONDS)
                if future.set_running_or_notify_cancel():
                    future.set_result(1)

            def cancel(answering: Answering = answering, together: threading.Barrier = together) -> None:
                together.wait(SECONDS)
                answering.cancel()

            for racer in [pool.submit(answer), pool.submit(cancel)]:
                racer.result(SECONDS)
            assert ends.told.wait(SECONDS)
            assert len(ends) == 1
            kinds.add(type(ends[0][1]))
    assert kinds <= {type(None), asyncio.CancelledError, TimeoutError}


def test_nothing_is_left_for_the_collector(loop: asyncio.AbstractEventLoop) -> None:
    class Request:
        """Which must not outlive its answer."""

    async def answer(_request: Request, future: Future[int]) -> int:
        return await sum_of(future)

    gc.disable()
    try:
        request = Request()
        left = weakref.ref(request)
        future = Future[int]()
        answering, ends = begin(answer(request, future), loop)
        future.set_result(1)
        del request, future, answering
        assert ends
        assert left() is None
    finally:
        gc.enable()


async def test_from_an_event_loop() -> None:
    future = Future[int]()
    asyncio.get_running_loop().call_later(0.01, lambda: threading.Thread(target=future.set_result, args=(5,)).start())
    assert await on_loop(sum_of(future)) == 5


async def test_an_error_from_an_event_loop() -> None:
    with pytest.raises(ValueError, match="a fault"):
        await on_loop(fail())


async def test_cancelled_on_an_event_loop() -> None:
    future = Future[int]()
    asking = asyncio.ensure_future(on_loop(sum_of(future)))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert future.cancelled()
