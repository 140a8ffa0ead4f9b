"""Text recognition: an image of one line, or such a region of an image, in; what it says out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import CtcPostprocess, ImagePreprocess, ModelSpec, TensorSpec
from tundish.results import TextRecognition
from tundish.tasks import not_finite
from tundish.tasks.image_reading import ImageReader, ImageTask, PreparedImage
from tundish_proto.v1 import inference_pb2 as typed


class TextRecognitionTask(ImageTask[TextRecognition]):
    """See `Task`."""

    name: ClassVar[str] = "text-recognition"
    result_type: ClassVar[type[TextRecognition]] = TextRecognition
    output_specs = (
        TensorSpec(name="text", datatype="BYTES", shape=("batch",)),
        TensorSpec(name="score", datatype="FP32", shape=("batch",)),
    )

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, ImagePreprocess) or not isinstance(postprocess, CtcPostprocess):
            raise BundleError(f"{directory} must read images and give characters to do {self.name}.")
        output, classes = spec.outputs[0], 1 + len(postprocess.characters)
        if (
            output.datatype != "FP32"
            or len(output.shape) != 3
            or output.shape[2] not in (classes, str(output.shape[2]))
        ):
            raise BundleError(
                f"{directory} must give [batch, steps, {classes}], a score for each character and the blank, to do "
                f"{self.name}; '{output.name}' is {list(output.shape)}."
            )
        self._output = output.name
        self._reader = ImageReader(spec, preprocess)
        self._rule = postprocess

    def length(self, item: PreparedImage) -> int:
        """The width of the network's input for this line, by which those of one width may be found to share a batch."""
        return self._reader.shape(item)[1]

    def finish(self, outputs: Arrays, items: Sequence[PreparedImage]) -> list[TextRecognition | EngineError]:
        """See `Task.finish`."""
        rows = outputs[self._output]
        return [self._read(row) for row, _ in zip(rows, items, strict=True)]

    def _read(self, row: NDArray[np.generic]) -> TextRecognition | EngineError:
        """The text of `[steps, classes]`; greedy, by the best class of each step."""
        scores = row.astype(np.float32, copy=False)
        if not np.isfinite(scores).all():
            return not_finite("scores")
        classes = scores.argmax(axis=1)
        kept = classes != 0
        kept[1:] &= classes[1:] != classes[:-1]
        if not kept.any():
            return TextRecognition("", 0.0)
        best = scores[kept].max(axis=1)
        if not self._rule.in_network:
            best = 1 / np.exp(scores[kept] - best[:, np.newaxis]).sum(axis=1)
        text = "".join(self._rule.characters[index - 1] for index in classes[kept].tolist())
        return TextRecognition(text, float(best.mean()))

    @staticmethod
    def to_tensors(results: Sequence[TextRecognition]) -> dict[str, NDArray[np.generic]]:
        """`text` BYTES, in UTF-8, and `score` FP32, `[batch]`."""
        texts = np.empty(len(results), np.object_)
        texts[:] = [result.text.encode() for result in results]
        return {"text": texts, "score": np.array([result.score for result in results], np.float32)}

    @staticmethod
    def to_message(result: TextRecognition) -> typed.TextRecognition:
        """See `Task.to_message`."""
        return typed.TextRecognition(text=result.text, score=result.score)

    @staticmethod
    def from_message(message: Any) -> TextRecognition:
        """See `Task.from_message`."""
        return TextRecognition(message.text, message.score)
