"""Requests as they go over the wire, made once, before anything is measured."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from tundish.datatypes import datatype_of
from tundish.tensors import encode_tensor
from tundish_bench.driving.contents import Contents
from tundish_bench.driving.wire import HttpRequest
from tundish_proto import open_inference_pb2 as oip

_JSON_LENGTH = "Inference-Header-Content-Length"


def grpc_requests(model: str, contents: Sequence[Contents]) -> list[bytes]:
    """Serialised `ModelInferRequest` messages with raw contents."""
    return [_message(model, each).SerializeToString() for each in contents]


def http_requests(contents: Sequence[Contents], *, binary: bool) -> list[HttpRequest]:
    """Bodies in JSON, or with the tensors behind it where the server has the extension `binary_tensor_data`."""
    return [_binary(each) if binary else _plain(each) for each in contents]


def _message(model: str, contents: Contents) -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name=model)
    for name, array in contents.items():
        request.inputs.add(name=name, datatype=datatype_of(array.dtype), shape=array.shape)
        request.raw_input_contents.append(encode_tensor(array))
    return request


def _binary(contents: Contents) -> HttpRequest:
    raws = [encode_tensor(array) for array in contents.values()]
    inputs = [
        {**_head(name, array), "parameters": {"binary_data_size": len(raw)}}
        for (name, array), raw in zip(contents.items(), raws, strict=True)
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    headers = {"Content-Type": "application/octet-stream", _JSON_LENGTH: str(len(head))}
    return HttpRequest(b"".join([head, *raws]), headers)


def _plain(contents: Contents) -> HttpRequest:
    inputs = [{**_head(name, array), "data": _values(array)} for name, array in contents.items()]
    return HttpRequest(json.dumps({"inputs": inputs}).encode(), {"Content-Type": "application/json"})


def _head(name: str, array: np.ndarray) -> dict[str, object]:
    return {"name": name, "datatype": datatype_of(array.dtype), "shape": list(array.shape)}


def _values(array: np.ndarray) -> list[object]:
    """Row by row; BYTES are text, since JSON has no bytes."""
    if array.dtype == np.object_:
        return [element.decode("utf-8", "surrogateescape") for element in array.flat]
    values: list[object] = array.ravel().tolist()
    return values
