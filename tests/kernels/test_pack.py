"""pack against NumPy: every element, on either side, in both dtypes; and every argument that it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tundish_kernels import Packed, WordPiece, pack, pack_into, wordpiece

Tokens = NDArray[np.int32]
Starts = NDArray[np.int64]


def ragged(counts: list[int]) -> tuple[Tokens, Starts, Tokens]:
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
    size = int(starts[-1])
    generator = np.random.default_rng(size)
    return generator.integers(0, 2**31, size, dtype=np.int32), starts, generator.integers(0, 3, size, dtype=np.int32)


def padded(values: Tokens, counts: list[int], length: int, fill: int, side: str, dtype: Any) -> NDArray[Any]:
    rows = np.split(values, np.cumsum(counts)[:-1]) if counts else []
    gaps = [(0, length - len(row)) if side == "right" else (length - len(row), 0) for row in rows]
    made = [np.pad(row.astype(dtype), gap, constant_values=fill) for row, gap in zip(rows, gaps, strict=True)]
    return np.array(made, dtype).reshape(len(counts), length)


@settings(max_examples=300, deadline=None)
@given(
    counts=st.lists(st.integers(0, 40), max_size=6),
    extra=st.none() | st.integers(0, 9),
    multiple=st.sampled_from([1, 2, 8, 13]),
    pads=st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(-5, 5)),
    side=st.sampled_from(["left", "right"]),
    dtype=st.sampled_from([np.int32, np.int64]),
    with_types=st.booleans(),
)
def test_every_element_is_that_of_numpy(
    counts: list[int],
    extra: int | None,
    multiple: int,
    pads: tuple[int, int],
    side: Any,
    dtype: Any,
    with_types: bool,
) -> None:
    ids, starts, type_ids = ragged(counts)
    longest = max(counts, default=0)
    length = None if extra is None else longest + extra
    made = pack(
        ids,
        starts,
        type_ids if with_types else None,
        length=length,
        multiple=multiple,
        pad_id=pads[0],
        pad_type_id=pads[1],
        side=side,
        dtype=dtype,
    )
    wanted = longest if length is None else length
    width = next(candidate for candidate in range(wanted, wanted + multiple) if candidate % multiple == 0)
    ones = np.ones_like(ids)
    expected = [padded(ids, counts, width, pads[0], side, dtype), padded(ones, counts, width, 0, side, dtype)]
    if with_types:
        expected.append(padded(type_ids, counts, width, pads[1], side, dtype))
    else:
        assert made.type_ids is None
    for array, other in zip(made, expected, strict=False):
        assert array is not None
        assert array.dtype == dtype
        np.testing.assert_array_equal(array, other)


def test_tokens_of_texts_are_packed() -> None:
    tokenizer = WordPiece({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "cat": 3, "##s": 4}, single=[(1, 0), ("A", 0), (2, 0)])
    tokens = wordpiece(tokenizer, ["cats", "", "cat cat cat"])
    made = pack(tokens.ids, tokens.starts, tokens.type_ids, multiple=4, pad_id=9)
    assert made.ids.tolist() == [[1, 3, 4, 2, 9, 9, 9, 9], [1, 2, 9, 9, 9, 9, 9, 9], [1, 3, 3, 3, 2, 9, 9, 9]]
    assert made.mask is not None
    assert made.mask.sum(axis=1).tolist() == [4, 2, 5]


def test_into_may_leave_the_mask_out() -> None:
    ids, starts, _ = ragged([2, 0])
    destination = Packed(np.full((2, 3), -1, np.int32), None, None)
    pack_into(destination, ids, starts, pad_id=5)
    assert destination.ids.tolist() == [[*ids.tolist(), 5], [5, 5, 5]]


IDS, STARTS, TYPES = ragged([2, 1])


def destination(**changed: Any) -> Packed:
    return Packed(*(np.full((2, 2), -7, np.int64) for _ in range(3)))._replace(**changed)


READ_ONLY = np.zeros((2, 2), np.int64)
READ_ONLY.flags.writeable = False
SHARED = np.full((2, 2), -7, np.int64)


@pytest.mark.parametrize(
    ("made", "arguments", "error", "sentence"),
    [
        ([], {}, TypeError, "destination must be Packed, got list"),
        (destination(ids=[[0]]), {}, TypeError, "destination.ids must be [2, length] int64 or int32, got list"),
        (
            destination(ids=np.zeros((3, 2), np.int64)),
            {},
            ValueError,
            "destination.ids must be [2, length] int64 or int32, got (3, 2) int64",
        ),
        (
            destination(ids=np.zeros((2, 2), np.int16)),
            {},
            ValueError,
            "destination.ids must be [2, length] int64 or int32, got (2, 2) int16",
        ),
        (
            destination(mask=np.zeros((2, 2), np.int32)),
            {},
            ValueError,
            "destination.mask must be [2, 2] int64, got (2, 2) int32",
        ),
        (
            destination(type_ids=np.zeros((2, 3), np.int64)),
            {},
            ValueError,
            "destination.type_ids must be [2, 2] int64, got (2, 3) int64",
        ),
        (destination(mask=3), {}, TypeError, "destination.mask must be [2, 2] int64, got int"),
        (
            destination(mask=np.zeros((2, 4), np.int64)[:, ::2]),
            {},
            ValueError,
            "destination.mask must be [2, 2] int64 in aligned C order, got strides (32, 16)",
        ),
        (
            destination(ids=READ_ONLY),
            {},
            ValueError,
            "destination.ids must be writable, got a read-only array",
        ),
        (
            destination(type_ids=None),
            {},
            ValueError,
            "destination.type_ids must be there exactly if there are type_ids, got only one of them",
        ),
        (
            destination(ids=SHARED, mask=SHARED),
            {},
            ValueError,
            "the destination must not overlap itself or the tokens, got overlapping memory",
        ),
        (destination(), {"ids": [1]}, TypeError, "ids must be [tokens] int32, got list"),
        (destination(), {"ids": IDS.astype(np.int64)}, ValueError, "ids must be [tokens] int32, got (3,) int64"),
        (destination(), {"ids": IDS[None]}, ValueError, "ids must be [tokens] int32, got (1, 3) int32"),
        (
            destination(),
            {"ids": np.zeros(6, np.int32)[::2]},
            ValueError,
            "ids must be [tokens] int32 in aligned C order, got strides (8,)",
        ),
        (destination(), {"starts": STARTS[:0]}, ValueError, "starts must be [batch + 1] int64, got (0,) int64"),
        (destination(), {"type_ids": TYPES[:2]}, ValueError, "type_ids must be [3] int32, got (2,) int32"),
        (destination(), {"starts": STARTS + 1}, ValueError, "starts[0] must be 0, got 1"),
        (
            destination(),
            {"starts": np.array([0, 2, 1])},
            ValueError,
            "starts[2] must be between 2 and 3, got 1",
        ),
        (
            destination(),
            {"starts": np.array([0, 2, 2**62])},
            ValueError,
            f"starts[2] must be between 2 and 3, got {2**62}",
        ),
        (
            destination(),
            {"starts": np.array([0, 1, 2])},
            ValueError,
            "the last of starts must be the number of tokens (3), got 2",
        ),
        (
            destination(),
            {"starts": np.array([0, 3, 3])},
            ValueError,
            "length must be at least the number of tokens of row[0] (3), got 2",
        ),
        (destination(), {"side": "top"}, ValueError, "side must be left or right, got 'top'"),
        (destination(), {"pad_id": 2**31}, ValueError, "pad_id must fit in 32 bits, got 2147483648"),
        (destination(), {"pad_type_id": 0.5}, TypeError, "pad_type_id must be an integer, got 0.5"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_written(
    made: Any, arguments: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    before = [array.copy() for array in made if isinstance(array, np.ndarray)]
    with pytest.raises(error) as caught:
        pack_into(made, **{"ids": IDS, "starts": STARTS, "type_ids": TYPES, **arguments})
    assert str(caught.value) == sentence
    for array, old in zip((array for array in made if isinstance(array, np.ndarray)), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_unaligned_arrays_are_refused() -> None:
    shifted = np.zeros(33, np.uint8)[1:].view(np.int64).reshape(2, 2)
    with pytest.raises(ValueError, match="in aligned C order, got strides"):
        pack_into(destination(ids=shifted), IDS, STARTS, TYPES)
    with pytest.raises(ValueError, match=r"starts must be .* in aligned C order"):
        pack_into(destination(), IDS, np.zeros(25, np.uint8)[1:].view(np.int64), TYPES)


def test_tokens_may_not_lie_in_the_destination() -> None:
    memory = np.zeros(8, np.int64)
    made = Packed(memory[:4].reshape(2, 2), None, None)
    with pytest.raises(ValueError, match="must not overlap itself or the tokens"):
        pack_into(made, memory.view(np.int32)[:3], STARTS)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"length": 1}, ValueError, "length must be at least the number of tokens of row[0] (2), got 1"),
        ({"length": -1}, ValueError, "length must not be negative, got -1"),
        ({"length": "long"}, TypeError, "length must be an integer, got 'long'"),
        ({"multiple": 0}, ValueError, "multiple must be at least 1, got 0"),
        ({"dtype": np.float32}, ValueError, "dtype must be int64 or int32, got float32"),
    ],
)
def test_a_wrong_length_or_dtype_is_named(arguments: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as caught:
        pack(IDS, STARTS, **arguments)
    assert str(caught.value) == sentence
