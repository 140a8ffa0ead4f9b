"""The load's HTTP client against servers that answer byte by byte what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httptools
import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from tundish_bench.driving.http_connection import HttpConnection, Response
from tundish_bench.processes import free_port

REQUEST = (b"POST /m HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", b"item")
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Kind: a b\r\n\r\nanswer"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Kind: a b\r\n\r\n3\r\nans\r\n3;x=1\r\nwer\r\n0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\nX-Kind: a b\r\n\r\nanswer"
LAST = b"HTTP/1.0 200 OK\r\nX-Kind: a b\r\n\r\nanswer"
"""Its body ends with the connection."""

Serve = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What a server does with its connection of this number, counted from 1."""


Send = Callable[[float], Awaitable[Response]]
"""Sends the request by the open connection, or a new one, and waits so many seconds."""


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[Send]:
    """A server of its own to send requests to."""
    serving: list[asyncio.Task[None]] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.append(task)
        await serve(len(serving), reader, writer)
        writer.close()
        with suppress(OSError):  # the client was quicker
            await writer.wait_closed()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    connection: HttpConnection | None = None

    async def send(seconds: float) -> Response:
        nonlocal connection
        if connection is None or not connection.is_open:
            host, port = server.sockets[0].getsockname()
            connection = await HttpConnection.connect(host, port, 5)
        return await connection.send(*REQUEST, seconds)

    try:
        yield send
    finally:
        if connection is not None:
            connection.close()
        server.close()
        await asyncio.gather(*serving)


async def read_request(reader: asyncio.StreamReader) -> None:
    """The next one, which must be as it was sent."""
    assert await reader.readexactly(len(b"".join(REQUEST))) == b"".join(REQUEST)


def check(response: Response) -> None:
    assert (response.status, response.body, response.headers["x-kind"]) == (200, b"answer", "a b")


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED, CONTINUE])
async def test_requests_follow_one_another_on_one_connection(answer: bytes) -> None:
    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert number == 1
        for _ in range(3):
            await read_request(reader)
            writer.write(answer)

    async with served(serve) as send:
        for _ in range(3):
            check(await send(5))


@pytest.mark.parametrize("answer", [CLOSING, LAST])
async def test_a_server_that_closes_after_each_answer_is_connected_to_again(answer: bytes) -> None:
    connections = []

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(number)
        await read_request(reader)
        writer.write(answer)

    async with served(serve) as send:
        for _ in range(3):
            check(await send(5))
    assert connections == [1, 2, 3]


@settings(deadline=None, max_examples=60)
@given(
    answers=st.lists(st.sampled_from([WHOLE, CHUNKED, CONTINUE]), min_size=1, max_size=3),
    cuts=st.lists(st.integers(1, 60), max_size=12),
)
def test_answers_are_the_same_however_their_bytes_are_cut(answers: list[bytes], cuts: list[int]) -> None:
    async def serve(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for rest in answers:
            await read_request(reader)
            for cut in cuts:
                writer.write(rest[:cut])
                rest = rest[cut:]
                await asyncio.sleep(0)
            writer.write(rest)

    async def ask() -> None:
        async with served(serve) as send:
            for _ in answers:
                check(await send(5))

    uvloop.run(ask())  # as the generator does


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", ConnectionResetError),
        (b"HTTP/1.0 200 OK\r\nX-Kind: a b\r\nX-More", ConnectionResetError),  # in the middle of its head
        (WHOLE[:-1], ConnectionResetError),
        (CHUNKED[:-5], ConnectionResetError),
        (b"no HTTP at all\r\n\r\n", httptools.HttpParserError),
        (WHOLE.replace(b"6", b"-6"), httptools.HttpParserError),
    ],
)
async def test_what_is_no_answer_is_an_error_and_costs_the_next_request_nothing(
    answer: bytes, error: type[Exception]
) -> None:
    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer if number == 1 else WHOLE)

    async with served(serve) as send:
        with pytest.raises(error):
            await send(5)
        check(await send(5))


async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one() -> None:
    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        if number == 1:
            await asyncio.sleep(0.2)
            writer.write(WHOLE.replace(b"answer", b"belate"))
        writer.write(WHOLE)

    async with served(serve) as send:
        with pytest.raises(TimeoutError, match=r"no answer in 0\.1 s"):
            await send(0.1)
        check(await send(5))


async def test_a_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConnectionRefusedError):
        await HttpConnection.connect("127.0.0.1", free_port(), 5)


async def test_a_request_that_is_given_up_costs_the_next_one_nothing() -> None:
    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        if number == 1:
            await reader.read()
        writer.write(WHOLE)

    async with served(serve) as send:
        sending = asyncio.ensure_future(send(5))
        await asyncio.sleep(0.05)
        sending.cancel()
        await asyncio.wait((sending,))
        check(await send(5))
