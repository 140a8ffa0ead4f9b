"""Requests as they go over the wire, made once, before anything is measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

import numpy as np

from tundish.datatypes import datatype_of
from tundish.tensors import bytes_array, encode_tensor
from tundish_bench.driving.questions import Contents, Question
from tundish_bench.driving.wire import HttpRequest
from tundish_proto import open_inference_pb2 as oip

JSON_LENGTH = "Inference-Header-Content-Length"
"""Of the JSON before binary data, in a request and an answer."""

_BYTES = "application/octet-stream"


def grpc_requests(questions: Sequence[Question]) -> list[bytes]:
    """Serialised `ModelInferRequest` messages with raw contents."""
    return [_message(each).SerializeToString() for each in questions]


def grpc_bytes_requests(questions: Sequence[Question]) -> list[bytes]:
    """The same with each tensor of numbers as one element of BYTES."""
    return grpc_requests([Question(each.model, _as_bytes(each.contents)) for each in questions])


def http_requests(questions: Sequence[Question], *, binary: bool) -> list[HttpRequest]:
    """Bodies in JSON, or with the tensors behind it where the server has the extension `binary_tensor_data`."""
    return [_binary(each) if binary else _plain(each) for each in questions]


def post_requests(questions: Sequence[Question]) -> list[HttpRequest]:
    """The item alone, to a path of the model's name."""
    return [HttpRequest(f"/{quote(each.model, safe='')}", each.item, {"Content-Type": _BYTES}) for each in questions]


def _message(question: Question) -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name=question.model)
    for name, array in question.contents.items():
        request.inputs.add(name=name, datatype=datatype_of(array.dtype), shape=array.shape)
        request.raw_input_contents.append(encode_tensor(array))
    return request


def _as_bytes(contents: Contents) -> Contents:
    return {
        name: array if array.dtype == np.object_ else bytes_array([array.tobytes()]).reshape(1, 1)
        for name, array in contents.items()
    }


def _binary(question: Question) -> HttpRequest:
    raws = [encode_tensor(array) for array in question.contents.values()]
    inputs = [
        {**_head(name, array), "parameters": {"binary_data_size": len(raw)}}
        for (name, array), raw in zip(question.contents.items(), raws, strict=True)
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    headers = {"Content-Type": _BYTES, JSON_LENGTH: str(len(head))}
    return HttpRequest(_path(question), b"".join([head, *raws]), headers)


def _plain(question: Question) -> HttpRequest:
    inputs = [{**_head(name, array), "data": _values(array)} for name, array in question.contents.items()]
    return HttpRequest(_path(question), json.dumps({"inputs": inputs}).encode(), {"Content-Type": "application/json"})


def _path(question: Question) -> str:
    return f"/v2/models/{quote(question.model, safe='')}/infer"


def _head(name: str, array: np.ndarray) -> dict[str, object]:
    return {"name": name, "datatype": datatype_of(array.dtype), "shape": list(array.shape)}


def _values(array: np.ndarray) -> list[object]:
    """Row by row; BYTES are text, since JSON has no bytes."""
    if array.dtype == np.object_:
        return [element.decode("utf-8", "surrogateescape") for element in array.flat]
    values: list[object] = array.ravel().tolist()
    return values
