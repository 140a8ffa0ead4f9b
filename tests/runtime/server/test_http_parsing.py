"""What the listener reads from the bytes of a connection, however they are cut; and what it does not read on and on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tundish.server.addresses import bound_socket
from tundish.server.http import Listener
from tundish.server.http.answers import answering

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


async def echo(request: Request) -> Response:
    return Response(await request.body())


async def headers(request: Request) -> Response:
    await request.body()
    return JSONResponse(sorted(request.headers))


@asynccontextmanager
async def connected() -> AsyncIterator[Streams]:
    """A connection to a listener that answers with what it was sent, and at `/headers` with their names."""
    bound = bound_socket("127.0.0.1", 0)
    routes = [
        Route("/", answering(echo), methods=["POST"]),
        Route("/headers", answering(headers), methods=["POST"]),
    ]
    listening = Listener(Starlette(routes=routes), bound)
    await listening.start()
    reader, writer = await asyncio.open_connection(*bound.getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        await listening.stop()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *pieces: bytes) -> bytes:
    """Sends the pieces, each to be read by itself, and returns what comes until the connection is closed."""
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0.01)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except (BrokenPipeError, ConnectionResetError):  # closed before all was sent
        return b""


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """The body of one answer, which has succeeded."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 200 ")
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    return await reader.readexactly(int(length[1]))


def as_request(body: bytes, chunk: int) -> bytes:
    """A request with this body: as a whole, or in chunks."""
    if not chunk:
        return HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    pieces = [body[start : start + chunk] for start in range(0, len(body), chunk)]
    return CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


@settings(deadline=None, max_examples=60)
@given(
    requests=st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 40)), min_size=1, max_size=4),
    cuts=st.lists(st.integers(1, 400), max_size=40),
    at_once=st.booleans(),
)
def test_requests_are_the_same_however_their_bytes_are_cut(
    requests: list[tuple[bytes, int]], cuts: list[int], at_once: bool
) -> None:
    async def check() -> None:
        async with connected() as (reader, writer):
            rest = b"".join(as_request(*each) for each in requests)
            for cut in cuts:
                writer.write(rest[:cut])
                rest = rest[cut:]
                if not at_once:
                    await asyncio.sleep(0)
            writer.write(rest)
            for body, _ in requests:
                assert await read_answer(reader) == body

    asyncio.run(check())


@pytest.mark.parametrize(
    "before",
    [
        b"POST /",
        b"POST / HTTP/1.1\r\nHost: a\r\nName: ",
        b"POST / HTTP/1.1\r\nHost: a\r\nName",
        CHUNKED + b"1;extension=",
        CHUNKED + b"1\r\nx\r\n0\r\nTrailer: ",
    ],
    ids=["path", "value", "name", "chunk", "trailer"],
)
async def test_what_has_no_end_is_not_read_on_and_on(before: bytes) -> None:
    async with connected() as (reader, writer):
        answer = await ask(reader, writer, before, *[b"x" * 9000] * 8)
    assert re.match(rb"HTTP/1.1 400 ", answer) or not answer


async def test_headers_that_are_many_are_not_read_on_and_on() -> None:
    async with connected() as (reader, writer):
        answer = await ask(reader, writer, HEAD, *[b"Name: value\r\n" * 800] * 8)
    assert re.match(rb"HTTP/1.1 400 ", answer) or not answer


async def test_a_large_body_may_come_in_any_pieces() -> None:
    body = bytes(range(256)) * 2000
    async with connected() as (reader, writer):
        for chunk in (0, 1 << 16, 1000):
            writer.write(as_request(body, chunk))
            assert await read_answer(reader) == body


async def test_headers_behind_a_body_are_not_among_those_before_it() -> None:
    sent = CHUNKED.replace(b"POST /", b"POST /headers") + b"1\r\nx\r\n0\r\nContent-Encoding: gzip\r\n\r\n"
    async with connected() as (reader, writer):
        writer.write(sent)
        assert await read_answer(reader) == b'["host","transfer-encoding"]'


@pytest.mark.parametrize("sent", [b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"])
async def test_a_request_has_one_host(sent: bytes) -> None:
    async with connected() as (reader, writer):
        assert (await ask(reader, writer, sent)).startswith(b"HTTP/1.1 400 ")


async def test_a_client_of_version_1_0_needs_no_host_and_gets_one_answer() -> None:
    async with connected() as (reader, writer):
        answer = await ask(reader, writer, b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"{}")


async def test_a_client_that_offers_another_protocol_is_answered_by_this_one() -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    async with connected() as (reader, writer):
        for _ in range(2):
            writer.write(HEAD + offer + b"Content-Length: 2\r\n\r\n{}")
            assert await read_answer(reader) == b"{}"


async def test_rubbish_in_a_body_ends_its_connection_alone() -> None:
    async with connected() as (reader, writer):
        assert (await ask(reader, writer, CHUNKED, b"zz\r\n")).startswith(b"HTTP/1.1 400 ")


@pytest.fixture
async def waiting() -> AsyncIterator[tuple[Callable[[], Awaitable[Streams]], asyncio.Event]]:
    """Connections to a listener that answers when the event is set."""
    ready = asyncio.Event()

    async def answer_when_ready(_: Request) -> Response:
        await ready.wait()
        return Response(b"answer")

    bound = bound_socket("127.0.0.1", 0)
    listening = Listener(Starlette(routes=[Route("/", answer_when_ready, methods=["POST"])]), bound)
    await listening.start()
    yield lambda: asyncio.open_connection(*bound.getsockname()), ready
    await listening.stop()


async def test_rubbish_behind_a_request_does_not_cost_its_answer(
    waiting: tuple[Callable[[], Awaitable[Streams]], asyncio.Event],
) -> None:
    connect, ready = waiting
    reader, writer = await connect()
    writer.write(as_request(b"{}", 0))
    writer.write(b"rubbish\r\n\r\n")
    await asyncio.sleep(0.05)
    ready.set()
    answer = await asyncio.wait_for(reader.read(), 10)
    assert re.findall(rb"HTTP/1.1 (\d+) ", answer)[:1] == [b"200"]
    assert b"\r\n\r\nanswer" in answer
    writer.close()
