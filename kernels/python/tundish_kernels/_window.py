"""Where an image lands in the output: windows, and the rules that make them from sizes in whole pixels."""

from typing import Literal, NamedTuple

Size = tuple[int, int]
"""Height and width in pixels."""

Placement = Literal["centre", "top_left"]


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
        """The whole image at this size, whatever that does to its proportions."""
        height, width = size
        return cls(height, width, 0, 0)

    @classmethod
    def shortest_edge(cls, image_size: Size, length: int) -> "Window":
        """The whole image with its shorter edge at this length, and the longer one rounded down.

        That is how the image processors of transformers, and torchvision's Resize, round.
        """
        height, width = image_size
        longer = int(length * max(height, width) / min(height, width))
        return cls(length, longer, 0, 0) if height <= width else cls(longer, length, 0, 0)

    @classmethod
    def letterbox(cls, image_size: Size, size: Size, *, placement: Placement = "centre") -> "Window":
        """The largest form of the whole image that fits into an output of this size; the rest is padding.

        An edge is rounded to the nearest pixel (half to even) and has at least one. In the centre, an odd pixel
        of padding goes below or to the right, as in Ultralytics' LetterBox.

        Raises:
            ValueError: There is no such placement.
        """
        if placement not in ("centre", "top_left"):
            raise ValueError(f"placement must be 'centre' or 'top_left', got {placement!r}")
        ratio = min(size[0] / image_size[0], size[1] / image_size[1])
        height, width = (max(1, round(extent * ratio)) for extent in image_size)
        if placement == "top_left":
            return cls(height, width, 0, 0)
        return cls(height, width, -((size[0] - height) // 2), -((size[1] - width) // 2))

    def centre_crop(self, size: Size) -> "Window":
        """The same resized image, with an output of this size at its centre.

        An odd pixel is cut off below or to the right; an odd pixel of padding, if the output is the larger, goes
        above or to the left, as in transformers.
        """
        top, left = (self.resized_height - size[0]) // 2, (self.resized_width - size[1]) // 2
        return self._replace(top=top, left=left)


class Region(NamedTuple):
    """A part of a frame in whole pixels; the caller rounds a box with fractions as its model wants."""

    x: int
    y: int
    width: int
    height: int
