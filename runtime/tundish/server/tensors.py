"""From a request's tensor messages to arrays, and from arrays into a response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tundish.datatypes import NUMPY_DTYPES, datatype_of
from tundish.errors import InvalidInputError
from tundish.server.classification import classify
from tundish.server.parameters import Parameters, read_count, read_text
from tundish.server.shared_memory import SharedMemory
from tundish.tensors import (
    RawContents,
    Tensor,
    bytes_array,
    check_count,
    check_input_header,
    decode_tensor,
    encode_tensor,
    shaped,
)
from tundish_proto import open_inference_pb2 as oip

_CONTENTS_FIELD = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""Which field of typed contents carries a datatype; FP16 has none and travels only raw."""


_REGION = "shared_memory_region"
_SIZE = "shared_memory_byte_size"
_OFFSET = "shared_memory_offset"
_CLASSIFICATION = "classification"


def read_inputs(
    request: oip.ModelInferRequest, raw_contents: Sequence[RawContents], shared_memory: SharedMemory
) -> dict[str, Tensor]:
    """The request's input tensors by name; BYTES as object arrays of bytes.

    The raw contents are those of the inputs that are not in shared memory, if there are any; those that the request
    itself has are not looked at.

    Raises:
        InvalidInputError: a tensor's datatype is unknown, its content does not match its shape, a name stands twice, or
            it lies in shared memory that is not registered.
    """
    raws = iter(raw_contents)
    count = sum(_REGION not in tensor.parameters for tensor in request.inputs)
    if raw_contents and len(raw_contents) != count:
        raise InvalidInputError(
            f"raw_input_contents must have one entry for each of the {count} inputs that are not in shared memory, got "
            f"{len(raw_contents)}."
        )
    tensors: dict[str, Tensor] = {}
    for tensor in request.inputs:
        if tensor.name in tensors:
            raise InvalidInputError(f"Input '{tensor.name}' stands twice in the request.")
        check_input_header(tensor.name, tensor.datatype, tensor.shape)
        if _REGION in tensor.parameters:
            data: RawContents = shared_memory.read(*_place(f"Input '{tensor.name}'", tensor.parameters))
        elif raw_contents:
            data = next(raws)
        else:
            tensors[tensor.name] = _typed(tensor)
            continue
        tensors[tensor.name] = decode_tensor(tensor.name, tensor.datatype, tensor.shape, data)
    return tensors


def _place(name: str, parameters: Parameters) -> tuple[str, int, int]:
    """The region that a tensor's parameters name, its offset there and its size in bytes."""
    if _SIZE not in parameters:
        raise InvalidInputError(f"{name} lies in shared memory, and needs the parameter '{_SIZE}' as well.")
    return read_text(parameters, _REGION), read_count(parameters, _OFFSET), read_count(parameters, _SIZE)


def _typed(tensor: oip.ModelInferRequest.InferInputTensor) -> Tensor:
    field = _CONTENTS_FIELD.get(tensor.datatype)
    if field is None:
        raise InvalidInputError(f"Input '{tensor.name}' of {tensor.datatype} must come as raw contents.")
    values = getattr(tensor.contents, field)
    check_count(tensor.name, tensor.shape, len(values))
    if tensor.datatype == "BYTES":
        array = bytes_array(values)
    else:
        try:
            array = np.array(values, NUMPY_DTYPES[tensor.datatype])
        except OverflowError:
            raise InvalidInputError(f"Input '{tensor.name}' has a value outside {tensor.datatype}.") from None
    return shaped(tensor.name, tensor.shape, array)


def write_outputs(
    response: oip.ModelInferResponse,
    outputs: Mapping[str, Tensor],
    requested: Sequence[oip.ModelInferRequest.InferRequestedOutputTensor],
    labels: Sequence[str],
    shared_memory: SharedMemory,
) -> None:
    """Adds the requested outputs to the response in their order; in raw contents, or in shared memory if so asked.

    An output with the parameter `classification` becomes the text of its highest elements; `labels` name them.

    Raises:
        InvalidInputError: shared memory is not registered or too small, there is nothing to classify, or a parameter
            is of another type than it must be.
    """
    for output in requested:
        array = outputs[output.name]
        if _CLASSIFICATION in output.parameters:
            array = classify(output.name, array, read_count(output.parameters, _CLASSIFICATION), labels)
        made = response.outputs.add(name=output.name, datatype=datatype_of(array.dtype), shape=array.shape)
        data = encode_tensor(array)
        if _REGION in output.parameters:
            region, offset, size = _place(f"Output '{output.name}'", output.parameters)
            shared_memory.write(region, offset, size, data)
            made.parameters[_REGION].string_param = region
            made.parameters[_SIZE].int64_param = len(data)
            if offset:
                made.parameters[_OFFSET].int64_param = offset
            data = b""  # clients match entries by position
        response.raw_output_contents.append(data)
