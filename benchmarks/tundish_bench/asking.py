"""Questions to servers under measurement, over gRPC or HTTP, and what of an answer is compared.

A message is serialised once, before the load: the client shares the machine with the servers, so it does little.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import aiohttp
import grpc
import numpy as np
from numpy.typing import NDArray

from tundish.datatypes import datatype_of
from tundish.engines import Arrays
from tundish_bench.errors import BenchmarkError
from tundish_proto import open_inference_pb2 as oip

Protocol = Literal["grpc", "grpc-bytes", "v2-http", "http"]
"""The Open Inference Protocol over gRPC; the same with each tensor of numbers as one element of BYTES, both ways; the
same over HTTP with binary data; or a POST of the item to the model's name, answered by JSON with a list `label` or, of
a bare engine, by its first output's numbers."""

Ask = Callable[[int], Awaitable[str]]
"""Asks a connected server the question of this index, and returns its answer."""

_ANSWER_SECONDS = 30.0
"""The longest that any answer may take; a load so ends soon after its time, whatever the server does."""

_LENGTH_BYTES = 4
"""What precedes each element of a raw BYTES tensor: its length, little-endian."""

_HEADER_LENGTH = "Inference-Header-Content-Length"
"""Of the JSON before the binary data, in a request and an answer."""

INFER = "/inference.GRPCInferenceService/ModelInfer"
"""The method's path."""
_UNLIMITED = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, in the form of each protocol."""

    model: str
    message: bytes
    """A serialised `inference.ModelInferRequest`."""
    body: bytes
    """The item alone: a file, a text, or the numbers of the first tensor."""

    def grpc(self, protocol: Protocol) -> bytes:
        """The message of a call."""
        return _with_bytes(self.message) if protocol == "grpc-bytes" else self.message


def ask_pipeline(model: str, input_name: Literal["image", "text"], item: bytes) -> Question:
    """The question for the label of an image file or a UTF-8 text."""
    tensor = oip.ModelInferRequest.InferInputTensor(name=input_name, datatype="BYTES", shape=[1, 1])
    raw = len(item).to_bytes(_LENGTH_BYTES, "little") + item
    request = oip.ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=[raw])
    return Question(model=model, message=request.SerializeToString(), body=item)


def ask_engine(model: str, inputs: Arrays) -> Question:
    """The question to a bare engine, for what it makes of a batch of numbers."""
    request = oip.ModelInferRequest(model_name=f"{model}.engine")
    for name, array in inputs.items():
        request.inputs.add(name=name, datatype=datatype_of(array.dtype), shape=array.shape)
        request.raw_input_contents.append(array.tobytes())
    return Question(model=request.model_name, message=request.SerializeToString(), body=request.raw_input_contents[0])


def answer_of(response: oip.ModelInferResponse) -> str:
    """The first element of the output `label`; of a bare engine's, which has none, `class_of` its first output."""
    for output, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        if output.name == "label":
            return _first_element(raw).decode()
    first = response.raw_output_contents[0]
    return _class_of_bytes(_first_element(first) if response.outputs[0].datatype == "BYTES" else first)


def class_of(logits: NDArray[np.generic]) -> str:
    """The index of the largest of the logits of one item."""
    return str(int(np.argmax(logits)))


@asynccontextmanager
async def connect(url: str, protocol: Protocol, questions: Sequence[Question]) -> AsyncIterator[Ask]:
    """A connection to the server at `url` (host:port) that asks it the questions; any number at a time.

    Raises:
        BenchmarkError: a question was not answered.
    """
    connect_by = {"v2-http": _connect_v2_http, "http": _connect_http}.get(protocol, partial(_connect_grpc, protocol))
    connection = connect_by(url, questions)
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
async def _connect_grpc(protocol: Protocol, url: str, questions: Sequence[Question]) -> AsyncIterator[Ask]:
    messages = [question.grpc(protocol) for question in questions]
    async with grpc.aio.insecure_channel(url, options=_UNLIMITED) as channel:
        infer = channel.unary_unary(
            INFER, request_serializer=None, response_deserializer=oip.ModelInferResponse.FromString
        )

        async def ask(index: int) -> str:
            return answer_of(await infer(messages[index], timeout=_ANSWER_SECONDS))

        yield ask


@asynccontextmanager
async def _connect_http(url: str, questions: Sequence[Question]) -> AsyncIterator[Ask]:
    targets = [(f"http://{url}/{question.model}", question.body) for question in questions]
    async with _session({"Content-Type": "application/octet-stream"}) as session:

        async def ask(index: int) -> str:
            target, body = targets[index]
            async with session.post(target, data=body) as response:
                answer = await response.read()
                if response.content_type != "application/json":
                    return _class_of_bytes(answer)
                label: str = json.loads(answer)["label"][0]
                return label

        yield ask


@asynccontextmanager
async def _connect_v2_http(url: str, questions: Sequence[Question]) -> AsyncIterator[Ask]:
    targets = [(f"http://{url}/v2/models/{question.model}/infer", *v2_http_of(question)) for question in questions]
    async with _session({"Content-Type": "application/octet-stream"}) as session:

        async def ask(index: int) -> str:
            target, headers, body = targets[index]
            async with session.post(target, data=body, headers=headers) as response:
                answer = await response.read()
                return answer_of(_response_of(answer, int(response.headers[_HEADER_LENGTH])))

        yield ask


def v2_http_of(question: Question) -> tuple[dict[str, str], bytes]:
    """The headers and the body of the same request over HTTP: JSON, and all tensors' binary data behind it."""
    request = oip.ModelInferRequest.FromString(question.message)
    inputs = [
        {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": list(tensor.shape),
            "parameters": {"binary_data_size": len(raw)},
        }
        for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True)
    ]
    header = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return {_HEADER_LENGTH: str(len(header))}, b"".join([header, *request.raw_input_contents])


def _response_of(body: bytes, header_length: int) -> oip.ModelInferResponse:
    response = oip.ModelInferResponse()
    position = header_length
    for output in json.loads(body[:header_length])["outputs"]:
        size = output["parameters"]["binary_data_size"]
        response.outputs.add(name=output["name"], datatype=output["datatype"])
        response.raw_output_contents.append(body[position : position + size])
        position += size
    return response


def _session(headers: dict[str, str]) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS), headers=headers, raise_for_status=True
    )


def _with_bytes(message: bytes) -> bytes:
    """The same request with each tensor of numbers as one element of BYTES."""
    request = oip.ModelInferRequest.FromString(message)
    for index, tensor in enumerate(request.inputs):
        if tensor.datatype != "BYTES":
            raw = request.raw_input_contents[index]
            request.raw_input_contents[index] = len(raw).to_bytes(_LENGTH_BYTES, "little") + raw
            tensor.datatype, tensor.shape[:] = "BYTES", [1, 1]
    return request.SerializeToString()


def _first_element(raw: bytes) -> bytes:
    """Of a BYTES tensor."""
    return raw[_LENGTH_BYTES : _LENGTH_BYTES + int.from_bytes(raw[:_LENGTH_BYTES], "little")]


def _class_of_bytes(raw: bytes) -> str:
    return class_of(np.frombuffer(raw, np.float32))


def _unanswered(url: str, reason: str) -> BenchmarkError:
    return BenchmarkError(f"The server at {url} did not answer: {reason}; see its log.")
