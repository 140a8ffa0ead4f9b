"""Raw tensor contents, against NVIDIA's own serializer."""

from __future__ import annotations

import numpy as np
import pytest
import tritonclient.utils as triton
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tundish.datatypes import NUMPY_DTYPES, datatype_of
from tundish.errors import InvalidInputError
from tundish.tensors import bytes_array, decode_tensor, encode_tensor

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)


@pytest.mark.parametrize("datatype", sorted(NUMPY_DTYPES))
def test_names_are_those_of_the_protocol(datatype: str) -> None:
    assert np.dtype(triton.triton_to_np_dtype(datatype)) == NUMPY_DTYPES[datatype]
    assert datatype_of(NUMPY_DTYPES[datatype]) == datatype


@given(data=st.data(), datatype=st.sampled_from(sorted(NUMPY_DTYPES)))
def test_numbers_come_back_to_the_bit(data: st.DataObject, datatype: str) -> None:
    array = data.draw(hnp.arrays(NUMPY_DTYPES[datatype], SHAPES))
    decoded = decode_tensor("x", datatype, array.shape, encode_tensor(array))
    assert decoded.dtype == array.dtype
    assert decoded.shape == array.shape
    assert decoded.tobytes() == array.tobytes()


@given(data=st.data(), datatype=st.sampled_from(sorted(NUMPY_DTYPES)), offset=st.integers(0, 9))
def test_numbers_are_aligned_wherever_they_lie_in_a_body(data: st.DataObject, datatype: str, offset: int) -> None:
    array = data.draw(hnp.arrays(NUMPY_DTYPES[datatype], SHAPES))
    body = bytes(offset) + encode_tensor(array) + b"behind it"
    decoded = decode_tensor("x", datatype, array.shape, memoryview(body)[offset : offset + array.nbytes])
    assert decoded.flags.aligned
    assert decoded.flags.c_contiguous
    assert decoded.tobytes() == array.tobytes()


@given(values=st.lists(st.binary(max_size=20), min_size=1, max_size=6), offset=st.integers(0, 9))
def test_bytes_are_bytes_wherever_they_lie_in_a_body(values: list[bytes], offset: int) -> None:
    body = bytes(offset) + encode_tensor(bytes_array(values))
    decoded = decode_tensor("x", "BYTES", [len(values)], memoryview(body)[offset:]).tolist()
    assert decoded == values
    assert {type(element) for element in decoded} == {bytes}


@given(values=st.lists(st.binary(max_size=20), min_size=1, max_size=6))
def test_bytes_are_laid_out_as_nvidias_client_lays_them_out(values: list[bytes]) -> None:
    array = bytes_array(values)
    raw = encode_tensor(array)
    assert raw == triton.serialize_byte_tensor(array).item()
    assert decode_tensor("x", "BYTES", [len(values)], raw).tolist() == values


@given(raw=st.binary(max_size=40), size=st.integers(0, 8))
def test_any_bytes_either_decode_or_are_refused(raw: bytes, size: int) -> None:
    try:
        decoded = decode_tensor("x", "BYTES", [size], raw)
    except InvalidInputError as error:
        assert "'x'" in str(error)
    else:
        assert encode_tensor(decoded) == raw


@pytest.mark.parametrize(
    ("datatype", "shape", "raw", "message"),
    [
        ("FP32", [2], b"1234", r"of FP32 and shape \[2\] must have 8 bytes, got 4"),
        ("FP31", [1], b"1234", "unknown datatype 'FP31'; there are BOOL"),
        ("FP32", [-1], b"", r"negative size in its shape \[-1\]"),
        ("BYTES", [2], b"\x01\0\0\0a", r"must have 2 elements, got 1"),
        ("BYTES", [1], b"\x05\0\0\0a", "ends within element 0"),
        ("BYTES", [1], b"\x05\0", "ends within element 0"),
        ("UINT8", [2**62, 2**62], b"", "bytes, got 0"),
    ],
)
def test_what_does_not_fit_is_refused(datatype: str, shape: list[int], raw: bytes, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        decode_tensor("x", datatype, shape, raw)


def test_a_bool_is_true_for_any_byte_but_zero() -> None:
    assert decode_tensor("x", "BOOL", [3], b"\0\1\7").tolist() == [False, True, True]
