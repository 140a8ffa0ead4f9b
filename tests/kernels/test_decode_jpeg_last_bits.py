"""decode_jpeg without the last bits of progressive files, against Pillow's decoding of the scans that are left."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from tundish_kernels import decode_jpeg, decode_jpeg_into, jpeg_size, jpeg_step

Pixels = NDArray[np.uint8]

ANY_STEP = 1000.0
START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"


def encoded(mode: str = "RGB", *, progressive: bool = True, **options: Any) -> bytes:
    noise = np.random.default_rng(7).integers(0, 256, (15, 12, 3), np.uint8)
    stream = io.BytesIO()
    picture = Image.fromarray(noise).resize((184, 230), Image.Resampling.BICUBIC).convert(mode)
    picture.save(stream, "JPEG", **({"quality": 90} | options), progressive=progressive)
    return stream.getvalue()


def cut_before_last_scans(data: bytes, count: int) -> bytes:
    """libjpeg, by which Pillow writes, sends the last bits of AC coefficients at the very end, a scan a component."""
    end = len(data)
    for _ in range(count):
        end = data.rindex(START_OF_SCAN, 0, end)
    return data[:end] + END_OF_IMAGE


def decoded_by_pillow(data: bytes, reduction: int = 1) -> Pixels:
    image = Image.open(io.BytesIO(data))
    image.draft(None, (image.width // reduction, image.height // reduction))
    return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("reduction", [1, 2])
@pytest.mark.parametrize(
    ("mode", "options", "components"),
    [
        ("RGB", {}, 3),
        ("RGB", {"subsampling": 0}, 3),
        ("L", {}, 1),
        ("RGB", {"restart_marker_blocks": 2}, 3),
        # What metadata hold is no scan.
        ("RGB", {"comment": encoded()}, 3),
        ("RGB", {"icc_profile": encoded() * 3}, 3),
    ],
    ids=["colour", "full chroma", "grey", "restarts", "comment", "profile"],
)
def test_what_is_left_out_are_the_last_bits(
    mode: str, options: dict[str, Any], components: int, reduction: int
) -> None:
    data = encoded(mode, **options)
    expected = decoded_by_pillow(cut_before_last_scans(data, components), reduction)
    cover = expected.shape[:2]
    pixels = decode_jpeg(data, cover=(cover[0], cover[1]), coarsest_step=ANY_STEP)
    np.testing.assert_array_equal(pixels, expected)
    assert (pixels != decode_jpeg(data, cover=(cover[0], cover[1]))).any()
    again = np.empty_like(pixels)
    decode_jpeg_into(again, data, cover=(cover[0], cover[1]), coarsest_step=ANY_STEP)
    np.testing.assert_array_equal(again, pixels)


def test_orders_of_scans_of_other_encoders(photographs: list[Path]) -> None:
    """Those of photographs of the web are chosen for each file; some send whole coefficients at once."""
    coarser = 0
    for path in photographs:
        data = path.read_bytes()
        full, coarse = (decode_jpeg(data, coarsest_step=step).astype(int) for step in (None, ANY_STEP))
        step = jpeg_step(data)
        if step is None:
            np.testing.assert_array_equal(coarse, full)
        else:  # a coefficient without its last bit is off by a step at most
            assert 0 < np.abs(coarse - full).mean() < step
            coarser += 1
    assert 10 < coarser < len(photographs)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("quality", [50, 90, 100])
def test_the_step_is_the_mean_of_the_brightness_table(mode: str, quality: int) -> None:
    data = encoded(mode, quality=quality)
    assert jpeg_step(data) == np.mean(JpegImageFile(io.BytesIO(data)).quantization[0])


def test_a_table_of_16_bits() -> None:
    data = encoded("L")
    table = data.index(b"\xff\xdb\x00\x43\x00")
    wide = b"\xff\xdb\x00\x83\x10" + b"".join(b"\x01" + data[table + 5 + i : table + 6 + i] for i in range(64))
    data = data[:table] + wide + data[table + 69 :]
    assert jpeg_step(data) == np.mean(JpegImageFile(io.BytesIO(data)).quantization[0]) > 256


def test_a_file_of_larger_steps_is_decoded_in_full() -> None:
    data = encoded()
    step = jpeg_step(data)
    assert step
    full = decode_jpeg(data)
    np.testing.assert_array_equal(decode_jpeg(data, coarsest_step=step - 0.01), full)
    assert (decode_jpeg(data, coarsest_step=step) != full).any()


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_file_that_is_not_progressive_has_no_such_scans(mode: str) -> None:
    data = encoded(mode, progressive=False)
    assert jpeg_step(data) is None
    np.testing.assert_array_equal(decode_jpeg(data, coarsest_step=ANY_STEP), decode_jpeg(data))


def test_a_file_cut_short_is_refused_wherever_it_is_cut() -> None:
    data = encoded()
    for end in [*range(0, len(data), 97), *range(len(data) - 20, len(data))]:
        with pytest.raises(ValueError, match=r"\w"):
            decode_jpeg(data[:end], coarsest_step=ANY_STEP)


def test_a_head_of_a_million_segments_is_not_walked_to_its_end() -> None:
    empty = b"\xff\xfe\x00\x02"
    data = encoded()
    assert jpeg_step(data[:2] + 900 * empty + data[2:]) == jpeg_step(data)
    assert jpeg_step(data[:2] + 1_000_000 * empty + data[2:]) is None


@pytest.mark.parametrize("data", [bytearray(encoded()), None])
def test_only_bytes_have_a_step(data: Any) -> None:
    with pytest.raises(TypeError, match="data must be bytes, got"):
        jpeg_step(data)


@settings(max_examples=400, deadline=None)
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    cut=st.floats(0, 1),
)
def test_damaged_files_decode_or_are_refused(flips: list[tuple[float, int]], cut: float) -> None:
    data = bytearray(encoded())
    for place, value in flips:
        data[int(place * len(data))] = value
    damaged = bytes(data[: int(len(data) * cut)])
    assert (jpeg_step(damaged) or 1) >= 0
    try:
        height, width = jpeg_size(damaged)
        if height * width > 4_000_000:
            return
        pixels = decode_jpeg(damaged, coarsest_step=ANY_STEP)
    except ValueError:
        return
    assert pixels.shape == (height, width, 3)
