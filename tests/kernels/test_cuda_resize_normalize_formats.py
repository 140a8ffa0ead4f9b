"""Camera frames through resize_normalize on a GPU, against the CPU form, which other tests hold against OpenCV."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.camera_images import camera_image, camera_size, with_row_pitch
from support.cuda_memory import DeviceArray, strided_copy

from tundish_kernels import Filter, ImageOutput, PixelFormat, Quantization, Window, cuda, resize_normalize

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not cuda.available(), reason=cuda.reason() or "")]

FORMATS = get_args(PixelFormat)
FILTERS = [*((name, True) for name in get_args(Filter)), ("bilinear", False), ("bicubic", False)]
SIZE = (50, 61)
CONSTANTS: dict[str, Any] = {
    "scale": 1 / 255,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "pad": (114, 3, 250),
}
OUTPUTS = [
    ImageOutput(),
    ImageOutput(layout="hwc", order="bgr"),
    ImageOutput(dtype="float16", order="bgr"),
    ImageOutput(dtype="uint8", quantization=Quantization(0.0187, 114)),
    ImageOutput(dtype="int8", layout="hwc", quantization=Quantization(0.0187, -14)),
]


def assert_equals_the_cpu_form(
    workspace: cuda.Workspace, images: list[Any], windows: list[Window], size: tuple[int, int], **arguments: Any
) -> None:
    expected = resize_normalize(images, windows, size=size, **CONSTANTS, **arguments)
    destination = DeviceArray(np.zeros_like(expected))
    copies = [
        [strided_copy(plane) for plane in image] if isinstance(image, list) else strided_copy(image) for image in images
    ]
    cuda.resize_normalize_into(destination, copies, windows, **CONSTANTS, **arguments, workspace=workspace, stream=0)
    np.testing.assert_array_equal(destination.get(), expected)


@pytest.mark.parametrize(("filter_name", "antialias"), FILTERS)
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_every_format_and_filter_equals_the_cpu_form(
    workspace: cuda.Workspace, pixel_format: PixelFormat, filter_name: Filter, antialias: bool
) -> None:
    images = [
        camera_image(pixel_format, *size, seed) for seed, size in enumerate([(60, 80), (17, 5), (1, 1), (33, 301)])
    ]
    windows = [
        Window.letterbox(camera_size(pixel_format, 60, 80), SIZE),
        Window(40, 12, -5, -24),
        Window(300, 500, 20, 20),
        Window.shortest_edge(camera_size(pixel_format, 33, 301), 56).centre_crop(SIZE),
    ]
    assert_equals_the_cpu_form(
        workspace, images, windows, SIZE, format=pixel_format, filter=filter_name, antialias=antialias
    )


@settings(max_examples=150, deadline=None)
@given(
    pixel_format=st.sampled_from(FORMATS),
    sources=st.lists(st.tuples(st.integers(1, 90), st.integers(1, 140)), min_size=1, max_size=3),
    window=st.builds(Window, st.integers(1, 90), st.integers(1, 90), st.integers(-30, 60), st.integers(-30, 60)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    how=st.sampled_from(FILTERS),
    output=st.sampled_from(OUTPUTS),
)
def test_any_sizes_and_outputs_equal_the_cpu_form(
    workspace: cuda.Workspace,
    pixel_format: PixelFormat,
    sources: list[tuple[int, int]],
    window: Window,
    size: tuple[int, int],
    how: tuple[Filter, bool],
    output: ImageOutput,
) -> None:
    images = [camera_image(pixel_format, *source, seed) for seed, source in enumerate(sources)]
    windows = [window] * len(images)
    filter_name, antialias = how
    assert_equals_the_cpu_form(
        workspace, images, windows, size, format=pixel_format, filter=filter_name, antialias=antialias, output=output
    )


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("upside_down", [False, True])
@pytest.mark.parametrize("pixel_format", [name for name in FORMATS if name != "i420"])
def test_rows_may_have_a_pitch(
    workspace: cuda.Workspace, pixel_format: PixelFormat, upside_down: bool, antialias: bool
) -> None:
    image = with_row_pitch(camera_image(pixel_format, 34, 66), 30, upside_down=upside_down)
    window = Window.stretch(SIZE)
    assert_equals_the_cpu_form(
        workspace, [image], [window], SIZE, format=pixel_format, filter="bilinear", antialias=antialias
    )


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("pixel_format", ["nv12", "i420"])
def test_planes_may_be_separate(workspace: cuda.Workspace, pixel_format: PixelFormat, antialias: bool) -> None:
    image = camera_image(pixel_format, 38, 66)
    luma = with_row_pitch(image[:38], 62)
    if pixel_format == "nv12":
        planes = [luma, with_row_pitch(image[38:], 10, upside_down=True)]
    else:
        u, v = image[38:].reshape(2, 19, 33)
        planes = [luma, with_row_pitch(u, 31), with_row_pitch(v, 1)]
    window = Window.stretch(SIZE)
    assert_equals_the_cpu_form(
        workspace, [planes], [window], SIZE, format=pixel_format, filter="bilinear", antialias=antialias
    )


def on_gpu(*shape: int) -> DeviceArray:
    return DeviceArray(np.zeros(shape, np.uint8))


def with_strides(array: DeviceArray, *strides: int) -> Any:
    return array.changed(strides=strides)


@pytest.mark.parametrize(
    ("pixel_format", "make", "message"),
    [
        ("grey", lambda: on_gpu(6, 6, 3), r"images\[0\] must be \[height, width\] uint8 in .*, got \(6, 6, 3\)"),
        ("yuyv", lambda: on_gpu(6, 6, 3), r"must be \[height, width, 2\] uint8 in a GPU's memory, got \(6, 6, 3\)"),
        ("uyvy", lambda: on_gpu(4, 5, 2), r"images\[0\] must have an even width, .*, got 5 x 4"),
        ("yuyv", lambda: with_strides(on_gpu(3, 4, 2), 8, 1, 4), "the pixels of a row of .* must be adjacent"),
        ("grey", lambda: with_strides(on_gpu(3, 4), 1, 3), "the pixels of a row of .* must be adjacent"),
        ("bayer_rggb", lambda: on_gpu(2, 9), r"images\[0\] must have at least 3 x 3 pixels .*, got 9 x 2"),
        ("nv12", lambda: on_gpu(7, 6), r"must be \[height \* 3 / 2, width\] uint8 with a whole height, got \(7, 6\)"),
        ("nv12", lambda: on_gpu(6, 5), r"images\[0\] must have an even width and height, .*, got 5 x 4"),
        ("i420", lambda: with_strides(on_gpu(6, 8), 16, 1), r"must be in C order, or separate planes y, u and v"),
        ("nv12", lambda: [on_gpu(4, 6)], r"images\[0\] must be one array or the planes y, uv, got 1 planes"),
        ("i420", lambda: (on_gpu(4, 6), on_gpu(2, 6)), "or the planes y, u, v, got 2 planes"),
        ("nv12", lambda: [on_gpu(4, 6), on_gpu(2, 3)], r"images\[0\]\[1\] must be \[2, 6\] uint8, got \(2, 3\) uint8"),
        ("i420", lambda: [on_gpu(4, 6), on_gpu(2, 3), on_gpu(1, 3)], r"images\[0\]\[2\] must be \[2, 3\] uint8"),
        ("nv12", lambda: [on_gpu(3, 6), on_gpu(1, 6)], "must have an even width and height"),
        ("i420", lambda: on_gpu(0, 6), r"and not empty, got \(0, 6\)"),
    ],
)
def test_wrong_images_are_named_and_nothing_is_written(
    workspace: cuda.Workspace, pixel_format: PixelFormat, make: Any, message: str
) -> None:
    destination = DeviceArray(np.full((1, 3, 4, 4), 7, dtype=np.float32))
    with pytest.raises(ValueError, match=message):
        cuda.resize_normalize_into(
            destination,
            [make()],
            [Window(4, 4, 0, 0)],
            format=pixel_format,
            filter="bilinear",
            **CONSTANTS,
            workspace=workspace,
            stream=0,
        )
    assert np.all(destination.get() == 7)


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_every_plane_must_be_in_the_gpus_memory_and_apart(workspace: cuda.Workspace, plane: int) -> None:
    destination = DeviceArray(np.full((1, 3, 4, 4), 7, dtype=np.float32))
    planes: list[Any] = [on_gpu(4, 6), on_gpu(2, 3), on_gpu(2, 3)]
    host = np.zeros(24, np.uint8)
    of_destination = destination.__cuda_array_interface__["data"][0]
    for address, message in (
        (host.ctypes.data, r"images\[0\] must be in the memory of GPU 0, got memory of the host"),
        (of_destination + 100, r"destination must not overlap an image, got memory shared with images\[0\]"),
    ):
        moved = planes[plane].changed(data=(address, False))
        image = [*planes[:plane], moved, *planes[plane + 1 :]]
        with pytest.raises(ValueError, match=message):
            cuda.resize_normalize_into(
                destination,
                [image],
                [Window(4, 4, 0, 0)],
                format="i420",
                filter="bilinear",
                **CONSTANTS,
                workspace=workspace,
                stream=0,
            )
    assert np.all(destination.get() == 7)
