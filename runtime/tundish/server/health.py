"""grpc.health.v1, which probes of containers and balancers of gRPC ask: it says whether the server is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tundish.errors import ModelNotReadyError, StoppingError
from tundish.server.calls import Context
from tundish.server.services import Handlers

FAREWELL_SECONDS = 0.2
"""Long enough for a watch's last word to leave."""

_LOOK_SECONDS = 1.0
"""How late a watch may tell its client that models are ready or no longer so."""

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class HealthServicer(health.aio.HealthServicer):  # type: ignore[name-defined,misc]  # its stubs lack aio
    """SERVING while `check_ready` passes, for the whole server and each of its services, until it stops.

    It is readiness, as it is Triton's: liveness is an answer at all, or `/v2/health/live`.
    """

    def __init__(self, services: Sequence[str], check_ready: Callable[[], None], stopping: asyncio.Event) -> None:
        super().__init__()
        self._services = ("", *services)
        self._check_ready = check_ready
        self._stopping = stopping
        self._said: int | None = None
        self._watches = 0
        self._is_watched = asyncio.Event()

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """As of now, not of the last look."""
        await self._look()
        return await super().Check(request, context)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:  # noqa: N802
        """Ends when the server stops, which otherwise would wait for it."""
        await self._look()
        self._watches += 1
        self._is_watched.set()
        watching = asyncio.ensure_future(super().Watch(request, context))
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((watching, stopped), return_when=asyncio.FIRST_COMPLETED)
            # Long enough for the watch to tell its client that the server no longer serves.
            await asyncio.wait((watching,), timeout=FAREWELL_SECONDS)
        finally:
            watching.cancel()
            stopped.cancel()
            self._watches -= 1
            if not self._watches:
                self._is_watched.clear()

    async def follow(self) -> None:
        """Tells watches what has changed; returns when the server stops, and tells them that.

        Where nobody watches, it does not look: a server that wakes up every second is not idle.
        """
        stopped = asyncio.ensure_future(self._stopping.wait())
        await self._look()
        while not stopped.done():
            watched = asyncio.ensure_future(self._is_watched.wait())
            await asyncio.wait((stopped, watched), return_when=asyncio.FIRST_COMPLETED)
            watched.cancel()
            await asyncio.wait((stopped,), timeout=_LOOK_SECONDS)
            await self._look()
        await self.enter_graceful_shutdown()

    async def _look(self) -> None:
        try:
            self._check_ready()
            status = _SERVING
        except (StoppingError, ModelNotReadyError):
            status = _NOT_SERVING
        if status != self._said:
            self._said = status
            for name in self._services:
                await self.set(name, status)


def add_health(
    handlers: Handlers, services: Sequence[str], check_ready: Callable[[], None], stopping: asyncio.Event
) -> HealthServicer:
    """The service, which has to be followed as long as the server runs."""
    servicer = HealthServicer(services, check_ready, stopping)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, handlers)
    return servicer
