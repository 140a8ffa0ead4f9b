"""What a server says of itself: what a model takes, and where the time of its requests goes."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import grpc

from tundish_bench.driving.contents import ModelInput
from tundish_bench.driving.endpoint import Endpoint
from tundish_bench.driving.grpc_wire import credentials
from tundish_bench.errors import BenchmarkError
from tundish_proto import open_inference_pb2 as oip
from tundish_proto.open_inference_pb2_grpc import GRPCInferenceServiceStub

STAGES = ("queue", "compute_input", "compute_infer", "compute_output")
"""Of Triton's statistics."""

_SECONDS = 10.0
_SIZES = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))
_MOST_SAID = 200
"""Characters of an error's body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSays:
    """Of itself and of a model."""

    server: str
    """Its name and version."""
    extensions: tuple[str, ...]
    inputs: tuple[ModelInput, ...]


Totals = dict[str, tuple[int, int]]
"""By stage: the requests so far, and their nanoseconds together."""


def server_says(endpoint: Endpoint, model: str) -> ServerSays:
    """Asks the server.

    Raises:
        BenchmarkError: it cannot be asked, or has no such model.
    """
    return _by_grpc(endpoint, model) if endpoint.wire == "grpc" else _by_http(endpoint, model)


def stage_totals(endpoint: Endpoint, model: str) -> Totals | None:
    """Of all versions of the model together; None where the server has no statistics."""
    try:
        statistics = _grpc_statistics(endpoint, model) if endpoint.wire == "grpc" else _http_statistics(endpoint, model)
        totals: Totals = {}
        for each in statistics:
            for stage in STAGES:
                count, nanoseconds = totals.get(stage, (0, 0))
                duration = each.get(stage, {})
                totals[stage] = count + int(duration.get("count", 0)), nanoseconds + int(duration.get("ns", 0))
    except (BenchmarkError, grpc.RpcError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return totals


def _by_grpc(endpoint: Endpoint, model: str) -> ServerSays:
    with _channel(endpoint) as channel:
        stub, headers = GRPCInferenceServiceStub(channel), endpoint.headers
        try:
            server = stub.ServerMetadata(oip.ServerMetadataRequest(), timeout=_SECONDS, metadata=headers)
            said = stub.ModelMetadata(oip.ModelMetadataRequest(name=model), timeout=_SECONDS, metadata=headers)
        except grpc.RpcError as error:
            reason = f"{error.code().name}: {error.details()}"
            raise BenchmarkError(f"{endpoint} does not say what '{model}' takes: {reason}") from None
    inputs = tuple(ModelInput(each.name, each.datatype, tuple(each.shape)) for each in said.inputs)
    return ServerSays(server=f"{server.name} {server.version}", extensions=tuple(server.extensions), inputs=inputs)


def _by_http(endpoint: Endpoint, model: str) -> ServerSays:
    server = _get(endpoint, "/v2", model)
    said = _get(endpoint, _path(model), model)
    try:
        inputs = tuple(
            ModelInput(each["name"], each["datatype"], tuple(map(int, each["shape"]))) for each in said["inputs"]
        )
        name = f"{server['name']} {server['version']}"
        extensions = tuple(map(str, server.get("extensions") or ()))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BenchmarkError(f"{endpoint} does not say what '{model}' takes in the protocol's form.") from None
    return ServerSays(server=name, extensions=extensions, inputs=inputs)


def _grpc_statistics(endpoint: Endpoint, model: str) -> list[dict[str, Any]]:
    with _channel(endpoint) as channel:
        said = GRPCInferenceServiceStub(channel).ModelStatistics(
            oip.ModelStatisticsRequest(name=model), timeout=_SECONDS, metadata=endpoint.headers
        )
    return [
        {
            stage: {"count": getattr(each.inference_stats, stage).count, "ns": getattr(each.inference_stats, stage).ns}
            for stage in STAGES
        }
        for each in said.model_stats
    ]


def _http_statistics(endpoint: Endpoint, model: str) -> list[dict[str, Any]]:
    return [each["inference_stats"] for each in _get(endpoint, f"{_path(model)}/stats", model)["model_stats"]]


def _channel(endpoint: Endpoint) -> grpc.Channel:
    if endpoint.tls:
        return grpc.secure_channel(endpoint.address, credentials(endpoint.tls), options=_SIZES)
    return grpc.insecure_channel(endpoint.address, options=_SIZES)


def _path(model: str) -> str:
    return f"/v2/models/{quote(model, safe='')}"


def _get(endpoint: Endpoint, path: str, model: str) -> Any:
    request = urllib.request.Request(f"{endpoint}{path}", headers=dict(endpoint.headers))  # noqa: S310  # http alone
    context = endpoint.tls.context if endpoint.tls else None
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS, context=context) as response:  # noqa: S310
            return json.load(response)
    except urllib.error.HTTPError as error:
        reason = f"{error.code}: {error.read(_MOST_SAID).decode(errors='replace')}"
    except http.client.HTTPException:
        reason = "what listens there does not speak HTTP."
    except (OSError, ValueError) as error:
        why = error.reason if isinstance(error, urllib.error.URLError) else error
        reason = f"{why.strerror if isinstance(why, OSError) and why.strerror else why}."
    raise BenchmarkError(f"{endpoint} does not say what '{model}' takes: {reason}")
