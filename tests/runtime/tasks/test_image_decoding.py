"""Decoding, with Pillow as transformers' processors use it for the oracle."""

from __future__ import annotations

import io
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tundish.errors import InvalidInputError
from tundish.tasks.image_decoding import decode_image


def picture(mode: str = "RGB", width: int = 37, height: int = 23) -> Image.Image:
    noise = np.random.default_rng(3).integers(0, 256, (height, width, 4), np.uint8)
    return Image.fromarray(noise, "RGBA").convert(mode)


def encode(image: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def as_the_source_reads_it(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size, with next to no data behind it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    )


def jpeg_header(width: int, height: int) -> bytes:
    """A JPEG whose frame header claims another size than it has data for."""
    data = bytearray(encode(picture(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    ("form", "mode", "options"),
    [
        ("JPEG", "RGB", {"quality": 90}),
        ("JPEG", "RGB", {"quality": 90, "subsampling": 0}),
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "L", {}),
        ("JPEG", "CMYK", {}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "L", {}),
        ("PNG", "LA", {}),
        ("PNG", "P", {}),
        ("PNG", "1", {}),
        ("BMP", "RGB", {}),
        ("BMP", "L", {}),
        ("BMP", "P", {}),
        ("WEBP", "RGB", {"quality": 80}),
        ("WEBP", "RGBA", {"lossless": True}),
    ],
)
def test_pixels_are_those_that_pillow_reads(form: str, mode: str, options: dict[str, Any]) -> None:
    data = encode(picture(mode), form, **options)
    image = decode_image(data)
    assert (image.height, image.width) == (23, 37)
    decoded = image.pixels
    assert decoded.dtype == np.uint8
    assert decoded.shape == (23, 37, 3)
    np.testing.assert_array_equal(decoded, as_the_source_reads_it(data))


def test_sixteen_bit_png_is_read_as_pillow_reads_it() -> None:
    values = np.random.default_rng(0).integers(0, 65536, (9, 11), np.uint16)
    data = encode(Image.fromarray(values), "PNG")
    np.testing.assert_array_equal(decode_image(data).pixels, as_the_source_reads_it(data))


def test_real_photographs_are_those_that_pillow_reads(photographs: list[Path]) -> None:
    for path in photographs:
        data = path.read_bytes()
        np.testing.assert_array_equal(decode_image(data).pixels, as_the_source_reads_it(data))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(picture(), form, exif=exif)
    np.testing.assert_array_equal(decode_image(data).pixels, as_the_source_reads_it(data))
    assert decode_image(data).pixels.shape[:2] == ((23, 37) if orientation <= 4 else (37, 23))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no bytes"),
        (b"not an image at all", "none of JPEG, PNG, BMP, WEBP; it begins with 6e 6f 74"),
        (b"GIF89a" + b"\0" * 100, "none of JPEG, PNG, BMP, WEBP"),
        (b"\xff\xd8\xff", "none of|damaged"),
        (png_header(65_000, 65_000), "limit"),
        (png_header(11_000, 11_000), "11000 x 11000 pixels, the limit is 100000000"),
        (jpeg_header(65_000, 65_000), "65000 x 65000 pixels, the limit is 100000000"),
        (b"BM" + b"\xff" * 52, "none of|damaged|limit"),
    ],
    ids=["empty", "text", "gif", "jpeg magic", "huge png", "large png", "huge jpeg", "mad bmp"],
)
def test_what_is_no_readable_image_is_refused_in_one_sentence(data: bytes, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        decode_image(data)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused(form: str, share: float) -> None:
    data = encode(picture(width=200, height=100), form)
    with pytest.raises(InvalidInputError):
        decode_image(data[: int(len(data) * share)])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    form=st.sampled_from(["JPEG", "PNG", "BMP", "WEBP"]),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    cut=st.floats(0, 1),
)
@example(form="JPEG", flips=[], cut=1.0)
def test_damaged_files_either_decode_or_are_refused(form: str, flips: list[tuple[float, int]], cut: float) -> None:
    data = bytearray(encode(picture(), form))
    for place, value in flips:
        data[int(place * len(data))] = value
    try:
        decoded = decode_image(bytes(data[: int(len(data) * cut)]), max_pixels=10_000_000).pixels
    except InvalidInputError:
        return
    assert decoded.ndim == 3
    assert decoded.shape[2] == 3


@given(
    data=st.binary(max_size=200), prefix=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF"])
)
def test_any_bytes_either_decode_or_are_refused(data: bytes, prefix: bytes) -> None:
    try:
        decode_image(prefix + data)
    except InvalidInputError as error:
        assert str(error).endswith(".")


def test_the_limit_counts_pixels_and_not_bytes() -> None:
    data = encode(Image.new("RGB", (1000, 1000)), "PNG")
    assert len(data) < 10_000
    assert decode_image(data, max_pixels=1_000_000).pixels.shape == (1000, 1000, 3)
    with pytest.raises(InvalidInputError, match="1000 x 1000 pixels, the limit is 999999"):
        decode_image(data, max_pixels=999_999)


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_jpeg_of_a_thousand_scans_is_refused_before_it_is_decoded(mode: str) -> None:
    """Each scan has a dozen bytes and goes through all pixels; libjpeg only warns of one that repeats another."""
    data = encode(Image.new(mode, (3000, 2000)), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    few, many = (data[:-2] + count * scan + data[-2:] for count in (2, 1000))
    np.testing.assert_array_equal(decode_image(few).pixels, as_the_source_reads_it(few))
    started = time.monotonic()
    with pytest.raises(InvalidInputError, match=r"3000 x 2000 pixels in 10\d\d scans, the limit is 2000000000 in all"):
        decode_image(many)
    assert time.monotonic() - started < 1


def test_a_jpeg_may_be_reduced_and_still_tells_its_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(picture(width=20, height=12).resize((400, 240), Image.Resampling.BICUBIC), "JPEG", exif=exif)
    asked: list[tuple[int, int]] = []

    def cover(height: int, width: int) -> tuple[int, int]:
        asked.append((height, width))
        return 90, 50

    image = decode_image(data, cover=cover)
    assert asked == [(400, 240)]
    assert (image.height, image.width) == (400, 240)
    assert image.pixels.shape == (100, 60, 3)
    difference = image.pixels.astype(float) - np.asarray(
        Image.fromarray(decode_image(data).pixels).resize((60, 100), Image.Resampling.BOX)
    )
    assert np.abs(difference).mean() < 3.0  # the transform's average is close to, but not, that of a box


def test_other_formats_are_never_reduced() -> None:
    data = encode(picture(width=400, height=240), "PNG")
    assert decode_image(data, cover=lambda *_: (1, 1)).pixels.shape == (240, 400, 3)
