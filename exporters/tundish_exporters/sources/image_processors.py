"""Reads a transformers image processor as the manifest's pre-processing rule."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic import ValidationError

from tundish.manifest import ImagePreprocess, Interpolation, Resize, ShortestEdgeResize, StretchResize
from tundish_exporters.errors import ExportError

_INTERPOLATIONS: dict[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers, which processors are configured with."""

_CONVNEXT_CROPS_BELOW = 384
"""ConvNeXt's processor crops smaller sizes out of a larger resize, and stretches to this and larger ones."""

_OF_THEIR_OWN_WAY = frozenset({"DonutImageProcessor", "NougatImageProcessor", "PerceiverImageProcessor"})
"""Processors that resize, crop or pad by rules which their configuration does not say."""
_CROPPING_APART = "PoolFormerImageProcessor"
"""The processor that enlarges any size by its share, and crops to a size that is said apart from it."""

_ENLARGED = {"LevitImageProcessor": 256 / 224}
"""Processors that resize the shorter edge to more than their configuration says, and by how much."""

_MULTIPLES = {"YolosImageProcessor": 16}
"""Processors that cut both sides to a multiple, which their configuration does not say."""
_ROUNDING_UP = frozenset({"MaskFormerImageProcessor", "Mask2FormerImageProcessor"})
"""Processors that round both sides up to a multiple, their `size_divisor`."""

_LONGEST_SHARES = {"ViltImageProcessor": 1333 / 800}
"""Processors that bound the longer edge by a share of the shorter one, which their configuration does not say."""


def read_image_processor(processor: Any, *, any_size: bool) -> ImagePreprocess:
    """The rule by which the processor prepares an image; parity on real images is checked afterwards.

    A processor that pads the images of a batch to the largest does not pad one alone, which is what the rule is for.

    Raises:
        ExportError: it does what the manifest cannot say, or does not end at one size for all images, unless the
            network takes `any_size`.
    """
    name = type(processor).__name__
    if getattr(processor, "keep_aspect_ratio", False):
        raise ExportError(f"{name} keeps the aspect ratio in a way of its own, which tundish does not reproduce.")
    if pad_size := getattr(processor, "pad_size", None):
        raise ExportError(f"{name} pads every image to {pad_size}, which tundish does not reproduce.")
    if name in _OF_THEIR_OWN_WAY:
        raise ExportError(f"{name} resizes in a way of its own, which tundish does not reproduce.")
    flips = hasattr(processor, "do_flip_channel_order")  # MobileViT's, which do not normalise
    for field in ("size", "do_resize") if flips else ("image_mean", "size", "do_resize"):
        if not hasattr(processor, field):
            raise ExportError(f"{name} is not an image processor that tundish can reproduce: it has no {field}.")
    resize, crop = _resize_and_crop(processor, name, any_size=any_size)
    return read_normalization(processor, resize, crop)


def read_normalization(processor: Any, resize: Resize | None, crop: tuple[int, int] | None = None) -> ImagePreprocess:
    """The rule by which the processor makes numbers of pixels, with one by which it resizes.

    Raises:
        ExportError: it does what the manifest cannot say.
    """
    name = type(processor).__name__
    rescale, mean, std = _normalization(processor)
    try:
        return ImagePreprocess(
            resize=resize,
            interpolation=_INTERPOLATIONS[int(processor.resample)],
            crop=crop,
            rescale=rescale,
            mean=mean,
            std=std,
            color_order="BGR" if getattr(processor, "do_flip_channel_order", False) else "RGB",
        )
    except ValidationError as error:
        first = error.errors()[0]
        reason = ".".join(map(str, first["loc"])) + f" {first['msg']}"
        raise ExportError(f"{name} is configured in a way that tundish cannot reproduce: {reason}.") from error
    except KeyError as error:
        raise ExportError(f"{name} is configured in a way that tundish cannot reproduce: {error}.") from error


def _normalization(processor: Any) -> tuple[float, Any, Any]:
    """Factor, mean and standard deviation, which some processors say in more than one step."""
    rescale = 1.0
    mean: Any = (0.0, 0.0, 0.0)
    std: Any = (1.0, 1.0, 1.0)
    if getattr(processor, "do_normalize", hasattr(processor, "image_mean")):
        mean, std = tuple(processor.image_mean), tuple(processor.image_std)
    if getattr(processor, "do_rescale", True):
        rescale = processor.rescale_factor
        if getattr(processor, "rescale_offset", False):  # EfficientNet's takes 1 from what it has rescaled
            mean = tuple(value + 1 for value in mean)
    if getattr(processor, "include_top", False):  # and divides by the standard deviation once more
        std = tuple(value * again for value, again in zip(std, processor.image_std, strict=True))
    return rescale, mean, std


def _resize_and_crop(
    processor: Any, name: str, *, any_size: bool
) -> tuple[StretchResize | ShortestEdgeResize | None, tuple[int, int] | None]:
    size = dict(processor.size or {})
    # Others keep the flag, too, if their configuration has it, and do not heed it.
    crops = "do_center_crop" in inspect.signature(processor.preprocess).parameters and processor.do_center_crop
    crop = processor.crop_size if crops else None
    window = (crop["height"], crop["width"]) if crop else None
    if not processor.do_resize:
        return None, window
    rounds_up = name in _ROUNDING_UP
    multiple = (processor.size_divisor or 1) if rounds_up else _MULTIPLES.get(name, 1)
    crop_share = getattr(processor, "crop_pct", None)
    if name == _CROPPING_APART and crop_share is not None:
        if len(set(size.values())) > 1:
            raise ExportError(f"{name} resizes to {size}, enlarged by its crop_pct; tundish reproduces one edge of it.")
        return ShortestEdgeResize(length=int(next(iter(size.values())) / crop_share)), window
    if set(size) == {"height", "width"}:
        height, width = (
            size[side] if not rounds_up else -(-size[side] // multiple) * multiple for side in ("height", "width")
        )
        return StretchResize(height=height, width=width), window
    if any_size and set(size) == {"shortest_edge", "longest_edge"}:
        return ShortestEdgeResize(
            length=size["shortest_edge"],
            longest=size["longest_edge"],
            multiple_of=multiple,
            rounding="up" if rounds_up else "down",
        ), window
    if any_size and name in _LONGEST_SHARES and set(size) == {"shortest_edge"}:
        edge = size["shortest_edge"]
        return ShortestEdgeResize(
            length=edge,
            longest=int(_LONGEST_SHARES[name] * edge),
            multiple_of=processor.size_divisor,
            rounding="half-up",
        ), None
    if any_size:
        raise ExportError(f"{name} resizes to {size}; tundish reproduces height and width, or both edges' bounds.")
    if set(size) != {"shortest_edge"}:
        raise ExportError(f"{name} resizes to {size}; tundish reproduces height and width, or the shortest edge.")
    edge = size["shortest_edge"]
    if crop_share is None:
        return ShortestEdgeResize(length=int(_ENLARGED.get(name, 1) * edge)), window
    if edge >= _CONVNEXT_CROPS_BELOW:
        return StretchResize(height=edge, width=edge), None
    return ShortestEdgeResize(length=int(edge / crop_share)), (edge, edge)
