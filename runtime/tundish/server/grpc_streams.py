"""Calls that live on the event loop: streams, and the services that gRPC's own packages bring."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError

from tundish.errors import InvalidInputError, answerable
from tundish.server import grpc_core as core
from tundish.server.calls import status_of
from tundish.server.services import MALFORMED


class LoopCall:
    """A call from its first event to its last, and the context that its handler has of it."""

    def __init__(
        self,
        event: core.Event,
        handler: grpc.RpcMethodHandler[Any, Any],
        until: float | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Begins, on the thread that takes calls in; the rest happens on the loop."""
        self._call: core.Call = event.call
        self._metadata = event.invocation_metadata
        self._handler: Any = handler
        self._until = until
        self._loop = loop
        self._begun = False
        """Whether anything has been sent."""
        self._ended = False
        """Whether its status has been sent."""
        self._task: asyncio.Task[None] | None = None
        core.watch_end(self._call, self._closed)
        loop.call_soon_threadsafe(self._start)

    def time_remaining(self) -> float | None:
        """Seconds until the call's deadline, if it has one."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        """What the caller has sent before its first message."""
        return tuple(self._metadata or ())

    async def write(self, response: Any) -> None:
        """Sends a message; returns when there is room for another."""
        event = await self._send(message=self._handler.response_serializer(response))
        if not event.success:
            raise _EndedError

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: core.Metadata = ()) -> NoReturn:
        """Ends the call with a status, and its handler."""
        await self._send(status=(code, details, trailing_metadata))
        raise _EndedError

    def _start(self) -> None:
        self._task = self._loop.create_task(self._run())

    def _closed(self, event: core.Event) -> None:
        """On the thread that takes calls in."""
        if core.was_cancelled(event):
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        assert self._task is not None  # it was started before
        self._task.cancel()

    async def _run(self) -> None:
        try:
            await self._serve()
            await self._send(status=core.OK)
        except _EndedError:
            pass
        except asyncio.CancelledError:
            if not self._ended:
                core.send(self._call, core.ignore, first=not self._begun, status=core.CANCELLED)
            raise
        except Exception as failure:
            await self._send(status=status_of(answerable(failure)))

    async def _serve(self) -> None:
        """Has the handler answer: by yielding responses, by returning one, or by `write`."""
        requests = self._requests() if self._handler.request_streaming else await self._only_request()
        answering = self._behaviour()(requests, self)
        if hasattr(answering, "__aiter__"):
            async with aclosing(answering) as responses:
                async for response in responses:
                    await self.write(response)
        elif (response := await answering) is not None:
            await self.write(response)

    def _behaviour(self) -> Callable[[Any, LoopCall], Any]:
        handler = self._handler
        kinds = (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
        behaviour: Callable[[Any, LoopCall], Any] = next(filter(None, kinds))
        return behaviour

    async def _requests(self) -> AsyncIterator[Any]:
        while (request := await self._read()) is not None:
            yield request

    async def _only_request(self) -> Any:
        if (request := await self._read()) is None:
            raise InvalidInputError("The call has no request; send one message.")
        return request

    async def _read(self) -> Any:
        """The next message; None if there is no other."""
        message = core.received(await self._done(partial(core.receive, self._call)))
        try:
            return None if message is None else self._handler.request_deserializer(message)
        except DecodeError:  # of services that gRPC's packages bring; ours answer in band
            raise InvalidInputError(MALFORMED) from None

    async def _send(self, **what: Any) -> core.Event:
        """See `core.send`."""
        first, self._begun = not self._begun, True
        self._ended = "status" in what
        return await self._done(partial(core.send, self._call, first=first, **what))

    async def _done(self, start: Callable[[Callable[[core.Event], object]], None]) -> core.Event:
        """Starts something with a tag, and returns the event that says that it is done."""
        done: asyncio.Future[core.Event] = self._loop.create_future()

        def settle(event: core.Event) -> None:
            if not done.done():  # by a caller that has gone
                done.set_result(event)

        start(lambda event: self._loop.call_soon_threadsafe(settle, event))
        return await done


class _EndedError(Exception):
    """The call has its status, or nobody is there any more who would read it; its handler has nothing more to do."""
