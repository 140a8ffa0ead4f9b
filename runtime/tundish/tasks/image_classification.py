"""Image classification: an image in, labels with scores out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import ClassificationPostprocess, ImagePreprocess, ModelSpec, TensorSpec
from tundish.results import ImageClassification
from tundish.tasks.image_reading import ImageReader, ImageTask, PreparedImage
from tundish.tasks.labelling import Labelling, labels_from_message, labels_to_message, labels_to_tensors
from tundish_proto.v1 import inference_pb2 as typed


class ImageClassificationTask(ImageTask[ImageClassification]):
    """See `Task`."""

    name: ClassVar[str] = "image-classification"
    result_type: ClassVar[type[ImageClassification]] = ImageClassification

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, ImagePreprocess) or not isinstance(postprocess, ClassificationPostprocess):
            raise BundleError(f"{directory} must read images and give labels to do {self.name}.")
        if not preprocess.has_one_size:
            raise BundleError(f"{directory} must resize all images to one size to do {self.name}.")
        self._reader = ImageReader(spec, preprocess)
        self._output = spec.outputs[0].name
        self._labelling = Labelling(postprocess)
        self.output_specs: tuple[TensorSpec, ...] = self._labelling.output_specs

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


class ZeroShotImageClassificationTask(ImageClassificationTask):
    """The same, of a network that compares images with the vectors of its labels, which were texts."""

    name: ClassVar[str] = "zero-shot-image-classification"
