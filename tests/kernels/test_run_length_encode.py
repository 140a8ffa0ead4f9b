"""run_length_encode and its inverse against an encoder in NumPy and Python, written from the format's description."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.kernels import outputs_by_isa
from transformers.models.sam.image_processing_sam import _mask_to_rle_pytorch

from tundish_kernels import (
    RunLengths,
    run_length_decode,
    run_length_decode_into,
    run_length_encode,
    run_length_encode_into,
)


def expected_lengths(mask: NDArray[Any]) -> list[int]:
    pixels = (mask != 0).ravel(order="F").tolist()
    lengths = [] if not pixels[0] else [0]
    return lengths + [len(list(run)) for _, run in itertools.groupby(pixels)]


def expected_text(lengths: list[int]) -> bytes:
    """Five bits a character from the lowest on, as many as the number needs in two's complement."""
    text = ""
    for index, length in enumerate(lengths):
        number = length - lengths[index - 2] if index > 2 else length
        pieces = next(count for count in itertools.count(1) if -(2 ** (5 * count - 1)) <= number < 2 ** (5 * count - 1))
        for piece in range(pieces):
            more = 32 if piece < pieces - 1 else 0
            text += chr(48 + (number >> 5 * piece) % 32 + more)
    return text.encode()


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.tuples(st.integers(1, 3), st.integers(1, 140), st.integers(1, 140)),
    block=st.integers(1, 30),
    dtype=st.sampled_from([np.uint8, np.bool_]),
)
def test_texts_are_those_of_the_format(seed: int, size: tuple[int, int, int], block: int, dtype: Any) -> None:
    generator = np.random.default_rng(seed)
    batch, height, width = size
    coarse = generator.integers(0, 3, (batch, height // block + 1, width // block + 1)) * 100
    masks = np.repeat(np.repeat(coarse, block, 1), block, 2)[:, :height, :width].astype(dtype)
    masks = np.ascontiguousarray(masks)
    texts = run_length_encode(masks)
    assert texts == [expected_text(expected_lengths(mask)) for mask in masks]
    assert all(len(text) <= 2 * height * width + 14 for text in texts)
    np.testing.assert_array_equal(run_length_decode(texts, (height, width)), masks != 0)


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (np.zeros((10, 10)), b"T3"),  # 100 = 4 + 3 * 32: 48 + 4 + 32, 48 + 3
        (np.ones((4, 4)), b"0`0"),  # 0, and 16 = 16 + 0 * 32: its fifth bit would be a sign
        (np.ones((3, 5)), b"0?"),  # 0, 15
        (np.eye(3), b"013000"),  # 0, 1, 3, then 1 - 1, 3 - 3, 1 - 1
        (np.array([[0, 0, 1, 1, 0, 1]]), b"221O"),  # 2, 2, 1, then 1 - 2 = -1: 48 + 31
    ],
)
def test_texts_by_hand(mask: NDArray[Any], text: bytes) -> None:
    assert run_length_encode(mask.astype(np.uint8)[None]) == [text]


def test_lengths_are_those_of_transformers() -> None:
    """SAM's post-processing has an encoder of the lengths."""
    import torch

    masks = np.random.default_rng(0).random((4, 33, 47)) < 0.3
    reference = _mask_to_rle_pytorch(torch.from_numpy(masks))
    assert run_length_encode(masks) == [expected_text(item["counts"]) for item in reference]


def test_a_text_longer_than_usual() -> None:
    masks = np.random.default_rng(0).integers(0, 2, (2, 300, 300), np.uint8)
    texts = run_length_encode(masks)
    assert min(map(len, texts)) > 20_000
    np.testing.assert_array_equal(run_length_decode(texts, (300, 300)), masks)


def test_into_writes_the_text_and_nothing_behind() -> None:
    masks = np.eye(5, dtype=np.bool_)[None].repeat(2, 0)
    (text, _) = run_length_encode(masks)
    destination = RunLengths(np.full((2, len(text) + 3), 77, np.uint8), np.zeros(2, np.int64))
    run_length_encode_into(destination, masks)
    assert destination.lengths.tolist() == [len(text)] * 2
    assert destination.text[1].tobytes() == text + b"MMM"
    short = RunLengths(np.full((2, len(text) - 1), 77, np.uint8), np.zeros(2, np.int64))
    with pytest.raises(
        ValueError, match=rf"destination.text must have room for {len(text)} bytes a mask, got {len(text) - 1}$"
    ):
        run_length_encode_into(short, masks)
    assert short.text[1].tobytes() == text[:-1]


DIGEST_SCRIPT = """
import hashlib
import numpy as np
from tundish_kernels import run_length_encode
generator = np.random.default_rng(0)
digest = hashlib.sha256()
for case in range(200):
    masks = (generator.random(generator.integers(1, [3, 200, 200])) < generator.random()).astype(np.uint8)
    digest.update(b" ".join(run_length_encode(masks * np.uint8(255 - case))))
print(digest.hexdigest())
"""


def test_instruction_sets_agree() -> None:
    digests = outputs_by_isa(DIGEST_SCRIPT)
    assert len(set(digests.values())) == 1
    assert len(digests["scalar"].strip()) == 64


