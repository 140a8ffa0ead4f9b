"""decode_jpeg against Pillow, whose draft mode asks libjpeg for the same reductions."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tundish_kernels import decode_jpeg, decode_jpeg_into, jpeg_size

Pixels = NDArray[np.uint8]

ORIENTATION = 0x0112
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def encoded(height: int, width: int, mode: str = "RGB", **options: Any) -> bytes:
    smooth = np.random.default_rng(height * width).integers(0, 256, (5, 4, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(smooth).resize((width, height), Image.Resampling.BICUBIC).convert(mode).save(
        stream, "JPEG", **options
    )
    return stream.getvalue()


def with_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def decoded_by_pillow(data: bytes, reduction: int = 1) -> Pixels:
    """Upright; a draft of the exact size that a reduction gives is that reduction."""
    image = Image.open(io.BytesIO(data))
    image.draft(None, (image.width // reduction or 1, image.height // reduction or 1))
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}, {"quality": 30}]
)
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (17, 31), (64, 48), (203, 301)])
def test_full_size_equals_pillow(mode: str, options: dict[str, Any], size: tuple[int, int]) -> None:
    data = encoded(*size, mode, **options)
    pixels = decode_jpeg(data)
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable
    np.testing.assert_array_equal(pixels, decoded_by_pillow(data))


@pytest.mark.parametrize("reduction", [2, 4, 8])
@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("size", [(64, 48), (200, 304)])
def test_reductions_equal_pillows_draft(reduction: int, orientation: int, size: tuple[int, int]) -> None:
    data = encoded(*size, exif=with_orientation(orientation))
    expected = decoded_by_pillow(data, reduction)
    height, width, _ = expected.shape
    np.testing.assert_array_equal(decode_jpeg(data, cover=(height, width)), expected)


@given(
    size=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    cover=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    orientation=st.integers(1, 8),
)
@settings(max_examples=150, deadline=None)
def test_the_smallest_that_covers_is_chosen(size: tuple[int, int], cover: tuple[int, int], orientation: int) -> None:
    data = encoded(*size, exif=with_orientation(orientation))
    height, width = decode_jpeg(data, cover=cover).shape[:2]
    upright = size if orientation <= 4 else size[::-1]
    candidates = [tuple(-(-edge // reduction) for edge in upright) for reduction in (8, 4, 2, 1)]
    covering = [each for each in candidates if each[0] >= cover[0] and each[1] >= cover[1]]
    assert (height, width) == (covering or [upright])[0]
    assert jpeg_size(data, cover=cover) == (height, width)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_equals_pillows(orientation: int) -> None:
    data = encoded(23, 37, exif=with_orientation(orientation))
    np.testing.assert_array_equal(decode_jpeg(data), decoded_by_pillow(data))


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_is_none_is_ignored(orientation: int) -> None:
    data = encoded(23, 37, exif=with_orientation(orientation))
    np.testing.assert_array_equal(decode_jpeg(data), decoded_by_pillow(data))


def test_an_orientation_in_xmp_alone_is_applied_as_pillow_applies_it() -> None:
    data = encoded(23, 37, xmp=XMP)
    np.testing.assert_array_equal(decode_jpeg(data), decoded_by_pillow(data))


def test_metadata_behind_other_segments_is_found() -> None:
    data = encoded(23, 37, exif=with_orientation(6), comment=b"c" * 60_000, icc_profile=b"p" * 200_000)
    assert decode_jpeg(data).shape == (37, 23, 3)
    np.testing.assert_array_equal(decode_jpeg(data), decoded_by_pillow(data))


@pytest.mark.parametrize("orientation", [1, 2, 6, 8])
def test_into_writes_what_the_other_form_returns(orientation: int) -> None:
    data = encoded(90, 130, exif=with_orientation(orientation))
    destination = np.full((*jpeg_size(data, cover=(40, 40)), 3), 7, np.uint8)
    decode_jpeg_into(destination, data, cover=(40, 40))
    np.testing.assert_array_equal(destination, decode_jpeg(data, cover=(40, 40)))


def read_only(pixels: Pixels) -> Pixels:
    pixels.flags.writeable = False
    return pixels


@pytest.mark.parametrize(
    ("destination", "error", "message"),
    [
        ([], TypeError, r"destination must be \[20, 30, 3\] uint8, got list"),
        (np.empty((20, 30), np.uint8), ValueError, r"got \(20, 30\) uint8"),
        (np.empty((30, 20, 3), np.uint8), ValueError, r"got \(30, 20, 3\) uint8"),
        (np.empty((20, 30, 3), np.int8), ValueError, r"got \(20, 30, 3\) int8"),
        (np.empty((20, 60, 3), np.uint8)[:, ::2], ValueError, "in C order"),
        (read_only(np.empty((20, 30, 3), np.uint8)), ValueError, "writable"),
    ],
    ids=["list", "grey", "turned", "signed", "strided", "read-only"],
)
def test_a_destination_that_does_not_fit_is_refused(destination: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        decode_jpeg_into(destination, encoded(20, 30))


@pytest.mark.parametrize(
    ("cover", "error"),
    [((0, 5), ValueError), ((5, -1), ValueError), (5, TypeError), ((1, 2, 3), TypeError), ((1.5, 2), TypeError)],
)
def test_a_cover_that_is_none_is_refused(cover: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="cover must be"):
        decode_jpeg(encoded(20, 30), cover=cover)


@pytest.mark.parametrize("data", [bytearray(encoded(8, 8)), memoryview(encoded(8, 8)), "text", None])
def test_only_bytes_are_taken(data: Any) -> None:
    with pytest.raises(TypeError, match="data must be bytes, got"):
        decode_jpeg(data)


def test_other_colours_are_refused() -> None:
    with pytest.raises(ValueError, match="CMYK"):
        decode_jpeg(encoded(8, 8, "CMYK"))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.6, 0.95])
def test_a_file_cut_short_is_refused(share: float) -> None:
    data = encoded(200, 300, exif=with_orientation(6))
    with pytest.raises(ValueError, match=r"\w"):
        decode_jpeg(data[: int(share * len(data))])


@settings(max_examples=400, deadline=None)
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    cut=st.floats(0, 1),
    cover=st.none() | st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_damaged_files_decode_or_are_refused(
    flips: list[tuple[float, int]], cut: float, cover: tuple[int, int] | None
) -> None:
    data = bytearray(encoded(23, 37, exif=with_orientation(6), progressive=True))
    for place, value in flips:
        data[int(place * len(data))] = value
    damaged = bytes(data[: int(len(data) * cut)])
    try:
        height, width = jpeg_size(damaged, cover=cover)
        if height * width > 4_000_000:
            return
        pixels = decode_jpeg(damaged, cover=cover)
    except ValueError:
        return
    assert pixels.shape == (height, width, 3)
