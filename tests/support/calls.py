"""Typed requests and what they come to, through the generated stubs: what a client of any language sends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from tundish_proto.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tundish_proto.v1 import inference_pb2 as typed
from tundish_proto.v1.inference_pb2_grpc import InferenceServiceStub

ANSWER_SECONDS = 30.0
"""Longer than any test's server takes; a test that waits so long has failed."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One channel to a server, with the stubs of both fronts."""

    channel: Any
    """A `grpc.Channel`; its stubs do not know that bytes need no serializer."""
    typed: Any
    open_inference: Any


@contextmanager
def connect(url: str) -> Iterator[Connection]:
    """A connection of its own: gRPC otherwise shares one among all channels to an address."""
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1))
    with grpc.insecure_channel(url, options) as channel:
        yield Connection(channel, InferenceServiceStub(channel), GRPCInferenceServiceStub(channel))


def image_request(model: str, image: bytes, request_id: str = "", version: str = "") -> typed.PredictRequest:
    return typed.PredictRequest(model_name=model, model_version=version, id=request_id, image=image)


def text_request(model: str, text: str, request_id: str = "", version: str = "") -> typed.PredictRequest:
    return typed.PredictRequest(model_name=model, model_version=version, id=request_id, text=text)


def in_stream(*requests: typed.PredictRequest) -> Iterator[typed.PredictStreamRequest]:
    return (typed.PredictStreamRequest(request=request) for request in requests)


def top_label(response: typed.PredictResponse) -> str:
    """The best label of a response that has labels."""
    result = getattr(response, response.WhichOneof("result") or "")
    return str(result.labels[0].name)


def status_of(call: Any) -> tuple[grpc.StatusCode, str]:
    """What a call of `stub.Method.future(…)` or `stub.Method(…)` for a stream ended with."""
    return call.code(), call.details()


def trailing_metadata(call: Any) -> dict[str, str]:
    """The metadata behind the answer."""
    return dict(call.trailing_metadata())
