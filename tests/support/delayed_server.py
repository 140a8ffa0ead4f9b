"""A server of the Open Inference Protocol whose delays are known, as a process: `python delayed_server.py GRPC HTTP`.

It takes the ports, and prints a line when it listens. Models, each with any suffix after a dash:
`fixed` answers after SECONDS; `bimodal` after them, every tenth request after four times as long; `stalling` as
`fixed`, but in the first STALL of every PERIOD seconds by the machine's monotonic clock nothing is answered;
`narrow` as `fixed`, one request at a time; `refusing` refuses every request, and `failing` every fourth; `guarded` says
nothing to who does not come with the KEY.

GET /truth/MODEL tells how long each request was really here, in seconds: on a busy machine, longer than was meant.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
from aiohttp import web

from tundish_proto import open_inference_pb2 as oip
from tundish_proto.open_inference_pb2_grpc import (
    GRPCInferenceServiceServicer,
    add_GRPCInferenceServiceServicer_to_server,
)

MODELS = ("fixed", "bimodal", "stalling", "narrow", "refusing", "failing", "ending", "guarded")
KEY = ("authorization", "Bearer of the key")
SECONDS, STALL, PERIOD = 0.4, 1.2, 4.0
SILENT = "fixed-silent"
"""It does not say what it takes, as models of MLServer need not."""
SLOW_EVERY, SLOW_FACTOR = 10, 4
FAIL_EVERY = 4
ENDS_AFTER = 2


class RefusedError(Exception):
    """A request is refused."""


class Delays:
    """Waits as long as the model says."""

    def __init__(self) -> None:
        self._turns: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
        self._narrow = asyncio.Lock()
        self.truth: defaultdict[str, list[float]] = defaultdict(list)

    async def wait(self, name: str) -> None:
        arrived = time.perf_counter()
        await self._wait(name.partition("-")[0], next(self._turns[name]))
        self.truth[name].append(time.perf_counter() - arrived)

    async def _wait(self, model: str, turn: int) -> None:
        seconds = SECONDS
        if model == "refusing" or (model == "failing" and turn % FAIL_EVERY == 0):
            raise RefusedError
        if model == "ending" and turn > ENDS_AFTER:
            raise RefusedError
        if model == "bimodal" and turn % SLOW_EVERY == 0:
            seconds *= SLOW_FACTOR
        until = time.perf_counter() + seconds
        async with self._one_at_a_time(model):
            if model == "narrow":
                until = time.perf_counter() + seconds
            await _sleep_until(until)
        if model == "stalling":
            phase = time.perf_counter() % PERIOD
            if phase < STALL:
                await _sleep_until(time.perf_counter() - phase + STALL)

    @asynccontextmanager
    async def _one_at_a_time(self, model: str) -> AsyncIterator[None]:
        if model != "narrow":
            yield
            return
        async with self._narrow:
            yield


async def _sleep_until(moment: float) -> None:
    while (left := moment - time.perf_counter()) > 0:
        await asyncio.sleep(left)


def _may_ask(model: str | None, headers: Mapping[str, str]) -> bool:
    return model != "guarded" or headers.get(KEY[0]) == KEY[1]


async def _check_key(model: str, context: Any) -> None:
    if not _may_ask(model, dict(context.invocation_metadata())):
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "Who are you?")


@web.middleware
async def _with_key(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    if not _may_ask(request.match_info.get("model"), request.headers):
        return web.json_response({"error": "Who are you?"}, status=401)
    return await handler(request)


class _Service(GRPCInferenceServiceServicer):
    def __init__(self, delays: Delays) -> None:
        self._delays = delays

    async def ServerMetadata(self, request: Any, context: Any) -> oip.ServerMetadataResponse:  # noqa: N802, ARG002
        return oip.ServerMetadataResponse(name="delayed", version="1")

    async def ModelMetadata(self, request: Any, context: Any) -> oip.ModelMetadataResponse:  # noqa: N802
        await _check_key(request.name, context)
        if request.name.partition("-")[0] not in MODELS:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"There is no '{request.name}'.")
        response = oip.ModelMetadataResponse(name=request.name)
        if request.name != SILENT:
            response.inputs.add(name="x", datatype="FP32", shape=[-1, 2])
        return response

    async def ModelInfer(self, request: Any, context: Any) -> oip.ModelInferResponse:  # noqa: N802
        await _check_key(request.model_name, context)
        try:
            await self._delays.wait(request.model_name)
        except RefusedError:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "It is refused.")
        response = oip.ModelInferResponse(model_name=request.model_name)
        response.outputs.add(name="y", datatype="FP32", shape=[1])
        return response


async def _metadata(request: web.Request) -> web.Response:
    if (model := request.match_info.get("model")) is None:
        return web.json_response({"name": "delayed", "version": "1", "extensions": []})
    inputs = [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
    return web.json_response({"name": model, "inputs": inputs})


async def _serve(grpc_port: int, http_port: int) -> None:
    delays = Delays()

    async def infer(request: web.Request) -> web.Response:
        model, asked = request.match_info["model"], await request.json()
        try:
            await delays.wait(model)
        except RefusedError:
            return web.json_response({"error": "It is refused."}, status=503)
        return web.json_response({"model_name": model, "outputs": asked["inputs"]})

    async def truth(request: web.Request) -> web.Response:
        return web.json_response(delays.truth[request.match_info["model"]])

    application = web.Application(middlewares=[_with_key])
    application.router.add_get("/truth/{model}", truth)
    application.router.add_get("/v2", _metadata)
    application.router.add_get("/v2/models/{model}", _metadata)
    application.router.add_post("/v2/models/{model}/infer", infer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", http_port).start()
    server = grpc.aio.server()
    add_GRPCInferenceServiceServicer_to_server(_Service(delays), cast(Any, server))
    server.add_insecure_port(f"127.0.0.1:{grpc_port}")
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve(*map(int, sys.argv[1:])))
