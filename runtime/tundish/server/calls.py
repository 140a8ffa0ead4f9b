"""What every front does the same way: deadlines, waiting for answers, errors as status, streams in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Future
from typing import Any, NoReturn, Protocol, TypeVar

import grpc

from tundish.errors import (
    ERROR_METADATA_KEY,
    PUSHBACK_METADATA_KEY,
    DeadlineExceededError,
    QueueFullError,
    StoppingError,
    TundishError,
)
from tundish.server.grpc_core import Metadata, Status
from tundish.server.waiting import all_done

IN_FLIGHT_PER_STREAM = 16
"""How many requests of one stream are worked on at a time; further ones wait in the transport's flow control."""

_LONGEST_MESSAGE = 500
"""In characters, of up to twelve bytes each on the wire; a sentence quotes what the caller sent, however long."""

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class Context(Protocol):
    """What a stream's method knows of its call."""

    def time_remaining(self) -> float | None:
        """Seconds until the call's deadline, if it has one."""
        ...

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        """What the caller has sent before its first message."""
        ...

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = ()) -> NoReturn:
        """Ends the call with a status."""
        ...


async def abort(context: Context, error: TundishError) -> NoReturn:
    """Ends the call with the error's status."""
    try:
        await context.abort(*status_of(error))
    finally:
        del context, error  # which the exception that ends it would keep, and the context the exception


def status_of(error: TundishError) -> Status:
    """What a call ends with; a full queue says when to try again, as gRPC's retry pushback."""
    metadata = [(ERROR_METADATA_KEY, type(error).__name__)]
    if pushback := retry_after_milliseconds(error):
        metadata.append((PUSHBACK_METADATA_KEY, str(pushback)))
    return error.status, shortened(error), tuple(metadata)


def retry_after_milliseconds(error: TundishError) -> int:
    """When to try again, if the error says so; else 0."""
    return max(1, round(error.retry_after_seconds * 1e3)) if isinstance(error, QueueFullError) else 0


def shortened(error: TundishError) -> str:
    """Its sentence, short enough to arrive: gRPC replaces a status that its peer finds too long by another one."""
    text = str(error)
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]} …"


def deadline(context: Context) -> float | None:
    """The call's deadline on `time.monotonic()`'s clock, if it has one: then the answer is of no use any more."""
    seconds = context.time_remaining()
    return None if seconds is None else time.monotonic() + seconds


def earlier(until: float | None, timeout_microseconds: int) -> float | None:
    """The deadline, or the end of a `timeout` that begins now if that comes first; a `timeout` of 0 is none."""
    if not timeout_microseconds:
        return until
    end = time.monotonic() + timeout_microseconds * 1e-6
    return end if until is None else min(until, end)


async def asked_again(ask: Callable[[], Awaitable[ResponseT]]) -> ResponseT:
    """Finds a model and asks it, and does so once more if it was closed between the two.

    Its successor answers then, or the error says that it has none.
    """
    try:
        return await ask()
    except StoppingError:
        return await ask()


async def answers_of(
    futures: Sequence[Future[ResponseT]], describe: Callable[[int], str], timeout_microseconds: int = 0
) -> list[ResponseT]:
    """Waits for the items of a request; if the caller goes away, those not yet begun are dropped.

    Raises:
        DeadlineExceededError: the `timeout` of the request, if it is not 0, has passed; what has not yet begun is
            dropped. The deadline of the call needs no watching: gRPC ends the call then.
        TundishError: that of the first item that failed, with `describe(index)` before its sentence.
    """
    try:
        await all_done(futures, timeout_microseconds * 1e-6 if timeout_microseconds else None)
    except TimeoutError:
        raise DeadlineExceededError("The deadline passed before the answer was there.") from None
    for index, future in enumerate(futures):
        # Not by `result`, which would have the error keep this frame, and so the future that keeps the error.
        if isinstance(error := future.exception(), TundishError):
            raise type(error)(f"{describe(index)}: {error}") from error
    return [future.result() for future in futures]


async def in_order(
    requests: AsyncIterator[RequestT],
    answer: Callable[[RequestT], Awaitable[ResponseT]],
    stopping: asyncio.Event,
) -> AsyncIterator[ResponseT]:
    """Answers a stream's requests concurrently, and yields the answers in the order of the requests.

    When the caller goes away, the requests that are not yet begun are dropped. `answer` must not raise.

    Raises:
        StoppingError: the server is stopping, and everything that was read has been answered.
    """
    answering: asyncio.Queue[asyncio.Task[ResponseT] | None] = asyncio.Queue(IN_FLIGHT_PER_STREAM)

    async def read() -> None:
        iterator = aiter(requests)
        stopped = asyncio.ensure_future(stopping.wait())
        try:
            while (request := await _next_unless(stopped, iterator)) is not None:
                task = asyncio.ensure_future(answer(request))
                try:
                    await answering.put(task)
                except asyncio.CancelledError:
                    task.cancel()
                    raise
        finally:
            stopped.cancel()
        await answering.put(None)

    reader = asyncio.ensure_future(read())
    try:
        while (task := await answering.get()) is not None:
            yield await task
    finally:
        reader.cancel()
        while not answering.empty():
            if (unanswered := answering.get_nowait()) is not None:
                unanswered.cancel()
    if stopping.is_set():
        raise StoppingError("The server is stopping; open the stream again on another one.")


async def _next_unless(stopped: asyncio.Future[Any], requests: AsyncIterator[RequestT]) -> RequestT | None:
    """The next request; None if there are no more, the connection broke, or the server stops before it comes."""

    async def receive() -> RequestT | None:
        return await anext(requests, None)

    receiving = asyncio.ensure_future(receive())
    try:
        await asyncio.wait((receiving, stopped), return_when=asyncio.FIRST_COMPLETED)
        return receiving.result() if receiving.done() and not receiving.exception() else None
    finally:
        receiving.cancel()
