"""What a request's bytes are, read without a copy of their tensors: protobuf is the oracle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from tundish.server.open_inference import requests
from tundish.server.open_inference.requests import parse_request
from tundish_proto import open_inference_pb2 as oip

MANY = 5_000
LENGTHS = st.sampled_from([0, 1, 127, 128, 16_383, 16_384])
TEXTS = st.text(max_size=200)
PIECES = st.one_of(
    st.builds(lambda name: oip.ModelInferRequest(model_name=name), TEXTS),
    st.builds(lambda version: oip.ModelInferRequest(model_version=version), TEXTS),
    st.builds(lambda key: oip.ModelInferRequest(id=key), TEXTS),
    st.builds(
        lambda name, shape: oip.ModelInferRequest(
            inputs=[oip.ModelInferRequest.InferInputTensor(name=name, datatype="FP32", shape=shape)]
        ),
        TEXTS,
        st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
    ),
    st.builds(
        lambda name, value: oip.ModelInferRequest(parameters={name: oip.InferParameter(int64_param=value)}),
        TEXTS,
        st.integers(-(2**63), 2**63 - 1),
    ),
    st.builds(
        lambda byte, length: oip.ModelInferRequest(raw_input_contents=[bytes([byte]) * length]),
        st.integers(0, 255),
        LENGTHS,
    ),
)
UNKNOWN = st.sampled_from(
    [
        b"\x78\x05",  # field 15, a varint
        b"\x78" + b"\xff" * 9 + b"\x01",  # one of 64 bits
        b"\x79" + b"\x01" * 8,  # fixed, of 64 bits
        b"\x7d" + b"\x01" * 4,  # of 32 bits
        b"\x7b\x08\x01\x7c",  # a group
        b"\xba\x80\x00\x01x",  # raw contents, with a tag of more bytes than it needs
    ]
)
MESSAGES = st.lists(st.one_of(PIECES.map(lambda piece: piece.SerializeToString()), UNKNOWN), max_size=8).map(b"".join)


@pytest.fixture(autouse=True, scope="module")
def _of_any_size() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(requests, "_LARGE", 0)
        yield


def check(data: bytes) -> None:
    """It is what protobuf reads, or an error where that has one."""
    try:
        expected = oip.ModelInferRequest.FromString(data)
    except DecodeError:
        with pytest.raises(DecodeError):
            parse_request(data)
        return
    message, raw_contents = parse_request(data)
    assert list(map(bytes, raw_contents)) == list(expected.raw_input_contents)
    del message.raw_input_contents[:], expected.raw_input_contents[:]
    assert message == expected
    assert message.SerializeToString(deterministic=True) == expected.SerializeToString(deterministic=True)


@given(MESSAGES)
def test_what_protobuf_reads(data: bytes) -> None:
    check(data)


@given(MESSAGES, st.data())
def test_what_is_cut_off_or_damaged(data: bytes, draw: st.DataObject) -> None:
    place = draw.draw(st.integers(0, len(data)))
    check(data[:place])
    if place < len(data):
        check(data[:place] + bytes([draw.draw(st.integers(0, 255))]) + data[place + 1 :])


@given(st.binary(max_size=40))
def test_any_bytes(data: bytes) -> None:
    check(data)


def test_tensors_are_not_copied() -> None:
    data = oip.ModelInferRequest(model_name="m", raw_input_contents=[b"x" * 100, b"y" * 50]).SerializeToString()
    message, raw_contents = parse_request(data)
    assert not message.raw_input_contents
    assert all(isinstance(raw, memoryview) and raw.obj is data for raw in raw_contents)


def test_more_fields_than_anybody_sends_are_protobufs_to_read() -> None:
    data = oip.ModelInferRequest(raw_input_contents=[b""] * MANY).SerializeToString()
    message, raw_contents = parse_request(data)
    assert len(raw_contents) == len(message.raw_input_contents) == MANY
