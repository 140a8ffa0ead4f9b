"""Which calls the server takes: all until it stops, then none, while those under way finish."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tundish.errors import StoppingError


class Admission:
    """One server's way from start to stop; for one event loop.

    It is entered around the work of each call, and raises StoppingError if the server is stopping.
    """

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        """Set once the server takes no new work."""
        self.leaving = asyncio.Event()
        """Set once its connections are being closed."""
        self._drained = False
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __enter__(self) -> None:
        if self.stopping.is_set():
            raise StoppingError("The server is stopping and takes no new work; ask another one.")
        self._under_way += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()

    async def drain(self, seconds: float) -> None:
        """Returns when no call is under way, or after so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)
        self._drained = True

    async def before_refusal(self) -> None:
        """Holds a refusal back while connections are about to be closed.

        Whoever is refused may ask again at once, and gRPC cancels a call that it has not begun when it closes.
        """
        if self._drained:
            await self.leaving.wait()
