"""Requests by HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tundish_bench.driving.asking import Asking
from tundish_bench.driving.outcomes import UNREACHED, Outcome
from tundish_bench.driving.wire import Ask, HttpRequest, Judge, Reply

_MOST_SAID = 200
"""Characters of an error's body."""


@asynccontextmanager
async def connect(asking: Asking, judge: Judge, callers: int) -> AsyncIterator[Ask]:
    """A connection for each of so many callers, kept open."""
    address = f"http://{asking.endpoint.address}"
    timeout = aiohttp.ClientTimeout(total=asking.timeout_seconds)
    connector = aiohttp.TCPConnector(limit=callers)
    # As NVIDIA's clients by themselves, it asks for no compression, which would be work for both sides.
    plain = ("Accept-Encoding",)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector, skip_auto_headers=plain) as session:

        async def ask(index: int) -> Outcome:
            request = asking.requests[index]
            assert isinstance(request, HttpRequest)
            try:
                async with session.post(address + request.path, data=request.body, headers=request.headers) as response:
                    body = await response.read()
                    if response.status == 200:
                        return judge(index, Reply(body, response.headers))
                    said = body[:_MOST_SAID].decode(errors="replace")
                    return Outcome(response.status, f"{response.status}: {said}")
            except (aiohttp.ClientError, TimeoutError) as error:
                return Outcome(UNREACHED, f"{type(error).__name__}: {error}")

        yield ask
