"""crop_resize_normalize on a GPU, against the CPU form, which other tests hold against OpenCV and Pillow."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.camera_images import camera_image, camera_size, with_row_pitch
from support.cuda_memory import DeviceArray, strided_copy

from tundish_kernels import (
    Filter,
    ImageOutput,
    PixelFormat,
    Quantization,
    Region,
    Window,
    crop_resize_normalize,
    cuda,
)

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not cuda.available(), reason=cuda.reason() or "")]

FORMATS = get_args(PixelFormat)
FILTERS = [*((name, True) for name in get_args(Filter)), ("bilinear", False), ("bicubic", False)]
SIZE = (24, 30)
CONSTANTS: dict[str, Any] = {
    "scale": 1 / 255,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "pad": (114, 3, 250),
}


def assert_equals_the_cpu_form(
    workspace: cuda.Workspace, frame: Any, regions: list[Region], windows: list[Window], **arguments: Any
) -> None:
    expected = crop_resize_normalize(frame, regions, windows, size=SIZE, **CONSTANTS, **arguments)
    destination = DeviceArray(np.zeros_like(expected))
    copy = [strided_copy(plane) for plane in frame] if isinstance(frame, list) else strided_copy(frame)
    cuda.crop_resize_normalize_into(
        destination, copy, regions, windows, **CONSTANTS, **arguments, workspace=workspace, stream=0
    )
    np.testing.assert_array_equal(destination.get(), expected)


@pytest.mark.parametrize(("filter_name", "antialias"), FILTERS)
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_edges_and_corners_equal_the_cpu_form(
    workspace: cuda.Workspace, pixel_format: PixelFormat, filter_name: Filter, antialias: bool
) -> None:
    height, width = camera_size(pixel_format, 12, 70)
    places = [(0, 0), (1, 1), (width - 2, height - 2), (width - 1, height - 1), (0, height - 1), (33, 2)]
    regions = [Region(x, y, min(length, width - x), min(length, height - y)) for x, y in places for length in (1, 9)]
    regions += [Region(0, 0, width, height), Region(1, 0, width - 1, 1), Region(5, 1, 1, height - 1)]
    windows = [Window.letterbox((region.height, region.width), SIZE) for region in regions]
    frame = camera_image(pixel_format, 12, 70)
    assert_equals_the_cpu_form(
        workspace, frame, regions, windows, format=pixel_format, filter=filter_name, antialias=antialias
    )


@st.composite
def regions_of(draw: st.DrawFn, height: int, width: int) -> Region:
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return Region(x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y)))


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    pixel_format=st.sampled_from(FORMATS),
    source=st.tuples(st.integers(3, 90), st.integers(3, 150)),
    window=st.builds(Window, st.integers(1, 90), st.integers(1, 90), st.integers(-30, 60), st.integers(-30, 60)),
    how=st.sampled_from(FILTERS),
    output=st.sampled_from(
        [
            ImageOutput(),
            ImageOutput(dtype="float16", layout="hwc", order="bgr"),
            ImageOutput(dtype="uint8", layout="hwc", quantization=Quantization(0.0187, 114)),
            ImageOutput(dtype="int8", order="bgr", quantization=Quantization(0.0187, -14)),
        ]
    ),
)
def test_any_regions_equal_the_cpu_form(
    workspace: cuda.Workspace,
    data: st.DataObject,
    pixel_format: PixelFormat,
    source: tuple[int, int],
    window: Window,
    how: tuple[Filter, bool],
    output: ImageOutput,
) -> None:
    frame = camera_image(pixel_format, *source)
    regions = data.draw(st.lists(regions_of(*camera_size(pixel_format, *source)), min_size=1, max_size=5))
    filter_name, antialias = how
    assert_equals_the_cpu_form(
        workspace,
        frame,
        regions,
        [window] * len(regions),
        format=pixel_format,
        filter=filter_name,
        antialias=antialias,
        output=output,
    )


def test_planes_may_be_separate_and_rows_apart(workspace: cuda.Workspace) -> None:
    image = camera_image("nv12", 38, 66)
    planes = [with_row_pitch(image[:38], 62, upside_down=True), with_row_pitch(image[38:], 10)]
    regions = [Region(3, 5, 40, 21), Region(0, 0, 66, 38)]
    windows = [Window.stretch(SIZE)] * 2
    assert_equals_the_cpu_form(workspace, planes, regions, windows, format="nv12", filter="bilinear")


def test_workspace_is_as_large_as_asked_for(device: cuda.Device) -> None:
    frame = camera_image("rgb", 60, 80)
    regions = [Region(7, 8, 30, 20), Region(0, 0, 80, 60), Region(1, 1, 79, 2)]
    windows = [Window.stretch(SIZE)] * 3
    arguments: dict[str, Any] = {"filter": "lanczos"}
    largest = [Region(0, 0, 80, 60)] * 3
    needed = cuda.crop_resize_normalize_workspace_bytes(largest, windows, size=SIZE, **arguments)
    exact = cuda.Workspace(device, needed)
    assert exact.size == needed
    assert_equals_the_cpu_form(exact, frame, regions, windows, **arguments)
    with pytest.raises(ValueError, match=r"^workspace must have \d+ bytes for these regions, got 64$"):
        assert_equals_the_cpu_form(cuda.Workspace(device, 64), frame, regions, windows, **arguments)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"regions": 3}, TypeError, "regions must be a sequence, got int"),
        ({"regions": [(0, 0, 1)]}, TypeError, r"regions\[0\] must be a Region, got \(0, 0, 1\)"),
        ({"regions": [(0, 0, 0, 1)]}, ValueError, r"regions\[0\] must be between 1 and 65536 each way, got 1, 0"),
        ({"windows": []}, ValueError, r"windows must be as many as regions \(1\), got 0"),
        ({"windows": [Window(4, 70000, 0, 0)]}, ValueError, r"windows\[0\] must be between 1 and 65536 each way"),
        ({"windows": [Window(4, 4, 0, 70000)]}, ValueError, r"windows\[0\] must begin within 65536, got 0, 70000"),
        ({"size": (0, 4)}, ValueError, "size must be between 1 and 65536 each way, got 0, 4"),
        ({"size": (4,)}, ValueError, r"size must be two integers \(height, width\), got \(4,\)"),
        ({"filter": "box"}, ValueError, "filter must be 'nearest', 'bilinear', 'bicubic' or 'lanczos', got 'box'"),
        ({"antialias": 1}, TypeError, "antialias must be True or False, got 1"),
    ],
)
def test_workspace_of_wrong_arguments(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    valid: dict[str, Any] = {
        "regions": [Region(0, 0, 9, 8)],
        "windows": [Window(4, 4, 0, 0)],
        "size": SIZE,
        "filter": "bilinear",
    }
    with pytest.raises(error, match=message):
        cuda.crop_resize_normalize_workspace_bytes(**valid | changes)


def frame_on_gpu() -> DeviceArray:
    return DeviceArray(np.zeros((8, 9, 3), np.uint8))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"regions": 3}, TypeError, "regions must be a sequence, got int"),
        ({"regions": [], "windows": []}, ValueError, "regions must hold at least one region, got none"),
        ({"regions": [(0, 0, 1, 1), (0, 0, 1)]}, TypeError, r"regions\[1\] must be a Region, got \(0, 0, 1\)"),
        ({"regions": [(0, 0, 1, 1), (0.5, 0, 1, 1)]}, TypeError, r"regions\[1\].x must be an integer, got 0.5"),
        ({"regions": [(0, 0, 1, 1), (9, 0, 1, 1)]}, ValueError, r"regions\[1\].x must be between 0 and 8, got 9"),
        ({"regions": [(0, 0, 1, 1), (0, -1, 1, 1)]}, ValueError, r"regions\[1\].y must be between 0 and 7, got -1"),
        ({"regions": [(0, 0, 0, 1), (0, 0, 1, 1)]}, ValueError, r"regions\[0\].width must be between 1 and 9, got 0"),
        ({"regions": [(0, 0, 1, 1), (2, 3, 4, 6)]}, ValueError, r"regions\[1\].height must be between 1 and 5, got 6"),
        ({"windows": [Window(4, 5, 0, 0)]}, ValueError, r"windows must be as many as regions \(2\), got 1"),
        ({"windows": [Window(4, 0, 0, 0)] * 2}, ValueError, r"windows\[0\].resized_width must be between"),
        ({"frame": np.zeros((8, 9, 3), np.uint8)}, TypeError, "frame must be .* in a GPU's memory .*, got ndarray"),
        ({"frame": lambda: frame_on_gpu().changed(shape=(8, 27))}, ValueError, r"frame must be \[height, width, 3\]"),
        ({"frame": lambda: frame_on_gpu().changed(strides=(27, 1, 9))}, ValueError, "a row of frame must be adjacent"),
        ({"format": "i420"}, ValueError, r"frame must be \[height \* 3 / 2, width\] uint8"),
        ({"format": "yuv"}, ValueError, "format must be one of"),
        ({"filter": "lanczos", "antialias": False}, ValueError, "filter must be .* without antialias, got 'lanczos'"),
        ({"read_only": True}, ValueError, "destination must be writable, got a read-only array"),
        ({"strides": (192, 64, 8, 4)}, ValueError, "destination must be .* in aligned C order, got strides"),
        ({"output": ImageOutput(dtype="int8")}, ValueError, "destination must be .* int8 in .*, got .* float32"),
        ({"std": (1.0, -1.0, 1.0)}, ValueError, r"std\[1\] must be finite and above 0"),
        ({"workspace": None}, TypeError, "workspace must be a Workspace, got NoneType"),
        ({"stream": -1}, ValueError, "stream must be the number of a CUstream, got -1"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_written(
    workspace: cuda.Workspace, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    memory = DeviceArray(np.full((2, 3, 4, 4), 7, dtype=np.float32))
    address = memory.__cuda_array_interface__["data"][0]
    arguments: dict[str, Any] = {
        "destination": memory.changed(data=(address, changes.get("read_only", False)), strides=changes.get("strides")),
        "frame": frame_on_gpu(),
        "regions": [Region(0, 0, 9, 8), Region(2, 3, 4, 5)],
        "windows": [Window(4, 4, 0, 0)] * 2,
        "filter": "bilinear",
        "workspace": workspace,
        "stream": 0,
    }
    for name, value in changes.items():
        if name not in ("read_only", "strides"):
            arguments[name] = value() if callable(value) else value
    with pytest.raises(error, match=message):
        cuda.crop_resize_normalize_into(**arguments)
    assert np.all(memory.get() == 7)


def test_frame_must_be_in_the_gpus_memory_and_apart(workspace: cuda.Workspace) -> None:
    destination = DeviceArray(np.full((1, 3, 4, 4), 7, dtype=np.float32))
    host = np.zeros((8, 9, 3), np.uint8)
    of_destination = destination.__cuda_array_interface__["data"][0]
    for address, message in (
        (host.ctypes.data, "^frame must be in the memory of GPU 0, got memory of the host$"),
        (of_destination + 191, "^destination must not overlap an image, got memory shared with frame$"),
    ):
        frame = frame_on_gpu().changed(data=(address, False))
        with pytest.raises(ValueError, match=message):
            cuda.crop_resize_normalize_into(
                destination,
                frame,
                [Region(0, 0, 3, 3)],
                [Window(4, 4, 0, 0)],
                filter="bilinear",
                workspace=workspace,
                stream=0,
            )
    assert np.all(destination.get() == 7)


def test_more_regions_than_a_launch_takes(workspace: cuda.Workspace) -> None:
    count = 65536
    destination = DeviceArray(np.full((count, 3, 1, 1), 7, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"^regions must be at most 65535, got 65536$"):
        cuda.crop_resize_normalize_into(
            destination,
            frame_on_gpu(),
            [Region(0, 0, 1, 1)] * count,
            [Window(1, 1, 0, 0)] * count,
            filter="nearest",
            output=ImageOutput(dtype="uint8"),
            workspace=workspace,
            stream=0,
        )
    assert np.all(destination.get() == 7)
