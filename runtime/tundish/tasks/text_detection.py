"""Text detection: an image in, the regions of its lines of text out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import ImagePreprocess, ModelSpec, TensorSpec, TextRegionPostprocess
from tundish.results import TextDetection, TextRegion
from tundish.tasks import not_finite
from tundish.tasks.corners import corners_from_message, corners_to_message
from tundish.tasks.image_reading import ImageReader, ImageTask, PreparedImage
from tundish.tasks.region_finding import RegionFinder
from tundish_proto.v1 import inference_pb2 as typed


class TextDetectionTask(ImageTask[TextDetection]):
    """See `Task`."""

    name: ClassVar[str] = "text-detection"
    result_type: ClassVar[type[TextDetection]] = TextDetection
    output_specs = (
        TensorSpec(name="corners", datatype="FP32", shape=("batch", "regions", 4, 2)),
        TensorSpec(name="score", datatype="FP32", shape=("batch", "regions")),
    )

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, ImagePreprocess) or not isinstance(postprocess, TextRegionPostprocess):
            raise BundleError(f"{directory} must read images and give regions of text to do {self.name}.")
        output = spec.outputs[0]
        if output.datatype != "FP32" or len(output.shape) != 4 or output.shape[1] != 1:
            raise BundleError(
                f"{directory} must give a probability for each pixel, [batch, 1, height, width], to do {self.name}; "
                f"'{output.name}' is {list(output.shape)}."
            )
        self._output = output.name
        self._reader = ImageReader(spec, preprocess)
        self._finder = RegionFinder(postprocess)

    def finish(self, outputs: Arrays, items: Sequence[PreparedImage]) -> list[TextDetection | EngineError]:
        """See `Task.finish`."""
        maps = outputs[self._output].astype(np.float32, copy=False)
        return [
            TextDetection(self._finder.find(row[0], item.size))
            if np.isfinite(row).all()
            else not_finite("probabilities")
            for row, item in zip(maps, items, strict=True)
        ]

    @staticmethod
    def to_tensors(results: Sequence[TextDetection]) -> dict[str, NDArray[np.generic]]:
        """`corners` FP32 `[batch, regions, 4, 2]`, x and y, and `score` FP32 `[batch, regions]`.

        Behind an image's own regions, up to the most of any image of the batch, all is 0.
        """
        shape = len(results), max(len(result.regions) for result in results)
        corners, scores = np.zeros((*shape, 4, 2), np.float32), np.zeros(shape, np.float32)
        for row, result in enumerate(results):
            for place, region in enumerate(result.regions):
                corners[row, place], scores[row, place] = region.corners, region.score
        return {"corners": corners, "score": scores}

    @staticmethod
    def to_message(result: TextDetection) -> typed.TextDetection:
        """See `Task.to_message`."""
        return typed.TextDetection(
            regions=[
                typed.TextRegion(corners=corners_to_message(region.corners), score=region.score)
                for region in result.regions
            ]
        )

    @staticmethod
    def from_message(message: Any) -> TextDetection:
        """See `Task.from_message`."""
        return TextDetection(
            tuple(TextRegion(corners_from_message(region.corners), region.score) for region in message.regions)
        )
