"""The operators on an NVIDIA GPU: arrays in its memory in and out, on the caller's stream.

Results equal those of the CPU forms bit for bit. There are only the forms that write into the caller's arrays:
who works on a GPU has a library that allocates there. An array is any object with `__cuda_array_interface__`,
such as CuPy's and PyTorch's. A stream is the number of a CUstream (`torch.cuda.Stream.cuda_stream`,
`cupy.cuda.Stream.ptr`); 0 is the legacy default stream. The stream that an array's interface may name is not
waited for.

A call returns before its work is done. Its arrays must stay until then; libraries that free memory in the order
of a stream, as those two do on their current stream, see to that by themselves.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from tundish_kernels import _image_arguments as image_arguments
from tundish_kernels import _native
from tundish_kernels._arguments import as_integer, as_list
from tundish_kernels._cuda_array import read_array, read_output, read_strided_array
from tundish_kernels._image_arguments import Filter, ImageOutput
from tundish_kernels._pool_normalize import Pooling
from tundish_kernels._softmax_top_k import ScoreFunction
from tundish_kernels._window import Window

__all__ = [
    "Device",
    "Workspace",
    "available",
    "pool_normalize_into",
    "reason",
    "resize_normalize_into",
    "resize_normalize_workspace_bytes",
    "softmax_top_k_into",
]

_FLOAT32 = ImageOutput()
_FATBIN = Path(_native.__file__).with_name("kernels.fatbin")


def available() -> bool:
    """Whether there is a GPU that these operators run on."""
    return reason() is None


def reason() -> str | None:
    """Why there is none, in one sentence; None if there is one. The first call starts the NVIDIA driver."""
    if not _FATBIN.is_file():
        return "this build has no CUDA kernels, because it was made without a working nvcc 12.8 or newer"
    return _native.cuda_unavailable_reason() or None


class Device:
    """One GPU's primary context, which other CUDA libraries use too, with the kernels loaded into it.

    Make one for each GPU and keep it. It may be used by many threads.

    Args:
        ordinal: The GPU's number, as the driver and CUDA_VISIBLE_DEVICES count them.

    Raises:
        ValueError: There is no GPU of this number.
        RuntimeError: The GPU cannot be used; the message says why.
    """

    def __init__(self, ordinal: int = 0) -> None:
        number = as_integer(ordinal, "ordinal")
        if not 0 <= number < 2**31:
            raise ValueError(f"ordinal must be between 0 and the number of GPUs, got {number}")
        if not _FATBIN.is_file():
            raise RuntimeError(reason())
        self._native = _native.CudaDevice(_FATBIN.read_bytes(), number)

    @property
    def ordinal(self) -> int:
        """The GPU's number."""
        return self._native.ordinal


class Workspace:
    """Memory for the tables of calls that follow each other: as much on the GPU as page-locked on the host.

    All its calls must be on one stream and from one thread at a time. Freeing it waits for the GPU.

    Args:
        device: The GPU; it is kept.
        size: In bytes; see `resize_normalize_workspace_bytes`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: `size` is negative.
        RuntimeError: There is not so much memory.
    """

    def __init__(self, device: Device, size: int) -> None:
        number = as_integer(size, "size")
        if number < 0:
            raise ValueError(f"size must be 0 or more bytes, got {number}")
        self._native = _native.CudaWorkspace(_native_device(device), number)

    @property
    def size(self) -> int:
        """In bytes."""
        return self._native.bytes


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
    if not isinstance(workspace, Workspace):
        raise TypeError(f"workspace must be a Workspace, got {type(workspace).__name__}")
    _native.cuda_resize_normalize_into(
        (target.address, len(views), *output.size(target.shape)),
        views,
        placements,
        image_arguments.read_format(format),
        *image_arguments.read_filter(filter, antialias),
        image_arguments.read_normalization(scale, mean, std, pad),
        elements,
        workspace._native,
        _stream(stream),
    )


def softmax_top_k_into(
    destination: tuple[object, object],
    logits: object,
    *,
    function: ScoreFunction = "softmax",
    device: Device,
    stream: int,
) -> None:
    """Does what `tundish_kernels.softmax_top_k_into` does, on a GPU.

    One launch on `stream`; no memory is allocated, and nothing is waited for. A row is looked through k times: where
    k is large, sorting is faster. Nothing is written if an argument is wrong.

    Args:
        destination: Indices, `[batch, k] int64` or `int32`, and scores, `[batch, k] float32`, in the GPU's memory;
            C-contiguous, apart from each other and from the logits.
        logits: `[batch, classes] float32` in the GPU's memory, C-contiguous.
        function: See `tundish_kernels.softmax_top_k`.
        device: The GPU.
        stream: The CUstream's number.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape, dtype or place in memory is not as said above.
        RuntimeError: The driver refused; the message says what.
    """
    read = read_array(logits, "logits", ("batch", "classes"), np.float32)
    try:
        indices, scores = destination
    except (TypeError, ValueError):
        raise TypeError(f"destination must be two arrays (indices, scores), got {destination!r}") from None
    batch, classes = read.shape
    best = read_output(indices, "indices", (batch, "k"), np.int64, np.int32)
    best_scores = read_output(scores, "scores", (batch, best.shape[1]), np.float32)
    _native.cuda_softmax_top_k_into(
        best.address,
        best.dtype.itemsize,
        best_scores.address,
        best.shape[1],
        (read.address, batch, classes),
        _string(function, "function"),
        _native_device(device),
        _stream(stream),
    )


def pool_normalize_into(
    destination: object,
    tokens: object,
    mask: object,
    *,
    pooling: Pooling,
    normalize: bool,
    device: Device,
    stream: int,
) -> None:
    """Does what `tundish_kernels.pool_normalize_into` does, on a GPU.

    One launch on `stream`; no memory is allocated, and nothing is waited for. Nothing is written if an argument is
    wrong.

    Args:
        destination: `[batch, width] float32` in the GPU's memory, C-contiguous, apart from the other arrays.
        tokens: `[batch, tokens, width] float32` in the GPU's memory, C-contiguous.
        mask: `[batch, tokens]` int64, int32 or bool in the GPU's memory, C-contiguous: not 0 where a token counts.
        pooling: See `tundish_kernels.pool_normalize`.
        normalize: See `tundish_kernels.pool_normalize`.
        device: The GPU.
        stream: The CUstream's number.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape, dtype or place in memory is not as said above.
        RuntimeError: The driver refused; the message says what.
    """
    read = read_array(tokens, "tokens", ("batch", "tokens", "width"), np.float32)
    batch, length, width = read.shape
    kept = read_array(mask, "mask", (batch, length), np.int64, np.int32, np.bool_)
    output = read_output(destination, "destination", (batch, width), np.float32)
    if not isinstance(normalize, bool):
        raise TypeError(f"normalize must be True or False, got {normalize!r}")
    _native.cuda_pool_normalize_into(
        output.address,
        (read.address, batch, length, width),
        kept.address,
        kept.dtype.itemsize,
        _string(pooling, "pooling"),
        normalize,
        _native_device(device),
        _stream(stream),
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


def _string(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {value!r}")
    return value


def _stream(stream: int) -> int:
    handle = as_integer(stream, "stream")
    if handle < 0:
        raise ValueError(f"stream must be the number of a CUstream, got {handle}")
    return handle


def _native_device(device: object) -> _native.CudaDevice:
    if not isinstance(device, Device):
        raise TypeError(f"device must be a Device, got {type(device).__name__}")
    return device._native
