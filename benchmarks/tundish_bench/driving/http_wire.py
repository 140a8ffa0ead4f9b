"""Requests by HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httptools

from tundish_bench.driving.asking import Asking
from tundish_bench.driving.endpoint import Endpoint
from tundish_bench.driving.http_connection import HttpConnection
from tundish_bench.driving.outcomes import UNREACHED, Outcome
from tundish_bench.driving.wire import Ask, HttpRequest, Judge, Reply

_MOST_SAID = 200
"""Characters of an error's body."""


@asynccontextmanager
async def connect(asking: Asking, judge: Judge, callers: int) -> AsyncIterator[Ask]:
    """A connection for each of so many callers, kept open as long as the server does."""
    endpoint, timeout = asking.endpoint, asking.timeout_seconds
    context = endpoint.tls.context if endpoint.tls else None
    requests = [(_head(each, endpoint), each.body) for each in asking.requests if isinstance(each, HttpRequest)]
    idle: asyncio.LifoQueue[HttpConnection | None] = asyncio.LifoQueue()
    for _ in range(callers):
        idle.put_nowait(None)

    async def ask(index: int) -> Outcome:
        connection = await idle.get()
        try:
            if connection is None or not connection.is_open:
                connection = await HttpConnection.connect(endpoint.host, endpoint.port, timeout, context)
            status, headers, body = await connection.send(*requests[index], timeout)
        except (OSError, httptools.HttpParserError) as error:
            return Outcome(UNREACHED, f"{type(error).__name__}: {error}")
        finally:
            idle.put_nowait(connection)
        if status == 200:
            return judge(index, Reply(body, headers))
        return Outcome(status, f"{status}: {body[:_MOST_SAID].decode(errors='replace')}")

    try:
        yield ask
    finally:
        while not idle.empty():
            if (connection := idle.get_nowait()) is not None:
                connection.close()


def _head(request: HttpRequest, endpoint: Endpoint) -> bytes:
    """As NVIDIA's clients by themselves, it asks for no compression, which would be work for both sides."""
    headers = {"host": endpoint.address, **request.headers, **dict(endpoint.headers)}
    headers["content-length"] = str(len(request.body))
    lines = [f"POST {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("ascii")
