"""A request that fails leaves nothing in memory for the collector of cycles, which comes late under load."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from support.bundles import make_bundle
from support.calls import image_request, in_stream, stream_of, tensor_request

import tundish
from tundish.errors import TundishError, answerable
from tundish.runtime import Runtime
from tundish.server.admission import Admission
from tundish.server.http import make_app
from tundish.server.open_inference import OpenInferenceFront
from tundish.server.open_inference.requests import InferRequest
from tundish.server.shared_memory import SharedMemory
from tundish.server.typed import TypedFront
from tundish.server.waiting import on_loop

REQUESTS = 20
STILL_IN_USE = 3
"""The last ones, by threads that have not yet been given anything else."""

CONTEXT: Any = SimpleNamespace(time_remaining=lambda: None, invocation_metadata=tuple)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    root = tmp_path_factory.mktemp("failing")
    make_bundle(root)
    with tundish.open(root, instances=1) as made:
        yield made


@pytest.fixture
def front(runtime: Runtime) -> OpenInferenceFront:
    return OpenInferenceFront(runtime, Admission(), SharedMemory(enabled=False))


DAMAGED = b"no image"
REQUESTS_THAT_FAIL = {
    "in its instance": (tensor_request("colors", DAMAGED), image_request("colors", DAMAGED)),
    "before it is queued": (tensor_request("none", DAMAGED), image_request("none", DAMAGED)),
}


def errors_left_by(ask: Callable[[], Awaitable[object]]) -> int:
    """How many errors of the tree requests have left in memory."""

    async def run() -> int:
        gc.disable()
        try:
            before = _errors()
            for _ in range(REQUESTS):
                await ask()
            return _errors() - before
        finally:
            gc.enable()

    return asyncio.run(run())


def _errors() -> int:
    # By `type`, since `isinstance` asks each object for its class, of which some of other packages warn.
    return sum(issubclass(type(found), TundishError) for found in gc.get_objects())


@pytest.mark.parametrize("where", REQUESTS_THAT_FAIL)
def test_over_grpc(runtime: Runtime, front: OpenInferenceFront, where: str) -> None:
    """What the server keeps itself, of a call that has failed, is tested with it."""
    open_request, typed_request = REQUESTS_THAT_FAIL[where]
    typed_front = TypedFront(runtime, Admission())

    async def ask() -> None:
        for asked in (
            front.ModelInfer(InferRequest(open_request, open_request.raw_input_contents), None),
            typed_front.Predict(typed_request, None),
        ):
            try:
                await on_loop(asked)
            except TundishError as error:
                answerable(error)
            else:
                raise AssertionError

    assert errors_left_by(ask) <= STILL_IN_USE


@pytest.mark.parametrize("where", REQUESTS_THAT_FAIL)
def test_on_streams(runtime: Runtime, front: OpenInferenceFront, where: str) -> None:
    open_request, typed_request = REQUESTS_THAT_FAIL[where]
    infer, predict = front.ModelStreamInfer, TypedFront(runtime, Admission()).PredictStream
    (streamed,) = in_stream(typed_request)
    asked = InferRequest(open_request, open_request.raw_input_contents)

    async def ask() -> None:
        assert [answer.error_message != "" async for answer in infer(stream_of(asked), CONTEXT)] == [True]
        assert [answer.HasField("error") async for answer in predict(stream_of(streamed), CONTEXT)] == [True]

    assert errors_left_by(ask) <= STILL_IN_USE


@pytest.mark.parametrize("model", ["colors", "none"])
def test_over_http(front: OpenInferenceFront, model: str) -> None:
    app = make_app(front, CollectorRegistry(), max_body_bytes=2**20)
    tensor = {"name": "image", "datatype": "BYTES", "shape": [1, 1], "data": ["no image"]}
    body = json.dumps({"inputs": [tensor]}).encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/v2/models/{model}/infer",
        "query_string": b"",
        "headers": [(b"content-length", str(len(body)).encode())],
    }

    async def ask() -> None:
        statuses = []
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return messages.pop() if messages else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            statuses.append(message.get("status"))

        await app(dict(scope), receive, send)
        assert statuses[0] in (400, 404)

    assert errors_left_by(ask) <= STILL_IN_USE


def test_in_process(runtime: Runtime) -> None:
    async def ask() -> None:
        with pytest.raises(TundishError):
            runtime.predict("colors", image=DAMAGED)

    assert errors_left_by(ask) <= STILL_IN_USE
