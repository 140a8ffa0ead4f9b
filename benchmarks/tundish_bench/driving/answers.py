"""What of an answer is compared: a pipeline's first label, or the class of the largest of a bare engine's numbers.

A bare engine's first output is float32 of one item, as numbers or as one element of BYTES.
"""

from __future__ import annotations

import json

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from tundish_bench.driving.endpoint import WireName
from tundish_bench.driving.requests import JSON_LENGTH
from tundish_bench.driving.wire import Reply
from tundish_proto import open_inference_pb2 as oip

UNREADABLE = (DecodeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading raises where a body is no answer."""

_LENGTH_BYTES = 4
"""What precedes each element of a raw BYTES tensor: its length, little-endian."""


def class_of(logits: NDArray[np.generic]) -> str:
    """The index of the largest of the logits of one item."""
    return str(int(np.argmax(logits)))


def read_message(reply: Reply) -> str:
    """Of a `ModelInferResponse` with raw contents."""
    response = oip.ModelInferResponse.FromString(reply.body)
    for output, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        if output.name == "label":
            return _first_element(raw).decode()
    return _class_of_raw(response.outputs[0].datatype, response.raw_output_contents[0])


def read_binary(reply: Reply) -> str:
    """Of JSON with binary data behind it."""
    length = int(reply.headers[JSON_LENGTH.lower()])
    outputs, position = json.loads(reply.body[:length])["outputs"], length
    raws = []
    for output in outputs:
        size = output["parameters"]["binary_data_size"]
        raws.append(reply.body[position : position + size])
        position += size
        if output["name"] == "label":
            return _first_element(raws[-1]).decode()
    return _class_of_raw(outputs[0]["datatype"], raws[0])


def has_outputs(wire: WireName, reply: Reply) -> bool:
    """Whether what came names outputs, by HTTP with binary data or without; raises `UNREADABLE`."""
    if wire == "grpc":
        return bool(oip.ModelInferResponse.FromString(reply.body).outputs)
    length = reply.headers.get(JSON_LENGTH.lower())
    return bool(json.loads(reply.body[: int(length)] if length else reply.body)["outputs"])


def read_post(reply: Reply) -> str:
    """Of JSON with a list `label`, or of numbers alone."""
    if not reply.headers["content-type"].startswith("application/json"):
        return _class_of_raw("FP32", reply.body)
    label: str = json.loads(reply.body)["label"][0]
    return label


def _class_of_raw(datatype: str, raw: bytes) -> str:
    return class_of(np.frombuffer(_first_element(raw) if datatype == "BYTES" else raw, np.float32))


def _first_element(raw: bytes) -> bytes:
    """Of a BYTES tensor."""
    return raw[_LENGTH_BYTES : _LENGTH_BYTES + int.from_bytes(raw[:_LENGTH_BYTES], "little")]
