"""Inference: from JSON with binary data behind it to the protocol's message, and from its response back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic_core import to_json
from starlette.responses import Response

from tundish.datatypes import NUMPY_DTYPES
from tundish.errors import InvalidInputError
from tundish.server.http.schemas import InferRequest, InputTensor, parse
from tundish.server.parameters import read_flag
from tundish.tensors import (
    RawContents,
    Tensor,
    bytes_array,
    check_count,
    check_input_header,
    decode_tensor,
    encode_tensor,
)
from tundish_proto import open_inference_pb2 as oip

HEADER_LENGTH = "Inference-Header-Content-Length"
"""The header that says how many bytes of a body are JSON; binary data follow them."""

_BINARY = "binary_data"
_SIZE = f"{_BINARY}_size"
_REGION = "shared_memory_region"
_KINDS: Mapping[str, tuple[set[type], str]] = {"b": ({bool}, "true or false"), "f": ({int, float}, "numbers")}
"""What the elements of a tensor may be in JSON, by the kind of its datatype, if not integers."""


@dataclass(frozen=True, slots=True)
class BinaryOutputs:
    """Which outputs a request wants as binary data."""

    default: bool = False
    by_name: Mapping[str, bool] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return self.by_name.get(name, self.default)


@dataclass(frozen=True, slots=True)
class Question:
    """A request's message, without the raw contents of its inputs, which lie beside it."""

    message: oip.ModelInferRequest
    raw_contents: Sequence[RawContents]
    binary: BinaryOutputs


def read_request(body: bytes, header_length: str | None) -> Question:
    """The request, without the model's name; all its tensors are raw contents, binary data as views of the body.

    Raises:
        HTTPException: its JSON is too large.
        InvalidInputError: it is not as the protocol has it, or asks for binary data by anything but a truth value.
    """
    end = _header_end(header_length, len(body))
    request = parse(InferRequest, body[:end])
    message, raw_contents = oip.ModelInferRequest(id=request.id), list[RawContents]()
    view = memoryview(body)
    set_parameters(message.parameters, request.parameters)
    for tensor in request.inputs:
        made = message.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        set_parameters(made.parameters, tensor.parameters)
        if _REGION in tensor.parameters:
            continue
        if _SIZE in tensor.parameters:
            start, end = end, end + _size_of(tensor)
            if end > len(body):
                raise InvalidInputError(
                    f"Input '{tensor.name}' has {_SIZE} {end - start}, but only {len(body) - start} bytes are left of "
                    f"the body; is the header {HEADER_LENGTH} missing?"
                )
            raw_contents.append(view[start:end])
        else:
            raw_contents.append(_encode(tensor))
    if end != len(body):
        raise InvalidInputError(f"The body has {len(body) - end} bytes more than its JSON and its inputs' {_SIZE} say.")
    for output in request.outputs:
        set_parameters(message.outputs.add(name=output.name).parameters, output.parameters)
    binary = BinaryOutputs(
        default=read_flag(message.parameters, f"{_BINARY}_output"),
        by_name={
            output.name: read_flag(output.parameters, _BINARY)
            for output in message.outputs
            if _BINARY in output.parameters
        },
    )
    return Question(message, raw_contents, binary)


def raw_request(body: bytes, inputs: list[tuple[str, str, list[int]]]) -> Question:
    """The request of a body that is one tensor and nothing else: one item for a model with one input.

    `inputs` are the model's, as its metadata has them: name, datatype and shape, whose first dimension is the batch.

    Raises:
        InvalidInputError: the model has several inputs, or one that may have several shapes.
    """
    if len(inputs) != 1 or any(size < 0 for size in inputs[0][2][1:]):
        raise InvalidInputError(
            f"A body that is one tensor ({HEADER_LENGTH}: 0) needs a model with one input, of a fixed shape; send JSON."
        )
    ((name, datatype, shape),) = inputs
    message = oip.ModelInferRequest()
    message.inputs.add(name=name, datatype=datatype, shape=[1, *shape[1:]])
    raw = encode_tensor(bytes_array([body])) if datatype == "BYTES" else body
    return Question(message, [raw], BinaryOutputs())


