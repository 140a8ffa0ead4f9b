"""The listener alone, in this process: slow senders are not waited for, slow readers are."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tundish.errors import InvalidInputError
from tundish.server.addresses import bound_socket
from tundish.server.http import Listener, bodies, listener
from tundish.server.http.answers import answering

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

SECONDS = 0.3
TICK = 0.05
LARGE = 32 * 2**20


async def echo(request: Request) -> Response:
    async with bodies.Bodies(100).read(request, 100) as body:
        return Response(body)


async def large(_: Request) -> Response:
    return Response(bytes(LARGE))


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Listener, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A listener and a connection to it; whoever stops it need not be this."""
    routes = [Route("/", answering(echo), methods=["POST"]), Route("/large", answering(large))]
    bound = bound_socket("127.0.0.1", 0)
    listening = Listener(Starlette(routes=routes), bound)
    await listening.start()
    reader, writer = await asyncio.open_connection(*bound.getsockname())
    yield listening, reader, writer
    writer.close()
    await listening.stop()


@pytest.fixture
async def streams(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Streams]:
    """A connection to a listener that waits for nothing longer than `SECONDS`."""
    monkeypatch.setattr(listener, "HEAD_SECONDS", SECONDS)
    monkeypatch.setattr(bodies, "BODY_SECONDS", SECONDS)
    async with serving() as (_, reader, writer):
        yield reader, writer


async def drip(writer: asyncio.StreamWriter, text: bytes) -> None:
    """A byte at a time, each before the limit, all of them after it."""
    for index in range(len(text)):
        writer.write(text[index : index + 1])
        await asyncio.sleep(TICK)


async def test_a_silent_connection_is_closed(streams: Streams) -> None:
    reader, _ = streams
    assert await asyncio.wait_for(reader.read(), 10 * SECONDS) == b""


async def test_a_head_that_drips_is_hung_up_on(streams: Streams) -> None:
    reader, writer = streams
    dripping = asyncio.create_task(drip(writer, b"POST / HTTP/1.1\r\n" * 2))
    assert await asyncio.wait_for(reader.read(), 10 * SECONDS) == b""
    dripping.cancel()


async def test_the_head_of_a_second_request_is_not_waited_for_either(streams: Streams) -> None:
    reader, writer = streams
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
    assert (await reader.readuntil(b"{}")).startswith(b"HTTP/1.1 200 ")
    dripping = asyncio.create_task(drip(writer, b"POST / HTTP/1.1\r\n" * 2))
    assert await asyncio.wait_for(reader.read(), 10 * SECONDS) == b""
    dripping.cancel()


async def test_a_body_that_drips_is_refused(streams: Streams) -> None:
    reader, writer = streams
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n")
    dripping = asyncio.create_task(drip(writer, bytes(50)))
    answer = await asyncio.wait_for(reader.readuntil(b"}"), 10 * SECONDS)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 0.3 seconds" in answer
    dripping.cancel()


async def test_a_quick_client_is_answered_again_and_again(streams: Streams) -> None:
    reader, writer = streams
    for _ in range(10):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
        assert (await reader.readuntil(b"{}")).startswith(b"HTTP/1.1 200 ")
        await asyncio.sleep(TICK)


BALANCERS_SECONDS = 60.0
"""How long nginx and Amazon's balancers keep a connection that nothing is asked on, unless told otherwise."""


