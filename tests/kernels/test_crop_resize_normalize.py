"""crop_resize_normalize against cropping and resizing with Pillow, and every argument that it refuses."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.camera_images import TO_RGB, camera_image

from tundish_kernels import (
    ImageOutput,
    PixelFormat,
    Region,
    Window,
    crop_resize_normalize,
    crop_resize_normalize_into,
    resize_normalize,
)

PIXELS = ImageOutput(dtype="uint8", layout="hwc")
SIZE = (24, 30)
FRAME = np.zeros((8, 9, 3), np.uint8)
VALID: dict[str, Any] = {
    "frame": FRAME,
    "regions": [Region(0, 0, 9, 8), Region(2, 3, 4, 5)],
    "windows": [Window.stretch(SIZE)] * 2,
    "filter": "bilinear",
}


@st.composite
def regions_of(draw: st.DrawFn, height: int, width: int) -> Region:
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return Region(x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y)))


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    pixel_format=st.sampled_from(get_args(PixelFormat)),
    source=st.tuples(st.integers(3, 90), st.integers(3, 150)),
    filter_name=st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"]),
)
def test_equals_cropping_then_resizing_with_pillow(
    data: st.DataObject, pixel_format: PixelFormat, source: tuple[int, int], filter_name: Any
) -> None:
    frame = camera_image(pixel_format, *source)
    rgb = TO_RGB[pixel_format](frame)
    regions = data.draw(st.lists(regions_of(*rgb.shape[:2]), min_size=1, max_size=5))
    output = crop_resize_normalize(
        frame,
        regions,
        [Window.stretch(SIZE)] * len(regions),
        size=SIZE,
        format=pixel_format,
        filter=filter_name,
        output=PIXELS,
    )
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    for region, pixels in zip(regions, output, strict=True):
        crop = picture.crop((region.x, region.y, region.x + region.width, region.y + region.height))
        resampling = Image.Resampling[filter_name.upper()]
        if filter_name != "nearest":
            crop = crop.resize((SIZE[1], crop.height), resampling)
        np.testing.assert_array_equal(pixels, np.asarray(crop.resize(SIZE[::-1], resampling)))


@pytest.mark.parametrize("filter_name", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("pixel_format", get_args(PixelFormat))
def test_edges_and_corners_without_antialiasing(pixel_format: PixelFormat, filter_name: Any) -> None:
    """Single pixels, rows and columns at the edges equal those of an image that was converted before."""
    frame = camera_image(pixel_format, 12, 70)
    rgb = np.ascontiguousarray(TO_RGB[pixel_format](frame))
    height, width = rgb.shape[:2]
    places = [
        (x, y, w, h)
        for x in (0, 1, width - 2, width - 1)
        for y in (0, 1, height - 2, height - 1)
        for w in (1, 2, width - x)
        for h in (1, 2, height - y)
        if x + w <= width and y + h <= height
    ]
    regions = [Region(*place) for place in places]
    windows = [Window.letterbox((region.height, region.width), SIZE) for region in regions]
    arguments: dict[str, Any] = {"size": SIZE, "filter": filter_name, "antialias": False, "pad": (1, 2, 3)}
    output = crop_resize_normalize(frame, regions, windows, format=pixel_format, **arguments)
    crops = [rgb[y : y + h, x : x + w] for x, y, w, h in places]
    np.testing.assert_array_equal(output, resize_normalize(crops, windows, **arguments))


def test_reads_nothing_but_the_regions_and_leaves_the_frame_alone() -> None:
    frame = camera_image("rgb", 60, 80)
    other = 255 - frame
    other[20:41, 30:47] = frame[20:41, 30:47]
    before = frame.copy()
    outputs = [
        crop_resize_normalize(image, [Region(30, 20, 17, 21)], VALID["windows"][:1], size=SIZE, filter="lanczos")
        for image in (frame, other)
    ]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(frame, before)


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ({"regions": 3}, TypeError, "regions must be a sequence, got int"),
        ({"regions": [], "windows": []}, ValueError, "regions must hold at least one region, got none"),
        ({"regions": [FRAME, (0, 0, 1, 1)]}, TypeError, None),
        ({"regions": [(0, 0, 1, 1), (0, 0, 1)]}, TypeError, "regions[1] must be a Region, got (0, 0, 1)"),
        (
            {"regions": [(0, 0, 1, 1), (0.5, 0, 1, 1)]},
            TypeError,
            "regions[1].x must be an integer, got 0.5",
        ),
        ({"regions": [(0, 0, 1, 1), (9, 0, 1, 1)]}, ValueError, "regions[1].x must be between 0 and 8, got 9"),
        ({"regions": [(0, 0, 1, 1), (0, -1, 1, 1)]}, ValueError, "regions[1].y must be between 0 and 7, got -1"),
        ({"regions": [(0, 0, 0, 1), (0, 0, 1, 1)]}, ValueError, "regions[0].width must be between 1 and 9, got 0"),
        (
            {"regions": [(0, 0, 1, 1), (2, 3, 4, 6)]},
            ValueError,
            "regions[1].height must be between 1 and 5, got 6",
        ),
        ({"windows": [Window(4, 5, 0, 0)]}, ValueError, "windows must be as many as regions (2), got 1"),
        ({"frame": FRAME[0]}, ValueError, "frame must be [height, width, 3] uint8, got (9, 3) uint8"),
        ({"frame": None}, TypeError, "frame must be [height, width, 3] uint8, got NoneType"),
        ({"filter": "box"}, ValueError, "filter must be 'nearest', 'bilinear', 'bicubic' or 'lanczos', got 'box'"),
    ],
)
def test_wrong_argument(changed: dict[str, Any], error: type[Exception], sentence: str | None) -> None:
    arguments = VALID | changed
    with pytest.raises(error) as of_op:
        crop_resize_normalize(size=SIZE, **arguments)
    assert sentence is None or str(of_op.value) == sentence
    batch = len(arguments["regions"]) if isinstance(arguments["regions"], list) else 2
    destination = np.full((batch, 3, *SIZE), 42.0, np.float32)
    with pytest.raises(error) as of_op_into:
        crop_resize_normalize_into(destination, **arguments)
    assert str(of_op_into.value) == str(of_op.value)
    assert np.all(destination == 42.0)


def test_destination_that_overlaps_the_frame() -> None:
    memory = np.zeros((2, 3, *SIZE), np.float32)
    frame = memory.view(np.uint8).reshape(-1)[-9 * 8 * 3 :].reshape(8, 9, 3)
    with pytest.raises(ValueError, match=r"^destination must not overlap an image, got memory shared with frame$"):
        crop_resize_normalize_into(memory, **VALID | {"frame": frame})
