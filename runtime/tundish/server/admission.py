"""Which calls the server takes: all until it stops, then none, while those under way finish."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

from tundish.errors import StoppingError
from tundish.server.waiting import set_by_another


class Admission:
    """One server's way from start to stop.

    It is entered around the work of each call, by any thread, and raises StoppingError if the server is stopping. The
    rest is for the event loop.
    """

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        """Set once the server takes no new work."""
        self.leaving: Future[None] = Future()
        """Done once its connections are being closed."""
        self._lock = threading.Lock()
        self._under_way = 0
        self._idle: Future[None] | None = None
        """Of a server that stops: done when no call is under way."""
        self._drained = False

    def __enter__(self) -> None:
        with self._lock:
            if self.stopping.is_set():
                raise StoppingError("The server is stopping and takes no new work; ask another one.")
            self._under_way += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._under_way -= 1
            idle = None if self._under_way else self._idle
        if idle is not None:
            idle.set_result(None)

    async def drain(self, seconds: float) -> None:
        """Returns when no call is under way, or after so many seconds. The server must be stopping."""
        with self._lock:
            if self._under_way:
                self._idle = Future()
        if self._idle is not None:
            await asyncio.wait((asyncio.wrap_future(self._idle),), timeout=seconds)
        self._drained = True

    async def before_refusal(self) -> None:
        """Holds a refusal back while connections are about to be closed; for coroutines that `Answering` runs.

        Whoever is refused may ask again at once, and gRPC cancels a call that it has not begun when it closes.
        """
        if self._drained:
            await set_by_another(self.leaving)
