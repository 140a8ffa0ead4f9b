"""Questions to servers under measurement, over gRPC or HTTP, and what of an answer is compared.

A message is serialised once, before the load: the client shares the machine with the servers, so it does little.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import aiohttp
import grpc
import numpy as np
from numpy.typing import NDArray

from tundish.datatypes import datatype_of
from tundish.engines import Arrays
from tundish_bench.errors import BenchmarkError
from tundish_proto import open_inference_pb2 as oip

Protocol = Literal["grpc", "http", "http-base64"]
"""The Open Inference Protocol over gRPC; or a POST of the item, answered by JSON with a list `label`.

The body is the item's bytes, or JSON with the bytes in base64 as `image_data`.
"""

Ask = Callable[[int], Awaitable[str]]
"""Asks a connected server the question of this index, and returns its answer."""

_ANSWER_SECONDS = 30.0
"""The longest that any answer may take; a load so ends soon after its time, whatever the server does."""

_LENGTH_BYTES = 4
"""What precedes each element of a raw BYTES tensor: its length, little-endian."""

_CONTENT_TYPES = {"http": "application/octet-stream", "http-base64": "application/json"}
INFER = "/inference.GRPCInferenceService/ModelInfer"
"""The method's path."""
_UNLIMITED = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, in the form of each protocol."""

    message: bytes
    """A serialised `inference.ModelInferRequest`."""
    body: bytes = b""
    """The item alone; empty for tensors, which no plain HTTP server is asked for."""

    def http(self, protocol: Protocol) -> bytes:
        """The body of a POST."""
        if protocol == "http":
            return self.body
        return json.dumps({"image_data": base64.b64encode(self.body).decode()}).encode()


def ask_pipeline(model: str, input_name: Literal["image", "text"], item: bytes) -> Question:
    """The question for the label of an image file or a UTF-8 text."""
    tensor = oip.ModelInferRequest.InferInputTensor(name=input_name, datatype="BYTES", shape=[1, 1])
    raw = len(item).to_bytes(_LENGTH_BYTES, "little") + item
    request = oip.ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=[raw])
    return Question(message=request.SerializeToString(), body=item)


def ask_engine(model: str, inputs: Arrays) -> Question:
    """The question to a bare engine, for what it makes of a batch of numbers."""
    request = oip.ModelInferRequest(model_name=f"{model}.engine")
    for name, array in inputs.items():
        request.inputs.add(name=name, datatype=datatype_of(array.dtype), shape=array.shape)
        request.raw_input_contents.append(array.tobytes())
    return Question(message=request.SerializeToString())


def answer_of(response: oip.ModelInferResponse) -> str:
    """The first element of the output `label`; of a bare engine's, which has none, `class_of` its first output."""
    for output, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        if output.name == "label":
            return raw[_LENGTH_BYTES : _LENGTH_BYTES + int.from_bytes(raw[:_LENGTH_BYTES], "little")].decode()
    return class_of(np.frombuffer(response.raw_output_contents[0], np.float32))


def class_of(logits: NDArray[np.generic]) -> str:
    """The index of the largest of the logits of one item."""
    return str(int(np.argmax(logits)))


@asynccontextmanager
async def connect(url: str, protocol: Protocol, questions: Sequence[Question]) -> AsyncIterator[Ask]:
    """A connection to the server at `url` (host:port) that asks it the questions; any number at a time.

    Raises:
        BenchmarkError: a question was not answered.
    """
    connection = _connect_grpc(url, questions) if protocol == "grpc" else _connect_http(url, protocol, questions)
    try:
        async with connection as ask:
            yield ask
    except grpc.RpcError as error:
        raise _unanswered(url, f"{error.code().name}, {error.details()}") from None
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _unanswered(url, str(error) or "it took too long") from None


async def ask_alone(url: str, protocol: Protocol, questions: Sequence[Question]) -> tuple[str, ...]:
    """The answer to each question, asked one after the other.

    Raises:
        BenchmarkError: a question was not answered.
    """
    async with connect(url, protocol, questions) as ask:
        return tuple([await ask(index) for index in range(len(questions))])


@asynccontextmanager
async def _connect_grpc(url: str, questions: Sequence[Question]) -> AsyncIterator[Ask]:
    async with grpc.aio.insecure_channel(url, options=_UNLIMITED) as channel:
        infer = channel.unary_unary(
            INFER, request_serializer=None, response_deserializer=oip.ModelInferResponse.FromString
        )

        async def ask(index: int) -> str:
            return answer_of(await infer(questions[index].message, timeout=_ANSWER_SECONDS))

        yield ask


@asynccontextmanager
async def _connect_http(url: str, protocol: Protocol, questions: Sequence[Question]) -> AsyncIterator[Ask]:
    bodies = [question.http(protocol) for question in questions]
    headers = {"Content-Type": _CONTENT_TYPES[protocol]}
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers, raise_for_status=True) as session:

        async def ask(index: int) -> str:
            async with session.post(f"http://{url}/inference", data=bodies[index]) as response:
                label: str = json.loads(await response.read())["label"][0]
                return label

        yield ask


def _unanswered(url: str, reason: str) -> BenchmarkError:
    return BenchmarkError(f"The server at {url} did not answer: {reason}; see its log.")
