"""Where an image lands: the resize and crop rules of a bundle, in whole pixels.

The rounding is that of transformers' image processors, which is what sources were trained with.
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
    resized_height, resized_width = _resized(rule.resize, height, width)
    if max(height, width, resized_height, resized_width) > MAX_EDGE:
        raise InvalidInputError(
            f"The image of {width} x {height} pixels is too long and thin: an edge may have {MAX_EDGE} pixels, also "
            f"when it is resized, here to {resized_width} x {resized_height}."
        )
    if rule.crop is None:
        return Window(resized_height, resized_width, 0, 0)
    # Rounded down also where negative: that is where transformers' centre crop puts the odd pixel of padding.
    top, left = (resized_height - rule.crop[0]) // 2, (resized_width - rule.crop[1]) // 2
    return Window(resized_height, resized_width, top, left)


def _resized(rule: StretchResize | ShortestEdgeResize | None, height: int, width: int) -> tuple[int, int]:
    if rule is None:
        return height, width
    if isinstance(rule, StretchResize):
        return rule.height, rule.width
    longer = int(rule.length * max(height, width) / min(height, width))
    return (rule.length, longer) if height <= width else (longer, rule.length)
