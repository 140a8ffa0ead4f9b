"""The gRPC server by itself, with methods that need no model, asked by gRPC's own client."""

from __future__ import annotations

import asyncio
import gc
import itertools
import socket
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf.message import DecodeError

from tundish.errors import InvalidInputError, QueueFullError
from tundish.server.grpc_server import GrpcServer
from tundish.server.services import Handlers, Unary
from tundish.server.waiting import all_done

SECONDS = 10
CALLERS, CALLS = 8, 200
OPTIONS = (("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1))


class Message:
    """Bytes that a weak reference can be had of."""

    def __init__(self, data: bytes | None) -> None:
        self.data = b"nothing" if data is None else data


class Methods:
    """What is served, and what it has seen."""

    def __init__(self) -> None:
        self.deadlines: list[float | None] = []
        self.seen: list[weakref.ref[Message]] = []
        self.asked = threading.Semaphore(0)
        self.held = Future[bytes]()
        self.ended: list[BaseException] = []

    async def echo(self, request: Message, until: float | None) -> bytes:
        self.deadlines.append(until)
        self.seen.append(weakref.ref(request))
        return request.data

    async def fail(self, request: Message, _until: float | None) -> bytes:
        self.seen.append(weakref.ref(request))
        raise {
            b"input": InvalidInputError("That is no input, by \ud800 half."),
            b"full": QueueFullError("The queue is full.", retry_after_seconds=0.25),
            b"fault": ZeroDivisionError("a fault of the server's own"),
        }[request.data]

    async def hold(self, _request: Message, _until: float | None) -> bytes:
        """Answers once `held` has a result."""
        self.asked.release()
        try:
            await all_done((self.held,))
        except BaseException as error:
            self.ended.append(error)
            self.asked.release()
            raise
        return self.held.result()

    async def double(self, request: Message, _until: float | None) -> int:
        """What cannot be serialised."""
        return len(request.data)


class Streams:
    """Methods on the event loop."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    async def echo(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        try:
            async for request in requests:
                if request == b"abort":
                    await context.abort(grpc.StatusCode.NOT_FOUND, "Not here.", (("why", "because"),))
                if request == b"input":
                    raise InvalidInputError("That is no input.")
                if request == b"cancel":
                    raise asyncio.CancelledError
                yield request
        finally:
            self.ended.set()

    async def context(self, _requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        yield repr(round(context.time_remaining() or 0)).encode()
        yield repr(dict(context.invocation_metadata()).get("asked-by")).encode()

    async def write(self, request: bytes, context: Any) -> None:
        for number in range(3):
            await context.write(request * number)

    async def answer(self, request: bytes, _context: Any) -> bytes:
        return request[::-1]


def decoded(data: bytes) -> bytes:
    """As protobuf reads a message; one of 255 is none."""
    if data == b"\xff":
        raise DecodeError
    return data


class Running:
    """A server, its methods and a client of it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.methods, self.streams = Methods(), Streams()
        names = ("echo", "fail", "hold", "double")
        served = {
            f"/unary/{name}": Unary(
                parse=Message,
                call=getattr(self.methods, name),
                serialize=lambda response: response + b"",
            )
            for name in names
        }
        handlers: dict[str, Any] = {
            "echo": grpc.stream_stream_rpc_method_handler(self.streams.echo, bytes, bytes),
            "context": grpc.stream_stream_rpc_method_handler(self.streams.context, bytes, bytes),
            "write": grpc.unary_stream_rpc_method_handler(self.streams.write, bytes, bytes),
            "answer": grpc.unary_unary_rpc_method_handler(self.streams.answer, decoded, bytes),
        }
        others = Handlers(grpc.method_handlers_generic_handler("loop", handlers))
        self.server = GrpcServer(served, others, loop=self.loop, options=OPTIONS)
        port = self.server.bind("127.0.0.1:0")
        self.server.start()
        self.channel: Any = grpc.insecure_channel(f"127.0.0.1:{port}")

    def ask(self, method: str, request: bytes = b"", **options: Any) -> bytes:
        answer: bytes = self.channel.unary_unary(f"/{method}")(request, **{"timeout": SECONDS, **options})
        return answer

    def refusal(self, method: str, request: bytes = b"", **options: Any) -> Any:
        with pytest.raises(grpc.RpcError) as caught:
            self.ask(method, request, **options)
        return caught.value

    def stream(self, method: str, *requests: bytes, **options: Any) -> Iterator[bytes]:
        answers: Iterator[bytes] = self.channel.stream_stream(f"/{method}")(iter(requests), timeout=SECONDS, **options)
        return answers

    def stop(self, seconds: float = SECONDS) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(seconds), self.loop).result(SECONDS)

    def close(self) -> None:
        self.channel.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture
def running() -> Iterator[Running]:
    made = Running()
    yield made
    if made.server._thread.is_alive():
        made.stop(0)
    made.close()


@pytest.mark.parametrize("size", [0, 1, 2**14, 2**20, 2**22 - 100])
def test_a_message_comes_back(running: Running, size: int) -> None:
    assert running.ask("unary/echo", b"x" * size) == b"x" * size


def test_compressed(running: Running) -> None:
    assert running.ask("unary/echo", b"x" * 10_000, compression=grpc.Compression.Gzip) == b"x" * 10_000


def test_many_at_once(running: Running) -> None:
    def many(caller: int) -> list[bytes]:
        return [running.ask("unary/echo", b"%d of %d" % (call, caller)) for call in range(CALLS)]

    with ThreadPoolExecutor(CALLERS) as pool:
        for caller, answers in enumerate(pool.map(many, range(CALLERS))):
            assert answers == [b"%d of %d" % (call, caller) for call in range(CALLS)]


def test_deadlines_reach_the_method(running: Running) -> None:
    running.ask("unary/echo", timeout=None)
    running.ask("unary/echo", timeout=5)
    without, with_one = running.methods.deadlines
    assert without is None
    assert with_one is not None
    assert time.monotonic() < with_one <= time.monotonic() + 5.01


def test_a_call_without_a_message_is_the_methods_to_refuse(running: Running) -> None:
    assert running.channel.stream_unary("/unary/echo")(iter(()), timeout=SECONDS) == b"nothing"


@pytest.mark.parametrize(
    ("request_", "code", "said"),
    [
        (b"input", grpc.StatusCode.INVALID_ARGUMENT, "That is no input"),
        (b"full", grpc.StatusCode.RESOURCE_EXHAUSTED, "The queue is full."),
        (b"fault", grpc.StatusCode.INTERNAL, "The server failed on this request: ZeroDivisionError."),
    ],
)
def test_errors_become_status(running: Running, request_: bytes, code: grpc.StatusCode, said: str) -> None:
    error = running.refusal("unary/fail", request_)
    assert error.code() == code
    assert said in error.details()
    pushback = dict(error.trailing_metadata()).get("grpc-retry-pushback-ms")
    assert pushback == ("250" if request_ == b"full" else None)
    assert running.ask("unary/echo", b"still there") == b"still there"


def test_what_cannot_be_serialised_is_a_fault_that_is_told(running: Running) -> None:
    assert running.refusal("unary/double", b"x").code() == grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("method", ["unary/none", "loop/none", "none/echo", "\u00e9"])
def test_methods_that_there_are_not(running: Running, method: str) -> None:
    assert running.refusal(method).code() == grpc.StatusCode.UNIMPLEMENTED


def test_an_answer_comes_from_the_thread_that_has_it(running: Running) -> None:
    call = running.channel.unary_unary("/unary/hold").future(b"", timeout=SECONDS)
    assert running.methods.asked.acquire(timeout=SECONDS)
    assert running.ask("unary/echo", b"meanwhile") == b"meanwhile"
    running.methods.held.set_result(b"late")
    assert call.result() == b"late"


@pytest.mark.parametrize("ending", ["cancelled", "too late", "gone"])
def test_a_caller_that_waits_no_longer(running: Running, ending: str) -> None:
    call = running.channel.unary_unary("/unary/hold").future(b"", timeout=0.5 if ending == "too late" else SECONDS)
    assert running.methods.asked.acquire(timeout=SECONDS)
    if ending == "cancelled":
        call.cancel()
    elif ending == "gone":
        running.channel.close()
    assert running.methods.asked.acquire(timeout=SECONDS)
    assert isinstance(running.methods.ended[0], asyncio.CancelledError)
    assert running.methods.held.cancelled()


def test_requests_are_not_kept(running: Running) -> None:
    gc.disable()
    try:
        for _ in range(5):
            running.ask("unary/echo", b"x")
            for request in (b"input", b"full"):
                running.refusal("unary/fail", request)
        running.ask("unary/echo", b"x")  # so that the events of those before have been seen
        deadline = time.monotonic() + SECONDS
        while sum(seen() is not None for seen in running.methods.seen[:-1]) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not any(seen() for seen in running.methods.seen[:-1])
    finally:
        gc.enable()


def test_a_stream_comes_back_in_order(running: Running) -> None:
    sent = [b"%d" % number * number for number in range(300)]
    assert list(running.stream("loop/echo", *sent)) == sent


def test_what_a_stream_knows_of_its_call(running: Running) -> None:
    assert list(running.stream("loop/context", metadata=(("asked-by", "me"),))) == [b"10", b"'me'"]


@pytest.mark.parametrize(
    ("request_", "code", "said"),
    [
        (b"abort", grpc.StatusCode.NOT_FOUND, "Not here."),
        (b"input", grpc.StatusCode.INVALID_ARGUMENT, "That is no input."),
        (b"cancel", grpc.StatusCode.CANCELLED, ""),
    ],
)
def test_a_stream_that_fails(running: Running, request_: bytes, code: grpc.StatusCode, said: str) -> None:
    answers = running.stream("loop/echo", b"first", request_, b"last")
    assert next(answers) == b"first"
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    error: Any = caught.value
    assert error.code() == code
    assert said in error.details()
    assert (("why", "because") in error.trailing_metadata()) == (request_ == b"abort")
    assert running.streams.ended.wait(SECONDS)


def test_a_stream_whose_caller_goes(running: Running) -> None:
    asked = threading.Event()

    def requests() -> Iterator[bytes]:
        yield b"first"
        asked.wait(SECONDS)

    answers = running.channel.stream_stream("/loop/echo")(requests(), timeout=SECONDS)
    assert next(answers) == b"first"
    answers.cancel()
    assert running.streams.ended.wait(SECONDS)
    asked.set()


def test_other_kinds_of_method_on_the_loop(running: Running) -> None:
    assert list(running.channel.unary_stream("/loop/write")(b"ab", timeout=SECONDS)) == [b"", b"ab", b"abab"]
    assert running.ask("loop/answer", b"ab") == b"ba"


@pytest.mark.parametrize("requests", [(), (b"\xff",)])
def test_what_is_no_request_is_refused_on_the_loop(running: Running, requests: tuple[bytes, ...]) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        running.channel.stream_unary("/loop/answer")(iter(requests), timeout=SECONDS)
    error: Any = caught.value
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_stopping_waits_for_calls_under_way(running: Running) -> None:
    call = running.channel.unary_unary("/unary/hold").future(b"", timeout=SECONDS)
    assert running.methods.asked.acquire(timeout=SECONDS)
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(running.stop)
        time.sleep(0.2)
        assert not stopping.done()
        running.methods.held.set_result(b"in time")
        stopping.result(SECONDS)
    assert call.result() == b"in time"
    assert running.refusal("unary/echo").code() == grpc.StatusCode.UNAVAILABLE


def test_stopping_cancels_what_takes_too_long(running: Running) -> None:
    call = running.channel.unary_unary("/unary/hold").future(b"", timeout=SECONDS)
    endless = running.channel.stream_stream("/loop/echo")(itertools.repeat(b"x"), timeout=SECONDS)
    assert next(endless) == b"x"
    assert running.methods.asked.acquire(timeout=SECONDS)
    running.stop(0.1)
    assert isinstance(call.exception(SECONDS), grpc.RpcError)
    assert isinstance(running.methods.ended[0], asyncio.CancelledError)
    assert running.streams.ended.wait(SECONDS)


def test_an_address_that_is_taken(running: Running) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(RuntimeError, match=address):
            GrpcServer({}, Handlers(), loop=running.loop, options=OPTIONS).bind(address)
