"""Where an image lands: the resize and crop rules of a bundle, in whole pixels.

The rounding is that of transformers' image processors, or torchvision's where the manifest says so, which is what
sources were trained with; `Window` has it.
"""

from __future__ import annotations

import math
from typing import Literal

from tundish.errors import InvalidInputError
from tundish.manifest import (
    EdgeRangeResize,
    ImagePreprocess,
    LetterboxResize,
    LineResize,
    Resize,
    ShortestEdgeResize,
    StretchResize,
)
from tundish_kernels import Window

_PLACEMENTS: dict[str, Literal["centre", "top_left"]] = {"centre": "centre", "top-left": "top_left"}

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
    return place if rule.crop is None else place.centre_crop(rule.crop, centre=rule.centre)


def resized_size(rule: ImagePreprocess, height: int, width: int) -> tuple[int, int]:
    """Height and width of the resized form alone; raises as `window` does."""
    place = window(rule, height, width)
    return place.resized_height, place.resized_width


def input_size(rule: ImagePreprocess, place: Window) -> tuple[int, int]:
    """Height and width of the network's input for an image that lands at `place`."""
    if rule.has_one_size:
        return rule.size
    resize = rule.resize
    if not isinstance(resize, LineResize):
        return place.resized_height, place.resized_width
    return resize.height, max(resize.shortest, place.resized_width)


def _resized(rule: Resize | None, height: int, width: int) -> Window:
    if rule is None:
        return Window.stretch((height, width))
    if isinstance(rule, LetterboxResize):
        return Window.letterbox((height, width), (rule.height, rule.width), placement=_PLACEMENTS[rule.placement])
    if isinstance(rule, StretchResize):
        return Window.stretch((rule.height, rule.width))
    if isinstance(rule, EdgeRangeResize):
        return Window.stretch(_in_range(rule, height, width))
    if isinstance(rule, LineResize):
        exact = rule.height * (width / height)
        extent = min(math.ceil(exact), max(rule.shortest, int(exact)), rule.longest)
        return Window.stretch((rule.height, extent))
    if rule.rounding == "up":
        return Window.stretch(_covering(rule, height, width))
    if rule.rounding == "down" and rule.longest is None and rule.multiple_of == 1:
        return Window.shortest_edge((height, width), rule.length)
    resized = (_within if rule.rounding == "down" else _in_proportion)(rule, height, width)
    height, width = (extent - extent % rule.multiple_of for extent in resized)
    if not height or not width:
        raise InvalidInputError(
            f"The image is too long and thin: resized to {resized[1]} x {resized[0]} pixels, and each edge cut to a "
            f"multiple of {rule.multiple_of}, it has none left."
        )
    return Window.stretch((height, width))


def _within(rule: ShortestEdgeResize, height: int, width: int) -> tuple[int, int]:
    """The resized height and width before they are cut to multiples, in the very steps of DETR's image processors.

    The shorter edge of a long image is rounded, the longer one follows from the shorter before that.
    """
    shorter, longer = min(height, width), max(height, width)
    length, exact = rule.length, float(rule.length)
    if rule.longest is not None and longer / shorter * length > rule.longest:
        exact = rule.longest * float(shorter) / longer
        length = round(exact)
    # YOLOS, the one that asks for multiples, resizes a tall image also where its shorter edge is right already.
    if shorter == length and (height <= width or rule.multiple_of == 1):
        return height, width
    return (length, int(exact * width / height)) if height <= width else (int(exact * height / width), length)


def _in_proportion(rule: ShortestEdgeResize, height: int, width: int) -> tuple[int, int]:
    """The resized height and width before they are cut to multiples, in the very steps of ViLT's image processor."""
    length, scale = float(rule.length), rule.length / min(height, width)
    tall, wide = (length, scale * width) if height < width else (scale * height, length)
    if rule.longest is not None and max(tall, wide) > rule.longest:
        scale = rule.longest / max(tall, wide)
        tall, wide = scale * tall, scale * wide
    return int(tall + 0.5), int(wide + 0.5)


def _covering(rule: ShortestEdgeResize, height: int, width: int) -> tuple[int, int]:
    """The resized height and width, rounded up to multiples, in the very steps of MaskFormer's image processors."""
    shorter, longer = min(height, width), max(height, width)
    short, long = rule.length, int(rule.length * longer / shorter)
    if rule.longest is not None and long > rule.longest:
        short, long = int(rule.longest * short / long), rule.longest
    short, long = (-(-extent // rule.multiple_of) * rule.multiple_of for extent in (short, long))
    if not short:
        raise InvalidInputError(
            f"The image of {width} x {height} pixels is too long and thin: resized, its shorter edge has no pixel left."
        )
    return (long, short) if width <= height else (short, long)


def _in_range(rule: EdgeRangeResize, height: int, width: int) -> tuple[int, int]:
    """The resized height and width, each step rounded as PP-OCR's detectors do."""
    if max(height, width) > rule.longest:
        ratio = rule.longest / max(height, width)
        height, width = int(height * ratio), int(width * ratio)
    if min(height, width) < rule.shortest:
        # An edge that has been cut to nothing is one pixel; the longer one bounds the ratio then.
        height, width = max(height, 1), max(width, 1)
        ratio = min(rule.shortest / min(height, width), rule.enlarged / max(height, width))
        height, width = int(height * ratio), int(width * ratio)
    height, width = (max(1, round(extent / rule.multiple_of)) * rule.multiple_of for extent in (height, width))
    return height, width
