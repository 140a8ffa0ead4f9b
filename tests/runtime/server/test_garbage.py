"""A request that fails leaves nothing in memory for the collector of cycles, which comes late under load."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from support.bundles import make_bundle

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

Ask = Callable[[Any], Awaitable[object]]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    root = tmp_path_factory.mktemp("failing")
    make_bundle(root)
    with tundish.open(root, instances=1) as made:
        yield made


def open_inference(image: bytes, model: str = "colors") -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name=model)
    request.inputs.add(name="image", datatype="BYTES", shape=[1, 1])
    request.raw_input_contents.append(len(image).to_bytes(4, "little") + image)
    return request


DAMAGED = b"no image"
REQUESTS_THAT_FAIL = {
    "in its instance": (open_inference(DAMAGED), typed.PredictRequest(model_name="colors", image=DAMAGED)),
    "before it is queued": (open_inference(DAMAGED, "none"), typed.PredictRequest(model_name="none", image=DAMAGED)),
}


@asynccontextmanager
async def channel(runtime: Runtime) -> AsyncIterator[grpc.aio.Channel]:
    """To a server of both fronts in this loop."""
    server = grpc.aio.server()
    open_front = OpenInferenceFront(runtime, Admission(), SharedMemory(enabled=False))
    for file, name, front in (
        (oip, "GRPCInferenceService", open_front),
        (typed, "InferenceService", TypedFront(runtime, Admission())),
    ):
        server.add_generic_rpc_handlers((handler(file.DESCRIPTOR.services_by_name[name], front),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as made:
        yield made
    await server.stop(None)


def errors_left_by(connect: Any, ask: Ask) -> int:
    """How many errors of the tree requests have left in memory."""

    async def run() -> int:
        async with connect as connection:
            gc.collect()
            gc.disable()
            try:
                before = _errors()
                for _ in range(REQUESTS):
                    await ask(connection)
                return _errors() - before
            finally:
                gc.enable()

    return asyncio.run(run())


def _errors() -> int:
    return sum(isinstance(found, TundishError) for found in gc.get_objects())


@pytest.mark.parametrize("where", REQUESTS_THAT_FAIL)
def test_over_grpc(runtime: Runtime, where: str) -> None:
    open_request, typed_request = REQUESTS_THAT_FAIL[where]

    async def ask(connection: grpc.aio.Channel) -> None:
        for method, request in (
            ("/inference.GRPCInferenceService/ModelInfer", open_request),
            ("/tundish_proto.v1.InferenceService/Predict", typed_request),
        ):
            call = connection.unary_unary(
                method, request_serializer=type(request).SerializeToString, response_deserializer=bytes
            )
            with pytest.raises(grpc.aio.AioRpcError, match=r"NOT_FOUND|INVALID_ARGUMENT"):
                await call(request)

    assert errors_left_by(channel(runtime), ask) <= STILL_IN_USE


@pytest.mark.parametrize("where", REQUESTS_THAT_FAIL)
def test_on_streams(runtime: Runtime, where: str) -> None:
    open_request, typed_request = REQUESTS_THAT_FAIL[where]

    async def ask(connection: grpc.aio.Channel) -> None:
        open_call = connection.stream_stream(
            "/inference.GRPCInferenceService/ModelStreamInfer",
            request_serializer=oip.ModelInferRequest.SerializeToString,
            response_deserializer=oip.ModelStreamInferResponse.FromString,
        )
        typed_call = connection.stream_stream(
            "/tundish_proto.v1.InferenceService/PredictStream",
            request_serializer=typed.PredictStreamRequest.SerializeToString,
            response_deserializer=typed.PredictStreamResponse.FromString,
        )
        assert [answer.error_message != "" async for answer in open_call(iter([open_request]))] == [True]
        streamed = typed.PredictStreamRequest(request=typed_request)
        assert [answer.HasField("error") async for answer in typed_call(iter([streamed]))] == [True]

    assert errors_left_by(channel(runtime), ask) <= STILL_IN_USE


@asynccontextmanager
async def application(runtime: Runtime) -> AsyncIterator[Starlette]:
    front = OpenInferenceFront(runtime, Admission(), SharedMemory(enabled=False))
    yield make_app(front, CollectorRegistry(), max_body_bytes=2**20)


@pytest.mark.parametrize("model", ["colors", "none"])
def test_over_http(runtime: Runtime, model: str) -> None:
    tensor = {"name": "image", "datatype": "BYTES", "shape": [1, 1], "data": ["no image"]}
    body = json.dumps({"inputs": [tensor]}).encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/v2/models/{model}/infer",
        "query_string": b"",
        "headers": [(b"content-length", str(len(body)).encode())],
    }

    async def ask(app: Starlette) -> None:
        statuses = []
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return messages.pop() if messages else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            statuses.append(message.get("status"))

        await app(dict(scope), receive, send)
        assert statuses[0] in (400, 404)

    assert errors_left_by(application(runtime), ask) <= STILL_IN_USE


def test_in_process(runtime: Runtime) -> None:
    @asynccontextmanager
    async def nothing() -> AsyncIterator[None]:
        yield

    async def ask(_: None) -> None:
        with pytest.raises(TundishError):
            runtime.predict("colors", image=DAMAGED)

    assert errors_left_by(nothing(), ask) <= STILL_IN_USE
