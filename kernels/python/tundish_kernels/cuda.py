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

from tundish_kernels import _native
from tundish_kernels._arguments import as_integer, as_list, as_number
from tundish_kernels._cuda_array import CudaArray, read_cuda_array
from tundish_kernels._resize_normalize import Filter, Window, _channels, _integers

__all__ = [
    "Device",
    "Workspace",
    "available",
    "reason",
    "resize_normalize_into",
    "resize_normalize_workspace_bytes",
]

_FATBIN = Path(_native.__file__).with_name("kernels.fatbin")


def available() -> bool:
    """Whether there is a GPU that these operators run on."""
    return reason() is None


def reason() -> str | None:
    """Why there is none, in one sentence; None if there is one. The first call starts the NVIDIA driver."""
    if not _FATBIN.is_file():
        return "this build has no CUDA kernels, because it was made without nvcc 12.8 or newer"
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
        if not isinstance(device, Device):
            raise TypeError(f"device must be a Device, got {type(device).__name__}")
        number = as_integer(size, "size")
        if number < 0:
            raise ValueError(f"size must be 0 or more bytes, got {number}")
        self._native = _native.CudaWorkspace(device._native, number)

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
) -> int:
    """The size of the workspace with which `resize_normalize_into` takes such a batch.

    It never falls as an image of the batch grows, so that those of the largest images to come are enough.

    Args:
        image_sizes: Height and width of each image.
        windows: See `tundish_kernels.resize_normalize`; as many as images.
        size: Height and width of the output.
        filter: See `tundish_kernels.resize_normalize`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A size is outside its range, or `filter` is unknown.
    """
    height, width = _extents(size, "size")
    sizes = as_list(image_sizes, "image_sizes")
    images = [(0, *_extents(extents, f"image_sizes[{index}]"), 0) for index, extents in enumerate(sizes)]
    placements = _placements(windows, len(images))
    for index, (resized_height, resized_width, top, left) in enumerate(placements):
        _extents((resized_height, resized_width), f"windows[{index}]")
        if max(abs(top), abs(left)) > _native.MAXIMUM_EXTENT:
            raise ValueError(f"windows[{index}] must begin within {_native.MAXIMUM_EXTENT}, got {top}, {left}")
    return _native.cuda_resize_normalize_workspace_bytes(images, placements, height, width, _filter(filter))


def resize_normalize_into(
    destination: object,
    images: Sequence[object],
    windows: Sequence[Window],
    *,
    filter: Filter,  # noqa: A002
    scale: float,
    mean: Sequence[float],
    std: Sequence[float],
    pad: int = 0,
    workspace: Workspace,
    stream: int,
) -> None:
    """Does what `tundish_kernels.resize_normalize_into` does, on the GPU of the workspace.

    One copy of tables to the GPU and one launch on `stream`, whatever the number and sizes of the images. No
    memory of the GPU is allocated. The call waits for nothing but the workspace's own previous copy. Nothing is
    written if an argument is wrong.

    Args:
        destination: `[len(images), 3, height, width] float32` in the GPU's memory, C-contiguous, apart from the
            images.
        images: RGB arrays `[height, width, 3] uint8` in the GPU's memory, each of its own size; 65535 at most.
            Rows may be apart, but the pixels of a row must be adjacent.
        windows: See `tundish_kernels.resize_normalize`.
        filter: See `tundish_kernels.resize_normalize`.
        scale: See `tundish_kernels.resize_normalize`.
        mean: See `tundish_kernels.resize_normalize`.
        std: See `tundish_kernels.resize_normalize`.
        pad: See `tundish_kernels.resize_normalize`.
        workspace: At least `resize_normalize_workspace_bytes` of this batch.
        stream: The CUstream's number.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape, dtype or place in memory is not as said above.
        RuntimeError: The driver refused, or work that was launched before has failed; the message says what.
    """
    items = as_list(images, "images")
    views = [_image(image, index) for index, image in enumerate(items)]
    placements = _placements(windows, len(views))
    output = _destination(destination, len(views))
    if not isinstance(workspace, Workspace):
        raise TypeError(f"workspace must be a Workspace, got {type(workspace).__name__}")
    handle = as_integer(stream, "stream")
    if handle < 0:
        raise ValueError(f"stream must be the number of a CUstream, got {handle}")
    _native.cuda_resize_normalize_into(
        (output.address, output.shape[0], output.shape[2], output.shape[3]),
        views,
        placements,
        _filter(filter),
        as_number(scale, "scale"),
        _channels(mean, "mean"),
        _channels(std, "std"),
        as_integer(pad, "pad"),
        workspace._native,
        handle,
    )


def _extents(extents: tuple[int, int], name: str) -> tuple[int, int]:
    values = as_list(extents, name)
    if len(values) != 2:
        raise ValueError(f"{name} must be two integers (height, width), got {extents!r}")
    height, width = (as_integer(value, f"{name}[{index}]") for index, value in enumerate(values))
    if not (1 <= height <= _native.MAXIMUM_EXTENT and 1 <= width <= _native.MAXIMUM_EXTENT):
        raise ValueError(f"{name} must be between 1 and {_native.MAXIMUM_EXTENT} each way, got {height}, {width}")
    return height, width


def _placements(windows: Iterable[Window], count: int) -> list[tuple[int, int, int, int]]:
    placements = [_integers(window, index) for index, window in enumerate(as_list(windows, "windows"))]
    if len(placements) != count:
        raise ValueError(f"windows must be as many as images ({count}), got {len(placements)}")
    return placements


def _filter(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"filter must be a string, got {name!r}")
    return name


def _image(image: object, index: int) -> tuple[int, int, int, int]:
    expected = f"images[{index}] must be [height, width, 3] uint8 in a GPU's memory"
    array = read_cuda_array(image, expected, dimensions=3, dtype="u1")
    height, width, channels = array.shape
    if channels != 3:
        raise ValueError(f"{expected}, got {array.shape} {array.dtype}")
    row_stride, pixel_stride, channel_stride = array.strides
    if channel_stride != 1 or (width > 1 and pixel_stride != 3):
        raise ValueError(f"{expected} with adjacent pixels in a row, got strides {array.strides}")
    return array.address, height, width, row_stride if height > 1 else 3 * width


def _destination(destination: object, batch: int) -> CudaArray:
    expected = f"destination must be [{batch}, 3, height, width] float32 in a GPU's memory"
    array = read_cuda_array(destination, expected, dimensions=4, dtype="<f4")
    if array.shape[:2] != (batch, 3):
        raise ValueError(f"{expected}, got {array.shape} {array.dtype}")
    if not array.is_c_contiguous() or array.address % array.dtype.itemsize != 0:
        raise ValueError(f"{expected} in aligned C order, got strides {array.strides}")
    if array.read_only:
        raise ValueError(f"{expected} and writable, got a read-only array")
    return array
