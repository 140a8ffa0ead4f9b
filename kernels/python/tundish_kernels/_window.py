"""Where an image lands in the output: windows, and the rules that make them from sizes in whole pixels."""

import operator
from typing import Literal, NamedTuple

from tundish_kernels._arguments import as_integer

Size = tuple[int, int]
"""Height and width in pixels."""

Placement = Literal["centre", "top_left"]
CentreOf = Literal["transformers", "torchvision"]
"""Whose centre: they differ where an odd number of pixels is left over."""


def _checked(size: Size, name: str) -> Size:
    try:
        height, width = (operator.index(extent) for extent in size)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be two integers (height, width), got {size!r}") from None
    if height < 1 or width < 1:
        raise ValueError(f"{name} must be at least 1 each way, got {size!r}")
    return height, width


def _half_down(left_over: int) -> int:
    return left_over // 2


def _half_even(left_over: int) -> int:
    return round(left_over / 2) if left_over >= 0 else -(-left_over // 2)


class Window(NamedTuple):
    """What of a resized image becomes the output.

    The image is resized to `[resized_height, resized_width]`, and output pixel (y, x) is
    `resized[y + top, x + left]`. Where that lies outside the resized image, as in a centre crop of a small
    image (`top` or `left` negative), the output is the pad colour.
    """

    resized_height: int
    resized_width: int
    top: int
    left: int

    @classmethod
    def stretch(cls, size: Size) -> "Window":
        """The whole image at this size, whatever that does to its proportions.

        Raises:
            TypeError: The size is not two integers.
            ValueError: The size has nothing in it.
        """
        return cls(*_checked(size, "size"), 0, 0)

    @classmethod
    def shortest_edge(cls, image_size: Size, length: int) -> "Window":
        """The whole image with its shorter edge at this length, and the longer one rounded down.

        That is how the image processors of transformers, and torchvision's Resize, round.

        Raises:
            TypeError: An argument is not made of integers.
            ValueError: A size has nothing in it.
        """
        height, width = _checked(image_size, "image_size")
        if as_integer(length, "length") < 1:
            raise ValueError(f"length must be at least 1, got {length}")
        longer = int(length * max(height, width) / min(height, width))
        return cls(length, longer, 0, 0) if height <= width else cls(longer, length, 0, 0)

    @classmethod
    def letterbox(cls, image_size: Size, size: Size, *, placement: Placement = "centre") -> "Window":
        """The largest form of the whole image that fits into an output of this size; the rest is padding.

        An edge is rounded to the nearest pixel (half to even) and has at least one. In the centre, an odd pixel
        of padding goes below or to the right, as in Ultralytics' LetterBox.

        Raises:
            TypeError: A size is not two integers.
            ValueError: A size has nothing in it, or there is no such placement.
        """
        image_size, size = _checked(image_size, "image_size"), _checked(size, "size")
        if placement not in ("centre", "top_left"):
            raise ValueError(f"placement must be 'centre' or 'top_left', got {placement!r}")
        ratio = min(size[0] / image_size[0], size[1] / image_size[1])
        height, width = (max(1, round(extent * ratio)) for extent in image_size)
        if placement == "top_left":
            return cls(height, width, 0, 0)
        return cls(height, width, -((size[0] - height) // 2), -((size[1] - width) // 2))

    def centre_crop(self, size: Size, *, centre: CentreOf = "transformers") -> "Window":
        """The same resized image, with an output of this size at its centre.

        transformers cuts an odd pixel off below or to the right, and puts an odd pixel of padding, if the output is
        the larger, above or to the left. torchvision's CenterCrop begins at half of what is cut off, rounded to even,
        and puts an odd pixel of padding below or to the right.

        Raises:
            TypeError: The size is not two integers.
            ValueError: The size has nothing in it, or there is no such centre.
        """
        size = _checked(size, "size")
        if centre not in ("transformers", "torchvision"):
            raise ValueError(f"centre must be 'transformers' or 'torchvision', got {centre!r}")
        begin = _half_down if centre == "transformers" else _half_even
        return self._replace(top=begin(self.resized_height - size[0]), left=begin(self.resized_width - size[1]))


class Region(NamedTuple):
    """A part of a frame in whole pixels; the caller rounds a box with fractions as its model wants."""

    x: int
    y: int
    width: int
    height: int
