"""The gRPC server: gRPC's core, and one thread of ours that takes calls in.

A call that asks once is read and begun on that thread, and answered by the one that has done its work; streams live on
the event loop. gRPC's own servers for Python hand every call over to an event loop or to a pool of threads, several
times: an echo costs them three times the CPU (docs/decisions/2026-11-28-grpc-core.md).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import grpc

from tundish.errors import answerable
from tundish.server import grpc_core as core
from tundish.server.calls import status_of
from tundish.server.grpc_streams import LoopCall
from tundish.server.services import Handlers, Unary
from tundish.server.waiting import Answering

_LOG = logging.getLogger(__name__)

_UNKNOWN_METHOD = (grpc.StatusCode.UNIMPLEMENTED, "There is no such method.", ())

_FOREVER_SECONDS = 1e9
"""A call without a deadline has one that is farther away."""


class GrpcServer:
    """Takes calls in between `start` and `stop`."""

    def __init__(
        self,
        unary: Mapping[str, Unary],
        others: Handlers,
        *,
        loop: asyncio.AbstractEventLoop,
        options: Sequence[tuple[str, int]],
    ) -> None:
        """Serves methods by their paths on the wire, as `/inference.GRPCInferenceService/ModelInfer`.

        Args:
            unary: Those that take and give one message.
            others: The rest, as coroutines and asynchronous generators for the loop.
            loop: Which must run until the server has stopped.
            options: Arguments of gRPC's channels.
        """
        self._unary = unary
        self._others = others
        self._loop = loop
        self._queue = core.CompletionQueue()
        self._server = core.Server(tuple(options), False)
        self._server.register_completion_queue(self._queue)
        self._lock = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="grpc-calls", daemon=True)

    def bind(self, address: str) -> int:
        """Listens on an address once started; returns the port.

        Raises:
            RuntimeError: the address cannot be had.
        """
        port: int = self._server.add_http2_port(address.encode())
        if not port:
            raise RuntimeError(f"gRPC cannot listen on {address}")
        return port

    def start(self) -> None:
        """Takes calls from now on."""
        self._server.start()
        self._await_call()
        self._thread.start()

    async def stop(self, grace_seconds: float) -> None:
        """Takes no new calls, and returns when those under way have ended, which are cancelled after so long."""
        stopped = self._loop.create_future()
        with self._lock:
            self._stopping = True
            self._server.shutdown(self._queue, lambda _event: self._loop.call_soon_threadsafe(stopped.set_result, None))
        done, _ = await asyncio.wait((stopped,), timeout=grace_seconds)
        if not done:
            self._server.cancel_all_calls()
            await stopped
        self._server.destroy()
        self._queue.shutdown()
        await self._loop.run_in_executor(None, self._thread.join)

    def _serve(self) -> None:
        """Each event's tag is what is to be called with it; the queue's end has none."""
        while (event := self._queue.poll()).tag is not None:
            try:
                event.tag(event)
            except Exception:  # one call's fault, which is never to end the thread
                _LOG.exception("An event of gRPC failed.")
            # An event that is kept while the next is awaited would keep its call and its request.
            del event

    def _await_call(self) -> None:
        with self._lock:
            if not self._stopping:
                self._server.request_call(self._queue, self._queue, self._begin)

    def _begin(self, event: core.Event) -> None:
        if not event.success:  # the server stops
            return
        self._await_call()
        path = event.call_details.method.decode(errors="replace")
        if (method := self._unary.get(path)) is not None:
            _UnaryCall(event, method, self._loop)
        elif (handler := self._others.find(path, event.invocation_metadata)) is not None:
            LoopCall(event, handler, _until(event), self._loop)
        else:
            core.watch_end(event.call, core.ignore)
            core.send(event.call, core.ignore, first=True, status=_UNKNOWN_METHOD)


class _UnaryCall:
    """A call of one message each way, from its first event to its last."""

    __slots__ = ("_answering", "_call", "_gone", "_loop", "_method", "_until")

    def __init__(self, event: core.Event, method: Unary, loop: asyncio.AbstractEventLoop) -> None:
        self._call = event.call
        self._method = method
        self._loop = loop
        self._until = _until(event)
        self._answering: Answering | None = None
        self._gone = False
        core.watch_end(self._call, self._closed)
        core.receive(self._call, self._received)

    def _received(self, event: core.Event) -> None:
        if self._gone:
            return
        try:
            request = self._method.parse(core.received(event))
        except Exception as failure:  # as for want of memory
            self._ended(None, failure)
            return
        self._answering = Answering(self._method.call(request, self._until), self._ended, self._loop)
        self._answering.start()

    def _closed(self, event: core.Event) -> None:
        if core.was_cancelled(event):
            self._gone = True
            if (answering := self._answering) is not None:
                answering.cancel()

    def _ended(self, response: Any, error: BaseException | None) -> None:
        """Any thread may call this, once."""
        self._answering = None  # which keeps this
        if error is None:
            try:
                message = self._method.serialize(response)
            except Exception as failure:  # as of a message of more than 2 GB
                error = failure
            else:
                core.send(self._call, core.ignore, first=True, message=message, status=core.OK)
                return
        status = status_of(answerable(error)) if isinstance(error, Exception) else core.CANCELLED
        core.send(self._call, core.ignore, first=True, status=status)


def _until(event: core.Event) -> float | None:
    """The call's deadline on `time.monotonic()`'s clock, if it has one: then the answer is of no use any more."""
    seconds = event.call_details.deadline - time.time()
    return None if seconds > _FOREVER_SECONDS else time.monotonic() + seconds
