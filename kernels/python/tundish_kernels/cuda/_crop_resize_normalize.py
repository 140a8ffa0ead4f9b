"""crop_resize_normalize on an NVIDIA GPU."""

from collections.abc import Iterable, Sequence

from tundish_kernels import _image_arguments as image_arguments
from tundish_kernels import _native
from tundish_kernels._arguments import as_list
from tundish_kernels._image_arguments import Filter, ImageOutput, PixelFormat, Quadruple
from tundish_kernels._window import Region, Window
from tundish_kernels.cuda._arguments import read_stream
from tundish_kernels.cuda._device import Workspace, read_workspace
from tundish_kernels.cuda._images import read_destination, read_image, read_size, read_windows

_FLOAT32 = ImageOutput()


def crop_resize_normalize_workspace_bytes(
    regions: Iterable[Region],
    windows: Iterable[Window],
    *,
    size: tuple[int, int],
    filter: Filter,  # noqa: A002 - the word that Pillow's users know
    antialias: bool = True,
) -> int:
    """The size of the workspace with which `crop_resize_normalize_into` takes such regions.

    It never falls as a region grows, so that the most and largest regions to come, such as whole frames, are enough.

    Args:
        regions: Only their heights and widths count.
        windows: See `tundish_kernels.crop_resize_normalize`; as many as regions.
        size: Height and width of the output.
        filter: See `crop_resize_normalize_into`.
        antialias: See `crop_resize_normalize_into`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A size is outside its range, or the filter is unknown.
    """
    parts = _regions(as_list(regions, "regions"))
    for index, (_, _, width, height) in enumerate(parts):
        read_size((height, width), f"regions[{index}]")
    return _native.cuda_crop_resize_normalize_workspace_bytes(
        parts,
        read_windows(as_list(windows, "windows"), len(parts), "regions"),
        read_size(size, "size"),
        *image_arguments.read_filter(filter, antialias),
    )


def crop_resize_normalize_into(
    destination: object,
    frame: object,
    regions: Sequence[Region],
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
    """Does what `tundish_kernels.crop_resize_normalize_into` does, on the GPU of the workspace.

    One copy of tables to the GPU and one launch on `stream`, whatever the number and sizes of the regions. No memory
    of the GPU is allocated. The call waits for nothing but the workspace's own previous copy, and cannot be part of a
    CUDA graph. Nothing is written if an argument is wrong.

    Args:
        destination: `[len(regions), 3, height, width] float32` or what `output` says in the GPU's memory,
            C-contiguous, apart from the frame.
        frame: See `tundish_kernels.resize_normalize`: an array, or planes, in the GPU's memory.
        regions: See `tundish_kernels.crop_resize_normalize`; 65535 at most.
        windows: See `tundish_kernels.crop_resize_normalize`.
        format: See `tundish_kernels.resize_normalize`.
        filter: See `tundish_kernels.resize_normalize`.
        antialias: See `tundish_kernels.resize_normalize`.
        scale: See `tundish_kernels.resize_normalize`.
        mean: See `tundish_kernels.resize_normalize`.
        std: See `tundish_kernels.resize_normalize`.
        pad: See `tundish_kernels.resize_normalize`.
        output: See `tundish_kernels.resize_normalize`.
        workspace: At least `crop_resize_normalize_workspace_bytes` of these regions.
        stream: The CUstream's number.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape, dtype or place in memory is not as said above.
        RuntimeError: The driver refused, or work that was launched before has failed; the message says what.
    """
    parts = _regions(as_list(regions, "regions"))
    pixel_format = image_arguments.read_format(format)
    planes = read_image(frame, "frame", pixel_format)
    placements = image_arguments.read_windows(as_list(windows, "windows"), len(parts), "regions")
    elements = image_arguments.read_output(output)
    _native.cuda_crop_resize_normalize_into(
        read_destination(destination, output, len(parts), "regions"),
        planes,
        parts,
        placements,
        pixel_format,
        *image_arguments.read_filter(filter, antialias),
        image_arguments.read_normalization(scale, mean, std, pad),
        elements,
        read_workspace(workspace),
        read_stream(stream),
    )


def _regions(regions: Sequence[Region]) -> list[Quadruple]:
    return [image_arguments.read_quadruple(region, f"regions[{index}]", Region) for index, region in enumerate(regions)]
