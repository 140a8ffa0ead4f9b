"""Image classification: an image in, labels with scores out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

import tundish_kernels
from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import ClassificationPostprocess, ImagePreprocess, ModelSpec, TensorSpec
from tundish.results import ImageClassification
from tundish.tasks import InputKind, Task
from tundish.tasks.image_decoding import decode_image
from tundish.tasks.image_geometry import resized_size, window
from tundish.tasks.labelling import Labelling, labels_from_message, labels_to_message, labels_to_tensors
from tundish_kernels import ImageOutput
from tundish_proto.v1 import inference_pb2 as typed

_LAYOUTS: dict[str, Literal["chw", "hwc"]] = {"CHW": "chw", "HWC": "hwc"}
_ORDERS: dict[str, Literal["rgb", "bgr"]] = {"RGB": "rgb", "BGR": "bgr"}


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """RGB pixels `[height, width, 3] uint8` and the part of their resized form that the model sees."""

    pixels: NDArray[np.uint8]
    window: tundish_kernels.Window


class ImageClassificationTask(Task[PreparedImage, ImageClassification]):
    """See `Task`."""

    name: ClassVar[str] = "image-classification"
    input_name: ClassVar[InputKind] = "image"
    result_type: ClassVar[type[ImageClassification]] = ImageClassification

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, ImagePreprocess) or not isinstance(postprocess, ClassificationPostprocess):
            raise BundleError(f"{directory} must read images and give labels to do {self.name}.")
        if not preprocess.has_one_size:
            raise BundleError(f"{directory} must resize all images to one size to do {self.name}.")
        self._preprocess = preprocess
        self._layout = ImageOutput(layout=_LAYOUTS[preprocess.layout], order=_ORDERS[preprocess.color_order])
        self._input = spec.inputs[0].name
        self._output = spec.outputs[0].name
        self._labelling = Labelling(postprocess)
        self.output_specs: tuple[TensorSpec, ...] = self._labelling.output_specs

    def prepare(self, data: bytes) -> PreparedImage:
        """See `Task.prepare`."""
        rule = self._preprocess
        image = decode_image(data, cover=partial(resized_size, rule) if rule.reduced_jpeg else None)
        # Of the file's size also where fewer pixels were decoded: the resize makes up for the difference.
        return PreparedImage(image.pixels, window(rule, image.height, image.width))

    def collate(self, items: Sequence[PreparedImage]) -> Arrays:
        """`[batch, 3, height, width] float32`, or the network's own layout."""
        rule = self._preprocess
        batch = tundish_kernels.resize_normalize(
            [item.pixels for item in items],
            [item.window for item in items],
            size=rule.size,
            filter=rule.interpolation,
            scale=rule.rescale,
            mean=rule.mean,
            std=rule.std,
            output=self._layout,
        )
        return {self._input: batch}

    def finish(
        self,
        outputs: Arrays,
        items: Sequence[PreparedImage],  # noqa: ARG002
    ) -> list[ImageClassification | EngineError]:
        """See `Task.finish`."""
        rows = self._labelling.apply(outputs[self._output])
        return [row if isinstance(row, EngineError) else ImageClassification(row) for row in rows]

    @staticmethod
    def to_tensors(results: Sequence[ImageClassification]) -> dict[str, NDArray[np.generic]]:
        """`label` BYTES and `score` FP32, `[batch, top_k]`."""
        return labels_to_tensors([result.labels for result in results])

    @staticmethod
    def to_message(result: ImageClassification) -> typed.ImageClassification:
        """See `Task.to_message`."""
        return typed.ImageClassification(labels=labels_to_message(result.labels))

    @staticmethod
    def from_message(message: Any) -> ImageClassification:
        """See `Task.from_message`."""
        return ImageClassification(labels_from_message(message.labels))
