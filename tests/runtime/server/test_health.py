"""grpc.health.v1, as probes of containers and balancers ask it, from running servers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import AsyncMock

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.bundles import make_bundle
from support.calls import ANSWER_SECONDS, Connection, connect, status_of
from support.server_process import ServerProcess

from tundish.server import health
from tundish_proto import open_inference_pb2 as oip

SERVICES = ("", "tundish_proto.v1.InferenceService", "inference.GRPCInferenceService")
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def check(connection: Connection, service: str = "") -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    return int(health_pb2_grpc.HealthStub(connection.channel).Check(request, timeout=ANSWER_SECONDS).status)


def watch(connection: Connection, service: str = "") -> Iterator[int]:
    request = health_pb2.HealthCheckRequest(service=service)
    for said in health_pb2_grpc.HealthStub(connection.channel).Watch(request, timeout=ANSWER_SECONDS):
        yield said.status


@pytest.fixture
def colors(server: ServerProcess) -> Iterator[Connection]:
    with connect(server.url) as connected:
        yield connected


@pytest.mark.parametrize("service", SERVICES)
def test_a_server_whose_models_answer_is_serving(colors: Connection, service: str) -> None:
    assert check(colors, service) == SERVING
    assert next(watch(colors, service)) == SERVING


def test_an_unknown_service(colors: Connection) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        check(colors, "tundish_proto.v1.Unknown")
    assert status_of(caught.value)[0] == grpc.StatusCode.NOT_FOUND
    assert next(watch(colors, "tundish_proto.v1.Unknown")) == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def test_it_says_what_readiness_says_and_tells_who_watches(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    make_bundle(tmp_path, "broken").path("model.onnx").unlink()
    with ServerProcess(tmp_path) as process, connect(process.url) as connection:
        assert not connection.open_inference.ServerReady(oip.ServerReadyRequest()).ready
        assert [check(connection, service) for service in SERVICES] == [NOT_SERVING] * len(SERVICES)
        watching = watch(connection)
        assert next(watching) == NOT_SERVING
        connection.open_inference.RepositoryModelUnload(oip.RepositoryModelUnloadRequest(model_name="broken"))
        assert check(connection) == SERVING
        assert next(watching) == SERVING
        connection.open_inference.RepositoryModelUnload(oip.RepositoryModelUnloadRequest(model_name="colors"))
        assert check(connection) == SERVING  # as it was told to
        with pytest.raises(grpc.RpcError):
            connection.open_inference.RepositoryModelLoad(oip.RepositoryModelLoadRequest(model_name="broken"))
        assert next(watching) == NOT_SERVING  # by its own looking


async def test_nobody_looks_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_LOOK_SECONDS", 0.01)
    looks, stopping = 0, asyncio.Event()

    def check_ready() -> None:
        nonlocal looks
        looks += 1

    servicer = health.HealthServicer((), check_ready, stopping)
    following = asyncio.ensure_future(servicer.follow())
    await asyncio.sleep(0.1)
    assert looks == 1
    watching = asyncio.ensure_future(servicer.Watch(health_pb2.HealthCheckRequest(), AsyncMock()))
    await asyncio.sleep(0.1)
    assert looks > 3
    watching.cancel()
    await asyncio.wait((watching,))
    await asyncio.sleep(0.05)
    looks = 0
    await asyncio.sleep(0.1)
    assert not looks
    stopping.set()
    await following
