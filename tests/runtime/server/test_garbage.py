"""A request that fails leaves nothing in memory for the collector of cycles, which comes late under load."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from prometheus_client import CollectorRegistry
from support.bundles import make_bundle
from support.calls import image_request, in_stream, stream_of, tensor_request

import tundish
from tundish.errors import TundishError
from tundish.runtime import Runtime
from tundish.server.admission import Admission
from tundish.server.http import make_app
from tundish.server.open_inference import OpenInferenceFront
from tundish.server.services import handler
from tundish.server.shared_memory import SharedMemory
from tundish.server.typed import TypedFront
from tundish_proto import open_inference_pb2 as oip
from tundish_proto.v1 import inference_pb2 as typed

REQUESTS = 20
STILL_IN_USE = 3
"""The last ones, by threads that have not yet been given anything else."""

OPEN_INFERENCE = oip.DESCRIPTOR.services_by_name["GRPCInferenceService"]
TYPED = typed.DESCRIPTOR.services_by_name["InferenceService"]


class AbortedError(Exception):
    """What gRPC ends a call by."""


class Context:
    """gRPC's, in what matters here: it keeps the exception that it ends the call by, and no Python frame of its own."""

    ended_by: AbortedError

    def time_remaining(self) -> None:
        """There is no deadline."""

    def invocation_metadata(self) -> tuple[()]:
        return ()

    async def abort(self, *_: object) -> None:
        error = self.ended_by = AbortedError()
        try:
            raise error
        finally:
            del self, error


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


def method(service: ServiceDescriptor, name: str, front: object) -> Any:
    """As gRPC has it."""
    found = handler(service, front, Admission()).service(
        SimpleNamespace(method=f"/{service.full_name}/{name}")  # type: ignore[arg-type]
    )
    assert found is not None
    return found.stream_stream or found.unary_unary


@pytest.mark.parametrize("where", REQUESTS_THAT_FAIL)
def test_over_grpc(runtime: Runtime, front: OpenInferenceFront, where: str) -> None:
    open_request, typed_request = REQUESTS_THAT_FAIL[where]
    infer = method(OPEN_INFERENCE, "ModelInfer", front)
    predict = method(TYPED, "Predict", TypedFront(runtime, Admission()))

    async def ask() -> None:
        for call, request in ((infer, open_request), (predict, typed_request)):
            with pytest.raises(AbortedError):
                await call(request, Context())

    assert errors_left_by(ask) <= STILL_IN_USE


@pytest.mark.parametrize("where", REQUESTS_THAT_FAIL)
def test_on_streams(runtime: Runtime, front: OpenInferenceFront, where: str) -> None:
    open_request, typed_request = REQUESTS_THAT_FAIL[where]
    infer = method(OPEN_INFERENCE, "ModelStreamInfer", front)
    predict = method(TYPED, "PredictStream", TypedFront(runtime, Admission()))
    (streamed,) = in_stream(typed_request)

    async def ask() -> None:
        assert [answer.error_message != "" async for answer in infer(stream_of(open_request), Context())] == [True]
        assert [answer.HasField("error") async for answer in predict(stream_of(streamed), Context())] == [True]

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
