"""Typed requests and what they come to, through the generated stubs: what a client of any language sends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from tundish_proto import open_inference_pb2 as oip
from tundish_proto.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tundish_proto.v1 import inference_pb2 as typed
from tundish_proto.v1.inference_pb2_grpc import InferenceServiceStub

MessageT = TypeVar("MessageT")

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


def tensor_request(model: str, image: bytes) -> oip.ModelInferRequest:
    """An image as the Open Inference Protocol has it."""
    request = oip.ModelInferRequest(model_name=model)
    request.inputs.add(name="image", datatype="BYTES", shape=[1, 1])
    request.raw_input_contents.append(len(image).to_bytes(4, "little") + image)
    return request


def in_stream(*requests: typed.PredictRequest) -> Iterator[typed.PredictStreamRequest]:
    return (typed.PredictStreamRequest(request=request) for request in requests)


async def stream_of(message: MessageT) -> AsyncIterator[MessageT]:
    """As a front gets a stream of one request."""
    yield message


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
