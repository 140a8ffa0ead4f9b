"""Where an image lands: the resize and crop rules of a bundle, in whole pixels.

The rounding is that of transformers' image processors, which is what sources were trained with; `Window` has it.
"""

from __future__ import annotations

from tundish.errors import InvalidInputError
from tundish.manifest import ImagePreprocess, ShortestEdgeResize, StretchResize
from tundish_kernels import Window

MAX_EDGE = 65_536
"""Of an image and of its resized form, in pixels; what `resize_normalize` takes."""


def window(rule: ImagePreprocess, height: int, width: int) -> Window:
    """The resized size of a `height` x `width` image and the offset of the part that the model sees.

    Raises:
        InvalidInputError: the image is so long and thin that it, or its resized form, has an edge over the limit.
    """
    place = _resized(rule.resize, height, width)
    if max(height, width, place.resized_height, place.resized_width) > MAX_EDGE:
        raise InvalidInputError(
            f"The image of {width} x {height} pixels is too long and thin: an edge may have {MAX_EDGE} pixels, also "
            f"when it is resized, here to {place.resized_width} x {place.resized_height}."
        )
    return place if rule.crop is None else place.centre_crop(rule.crop)


def resized_size(rule: ImagePreprocess, height: int, width: int) -> tuple[int, int]:
    """Height and width of the resized form alone; raises as `window` does."""
    place = window(rule, height, width)
    return place.resized_height, place.resized_width


def _resized(rule: StretchResize | ShortestEdgeResize | None, height: int, width: int) -> Window:
    if rule is None:
        return Window.stretch((height, width))
    if isinstance(rule, StretchResize):
        return Window.stretch((rule.height, rule.width))
    return Window.shortest_edge((height, width), rule.length)
