"""Image feature extraction: an image in, its vector out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import ImagePreprocess, ModelSpec, TensorSpec, VectorPostprocess
from tundish.results import FeatureExtraction
from tundish.tasks import not_finite
from tundish.tasks.feature_extraction import FeatureExtractionTask
from tundish.tasks.image_reading import ImageReader, ImageTask, PreparedImage
from tundish_proto.v1 import inference_pb2 as typed


class ImageFeatureExtractionTask(ImageTask[FeatureExtraction]):
    """See `Task`; its result is that of `FeatureExtractionTask`."""

    name: ClassVar[str] = "image-feature-extraction"
    result_type: ClassVar[type[FeatureExtraction]] = FeatureExtraction

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, ImagePreprocess) or not isinstance(postprocess, VectorPostprocess):
            raise BundleError(f"{directory} must read images and give vectors to do {self.name}.")
        output = spec.outputs[0]
        dimensions = ("dimensions", "height", "width") if postprocess.of == "map" else ("dimensions",)
        if len(output.shape) != 1 + len(dimensions):
            said = ", ".join(("batch", *dimensions))
            raise BundleError(f"{directory} must give vectors [{said}], got {list(output.shape)}.")
        self._reader = ImageReader(spec, preprocess)
        self._output = output.name
        self.output_specs = (TensorSpec(name="embedding", datatype="FP32", shape=("batch", *output.shape[1:])),)

    def finish(
        self,
        outputs: Arrays,
        items: Sequence[PreparedImage],  # noqa: ARG002
    ) -> list[FeatureExtraction | EngineError]:
        """See `Task.finish`."""
        # Copies, so that a result does not keep its whole batch alive.
        rows = [row.astype(np.float32) for row in outputs[self._output]]
        return [FeatureExtraction(row) if np.isfinite(row).all() else not_finite("vectors") for row in rows]

    @staticmethod
    def to_tensors(results: Sequence[FeatureExtraction]) -> dict[str, NDArray[np.generic]]:
        """`embedding` FP32, `[batch, dimensions]`, or `[batch, dimensions, height, width]`."""
        return {"embedding": np.stack([result.vector for result in results])}

    @staticmethod
    def to_message(result: FeatureExtraction) -> typed.FeatureExtraction:
        """See `Task.to_message`."""
        return FeatureExtractionTask.to_message(result)

    @staticmethod
    def from_message(message: Any) -> FeatureExtraction:
        """See `Task.from_message`."""
        return FeatureExtractionTask.from_message(message)
