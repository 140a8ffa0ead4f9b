"""resize_normalize on what cameras give, against OpenCV's conversions and Pillow's resizing, to the bit."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.camera_images import TO_RGB, Pixels, camera_image, with_row_pitch
from support.kernels import outputs_by_isa

from tundish_kernels import ImageOutput, PixelFormat, Window, resize_normalize

FORMATS = get_args(PixelFormat)
PIXELS = ImageOutput(dtype="uint8", layout="hwc")


def converted(image: Any, pixel_format: PixelFormat, height: int, width: int) -> Pixels:
    window = Window.stretch((height, width))
    output = resize_normalize(
        [image], [window], size=(height, width), format=pixel_format, filter="nearest", output=PIXELS
    )
    pixels: Pixels = output[0]
    return pixels


def test_every_format_is_compared() -> None:
    assert set(FORMATS) == set(TO_RGB)


@settings(max_examples=300, deadline=None)
@given(
    pixel_format=st.sampled_from(FORMATS),
    height=st.integers(1, 70),
    width=st.integers(1, 200),
    seed=st.integers(0, 2**32),
)
def test_pixels_equal_opencvs(pixel_format: PixelFormat, height: int, width: int, seed: int) -> None:
    image = camera_image(pixel_format, height, width, seed)
    expected = TO_RGB[pixel_format](image)
    np.testing.assert_array_equal(converted(image, pixel_format, *expected.shape[:2]), expected)


@pytest.mark.parametrize("pixel_format", ["nv12", "i420", "yuyv", "uyvy"])
def test_every_yuv_triple_equals_opencvs(pixel_format: PixelFormat) -> None:
    """Two pixels that share u and v, for all u and v and a third of all y."""
    u, v, y = (part.astype(np.uint8).reshape(512, -1) for part in np.mgrid[0:256, 0:256, 0:172:2])
    y = y + np.arange(u.shape[1], dtype=np.uint8) // 43 % 2 * 84
    pairs = y.repeat(2, axis=1)
    luma = pairs.repeat(2, axis=0)
    image: dict[str, Pixels] = {
        "nv12": np.concatenate([luma, np.stack([u, v], axis=-1).reshape(u.shape[0], -1)]),
        "i420": np.concatenate([luma.ravel(), u.ravel(), v.ravel()]).reshape(-1, luma.shape[1]),
        "yuyv": np.stack([y, u, y, v], axis=-1).reshape(*pairs.shape, 2),
        "uyvy": np.stack([u, y, v, y], axis=-1).reshape(*pairs.shape, 2),
    }
    expected = TO_RGB[pixel_format](image[pixel_format])
    np.testing.assert_array_equal(converted(image[pixel_format], pixel_format, *expected.shape[:2]), expected)


def test_luma_at_both_ends_equals_opencvs() -> None:
    image = np.concatenate([np.arange(256, dtype=np.uint8)[None].repeat(2, 0), np.full((1, 256), 255, np.uint8)])
    np.testing.assert_array_equal(converted(image, "nv12", 2, 256), TO_RGB["nv12"](image))


@settings(max_examples=150, deadline=None)
@given(
    pixel_format=st.sampled_from(FORMATS),
    source=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    window=st.builds(Window, st.integers(1, 60), st.integers(1, 60), st.integers(-30, 50), st.integers(-30, 50)),
    filter_name=st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"]),
    order=st.sampled_from(["rgb", "bgr"]),
    seed=st.integers(0, 2**32),
)
def test_converting_inside_equals_converting_first(
    pixel_format: PixelFormat, source: tuple[int, int], window: Window, filter_name: Any, order: Any, seed: int
) -> None:
    image = camera_image(pixel_format, *source, seed)
    rgb = TO_RGB[pixel_format](image)
    resized = Image.fromarray(np.ascontiguousarray(rgb))
    if filter_name != "nearest":
        resized = resized.resize((window.resized_width, resized.height), Image.Resampling[filter_name.upper()])
    resized = resized.resize((window.resized_width, window.resized_height), Image.Resampling[filter_name.upper()])
    height, width = 37, 41
    colour = (10, 200, 114)
    expected = np.full((height, width, 3), colour, np.uint8)
    pixels = np.asarray(resized)[..., ::-1] if order == "bgr" else np.asarray(resized)
    rows, columns = np.arange(height) + window.top, np.arange(width) + window.left
    shown_rows = (rows >= 0) & (rows < window.resized_height)
    shown_columns = (columns >= 0) & (columns < window.resized_width)
    expected[np.ix_(shown_rows, shown_columns)] = pixels[np.ix_(rows[shown_rows], columns[shown_columns])]
    output = resize_normalize(
        [image],
        [window],
        size=(height, width),
        format=pixel_format,
        filter=filter_name,
        pad=colour,
        output=ImageOutput(dtype="uint8", layout="hwc", order=order),
    )
    np.testing.assert_array_equal(output[0], expected)


@pytest.mark.parametrize("pixel_format", [name for name in FORMATS if name != "i420"])
@pytest.mark.parametrize("upside_down", [False, True])
def test_rows_may_have_a_pitch(pixel_format: PixelFormat, upside_down: bool) -> None:
    image = camera_image(pixel_format, 34, 66)
    apart = with_row_pitch(image, 30, upside_down=upside_down)
    apart.flags.writeable = False
    expected = TO_RGB[pixel_format](image)
    np.testing.assert_array_equal(converted(apart, pixel_format, *expected.shape[:2]), expected)


@pytest.mark.parametrize("pixel_format", ["nv12", "i420"])
def test_planes_may_be_separate(pixel_format: PixelFormat) -> None:
    image = camera_image(pixel_format, 38, 66)
    luma = with_row_pitch(image[:38], 62)
    if pixel_format == "nv12":
        planes = [luma, with_row_pitch(image[38:], 10, upside_down=True)]
    else:
        u, v = image[38:].reshape(2, 19, 33)
        planes = [luma, with_row_pitch(u, 31), with_row_pitch(v, 1)]
    np.testing.assert_array_equal(converted(planes, pixel_format, 38, 66), TO_RGB[pixel_format](image))


DIGEST_SCRIPT = f"""
import hashlib, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import numpy as np
from support.camera_images import TO_RGB, camera_image
from tundish_kernels import ImageOutput, Quantization, Window, resize_normalize
generator = np.random.default_rng(0)
digest = hashlib.sha256()
quantization = Quantization(0.02, 3)
outputs = [
    ImageOutput(dtype=dtype, layout=layout, order=order, quantization=quantization if dtype == "int8" else None)
    for dtype in ("float32", "float16", "uint8", "int8") for layout in ("chw", "hwc") for order in ("rgb", "bgr")
]
for case in range(600):
    pixel_format = list(TO_RGB)[case % len(TO_RGB)]
    height, width, resized_height, resized_width, *size = generator.integers(1, 150, 6).tolist()
    if case % 5 == 0:  # whole steps between pixels
        resized_height, resized_width = -(-height // 3), -(-width // 3)
        height, width = 3 * resized_height, 3 * resized_width
    output = resize_normalize(
        [camera_image(pixel_format, height, width, case)],
        [Window(resized_height, resized_width, *generator.integers(-20, 40, 2).tolist())],
        size=size, format=pixel_format, filter=["nearest", "bilinear", "bicubic"][case % 3],
        antialias=case % 2 == 0, scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
        pad=(case % 256, 9, 8), output=outputs[case % len(outputs)])
    digest.update(output.tobytes())
print(digest.hexdigest())
"""


def test_instruction_sets_agree_to_the_bit() -> None:
    digests = outputs_by_isa(DIGEST_SCRIPT)
    assert len(set(digests.values())) == 1
    assert len(digests["scalar"].strip()) == 64
