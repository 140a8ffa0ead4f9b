"""From the bytes of image files to one batch; shared by the tasks that read images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import tundish_kernels
from tundish.engines import Arrays
from tundish.manifest import ImagePreprocess, ModelSpec
from tundish.tasks import ResultT, Task
from tundish.tasks.image_decoding import DecodedImage, decode_image
from tundish.tasks.image_geometry import input_size, resized_size, window
from tundish.tasks.opencv import load_opencv
from tundish.tasks.region_cutting import RegionCutter
from tundish.tasks.shared_image import ImageItem, ImageRegion, SharedImage
from tundish_kernels import ImageOutput

_LAYOUTS: dict[str, Literal["chw", "hwc"]] = {"CHW": "chw", "HWC": "hwc"}
_OPENCV = {
    "nearest": "INTER_NEAREST",
    "bilinear": "INTER_LINEAR",
    "bicubic": "INTER_CUBIC",
    "lanczos": "INTER_LANCZOS4",
}
_ORDERS: dict[str, Literal["rgb", "bgr"]] = {"RGB": "rgb", "BGR": "bgr"}


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """RGB pixels `[height, width, 3] uint8`, and the part of their resized form, which they may be, that is seen."""

    pixels: NDArray[np.uint8]
    window: tundish_kernels.Window
    size: tuple[int, int]
    """Height and width of the file's image, the right way up, also where fewer pixels were decoded."""


class ImageReader:
    """Decodes images, and resizes and normalises them to batches, by the rule of a bundle."""

    def __init__(self, spec: ModelSpec, rule: ImagePreprocess) -> None:
        """Raises BundleError if the rule needs OpenCV, and it is not there."""
        self._rule = rule
        self._input = spec.inputs[0].name
        self._opencv = load_opencv() if rule.resampling == "opencv" else None
        self._output = ImageOutput(layout=_LAYOUTS[rule.layout], order=_ORDERS[rule.color_order])

    def read(self, image: ImageItem) -> PreparedImage:
        """Decodes one JPEG, PNG, BMP or WebP file, if nobody has yet, and cuts a region out of it if asked for that.

        Raises:
            InvalidInputError: see `decode_image` and `RegionCutter.cut`.
            BundleError: regions are cut out by OpenCV, and it is not there.
        """
        decoded = self._decoded(image)
        pixels, size = decoded.pixels, (decoded.height, decoded.width)
        # Of the file's size also where fewer pixels were decoded: the resize makes up for the difference.
        place = window(self._rule, *size)
        if self._opencv is not None:
            how = getattr(self._opencv, _OPENCV[self._rule.interpolation])
            pixels = self._opencv.resize(pixels, (place.resized_width, place.resized_height), interpolation=how)
        return PreparedImage(pixels, place, size)

    def shape(self, item: PreparedImage) -> tuple[int, int]:
        """Height and width of the network's input for this image."""
        return input_size(self._rule, item.window)

    def collate(self, items: Sequence[PreparedImage]) -> Arrays:
        """`[batch, 3, height, width] float32`, or the network's own layout, of images of one shape."""
        rule = self._rule
        batch = tundish_kernels.resize_normalize(
            [item.pixels for item in items],
            [item.window for item in items],
            size=self.shape(items[0]),
            filter=rule.interpolation,
            scale=rule.rescale,
            mean=rule.mean,
            std=rule.std,
            pad=rule.padding,
            output=self._output,
        )
        if rule.pads_with_zeros:
            _blank(batch, items, rule.layout)
        return {self._input: batch}

    def _decoded(self, image: ImageItem) -> DecodedImage:
        if isinstance(image, ImageRegion):
            pixels = RegionCutter().cut(image.image.decoded().pixels, image.corners)
            if image.upside_down:
                pixels = np.ascontiguousarray(pixels[::-1, ::-1])
            return DecodedImage(pixels, *pixels.shape[:2])
        if isinstance(image, SharedImage):
            return image.decoded()
        rule = self._rule
        cover = partial(resized_size, rule) if rule.reduced_jpeg else None
        return decode_image(image, cover=cover, coarsest_step=rule.coarsest_jpeg_step)


def _blank(batch: NDArray[Any], items: Sequence[PreparedImage], layout: Literal["CHW", "HWC"]) -> None:
    """Puts zeros around the images of a batch."""
    for seen, item in zip(batch if layout == "HWC" else batch.transpose(0, 2, 3, 1), items, strict=True):
        place = item.window
        rows = slice(-place.top, place.resized_height - place.top)
        columns = slice(-place.left, place.resized_width - place.left)
        seen[: rows.start] = seen[rows.stop :] = 0
        seen[:, : columns.start] = seen[:, columns.stop :] = 0


class ImageTask(Task[PreparedImage, ResultT]):
    """A task whose items are images; see `Task`."""

    reads = (("image",),)
    _reader: ImageReader

    def prepare(self, item: ImageItem) -> PreparedImage:
        """See `ImageReader.read`."""
        return self._reader.read(item)

    def shape(self, item: PreparedImage) -> tuple[int, int]:
        """See `ImageReader.shape`."""
        return self._reader.shape(item)

    def collate(self, items: Sequence[PreparedImage]) -> Arrays:
        """See `ImageReader.collate`."""
        return self._reader.collate(items)
