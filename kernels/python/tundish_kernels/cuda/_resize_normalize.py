"""resize_normalize on an NVIDIA GPU."""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from tundish_kernels import _image_arguments as image_arguments
from tundish_kernels import _native
from tundish_kernels._arguments import as_integer, as_list
from tundish_kernels._image_arguments import Filter, ImageOutput
from tundish_kernels._window import Window
from tundish_kernels.cuda._arguments import read_stream
from tundish_kernels.cuda._array import read_output, read_strided_array
from tundish_kernels.cuda._device import Workspace, read_workspace

_FLOAT32 = ImageOutput()


def resize_normalize_workspace_bytes(
    image_sizes: Iterable[tuple[int, int]],
    windows: Iterable[Window],
    *,
    size: tuple[int, int],
    filter: Filter,  # noqa: A002 - the word that Pillow's users know
    antialias: bool = True,
) -> int:
    """The size of the workspace with which `resize_normalize_into` takes such a batch.

    It never falls as an image of the batch grows, so that those of the largest images to come are enough.

    Args:
        image_sizes: Height and width of each image.
        windows: See `tundish_kernels.resize_normalize`; as many as images.
        size: Height and width of the output.
        filter: See `resize_normalize_into`.
        antialias: See `resize_normalize_into`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A size is outside its range, or the filter is unknown.
    """
    height, width = _extents(size, "size")
    sizes = as_list(image_sizes, "image_sizes")
    images = [(0, *_extents(extents, f"image_sizes[{index}]"), 0) for index, extents in enumerate(sizes)]
    placements = image_arguments.read_windows(as_list(windows, "windows"), len(images), "images")
    for index, (resized_height, resized_width, top, left) in enumerate(placements):
        _extents((resized_height, resized_width), f"windows[{index}]")
        if max(abs(top), abs(left)) > _native.MAXIMUM_EXTENT:
            raise ValueError(f"windows[{index}] must begin within {_native.MAXIMUM_EXTENT}, got {top}, {left}")
    named = image_arguments.read_filter(filter, antialias)
    return _native.cuda_resize_normalize_workspace_bytes(images, placements, height, width, *named)


def resize_normalize_into(
    destination: object,
    images: Sequence[object],
    windows: Sequence[Window],
    *,
    format: Literal["rgb", "bgr"] = "rgb",  # noqa: A002
    filter: Filter,  # noqa: A002
    antialias: bool = True,
    scale: float = 1.0,
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    pad: int | Sequence[int] = 0,
    output: ImageOutput = _FLOAT32,
    workspace: Workspace,
    stream: int,
) -> None:
    """Does what `tundish_kernels.resize_normalize_into` does, on the GPU of the workspace.

    One copy of tables to the GPU and one launch on `stream`, whatever the number and sizes of the images. No
    memory of the GPU is allocated. The call waits for nothing but the workspace's own previous copy, and cannot be
    part of a CUDA graph. Nothing is written if an argument is wrong.

    Args:
        destination: `[len(images), 3, height, width] float32` or what `output` says in the GPU's memory, C-contiguous,
            apart from the images.
        images: Arrays `[height, width, 3] uint8` in the GPU's memory, each of its own size; 65535 at most. Rows may be
            apart, but the pixels of a row must be adjacent.
        windows: See `tundish_kernels.resize_normalize`.
        format: The order of the images' channels.
        filter: See `tundish_kernels.resize_normalize`.
        antialias: See `tundish_kernels.resize_normalize`.
        scale: See `tundish_kernels.resize_normalize`.
        mean: See `tundish_kernels.resize_normalize`.
        std: See `tundish_kernels.resize_normalize`.
        pad: See `tundish_kernels.resize_normalize`.
        output: See `tundish_kernels.resize_normalize`.
        workspace: At least `resize_normalize_workspace_bytes` of this batch.
        stream: The CUstream's number.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape, dtype or place in memory is not as said above.
        RuntimeError: The driver refused, or work that was launched before has failed; the message says what.
    """
    views = [_image(image, index) for index, image in enumerate(as_list(images, "images"))]
    placements = image_arguments.read_windows(as_list(windows, "windows"), len(views), "images")
    elements = image_arguments.read_output(output)
    axes = (len(views), 3, "height", "width") if output.layout == "chw" else (len(views), "height", "width", 3)
    target = read_output(destination, "destination", axes, np.dtype(output.dtype).type)
    _native.cuda_resize_normalize_into(
        (target.address, len(views), *output.size(target.shape)),
        views,
        placements,
        image_arguments.read_format(format),
        *image_arguments.read_filter(filter, antialias),
        image_arguments.read_normalization(scale, mean, std, pad),
        elements,
        read_workspace(workspace),
        read_stream(stream),
    )


def _extents(extents: tuple[int, int], name: str) -> tuple[int, int]:
    values = as_list(extents, name)
    if len(values) != 2:
        raise ValueError(f"{name} must be two integers (height, width), got {extents!r}")
    height, width = (as_integer(value, f"{name}[{index}]") for index, value in enumerate(values))
    if not (1 <= height <= _native.MAXIMUM_EXTENT and 1 <= width <= _native.MAXIMUM_EXTENT):
        raise ValueError(f"{name} must be between 1 and {_native.MAXIMUM_EXTENT} each way, got {height}, {width}")
    return height, width


def _image(image: object, index: int) -> tuple[int, int, int, int]:
    name = f"images[{index}]"
    array = read_strided_array(image, name, ("height", "width", 3), np.uint8)
    height, width, _ = array.shape
    row_stride, pixel_stride, channel_stride = array.strides
    if channel_stride != 1 or (width > 1 and pixel_stride != 3):
        raise ValueError(f"the pixels of a row of {name} must be adjacent, got strides {array.strides}")
    return array.address, height, width, row_stride if height > 1 else 3 * width
