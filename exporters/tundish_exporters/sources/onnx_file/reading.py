"""Reads an ONNX file that came from anywhere: nothing is read but it and what lies beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import onnx
from google.protobuf.message import DecodeError
from onnx.external_data_helper import load_external_data_for_model

from tundish.errors import reason_of
from tundish_exporters.errors import ExportError
from tundish_exporters.inner_graphs import inner_graphs

MAX_BYTES = 2**31 - 1
"""Of the file and its weights together: what one message of protobuf holds."""

_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Of the operators that ONNX Runtime has without a library of the user's."""


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A model whose form was checked, with all its weights."""

    path: Path
    model: onnx.ModelProto
    hashes: dict[str, str]
    """SHA-256 of the file and of those that hold its weights, by their names beside it."""


def read_onnx(path: Path) -> OnnxFile:
    """Reads the file, and what it keeps beside itself.

    Raises:
        ExportError: it is not ONNX, damaged, larger than `MAX_BYTES`, asks for operators that ONNX Runtime has not, or
            its weights lie elsewhere, are missing or cut short.
    """
    model = _parse(path, _read(path))
    hashes = {path.name: _sha256(path)}
    total = path.stat().st_size
    for location in sorted({_location(tensor) for tensor in _external(model)}):
        weights = _beside(path, location)
        total += weights.stat().st_size
        _check_size(path, total)
        hashes[location] = _sha256(weights)
    for tensor in _external(model):
        _check_extent(path, tensor)
    _check_operators(path, model)
    try:
        onnx.checker.check_model(str(path))
        load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # the library raises several of its own, and ValueError
        raise ExportError(f"{path} is no valid ONNX model: {reason_of(error)}") from error
    return OnnxFile(path, model, hashes)


def _read(path: Path) -> bytes:
    try:
        _check_size(path, path.stat().st_size)
        return path.read_bytes()
    except FileNotFoundError:
        raise ExportError(f"{path} is not there; give an ONNX file.") from None
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}.") from error


def _parse(path: Path, data: bytes) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        raise ExportError(f"{path} is not an ONNX file, or is cut short.") from None
    if not model.ir_version or not model.graph.node:
        raise ExportError(f"{path} is not an ONNX file: it holds no network.")
    return model


def _check_size(path: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise ExportError(f"{path} has {size} bytes with its weights; tundish reads ONNX models up to {MAX_BYTES}.")


def _check_operators(path: Path, model: onnx.ModelProto) -> None:
    known = _DOMAINS | {function.domain for function in model.functions}
    for node in _nodes(model):
        if node.domain not in known:
            raise ExportError(
                f"{path} uses the operator {node.op_type} of '{node.domain}', which ONNX Runtime has only from a "
                "library of its own; tundish loads none, so export the model with standard operators."
            )


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Of the graph, of the functions, and of the graphs within their attributes."""
    waiting = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += (inner for graph in inner_graphs(node) for inner in graph.node)


def _external(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """The tensors whose values lie in other files."""
    for graph in (model.graph, *(graph for node in _nodes(model) for graph in inner_graphs(node))):
        sparse = (part for tensor in graph.sparse_initializer for part in (tensor.values, tensor.indices))
        yield from filter(_is_external, (*graph.initializer, *sparse))
    for attribute in (attribute for node in _nodes(model) for attribute in node.attribute):
        yield from filter(_is_external, (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors))


def _is_external(tensor: onnx.TensorProto) -> bool:
    return tensor.data_location == onnx.TensorProto.EXTERNAL


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _location(tensor: onnx.TensorProto) -> str:
    return _entries(tensor).get("location", "")


def _beside(path: Path, location: str) -> Path:
    """The file of weights; it may lie in a folder beside the model, but not above it, nor be led to by a link."""
    parts = PurePosixPath(location).parts
    weights = path.parent / location
    outside = not parts or parts[0] == "/" or ".." in parts or "\\" in location or "\0" in location
    if outside or not weights.resolve().is_relative_to(path.parent.resolve()):
        raise ExportError(f"{path} keeps weights in '{location}', which is no file beside it; save the model anew.")
    if not weights.is_file():
        raise ExportError(f"{path} keeps weights in '{location}', which is missing; put the file beside it.")
    return weights


def _check_extent(path: Path, tensor: onnx.TensorProto) -> None:
    entries = _entries(tensor)
    size = (path.parent / entries["location"]).stat().st_size
    try:
        offset = int(entries.get("offset", 0))
        length = int(entries.get("length", size - offset))
    except ValueError:
        offset = length = -1
    if offset < 0 or length < 0 or offset + length > size:
        raise ExportError(
            f"{path} keeps the weights '{tensor.name}' where '{entries['location']}', of {size} bytes, has none; the "
            "file is cut short or belongs to another model."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