def write_response(message: oip.ModelInferResponse, binary: BinaryOutputs) -> Response:
    """The response as JSON, followed by the outputs that are wanted as binary data.

    Raises:
        InvalidInputError: an output is wanted as JSON, which cannot hold it.
    """
    outputs: list[dict[str, Any]] = []
    behind: list[bytes] = []
    for output, raw in zip(message.outputs, message.raw_output_contents, strict=True):
        made: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": list(output.shape)}
        # Of one in shared memory the client knows where it lies, and takes parameters to mean binary data.
        if _REGION not in output.parameters:
            if output.name in binary:
                made["parameters"] = {_SIZE: len(raw)}
                behind.append(raw)
            else:
                made["data"] = _as_list(output.name, decode_tensor(output.name, output.datatype, output.shape, raw))
        outputs.append(made)
    header: dict[str, Any] = {"model_name": message.model_name, "model_version": message.model_version}
    if message.id:
        header["id"] = message.id
    header["outputs"] = outputs
    json = to_json(header)
    if not behind:
        return Response(json, media_type="application/json")
    return Response(
        b"".join((json, *behind)), media_type="application/octet-stream", headers={HEADER_LENGTH: str(len(json))}
    )


def set_parameters(message: Any, parameters: Mapping[str, Any]) -> None:
    """Sets a map of parameters as the JSON has it.

    Raises:
        InvalidInputError: one is neither truth value, number of 64 bits nor text.
    """
    for name, value in parameters.items():
        if isinstance(value, bool):
            message[name].bool_param = value
        elif isinstance(value, int) and -(2**63) <= value < 2**63:
            message[name].int64_param = value
        elif isinstance(value, int) and 0 <= value < 2**64 and hasattr(message[name], "uint64_param"):
            message[name].uint64_param = value
        elif isinstance(value, float) and hasattr(message[name], "double_param"):
            message[name].double_param = value
        elif isinstance(value, str):
            message[name].string_param = value
        else:
            raise InvalidInputError(f"The parameter '{name}' must be true, false, a number of 64 bits or a text.")


def _header_end(header_length: str | None, size: int) -> int:
    if header_length is None:
        return size
    # More digits than that are no size, and slow to convert.
    if not header_length.isdecimal() or len(header_length) > 19 or int(header_length) > size:
        raise InvalidInputError(
            f"The header {HEADER_LENGTH} must be a number up to the body's {size} bytes, got '{header_length[:20]}'."
        )
    return int(header_length)


def _size_of(tensor: InputTensor) -> int:
    size = tensor.parameters[_SIZE]
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise InvalidInputError(
            f"The parameter {_SIZE} of input '{tensor.name}' must be a number of bytes, got {size!r}."
        )
    return size


def _encode(tensor: InputTensor) -> bytes:
    """Raw contents of a tensor's JSON: its elements, flat or nested."""
    check_input_header(tensor.name, tensor.datatype, tensor.shape)
    if tensor.data is None:
        raise InvalidInputError(f"Input '{tensor.name}' has neither data nor the parameter {_SIZE}.")
    # As objects, whatever they are: NumPy would make as much room for each element as the longest text takes.
    elements: list[Any] = np.array(tensor.data, np.object_).ravel().tolist()
    kinds = {type(element) for element in elements}
    if list in kinds:
        raise InvalidInputError(f"The data of input '{tensor.name}' are not a list of lists of like lengths.")
    check_count(tensor.name, tensor.shape, len(elements))
    if tensor.datatype == "BYTES":
        if kinds - {str}:
            raise InvalidInputError(f"The data of input '{tensor.name}' must be texts, or come as binary data.")
        return encode_tensor(bytes_array([element.encode() for element in elements]))
    dtype = NUMPY_DTYPES[tensor.datatype]
    allowed, described = _KINDS.get(dtype.kind, ({int}, "integers"))
    if kinds - allowed:
        raise InvalidInputError(f"The data of input '{tensor.name}' of {tensor.datatype} must be {described}.")
    return encode_tensor(_converted(tensor, elements, dtype))


def _converted(tensor: InputTensor, elements: list[Any], dtype: np.dtype[Any]) -> Tensor:
    try:
        with np.errstate(over="ignore"):
            converted = np.array(elements, dtype)
        fits = dtype.kind != "f" or bool(np.isfinite(converted).all())
    except OverflowError:
        fits = False
    if not fits:
        raise InvalidInputError(f"The data of input '{tensor.name}' have a value outside {tensor.datatype}.")
    return converted


def _as_list(name: str, array: Tensor) -> list[Any]:
    """A tensor's elements, flat."""
    elements: list[Any] = array.ravel().tolist()
    if array.dtype == np.object_:
        try:
            return [element.decode() for element in elements]
        except UnicodeDecodeError:
            raise InvalidInputError(f"Output '{name}' is not text; ask for it as binary data.") from None
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidInputError(
            f"Output '{name}' has values that JSON cannot hold (infinite, or no number); ask for it as binary data."
        )
    return elements