MASKS = np.zeros((2, 3, 4), np.uint8)
MASKS_ARE = "masks must be [batch, height, width] uint8 or bool"


def destination(**changed: Any) -> RunLengths:
    return RunLengths(np.full((2, 9), 42, np.uint8), np.full(2, 42, np.int64))._replace(**changed)


def read_only() -> NDArray[np.uint8]:
    array = np.zeros((2, 9), np.uint8)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("into", "masks", "error", "sentence"),
    [
        (destination(), None, TypeError, f"{MASKS_ARE}, got NoneType"),
        (destination(), MASKS[0], ValueError, f"{MASKS_ARE}, got (3, 4) uint8"),
        (destination(), MASKS.astype(np.int64), ValueError, f"{MASKS_ARE}, got (2, 3, 4) int64"),
        (destination(), MASKS[:, :0], ValueError, f"{MASKS_ARE} and not empty, got (2, 0, 4)"),
        (destination(), MASKS[:, :, ::2], ValueError, f"{MASKS_ARE} in aligned C order, got strides (12, 4, 2)"),
        (
            destination(),
            np.zeros((2, 65536, 1), np.bool_),
            ValueError,
            "the height of a mask must be between 1 and 65535, got 65536",
        ),
        (3, MASKS, TypeError, "destination must be RunLengths, got 3"),
        (
            destination(text=np.zeros((1, 9), np.uint8)),
            MASKS,
            ValueError,
            "destination.text must be [2, capacity] uint8, got (1, 9) uint8",
        ),
        (
            destination(text=read_only()),
            MASKS,
            ValueError,
            "destination.text must be writable, got a read-only array",
        ),
        (
            destination(lengths=np.zeros(2, np.int32)),
            MASKS,
            ValueError,
            "destination.lengths must be [2] int64, got (2,) int32",
        ),
        (
            destination(text=MASKS.reshape(2, 12)),
            MASKS,
            ValueError,
            "text must not overlap masks, got shared memory",
        ),
    ],
)
def test_wrong_argument(into: Any, masks: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        run_length_encode_into(into, masks)
    assert str(raised.value) == sentence
    assert np.all(MASKS == 0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "a text must cover all pixels of its mask, got 12 too few"),
        (b"<", None),  # 12
        (b";", "a text must cover all pixels of its mask, got 1 too few"),
        (b"=", "a text must hold runs of 0 to the 12 pixels that are left, got 13"),
        (b"<1", "a text must hold runs of 0 to the 0 pixels that are left, got 1"),
        (b"O", "a text must hold runs of 0 to the 12 pixels that are left, got -1"),
        (b"<\x00", "a text must hold characters from 48 to 111, got 0"),
        (b"<p", "a text must hold characters from 48 to 111, got 112"),
        (b"\\", "a text must hold numbers of at most 7 characters, got one that goes on"),
        (b"\\PPPPPPPPP0", "a text must hold numbers of at most 7 characters, got one that goes on"),
        (b"\\PPPPP0", None),
        (b"0000<0", None),  # runs of length 0
    ],
)
def test_texts_that_are_no_masks(text: bytes, sentence: str | None) -> None:
    mask = np.full((1, 3, 4), 42, np.uint8)
    if sentence is None:
        run_length_decode_into(mask, [text])
        assert mask.max() <= 1
        return
    with pytest.raises(ValueError, match=r"^a text must") as raised:
        run_length_decode_into(mask, [text])
    assert str(raised.value) == sentence
    assert np.all(mask == 42)


@settings(max_examples=500, deadline=None)
@given(
    text=st.one_of(st.binary(max_size=20), st.text(st.characters(min_codepoint=48, max_codepoint=111)).map(str.encode))
)
def test_any_text_is_a_mask_or_an_error(text: bytes) -> None:
    try:
        (mask,) = run_length_decode([text], (5, 7))
    except ValueError:
        return
    (again,) = run_length_decode(run_length_encode(mask[None]), (5, 7))
    np.testing.assert_array_equal(again, mask)


@pytest.mark.parametrize(
    ("texts", "size", "error", "sentence"),
    [
        (7, (3, 4), TypeError, "texts must be a sequence, got int"),
        ([], (3, 4), ValueError, "texts must hold at least one text, got none"),
        (["<"], (3, 4), TypeError, "texts[0] must be bytes, got str"),
        ([b"<"], 3, TypeError, "size must be two integers (height, width), got 3"),
        ([b"<"], (0, 4), ValueError, "size must be between 1 and 65535 each way, got (0, 4)"),
    ],
)
def test_wrong_texts(texts: Any, size: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        run_length_decode(texts, size)
    assert str(raised.value) == sentence


def test_nothing_is_written_if_the_last_text_is_wrong() -> None:
    masks = np.full((2, 3, 4), 42, np.uint8)
    with pytest.raises(ValueError, match="must cover all pixels"):
        run_length_decode_into(masks, [b"<", b";"])
    assert np.all(masks == 42)


def test_wrong_destination_of_a_text() -> None:
    with pytest.raises(
        ValueError, match=r"destination must be \[1, height, width\] uint8 or bool, got \(3, 4\) uint8$"
    ):
        run_length_decode_into(np.zeros((3, 4), np.uint8), [b"<"])