async def test_a_balancer_closes_its_connections_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert listener.KEEP_ALIVE_SECONDS > BALANCERS_SECONDS
    monkeypatch.setattr(listener, "KEEP_ALIVE_SECONDS", SECONDS)
    async with serving() as (_, reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")
        await reader.readuntil(b"ok")
        started = asyncio.get_running_loop().time()
        assert await asyncio.wait_for(reader.read(), 10 * SECONDS) == b""
        assert asyncio.get_running_loop().time() - started > SECONDS / 2


async def test_a_slow_reader_gets_all_of_its_answer_though_the_listener_stops() -> None:
    async with serving() as (listening, reader, writer):
        writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        stopping = asyncio.create_task(listening.stop())
        await asyncio.sleep(2 * SECONDS)
        assert not stopping.done()
        assert await asyncio.wait_for(reader.read(), 30) == bytes(LARGE)
        await stopping


async def test_a_connection_too_many_takes_the_place_of_an_idle_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 5)
    async with serving() as (_, reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{")
        await asyncio.sleep(TICK)
        idle = [await asyncio.open_connection(*writer.get_extra_info("peername")) for _ in range(20)]
        await asyncio.sleep(TICK)
        closed = [other for other, _ in idle if other.at_eof()]
        assert len(closed) == 16
        # Neither a request under way nor a new one is among them.
        writer.write(b"}")
        assert (await reader.readuntil(b"{}")).startswith(b"HTTP/1.1 200 ")
        newest, newest_writer = await asyncio.open_connection(*writer.get_extra_info("peername"))
        newest_writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
        assert (await newest.readuntil(b"{}")).startswith(b"HTTP/1.1 200 ")
        for _, other in (*idle, (newest, newest_writer)):
            other.close()


REQUESTS = {
    "half a request": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{",
    "an answer that nobody reads": b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", REQUESTS.values(), ids=REQUESTS)
async def test_slow_clients_do_not_lock_others_out(request_bytes: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 5)
    monkeypatch.setattr(listener, "SLOW_SECONDS", SECONDS)
    async with serving() as (_, reader, writer):
        address = writer.get_extra_info("peername")
        slow = [(reader, writer), *[await asyncio.open_connection(*address, limit=2**10) for _ in range(4)]]
        for _, each in slow:
            each.write(request_bytes)
            await asyncio.sleep(TICK)
        early, early_writer = await asyncio.open_connection(*address)
        with suppress(ConnectionError):
            assert await early.read() == b"", "nobody has been slow for long"
        early_writer.close()
        await asyncio.sleep(SECONDS)
        for _ in range(3):
            newest, newest_writer = await asyncio.open_connection(*address)
            newest_writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
            assert (await newest.readuntil(b"{}")).startswith(b"HTTP/1.1 200 ")
            newest_writer.close()
        for _, each in slow:
            each.close()


def upload(body: bytes, coding: str = "identity") -> Request:
    """A request whose body comes in one piece."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-encoding", coding.encode()), (b"content-length", str(len(body)).encode())]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


@pytest.mark.parametrize("coding", ["identity", "deflate"])
async def test_a_body_takes_room_while_it_is_worked_on_and_as_much_as_it_has(coding: str) -> None:
    room = bodies.Bodies(100)
    content = bytes(80)
    sent = zlib.compress(content) if coding == "deflate" else content
    async with AsyncExitStack() as held:
        for _ in range(bodies.BODIES_AT_A_TIME):
            assert await held.enter_async_context(room.read(upload(sent, coding), 100)) == content
        async with room.read(upload(content), 100) as fifth:  # of 400 bytes
            assert fifth == content
            with pytest.raises(HTTPException) as caught:
                async with room.read(upload(sent, coding), 100):
                    pass
            assert caught.value.status_code == 503
    async with room.read(upload(bytes(100)), 100):
        assert room.left == 300
    assert room.left == 400


async def test_compressed_bodies_take_what_they_have_and_not_what_they_could_have() -> None:
    room = bodies.Bodies(2**22)
    content = np.random.default_rng(1).bytes(2**19)
    async with AsyncExitStack() as held:
        for _ in range(16):  # of which four together could have more than there is room for
            body = await held.enter_async_context(room.read(upload(gzip.compress(content), "gzip"), 2**22))
            assert body == content
        assert room.left == 2**23


@pytest.mark.parametrize("size", [2**21 - 1, 2**21, 2**21 + 1, 3 * 2**20 + 7])
async def test_what_is_decompressed_in_steps_is_whole(size: int) -> None:
    room, content = bodies.Bodies(2**23), bytes(range(256)) * (size // 256) + bytes(size % 256)
    sent = gzip.compress(content)
    async with room.read(upload(sent, "gzip"), size) as body:
        assert body == content
    with pytest.raises(HTTPException, match="413"):
        async with room.read(upload(sent, "gzip"), size - 1):
            pass
    for damaged in (sent[:-1], sent + b"more"):
        with pytest.raises(InvalidInputError, match="does not end where its gzip stream ends"):
            async with room.read(upload(damaged, "gzip"), size):
                pass
    assert room.left == 2**25


@pytest.mark.parametrize(("coding", "body"), [("gzip", b"no gzip"), ("deflate", zlib.compress(bytes(101)))])
async def test_a_body_that_is_refused_leaves_its_room(coding: str, body: bytes) -> None:
    room = bodies.Bodies(100)
    with pytest.raises((HTTPException, InvalidInputError)):
        async with room.read(upload(body, coding), 100):
            pass
    assert room.left == 400
