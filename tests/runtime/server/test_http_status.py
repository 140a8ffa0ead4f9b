"""Every error that there is has a status of its own kind over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import Response

from tundish.errors import QueueFullError, TundishError
from tundish.server.http.answers import answering

REQUEST = Request({"type": "http", "method": "GET", "path": "/", "headers": []})


def classes(base: type[TundishError] = TundishError) -> Iterator[type[TundishError]]:
    yield base
    for derived in base.__subclasses__():
        yield from classes(derived)


async def answer_to(error: Exception) -> Response:
    async def fail(_: Request) -> Response:
        raise error

    return await answering(fail)(REQUEST)


@pytest.mark.parametrize("error_class", sorted(set(classes()) - {QueueFullError}, key=str))
async def test_every_error_has_a_status(error_class: type[TundishError]) -> None:
    response = await answer_to(error_class("It is so."))
    assert 400 <= response.status_code < 600
    assert response.body == b'{"error":"It is so."}'


@pytest.mark.parametrize(("seconds", "said"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (1.2, "2"), (30.0, "30")])
async def test_a_full_queue_says_when_to_try_again_in_whole_seconds(seconds: float, said: str) -> None:
    response = await answer_to(QueueFullError("Full.", retry_after_seconds=seconds))
    assert (response.status_code, response.headers["retry-after"]) == (429, said)


async def test_a_fault_of_the_servers_own_is_told_without_its_insides() -> None:
    response = await answer_to(KeyError("secret"))
    assert (response.status_code, response.body) == (500, b'{"error":"The server failed on this request: KeyError."}')
