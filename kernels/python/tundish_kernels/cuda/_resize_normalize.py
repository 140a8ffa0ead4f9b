"""resize_normalize on an NVIDIA GPU."""

from collections.abc import Iterable, Sequence

from tundish_kernels import _image_arguments as image_arguments
from tundish_kernels import _native
from tundish_kernels._arguments import as_list
from tundish_kernels._image_arguments import Filter, ImageOutput, PixelFormat
from tundish_kernels._window import Window
from tundish_kernels.cuda._arguments import read_stream
from tundish_kernels.cuda._device import Workspace, read_workspace
from tundish_kernels.cuda._images import read_destination, read_image, read_size, read_windows

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
    sizes = as_list(image_sizes, "image_sizes")
    return _native.cuda_resize_normalize_workspace_bytes(
        [read_size(image_size, f"image_sizes[{index}]") for index, image_size in enumerate(sizes)],
        read_windows(as_list(windows, "windows"), len(sizes), "images"),
        read_size(size, "size"),
        *image_arguments.read_filter(filter, antialias),
    )


def resize_normalize_into(
    destination: object,
    images: Sequence[object],
    windows: Sequence[Window],
    *,
    format: PixelFormat = "rgb",  # noqa: A002
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
        images: See `tundish_kernels.resize_normalize`: arrays, or planes, in the GPU's memory; 65535 at most.
        windows: See `tundish_kernels.resize_normalize`.
        format: See `tundish_kernels.resize_normalize`; converted in the same launch, without an image in between.
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
    sources = as_list(images, "images")
    pixel_format = image_arguments.read_format(format)
    views = [read_image(image, f"images[{index}]", pixel_format) for index, image in enumerate(sources)]
    placements = image_arguments.read_windows(as_list(windows, "windows"), len(views), "images")
    elements = image_arguments.read_output(output)
    _native.cuda_resize_normalize_into(
        read_destination(destination, output, len(views), "images"),
        views,
        placements,
        pixel_format,
        *image_arguments.read_filter(filter, antialias),
        image_arguments.read_normalization(scale, mean, std, pad),
        elements,
        read_workspace(workspace),
        read_stream(stream),
    )
