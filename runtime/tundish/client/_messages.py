"""What both clients share: requests from arguments, results from responses, errors from status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from tundish import errors
from tundish.datatypes import datatype_of
from tundish.errors import ERROR_METADATA_KEY, PUSHBACK_METADATA_KEY, TundishError
from tundish.inputs import Inputs, read_inputs
from tundish.results import Prediction, RankedText, TextRanking
from tundish.tensors import decode_tensor, encode_tensor
from tundish.wire import read_prediction
from tundish_proto import open_inference_pb2 as oip
from tundish_proto.v1 import inference_pb2 as typed

DEFAULT_URL = "127.0.0.1:8001"
DEFAULT_TIMEOUT_SECONDS = 60.0

CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", 2**31 - 1),
    ("grpc.max_receive_message_length", 2**31 - 1),
)

_CLASSES: dict[str, type[TundishError]] = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, TundishError) and value is not errors.QueueFullError
}
_BY_STATUS: dict[grpc.StatusCode, type[TundishError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidInputError,
    grpc.StatusCode.NOT_FOUND: errors.ModelNotFoundError,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceededError,
    grpc.StatusCode.INTERNAL: errors.EngineError,
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def predict_request(
    model: str, inputs: Inputs, *, version: int | None, priority: int, request_id: str = ""
) -> typed.PredictRequest:
    """The request for one item; raises InvalidInputError for an unreadable one."""
    request = typed.PredictRequest(model_name=model, model_version=_version(version), id=request_id, priority=priority)
    for name, data in read_inputs(inputs).items():
        if isinstance(data, tuple):
            getattr(request, name).extend(text.decode() for text in data)
        else:
            setattr(request, name, data if name == "image" else data.decode())
    return request


def infer_request(
    model: str, inputs: Mapping[str, NDArray[np.generic]], *, version: int | None
) -> oip.ModelInferRequest:
    """The request for tensors, as raw contents."""
    request = oip.ModelInferRequest(model_name=model, model_version=_version(version))
    for name, array in inputs.items():
        request.inputs.add(name=name, datatype=datatype_of(array.dtype), shape=array.shape)
        request.raw_input_contents.append(encode_tensor(array))
    return request


def infer_outputs(response: oip.ModelInferResponse) -> dict[str, NDArray[np.generic]]:
    """The tensors of a response, by name."""
    return {
        output.name: decode_tensor(output.name, output.datatype, output.shape, raw)
        for output, raw in zip(response.outputs, response.raw_output_contents, strict=True)
    }


def stream_outcome(response: typed.PredictStreamResponse) -> Prediction | TundishError:
    """One answer of a stream; an input that failed is an error here, and the stream goes on."""
    if response.WhichOneof("outcome") != "error":
        return read_prediction(response.response)
    error = response.error
    code = _CODES.get(error.code, grpc.StatusCode.UNKNOWN)
    named = _named(error.error_class, error.message, error.retry_after_milliseconds)
    return named or _BY_STATUS.get(code, TundishError)(error.message)


def ranked(
    texts: Sequence[str], outcomes: Iterable[tuple[int, Prediction | TundishError]], model: str
) -> list[RankedText]:
    """The texts with their scores, best first; raises the first error, and InvalidInputError if they are no scores."""
    found = []
    for index, outcome in outcomes:
        if isinstance(outcome, TundishError):
            raise outcome
        if not isinstance(outcome.result, TextRanking):
            raise errors.InvalidInputError(f"Model '{model}' does not rank texts; ask one for text-ranking.")
        found.append(RankedText(index, texts[index], outcome.result.score))
    return sorted(found, key=lambda each: -each.score)


def error_of(failure: grpc.RpcError, url: str) -> TundishError:
    """The error that the server raised, or what became of the connection."""
    call: Any = failure  # a raised RpcError is the call itself
    code, details = call.code(), call.details() or ""
    metadata = dict(call.trailing_metadata() or ())
    pushback = int(metadata.get(PUSHBACK_METADATA_KEY, "0"))
    if named := _named(metadata.get(ERROR_METADATA_KEY, ""), details, pushback):
        return named
    if code == grpc.StatusCode.CANCELLED:  # nobody here cancels: gRPC does, of calls that meet its own end
        return errors.StoppingError(f"{url} stopped before it answered; ask again, or another server. ({details})")
    if code == grpc.StatusCode.UNAVAILABLE:
        return errors.ConnectionFailedError(f"No server answers at {url}; start one with `tundish serve`. ({details})")
    return _BY_STATUS.get(code, TundishError)(f"{url} answered {code.name}: {details}")


def _named(name: str, message: str, retry_after_milliseconds: int) -> TundishError | None:
    """The error of that class; None if this version knows none of the name."""
    if name == errors.QueueFullError.__name__:
        return errors.QueueFullError(message, retry_after_seconds=retry_after_milliseconds * 1e-3)
    return _CLASSES[name](message) if name in _CLASSES else None


def _version(version: int | None) -> str:
    return "" if version is None else str(version)
