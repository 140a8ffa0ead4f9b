"""Detectors of transformers: what their processors make of the network's outputs, and how it is exported."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from tundish.manifest import DetrPostprocess, ImagePreprocess, SigmoidDetrPostprocess
from tundish.results import Box, DetectedObject, ObjectDetection
from tundish_exporters.errors import ExportError
from tundish_exporters.sources import OPSET
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.source import Choices, ImageSource, as_converted
from tundish_exporters.sources.tracing import traceable_functions

_OUTPUTS = ("logits", "pred_boxes")
"""Of a network, as the runtime reads them."""

_SOFTMAX = frozenset({"DetrImageProcessor", "YolosImageProcessor"})
"""Processors that take the best label of each query, unless that is 'no object'."""
_SIGMOID = frozenset({"ConditionalDetrImageProcessor", "DeformableDetrImageProcessor", "RTDetrImageProcessor"})
"""Processors that score every label of every query, and keep the best."""
_TOP_K = 100
"""How many those keep; RT-DETR's as many as there are queries."""

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
        _write_detector(self._exported, self.preprocess, path)

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


def _read_detection(processor: Any, config: Any, threshold: float) -> DetrPostprocess | SigmoidDetrPostprocess:
    """The rule by which the processor turns the network's outputs into objects.

    Raises:
        ExportError: there is no such rule in the manifest, or a class has no name.
    """
    names: Mapping[int, str] = config.id2label
    if unnamed := [index for index in range(len(names)) if index not in names]:
        raise ExportError(f"config.json has {len(names)} labels, but none for class {unnamed[0]}; complete id2label.")
    labels = tuple(str(names[index]) for index in range(len(names)))
    kind = type(processor).__name__
    if kind in _SOFTMAX:
        return DetrPostprocess(labels=labels, threshold=threshold)
    if kind in _SIGMOID:
        top_k = config.num_queries if kind == "RTDetrImageProcessor" else _TOP_K
        return SigmoidDetrPostprocess(labels=labels, threshold=threshold, top_k=top_k)
    known = ", ".join(sorted(_SOFTMAX | _SIGMOID))
    raise ExportError(f"{kind} is not a processor whose objects tundish can reproduce; there are {known}.")


def _write_detector(model: Any, rule: ImagePreprocess, path: Path) -> None:
    """Writes the network from `pixel_values` to logits and boxes; height and width are dynamic unless the rule has one.

    It has no mask of padding: images of a batch are of one size.

    Raises:
        ExportError: PyTorch cannot export it.
    """
    axes: dict[str, dict[int, str]] = {name: {0: "batch", 1: "queries"} for name in _OUTPUTS}
    axes["pixel_values"] = {0: "batch"} if rule.has_one_size else {0: "batch", 2: "height", 3: "width"}
    size = rule.size if rule.has_one_size else _EXAMPLE
    with warnings.catch_warnings(), traceable_functions():
        warnings.simplefilter("ignore")  # tracer and deprecation warnings; parity is measured afterwards
        try:
            torch.onnx.export(
                _LogitsAndBoxes(model).eval(),
                (torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0)),),
                path,
                input_names=["pixel_values"],
                output_names=list(_OUTPUTS),
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,  # as for modules
            )
        except Exception as error:  # whatever the network's own code raises
            reason = str(error).strip().split("\n")[0]
            raise ExportError(
                f"PyTorch cannot export the architecture '{model.config.model_type}': {reason}"
            ) from error


class _LogitsAndBoxes(torch.nn.Module):
    """The network without the outputs that only training needs."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """`[batch, 3, height, width]` to logits `[batch, queries, classes]` and boxes `[batch, queries, 4]`."""
        outputs = self._model(pixel_values=pixel_values)
        return tuple(outputs[name] for name in _OUTPUTS)
