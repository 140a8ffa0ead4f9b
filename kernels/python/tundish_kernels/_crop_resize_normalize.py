"""The Python forms of crop_resize_normalize."""

from collections.abc import Sequence

from tundish_kernels import _native
from tundish_kernels._arguments import as_list
from tundish_kernels._image_arguments import (
    Elements,
    Filter,
    Image,
    ImageOutput,
    PixelFormat,
    allocate,
    check_destination,
    read_filter,
    read_format,
    read_image,
    read_normalization,
    read_output,
    read_quadruple,
    read_windows,
)
from tundish_kernels._window import Region, Window

_FLOAT32 = ImageOutput()


def crop_resize_normalize(
    frame: Image,
    regions: Sequence[Region],
    windows: Sequence[Window],
    *,
    size: tuple[int, int],
    format: PixelFormat = "rgb",  # noqa: A002
    filter: Filter,  # noqa: A002 - the word that Pillow's users know
    antialias: bool = True,
    scale: float = 1.0,
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    pad: int | Sequence[int] = 0,
    output: ImageOutput = _FLOAT32,
) -> Elements:
    """Converts, resizes, normalises and lays out many regions of one frame in one pass.

    A region is cropped and then resized, as `frame.crop(box).resize(...)` in Pillow: filters do not look beyond its
    edges. Only its pixels are converted; those of formats with shared chroma and of Bayer patterns become what they
    would be in the whole frame.

    Args:
        frame: One image, see `resize_normalize`.
        regions: Parts of the frame in whole pixels, inside it. They may overlap.
        windows: What of each resized region is wanted, such as `Window.stretch(size)`; as many as regions.
        size: See `resize_normalize`.
        format: See `resize_normalize`.
        filter: See `resize_normalize`.
        antialias: See `resize_normalize`.
        scale: See `resize_normalize`.
        mean: See `resize_normalize`.
        std: See `resize_normalize`.
        pad: See `resize_normalize`.
        output: See `resize_normalize`.

    Returns:
        A new array, `[len(regions), 3, height, width] float32` or what `output` says, as from `resize_normalize`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above.
    """
    regions = as_list(regions, "regions")
    destination = allocate(output, len(regions), size)
    crop_resize_normalize_into(
        destination,
        frame,
        regions,
        windows,
        format=format,
        filter=filter,
        antialias=antialias,
        scale=scale,
        mean=mean,
        std=std,
        pad=pad,
        output=output,
    )
    return destination


def crop_resize_normalize_into(
    destination: Elements,
    frame: Image,
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
) -> None:
    """Does what `crop_resize_normalize` does, into an array of the caller's.

    Runs on the calling thread without the GIL. Scratch memory is bounded (24 MiB, usually under 1) and freed
    before the return. Nothing is written if an argument is wrong.

    Args:
        destination: `[len(regions), 3, height, width] float32` or what `output` says, C-contiguous, writable, apart
            from the frame.
        frame: See `crop_resize_normalize`.
        regions: See `crop_resize_normalize`.
        windows: See `crop_resize_normalize`.
        format: See `resize_normalize`.
        filter: See `resize_normalize`.
        antialias: See `resize_normalize`.
        scale: See `resize_normalize`.
        mean: See `resize_normalize`.
        std: See `resize_normalize`.
        pad: See `resize_normalize`.
        output: See `resize_normalize`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above.
    """
    regions = as_list(regions, "regions")
    windows = as_list(windows, "windows")
    pixel_format = read_format(format)
    planes = read_image(frame, "frame", pixel_format)
    parts = [read_quadruple(region, f"regions[{index}]", Region) for index, region in enumerate(regions)]
    quadruples = read_windows(windows, len(regions), "regions")
    target = read_output(output)
    check_destination(destination, output, len(regions))
    _native.crop_resize_normalize_into(
        destination,
        planes,
        parts,
        quadruples,
        pixel_format,
        *read_filter(filter, antialias),
        read_normalization(scale, mean, std, pad),
        target,
    )
