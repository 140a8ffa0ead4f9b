"""wordpiece on a GPU, against the CPU forms of wordpiece and pack, and against `tokenizers` itself."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import DTypeLike, NDArray
from support.cuda_memory import DeviceArray
from support.wordpiece import hugging_face_tokenizer, ours
from tokenizers import AddedToken

from tundish_kernels import WordPiece, cuda, pack, wordpiece

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not cuda.available(), reason=cuda.reason() or "")]

HOST = ours(hugging_face_tokenizer())
WITH_NORMALIZED = ours(hugging_face_tokenizer(added=[AddedToken("The  Cat", normalized=True)]))

pieces = st.one_of(
    st.sampled_from(["the ", "cat", "Unbelievably ", "don't", "\0", "\x1f", "\t\n", "a" * 120, "the  cat", "q"]),
    st.sampled_from(["[MASK]", "café ", "東京"]),
    st.text(st.characters(max_codepoint=127), max_size=30),
)
ascii_texts = st.text(st.characters(max_codepoint=127), max_size=80)
texts = st.one_of(ascii_texts, st.lists(pieces, max_size=12).map("".join))


@pytest.fixture(scope="module")
def tokenizer(device: cuda.Device) -> cuda.WordPiece:
    return cuda.WordPiece(device, HOST)


def new_batch(
    rows: int, length: int, dtype: DTypeLike = np.int64, **changed: Any
) -> tuple[cuda.TokenBatch, list[DeviceArray]]:
    """A destination that holds sevens, and its arrays."""
    arrays = [DeviceArray(np.full((rows, length), 7, dtype)) for _ in range(3)]
    arrays += [DeviceArray(np.full(rows, 7, np.int32)), DeviceArray(np.full(rows, 7, np.uint8).view(np.bool_))]
    return cuda.TokenBatch(*arrays)._replace(**changed), arrays


def on_cpu(
    host: WordPiece,
    batch: list[str],
    pairs: list[str] | None,
    length: int,
    pads: tuple[int, int],
    pad_side: Any,
    dtype: DTypeLike,
    **options: Any,
) -> list[NDArray[Any]]:
    made = wordpiece(host, batch, pairs, **{"maximum_tokens": length, **options})
    rows = pack(
        made.ids,
        made.starts,
        made.type_ids,
        length=length,
        pad_id=pads[0],
        pad_type_id=pads[1],
        side=pad_side,
        dtype=dtype,
    )
    assert rows.mask is not None
    assert rows.type_ids is not None
    return [rows.ids, rows.mask, rows.type_ids, np.diff(made.starts).astype(np.int32), made.truncated]


@settings(max_examples=60, deadline=None)
@given(
    batch=st.lists(st.tuples(texts, texts), min_size=1, max_size=3),
    paired=st.booleans(),
    normalized=st.booleans(),
    length=st.integers(4, 40),
    less=st.none() | st.integers(0, 3),
    special=st.booleans(),
    side=st.sampled_from(["left", "right"]),
    pad_side=st.sampled_from(["left", "right"]),
    dtype=st.sampled_from([np.int32, np.int64]),
)
def test_every_row_equals_the_cpu_forms(
    device: cuda.Device,
    tokenizer: cuda.WordPiece,
    workspace: cuda.Workspace,
    batch: list[tuple[str, str]],
    paired: bool,
    normalized: bool,
    length: int,
    less: int | None,
    special: bool,
    side: Any,
    pad_side: Any,
    dtype: DTypeLike,
) -> None:
    first, second = [pair[0] for pair in batch], [pair[1] for pair in batch]
    options: dict[str, Any] = {"add_special_tokens": special, "side": side}
    if less is not None:
        options["maximum_tokens"] = max(4, length - less)
    destination, arrays = new_batch(len(batch), length, dtype)
    made = cuda.wordpiece_into(
        destination,
        cuda.WordPiece(device, WITH_NORMALIZED) if normalized else tokenizer,
        first,
        second if paired else None,
        pad_id=-3,
        pad_type_id=5,
        pad_side=pad_side,
        workspace=workspace,
        stream=0,
        **options,
    )
    every = first + second if paired else first
    others = sum(not text.isascii() or "[MASK]" in text for text in every)
    assert others <= made <= len(every)
    host = WITH_NORMALIZED if normalized else HOST
    expected = on_cpu(host, first, second if paired else None, length, (-3, 5), pad_side, dtype, **options)
    for array, other in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array.get(), other)


@pytest.mark.parametrize("side", ["left", "right"])
def test_rows_are_those_of_the_library(device: cuda.Device, workspace: cuda.Workspace, side: Any) -> None:
    library = hugging_face_tokenizer()
    library.enable_truncation(11, direction=side)
    library.enable_padding(length=11, pad_id=0)
    batch = ["Unbelievably, the cat don't!", "a\0b \t\x7f" * 9, "", "naïve [MASK]", "x" * 2000, "the " * 2000]
    destination, arrays = new_batch(len(batch), 11)
    tokenizer = cuda.WordPiece(device, ours(library))
    cuda.wordpiece_into(destination, tokenizer, batch, side=side, workspace=workspace, stream=0)
    ids, mask, type_ids, lengths, truncated = (array.get().tolist() for array in arrays)
    for index, encoding in enumerate(library.encode_batch(batch)):
        assert ids[index] == encoding.ids
        assert mask[index] == encoding.attention_mask
        assert type_ids[index] == encoding.type_ids
        assert lengths[index] == sum(encoding.attention_mask)
        assert truncated[index] == bool(encoding.overflowing)


def test_only_what_the_gpu_cannot_do_is_left_to_the_cpu(
    device: cuda.Device, tokenizer: cuda.WordPiece, workspace: cuda.Workspace
) -> None:
    batch = ["The cat", "", " \t", "a\0b\x7f", "b" * 1500, "[MASK", "naïve", "the [MASK]", "The  cat"]
    destination, arrays = new_batch(len(batch), 32)
    rest: dict[str, Any] = {"workspace": workspace, "stream": 0}
    assert cuda.wordpiece_into(destination, tokenizer, batch, **rest) == 2
    for array, other in zip(arrays, on_cpu(HOST, batch, None, 32, (0, 0), "right", np.int64), strict=True):
        np.testing.assert_array_equal(array.get(), other)
    normalized = cuda.WordPiece(device, WITH_NORMALIZED)
    assert cuda.wordpiece_into(destination, normalized, batch, **rest) == 3
    for array, other in zip(arrays, on_cpu(WITH_NORMALIZED, batch, None, 32, (0, 0), "right", np.int64), strict=True):
        np.testing.assert_array_equal(array.get(), other)


def test_mask_and_type_ids_may_be_left_out(tokenizer: cuda.WordPiece, workspace: cuda.Workspace) -> None:
    destination, arrays = new_batch(2, 6, np.int32, mask=None, type_ids=None)
    cuda.wordpiece_into(destination, tokenizer, [b"the cat", "the"], workspace=workspace, stream=0)
    expected = on_cpu(HOST, ["the cat", "the"], None, 6, (0, 0), "right", np.int32)
    np.testing.assert_array_equal(arrays[0].get(), expected[0])
    assert np.all(arrays[1].get() == 7)
    assert np.all(arrays[2].get() == 7)


def test_calls_may_follow_each_other_without_waiting(tokenizer: cuda.WordPiece, workspace: cuda.Workspace) -> None:
    batches = [["the cat"], ["a cat café"], ["[MASK] the"], ["aa" * 40]]
    made = [new_batch(1, 20) for _ in batches]
    for batch, (destination, _) in zip(batches, made, strict=True):
        cuda.wordpiece_into(destination, tokenizer, batch, workspace=workspace, stream=2)
    for batch, (_, arrays) in zip(batches, made, strict=True):
        expected = on_cpu(HOST, batch, None, 20, (0, 0), "right", np.int64)
        np.testing.assert_array_equal(arrays[0].get(), expected[0])


def test_workspace_is_as_large_as_asked_for(device: cuda.Device, tokenizer: cuda.WordPiece) -> None:
    batch = ["the cat " * 9, "é" * 20, "x", ".[MASK]é"]
    text_bytes = sum(len(text.encode()) for text in batch)
    needed = cuda.wordpiece_workspace_bytes(len(batch), text_bytes, length=12)
    destination, arrays = new_batch(len(batch), 12)
    cuda.wordpiece_into(destination, tokenizer, batch, workspace=cuda.Workspace(device, needed), stream=0)
    expected = on_cpu(HOST, batch, None, 12, (0, 0), "right", np.int64)
    np.testing.assert_array_equal(arrays[0].get(), expected[0])
    sizes = [cuda.wordpiece_workspace_bytes(4, size, length=12) for size in (0, 10, 100, 1000)]
    assert sizes == sorted(sizes)
    too_small = cuda.Workspace(device, needed - 1)
    with pytest.raises(ValueError, match=rf"workspace must have {needed} bytes for these texts, got {needed - 1}"):
        cuda.wordpiece_into(destination, tokenizer, batch, workspace=too_small, stream=0)


def host_array(*shape: int) -> NDArray[np.int64]:
    return np.zeros(shape, np.int64)


def on_gpu(*shape: int, dtype: DTypeLike = np.int64) -> DeviceArray:
    return DeviceArray(np.full(shape, 7, dtype))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"destination": (1, 2)}, TypeError, "destination must be a TokenBatch, got tuple"),
        (
            {"ids": lambda: host_array(2, 8)},
            TypeError,
            r"destination.ids must be \[2, length\] int64 or .*, got ndarray",
        ),
        ({"ids": lambda: on_gpu(3, 8)}, ValueError, r"destination.ids must be \[2, length\] .*, got \(3, 8\) int64"),
        ({"ids": lambda: on_gpu(2, 8, dtype=np.int16)}, ValueError, r"got \(2, 8\) int16"),
        ({"ids": lambda: on_gpu(2, 8).changed(shape=(2, 0))}, ValueError, r"not empty, got \(2, 0\)"),
        ({"ids": lambda: on_gpu(2, 8).changed(strides=(8, 16))}, ValueError, r"C order, got strides \(8, 16\)"),
        ({"mask": lambda: on_gpu(2, 8, dtype=np.int32)}, ValueError, r"destination.mask must be \[2, 8\] int64"),
        ({"type_ids": lambda: on_gpu(2, 9)}, ValueError, r"destination.type_ids must be \[2, 8\] int64"),
        ({"lengths": lambda: on_gpu(2)}, ValueError, r"destination.lengths must be \[2\] int32 .*, got \(2,\) int64"),
        ({"truncated": lambda: on_gpu(3, dtype=np.bool_)}, ValueError, r"destination.truncated must be \[2\] bool"),
        ({"truncated": None}, TypeError, "destination.truncated must be .*, got NoneType"),
        ({"tokenizer": lambda: HOST}, TypeError, "tokenizer must be a cuda.WordPiece, got WordPiece"),
        ({"texts": "the cat"}, TypeError, "texts must be a sequence of str or bytes, got str"),
        ({"texts": []}, ValueError, "texts must be one or more, got none"),
        ({"texts": ["a", 3]}, TypeError, r"texts\[1\] must be str or bytes, got int"),
        ({"texts": ["a", b"\xff"]}, ValueError, r"texts\[1\] must be UTF-8, got byte 0xff at position 0"),
        ({"pairs": ["a"]}, ValueError, r"pairs must be as many as texts \(2\), got 1"),
        ({"pairs": ["a", b"b\xe9"]}, ValueError, r"pairs\[1\] must be UTF-8, got byte 0xe9 at position 1"),
        (
            {"maximum_tokens": 9},
            ValueError,
            r"maximum_tokens must be at most the length of the destination \(8\), got 9",
        ),
        (
            {"maximum_tokens": 1},
            ValueError,
            r"maximum_tokens must be at least the number of special tokens \(2\), got 1",
        ),
        ({"maximum_tokens": -1}, ValueError, "maximum_tokens must not be negative, got -1"),
        ({"side": "top"}, ValueError, "side must be left or right, got 'top'"),
        ({"pad_side": "top"}, ValueError, "pad_side must be left or right, got 'top'"),
        ({"pad_id": 2**31}, ValueError, "pad_id must fit in 32 bits"),
        ({"workspace": None}, TypeError, "workspace must be a Workspace, got NoneType"),
        ({"stream": -1}, ValueError, "stream must be the number of a CUstream, got -1"),
    ],
)
def test_wrong_arguments_of_wordpiece(
    tokenizer: cuda.WordPiece,
    workspace: cuda.Workspace,
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    changes = {name: value() if callable(value) else value for name, value in changes.items()}
    fields = {name: changes.pop(name) for name in cuda.TokenBatch._fields if name in changes}
    destination, arrays = new_batch(2, 8, **fields)
    arguments: dict[str, Any] = {
        "destination": destination,
        "tokenizer": tokenizer,
        "texts": ["a", "b"],
        "workspace": workspace,
        "stream": 0,
    }
    with pytest.raises(error, match=message):
        cuda.wordpiece_into(**{**arguments, **changes})
    for array in arrays:
        assert np.all(array.get().view(np.uint8).ravel()[:1] == 7)


def test_arrays_of_wordpiece_must_lie_apart_on_the_gpu(tokenizer: cuda.WordPiece, workspace: cuda.Workspace) -> None:
    rest: dict[str, Any] = {"workspace": workspace, "stream": 0}
    shared = on_gpu(2, 8)
    destination, _ = new_batch(2, 8, ids=shared, mask=shared)
    with pytest.raises(ValueError, match="the arrays of the destination must lie apart"):
        cuda.wordpiece_into(destination, tokenizer, ["a", "b"], **rest)
    host = np.zeros(2, np.int32)
    lengths = on_gpu(2, dtype=np.int32).changed(data=(host.ctypes.data, False))
    destination, _ = new_batch(2, 8, lengths=lengths)
    with pytest.raises(ValueError, match=r"destination.lengths must be in the memory of GPU 0, got memory of the host"):
        cuda.wordpiece_into(destination, tokenizer, ["a", "b"], **rest)
    destination, _ = new_batch(2, 8, truncated=on_gpu(2, dtype=np.bool_).changed(data=(8, True)))
    with pytest.raises(ValueError, match=r"destination.truncated must be writable, got a read-only array"):
        cuda.wordpiece_into(destination, tokenizer, ["a", "b"], **rest)


def test_tokenizer_must_be_on_the_gpu_of_the_workspace(workspace: cuda.Workspace) -> None:
    try:
        other = cuda.Device(1)
    except ValueError:
        pytest.skip("needs two GPUs")
    destination, _ = new_batch(1, 8)
    with pytest.raises(ValueError, match=r"tokenizer must be on the workspace's GPU \(0\), got one on GPU 1"):
        cuda.wordpiece_into(destination, cuda.WordPiece(other, HOST), ["a"], workspace=workspace, stream=0)


def test_constructor_and_size_name_a_wrong_argument(device: cuda.Device) -> None:
    with pytest.raises(TypeError, match="device must be a Device, got int"):
        cuda.WordPiece(0, HOST)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="tokenizer must be a WordPiece, got str"):
        cuda.WordPiece(device, "bert")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="texts must be an integer, got 'x'"):
        cuda.wordpiece_workspace_bytes("x", 1, length=2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"length must be between 0 and 2\^40, got -2"):
        cuda.wordpiece_workspace_bytes(1, 1, length=-2)
