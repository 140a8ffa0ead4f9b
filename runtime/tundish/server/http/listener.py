"""uvicorn as a guest: it serves on the event loop that there is, and the process's signals are not its own."""

from __future__ import annotations

import asyncio
import functools
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import Any

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0
"""How long a client may take for the first line and the headers of a request; h11 bounds their size."""

KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle between two requests. Balancers keep theirs for 60: were it less here, a request
could come just as the connection is closed, for which a balancer answers 502."""

MAX_CONNECTIONS = 1024
"""A connection above this takes the place of one on which nothing is asked, or else of one whose client is slow."""

SLOW_SECONDS = 1.0
"""How long a client may take to send a request or to read its answer, when others find no place."""

_STOP_SECONDS = 5
"""How long answers may take to leave once the server's work is done."""


class Listener:
    """Serves an application on a bound socket, which it owns, from `start` to `stop`."""

    def __init__(self, app: Starlette, bound: socket.socket) -> None:
        self._socket = bound
        self._server = _Server(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when requests are taken."""
        self._serving = asyncio.create_task(self._server.serve([self._socket]))
        await self._server.listening.wait()

    async def stop(self) -> None:
        """Takes no more connections, and returns when every request is answered and every connection closed."""
        assert self._serving is not None
        self._server.stopping.set()
        await self._serving


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.stopping = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """They tell the whole server to stop, not this part of it."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        """Waits for the end, which its base looks for ten times a second."""
        await self.stopping.wait()


class _JoinedWrites:
    """A transport that sends at once what is written in one turn of the loop.

    uvicorn writes the head of an answer and then its body: two system calls, and two packets that wake the client.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Sends the data before the loop's next turn is over."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        """Closes the connection once what was written has been sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        # uvloop's transport raises if its client has gone in the meantime.
        if pieces and not self._transport.is_closing():
            self._transport.write(b"".join(pieces))


@functools.lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    """As HTTP has it; of a second since 1970."""
    return formatdate(second, usegmt=True).encode()


class _Protocol(H11Protocol):
    """Closes connections whose client takes too long to say what it wants, or says what is no HTTP."""

    _head_timer: asyncio.TimerHandle | None = None
    _began = 0.0
    """When its last request began to come, on the loop's clock."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base has it
        super().connection_made(_JoinedWrites(transport, self.loop))  # type: ignore[arg-type]  # to uvicorn it is one
        self._watch()
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        if self._idle:
            self._began = self.loop.time()
            # Its base has a server wake up every second for the header `date`, whether or not anybody asks.
            self.server_state.default_headers = [(b"date", _date(int(time.time()))), *self.config.encoded_headers]
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unwatch()

    def send_400_response(self, msg: str) -> None:
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            # What is no HTTP came behind an answer that had been given before its request was complete.
            self.transport.close()

    @property
    def _idle(self) -> bool:
        """Whether nothing is asked; the last answer may still be on its way."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def _waits_for_client(self) -> bool:
        """Whether the rest of a request is to come, or the rest of an answer to be read."""
        return self.cycle.more_body if not self._idle else bool(self.transport.get_write_buffer_size())

    def _make_room(self) -> None:
        others = [
            other
            for other in self.connections
            if isinstance(other, _Protocol) and other is not self and not other.transport.is_closing()
        ]
        for other in others:
            if other._idle and not other._waits_for_client:
                other.transport.close()
                return
        last = self.loop.time() - SLOW_SECONDS
        slow = [other for other in others if other._waits_for_client and other._began < last]
        # At once, since what is left to send may never be read.
        min(slow, key=lambda other: other._began, default=self).transport.abort()

    def _watch(self) -> None:
        if not self._idle:
            self._unwatch()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _unwatch(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
