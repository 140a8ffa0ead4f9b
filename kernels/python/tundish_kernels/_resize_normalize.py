"""The Python forms of resize_normalize."""

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
    read_windows,
)
from tundish_kernels._window import Window

_FLOAT32 = ImageOutput()


def resize_normalize(
    images: Sequence[Image],
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
    """Converts, resizes, crops or pads, normalises and lays out a batch of images in one pass.

    Args:
        images: uint8 arrays of the shape that `PixelFormat` says, each of its own size. They are only read.
        windows: What of each resized image is wanted; as many as images.
        size: Height and width of the output in pixels.
        format: How the bytes of the images make pixels.
        filter: How to resize.
        antialias: Whether the filter widens when it scales down, as in Pillow: the pixels equal those of
            `PIL.Image.Image.resize` in Pillow 11 and 12, which resize the width first (Pillow 13 begins with the
            height if it shrinks by far more than the width). Without, bilinear and bicubic read the nearest 2 x 2 or
            4 x 4 pixels, as OpenCV does and PyTorch with `antialias=False`: bilinear is within 0.52 of the
            exact mean, bicubic (a = -0.75) is rounded between the passes as PyTorch's uint8 form is. It makes no
            difference to nearest; lanczos always has it.
        scale: Factor of a pixel before the mean is subtracted, such as 1 / 255.
        mean: Subtracted from each channel after scaling.
        std: Divides each channel after that.
        pad: Pixel value, 0 to 255, or one for each channel, outside the resized image; it is normalised like any
            other.
        output: Dtype, layout, order of channels and quantisation of the output.

    Returns:
        A new array, `[len(images), 3, height, width] float32` or what `output` says, of
        `pixel * (scale / std) - mean / std`: both constants rounded to float32, then one fused multiply-add.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above.
    """
    images = as_list(images, "images")
    destination = allocate(output, len(images), size)
    resize_normalize_into(
        destination,
        images,
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


def resize_normalize_into(
    destination: Elements,
    images: Sequence[Image],
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
    """Does what `resize_normalize` does, into an array of the caller's.

    Runs on the calling thread without the GIL. Scratch memory is bounded (24 MiB, usually under 1) and freed
    before the return. Nothing is written if an argument is wrong.

    Args:
        destination: `[len(images), 3, height, width] float32` or what `output` says, C-contiguous, writable, apart
            from the images.
        images: See `resize_normalize`.
        windows: See `resize_normalize`.
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
    images = as_list(images, "images")
    windows = as_list(windows, "windows")
    pixel_format = read_format(format)
    planes = [read_image(image, f"images[{index}]", pixel_format) for index, image in enumerate(images)]
    quadruples = read_windows(windows, len(images), "images")
    target = read_output(output)
    check_destination(destination, output, len(images))
    _native.resize_normalize_into(
        destination,
        planes,
        quadruples,
        pixel_format,
        *read_filter(filter, antialias),
        read_normalization(scale, mean, std, pad),
        target,
    )
