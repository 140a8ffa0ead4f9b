"""The Open Inference Protocol by HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import aiohttp

from tundish_bench.driving.wire import Ask, Asking, HttpRequest

_MOST_SAID = 200
"""Characters of an error's body."""


@asynccontextmanager
async def connect(asking: Asking, callers: int) -> AsyncIterator[Ask]:
    """A connection for each of so many callers, kept open; answers are read and thrown away."""
    url = f"http://{asking.endpoint.address}/v2/models/{quote(asking.model, safe='')}/infer"
    timeout = aiohttp.ClientTimeout(total=asking.timeout_seconds)
    connector = aiohttp.TCPConnector(limit=callers)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector, auto_decompress=False) as session:

        async def ask(index: int) -> str | None:
            request = asking.requests[index]
            assert isinstance(request, HttpRequest)
            try:
                async with session.post(url, data=request.body, headers=request.headers) as response:
                    body = await response.read()
                    if response.status == 200:
                        return None
                    return f"{response.status}: {body[:_MOST_SAID].decode(errors='replace')}"
            except (aiohttp.ClientError, TimeoutError) as error:
                return f"{type(error).__name__}: {error}"

        yield ask
