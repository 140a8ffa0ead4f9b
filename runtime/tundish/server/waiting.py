"""How a front's coroutine waits for other threads, and who runs it meanwhile.

A coroutine that answers one request belongs to no event loop: `Answering` runs it on the thread that has the request
until it waits, and then on the thread that brings what it waited for. An event loop in between would be woken up for
each request, by a thread that gives it the interpreter and soon wants it back, and that costs more than the work does.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine, Generator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")

Ended = Callable[[Any, BaseException | None], None]
"""Is given what a coroutine has returned, or the error that it ended with."""


async def all_done(futures: Sequence[Future[Any]], seconds: float | None = None) -> None:
    """Waits for futures of other threads, and cancels them if it is cancelled. For coroutines that `Answering` runs.

    Raises:
        TimeoutError: they were not done within so many seconds; they are cancelled.
    """
    try:
        await _Wait(futures, seconds)
    except (asyncio.CancelledError, TimeoutError):
        for future in futures:
            future.cancel()
        raise


async def set_by_another(future: Future[None]) -> None:
    """Waits for what concerns others as well, and so is never cancelled. For coroutines that `Answering` runs."""
    await _Wait((future,), None)


async def on_loop(coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    """What a coroutine of a front returns or raises, for who is on an event loop."""
    loop = asyncio.get_running_loop()
    loops_thread = threading.get_ident()
    settled: asyncio.Future[ResultT] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if settled.done():  # by a caller that has gone
            return
        if error is None:
            settled.set_result(result)
        else:
            settled.set_exception(error)

    def ended(result: Any, error: BaseException | None) -> None:
        if threading.get_ident() == loops_thread:
            settle(result, error)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    answering = Answering(coroutine, ended, loop)
    answering.start()
    try:
        return await settled
    except asyncio.CancelledError:
        answering.cancel()
        raise


class Answering:
    """Runs a coroutine that waits by `all_done` and `set_by_another` alone. Any thread may start or cancel it."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], ended: Ended, loop: asyncio.AbstractEventLoop) -> None:
        """`ended` is called once, on whichever thread that is; the loop wakes it up when it has waited long enough."""
        self._coroutine = coroutine
        self._ended = ended
        self._loop = loop
        self._lock = threading.Lock()
        self._wait: _Wait | None = None
        """That it is in; whoever takes it away runs the coroutine."""
        self._cancelled = False

    def start(self) -> None:
        """Returns when the coroutine waits or has ended."""
        self._run(None)

    def cancel(self) -> None:
        """Ends its wait by a CancelledError, or the next one if it is in none; nothing if it has ended."""
        with self._lock:
            wait = self._wait
            self._cancelled = wait is None
        if wait is not None:
            self._resume(wait, asyncio.CancelledError)

    def _run(self, error: type[BaseException] | None) -> None:
        try:
            wait = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
        except StopIteration as end:
            result = end.value
        except BaseException as failure:  # whatever it is, the request is answered
            self._ended(None, failure)
            return
        else:
            self._park(wait)
            return
        self._ended(result, None)

    def _park(self, wait: _Wait) -> None:
        with self._lock:
            cancelled, self._cancelled = self._cancelled, False
            if not cancelled:
                self._wait = wait
        if cancelled:
            self._run(asyncio.CancelledError)
            return
        if wait.seconds is not None:
            self._loop.call_soon_threadsafe(self._set_timer, wait)
        futures, wait.futures = wait.futures, ()  # each of which is about to keep the wait
        left = itertools.count(len(futures) - 1, -1)

        def count(_: Future[Any]) -> None:
            if not next(left):
                self._resume(wait, None)

        for future in futures:
            future.add_done_callback(count)

    def _resume(self, wait: _Wait, error: type[BaseException] | None) -> None:
        with self._lock:
            if self._wait is not wait:
                return
            self._wait = None
        if wait.timer is not None:
            self._loop.call_soon_threadsafe(wait.timer.cancel)
        self._run(error)

    def _set_timer(self, wait: _Wait) -> None:
        if self._wait is wait:
            assert wait.seconds is not None
            wait.timer = self._loop.call_later(wait.seconds, self._resume, wait, TimeoutError)
            if self._wait is not wait:  # any more: another thread has ended it, and may not have seen the timer
                wait.timer.cancel()


class _Wait:
    """What a coroutine yields: it goes on when all of the futures are done, or so many seconds have passed."""

    __slots__ = ("futures", "seconds", "timer")

    def __init__(self, futures: Sequence[Future[Any]], seconds: float | None) -> None:
        self.futures = futures
        self.seconds = seconds
        self.timer: asyncio.TimerHandle | None = None

    def __await__(self) -> Generator[_Wait, None, None]:
        yield self
