"""From a request's tensor messages to arrays, and from arrays into a response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tundish.datatypes import NUMPY_DTYPES, datatype_of
from tundish.errors import InvalidInputError
from tundish.tensors import Tensor, bytes_array, check_count, check_tensor_header, decode_tensor, encode_tensor, shaped
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


def read_inputs(request: oip.ModelInferRequest) -> dict[str, Tensor]:
    """The request's input tensors by name; BYTES as object arrays of bytes.

    Raises:
        InvalidInputError: a tensor's datatype is unknown, its content does not match its shape, a name stands twice, or
            it lies in shared memory.
    """
    raws = request.raw_input_contents
    if raws and len(raws) != len(request.inputs):
        raise InvalidInputError(
            f"raw_input_contents must have one entry for each of the {len(request.inputs)} inputs, got {len(raws)}."
        )
    tensors: dict[str, Tensor] = {}
    for index, tensor in enumerate(request.inputs):
        if tensor.name in tensors:
            raise InvalidInputError(f"Input '{tensor.name}' stands twice in the request.")
        if "shared_memory_region" in tensor.parameters:
            raise InvalidInputError(f"Input '{tensor.name}' lies in shared memory, which this server does not take.")
        tensors[tensor.name] = (
            decode_tensor(tensor.name, tensor.datatype, tensor.shape, raws[index]) if raws else _typed(tensor)
        )
    return tensors


def _typed(tensor: oip.ModelInferRequest.InferInputTensor) -> Tensor:
    check_tensor_header(tensor.name, tensor.datatype, tensor.shape)
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


def write_outputs(response: oip.ModelInferResponse, outputs: Mapping[str, Tensor], names: Sequence[str]) -> None:
    """Adds the named outputs to the response, with raw contents in the same order."""
    for name in names:
        array = outputs[name]
        response.outputs.add(name=name, datatype=datatype_of(array.dtype), shape=array.shape)
        response.raw_output_contents.append(encode_tensor(array))
