"""Reads a request's tensors where they lie in its bytes, which are not copied with the message around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tundish.tensors import RawContents
from tundish_proto import open_inference_pb2 as oip

_LARGE = 2**14
"""In bytes: messages of fewer are parsed whole, which takes less."""

_MOST_FIELDS = 256
"""Of more, a message is parsed whole: an interpreter that went through millions would hold everybody up."""

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
"""The wire types of protobuf's encoding that are in use: https://protobuf.dev/programming-guides/encoding/."""

_RAW_CONTENTS = oip.ModelInferRequest.DESCRIPTOR.fields_by_name["raw_input_contents"].number << 3 | _DELIMITED


class InferRequest(NamedTuple):
    """A request's message, and its raw contents, which lie beside it; those in the message are not looked at."""

    message: oip.ModelInferRequest
    raw_contents: Sequence[RawContents]


def parse_request(data: bytes) -> InferRequest:
    """The request that a message's bytes are.

    Raises:
        DecodeError: they are none.
    """
    if len(data) >= _LARGE:
        try:
            rest, raw_contents = _split(data)
        except _UnusualError:
            pass
        else:
            return InferRequest(oip.ModelInferRequest.FromString(rest), raw_contents)
    message = oip.ModelInferRequest.FromString(data)
    return InferRequest(message, message.raw_input_contents)


class _UnusualError(Exception):
    """The bytes are nothing that is usual; whether they are a message is protobuf's to say."""


def _split(data: bytes) -> tuple[bytes, list[RawContents]]:
    """The bytes without the raw contents, and these.

    Raises:
        _UnusualError: see there.
    """
    view = memoryview(data)
    kept: list[RawContents] = []
    raw_contents: list[RawContents] = []
    position = kept_to = 0
    for _ in range(_MOST_FIELDS):
        if position == len(data):
            kept.append(view[kept_to:])
            return b"".join(kept), raw_contents
        field = position
        tag, position = _varint(data, position)
        position, end = _extent(data, tag & 7, position)
        if end > len(data):
            raise _UnusualError
        if tag == _RAW_CONTENTS:
            kept.append(view[kept_to:field])
            raw_contents.append(view[position:end])
            kept_to = end
        position = end
    raise _UnusualError


def _extent(data: bytes, wire_type: int, position: int) -> tuple[int, int]:
    """Where the value of a field begins and ends."""
    if wire_type == _DELIMITED:
        size, position = _varint(data, position)
        return position, position + size
    if wire_type == _VARINT:
        return position, _varint(data, position)[1]
    if wire_type in (_FIXED32, _FIXED64):
        return position, position + (4 if wire_type == _FIXED32 else 8)
    raise _UnusualError


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number of up to 32 bits in seven bits a byte, the lowest first, and the position behind it."""
    number = 0
    for shift in range(0, 35, 7):
        if position == len(data):
            break
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
    raise _UnusualError
