"""Image segmentation: an image in, labels with masks out, and scores where the model gives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError, InvalidInputError
from tundish.manifest import ImagePreprocess, LetterboxResize, ModelSpec, SegmentationPostprocess, TensorSpec
from tundish.masks import MAX_EDGE, Mask
from tundish.results import ImageSegmentation, Segment
from tundish.tasks.image_reading import ImageReader, ImageTask, PreparedImage
from tundish.tasks.segment_finding import load_finder
from tundish.tasks.shared_image import ImageItem
from tundish_proto.v1 import inference_pb2 as typed


class ImageSegmentationTask(ImageTask[ImageSegmentation]):
    """See `Task`."""

    name: ClassVar[str] = "image-segmentation"
    result_type: ClassVar[type[ImageSegmentation]] = ImageSegmentation
    output_specs = (
        TensorSpec(name="label", datatype="BYTES", shape=("batch", "segments")),
        TensorSpec(name="score", datatype="FP32", shape=("batch", "segments")),
        TensorSpec(name="mask", datatype="BYTES", shape=("batch", "segments")),
        TensorSpec(name="size", datatype="INT64", shape=("batch", "segments", 2)),
    )

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, ImagePreprocess) or not isinstance(postprocess, SegmentationPostprocess):
            raise BundleError(f"{directory} must read images and give segments to do {self.name}.")
        self._reader = ImageReader(spec, preprocess)
        letterbox = preprocess.resize if isinstance(preprocess.resize, LetterboxResize) else None
        self._finder = load_finder(postprocess, spec.outputs, directory, letterbox=letterbox)

    def prepare(self, item: ImageItem) -> PreparedImage:
        """See `ImageReader.read`; an edge may not be longer than a mask's."""
        image = super().prepare(item)
        if max(image.size) > MAX_EDGE:
            height, width = image.size
            raise InvalidInputError(f"The image of {width} x {height} pixels is too long: a mask may have {MAX_EDGE}.")
        return image

    def finish(self, outputs: Arrays, items: Sequence[PreparedImage]) -> list[ImageSegmentation | EngineError]:
        """See `Task.finish`."""
        rows = self._finder.find(outputs, items, self.shape(items[0]))
        return [row if isinstance(row, EngineError) else ImageSegmentation(row) for row in rows]

    @staticmethod
    def to_tensors(results: Sequence[ImageSegmentation]) -> dict[str, NDArray[np.generic]]:
        """`label` BYTES, `score` FP32 and `mask` BYTES `[batch, segments]`, and `size` INT64 `[batch, segments, 2]`.

        A mask is its run lengths (see `Mask.counts`), its size height and width. The score is 0 where there is none.
        Behind an image's own segments, up to the most of any image of the batch, all is empty or 0.
        """
        shape = len(results), max(len(result.segments) for result in results)
        labels, masks = np.full(shape, b"", np.object_), np.full(shape, b"", np.object_)
        scores, sizes = np.zeros(shape, np.float32), np.zeros((*shape, 2), np.int64)
        for row, result in enumerate(results):
            for place, segment in enumerate(result.segments):
                labels[row, place], masks[row, place] = segment.label.encode(), segment.mask.counts
                scores[row, place], sizes[row, place] = segment.score or 0.0, segment.mask.size
        return {"label": labels, "score": scores, "mask": masks, "size": sizes}

    @staticmethod
    def to_message(result: ImageSegmentation) -> typed.ImageSegmentation:
        """See `Task.to_message`."""
        return typed.ImageSegmentation(
            segments=[
                typed.Segment(
                    label=segment.label,
                    score=segment.score,
                    mask=typed.Mask(
                        height=segment.mask.size[0], width=segment.mask.size[1], counts=segment.mask.counts
                    ),
                )
                for segment in result.segments
            ]
        )

    @staticmethod
    def from_message(message: Any) -> ImageSegmentation:
        """See `Task.from_message`."""
        return ImageSegmentation(
            tuple(
                Segment(
                    segment.label,
                    segment.score if segment.HasField("score") else None,
                    Mask((segment.mask.height, segment.mask.width), segment.mask.counts),
                )
                for segment in message.segments
            )
        )
