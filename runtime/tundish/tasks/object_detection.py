"""Object detection: an image in, labels with scores and boxes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import (
    BoxPostprocess,
    DetectionPostprocess,
    ImagePreprocess,
    ListedPostprocess,
    ModelSpec,
    TensorSpec,
)
from tundish.results import Box, DetectedObject, ObjectDetection
from tundish.tasks.corners import corners_from_message, corners_to_message
from tundish.tasks.image_reading import ImageReader, ImageTask, PreparedImage
from tundish.tasks.object_finding import load_finder
from tundish_proto.v1 import inference_pb2 as typed

_OUTPUTS = (
    TensorSpec(name="label", datatype="BYTES", shape=("batch", "objects")),
    TensorSpec(name="score", datatype="FP32", shape=("batch", "objects")),
    TensorSpec(name="box", datatype="FP32", shape=("batch", "objects", 4)),
)
_CORNERS = TensorSpec(name="corners", datatype="FP32", shape=("batch", "objects", 4, 2))
"""Of models with oriented boxes alone."""


class ObjectDetectionTask(ImageTask[ObjectDetection]):
    """See `Task`."""

    name: ClassVar[str] = "object-detection"
    result_type: ClassVar[type[ObjectDetection]] = ObjectDetection

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, ImagePreprocess) or not isinstance(postprocess, DetectionPostprocess):
            raise BundleError(f"{directory} must read images and give objects to do {self.name}.")
        self._reader = ImageReader(spec, preprocess)
        self._finder = load_finder(postprocess, spec.outputs, directory)
        oriented = isinstance(postprocess, BoxPostprocess | ListedPostprocess) and postprocess.box_form == "oriented"
        self.output_specs = _OUTPUTS if not oriented else (*_OUTPUTS, _CORNERS)

    def finish(self, outputs: Arrays, items: Sequence[PreparedImage]) -> list[ObjectDetection | EngineError]:
        """See `Task.finish`."""
        rows = self._finder.find(outputs, items)
        return [row if isinstance(row, EngineError) else ObjectDetection(row) for row in rows]

    @staticmethod
    def to_tensors(results: Sequence[ObjectDetection]) -> dict[str, NDArray[np.generic]]:
        """`label` BYTES and `score` FP32 `[batch, objects]`, `box` FP32 `[batch, objects, 4]`, `corners` `[…, 4, 2]`.

        A box is x_min, y_min, x_max and y_max, a corner x and y; corners are 0 where boxes are not oriented. Behind an
        image's own objects, up to the most of any image of the batch, labels are empty, scores and boxes 0.
        """
        shape = len(results), max(len(result.objects) for result in results)
        labels = np.full(shape, b"", np.object_)
        scores, boxes = np.zeros(shape, np.float32), np.zeros((*shape, 4), np.float32)
        corners = np.zeros((*shape, 4, 2), np.float32)
        for row, result in enumerate(results):
            for place, found in enumerate(result.objects):
                labels[row, place] = found.label.encode()
                scores[row, place], boxes[row, place] = found.score, found.box
                if found.corners is not None:
                    corners[row, place] = found.corners
        return {"label": labels, "score": scores, "box": boxes, "corners": corners}

    @staticmethod
    def to_message(result: ObjectDetection) -> typed.ObjectDetection:
        """See `Task.to_message`."""
        return typed.ObjectDetection(
            objects=[
                typed.DetectedObject(
                    label=found.label,
                    score=found.score,
                    box=typed.Box(**found.box._asdict()),
                    corners=() if found.corners is None else corners_to_message(found.corners),
                )
                for found in result.objects
            ]
        )

    @staticmethod
    def from_message(message: Any) -> ObjectDetection:
        """See `Task.from_message`."""
        return ObjectDetection(tuple(_read_object(found) for found in message.objects))


def _read_object(found: Any) -> DetectedObject:
    box = Box(found.box.x_min, found.box.y_min, found.box.x_max, found.box.y_max)
    corners = corners_from_message(found.corners) if found.corners else None
    return DetectedObject(found.label, found.score, box, corners)
