"""Detectors of transformers: what their processors make of the network's outputs, and how it is exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

from tundish.manifest import DetrPostprocess, SigmoidDetrPostprocess
from tundish.results import Box, DetectedObject, ObjectDetection
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.huggingface.image_network import write_image_network
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.source import Choices, ImageSource, as_converted, label_names

_OUTPUTS = ("logits", "pred_boxes")
"""Of a network, as the runtime reads them."""

_SOFTMAX = frozenset({"DetrImageProcessor", "YolosImageProcessor"})
"""Processors that take the best label of each query, unless that is 'no object'."""
_SIGMOID = frozenset({"ConditionalDetrImageProcessor", "DeformableDetrImageProcessor", "RTDetrImageProcessor"})
"""Processors that score every label of every query, and keep the best."""
_TOP_K = 100
"""How many those keep; RT-DETR's as many as there are queries."""

_DEFAULT_THRESHOLD = 0.5
"""That of transformers' pipeline."""

_EXAMPLE = (96, 128)
"""Height and width of what a network is traced with, if it takes images of any size."""


class Detector(ImageSource):
    """`object-detection`."""

    architecture = Architecture("object-detection", transformers.AutoModelForObjectDetection)
    outputs = _OUTPUTS
    any_size = True

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        self.postprocess = _read_detection(self._processor, self._model.config, choices.threshold)

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`; optimum does not know all detectors, and exports others with sizes left open."""
        axes = {name: {0: "batch", 1: "queries"} for name in _OUTPUTS}
        write_image_network(self._exported, self.preprocess, path, outputs=axes, example=_EXAMPLE)

    @torch.inference_mode()
    def predict(self, item: bytes) -> ObjectDetection:
        """See `Source.predict`; as transformers' pipeline, which leaves out low scores and rounds boxes, does it."""
        image = as_converted(item)
        outputs = self._model(**self._processor(images=[image], return_tensors="pt"))
        (found,) = self._processor.post_process_object_detection(
            outputs, threshold=0.0, target_sizes=[(image.height, image.width)]
        )
        objects = [
            DetectedObject(str(self._model.config.id2label[label]), score, Box(*box))
            for label, score, box in zip(
                found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist(), strict=True
            )
        ]
        return ObjectDetection(tuple(sorted(objects, key=lambda found: -found.score)))


def _read_detection(processor: Any, config: Any, threshold: float | None) -> DetrPostprocess | SigmoidDetrPostprocess:
    """The rule by which the processor turns the network's outputs into objects.

    Raises:
        ExportError: there is no such rule in the manifest, or a class has no name.
    """
    labels = label_names(config)
    threshold = _DEFAULT_THRESHOLD if threshold is None else threshold
    kind = type(processor).__name__
    if kind in _SOFTMAX:
        return DetrPostprocess(labels=labels, threshold=threshold)
    if kind in _SIGMOID:
        top_k = config.num_queries if kind == "RTDetrImageProcessor" else _TOP_K
        return SigmoidDetrPostprocess(labels=labels, threshold=threshold, top_k=top_k)
    known = ", ".join(sorted(_SOFTMAX | _SIGMOID))
    raise ExportError(f"{kind} is not a processor whose objects tundish can reproduce; there are {known}.")
