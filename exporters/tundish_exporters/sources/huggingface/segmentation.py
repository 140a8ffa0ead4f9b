"""Networks that find the segments of an image: those that label pixels, and those that ask with queries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING

from tundish.manifest import ImagePreprocess, MaskQueriesPostprocess, SemanticPostprocess, ShortestEdgeResize, Subtask
from tundish.masks import Mask
from tundish.results import ImageSegmentation, Segment
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.huggingface.image_network import write_image_network
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.source import (
    Choices,
    ImageSource,
    as_pillow,
    label_names,
    make_pipeline,
)
from tundish_exporters.sources.image_processors import read_image_processor

_SEMANTIC: dict[str, dict[int, str]] = {"logits": {0: "batch"}}
_QUERIES: dict[str, dict[int, str]] = {
    "class_queries_logits": {0: "batch", 1: "queries"},
    "masks_queries_logits": {0: "batch", 1: "queries", 2: "mask_height", 3: "mask_width"},
}
"""Outputs as the runtime reads them, with what of their shapes is not fixed."""

_MASK_SIZES: dict[str, tuple[int, int] | None] = {
    "MaskFormerImageProcessor": None,
    "Mask2FormerImageProcessor": (384, 384),
}
"""Processors that read queries, and the size to which they bring all masks first."""
_DEFAULT_THRESHOLD = 0.9
"""That of transformers' pipeline."""


class Segmenter(ImageSource):
    """`image-segmentation`."""

    architecture = Architecture(
        "image-segmentation",
        transformers.AutoModelForUniversalSegmentation,
        transformers.AutoModelForSemanticSegmentation,
    )
    postprocess: SemanticPostprocess | MaskQueriesPostprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        self.postprocess = _read_segmentation(self._processor, self._model.config, choices)
        self._axes = _QUERIES if isinstance(self.postprocess, MaskQueriesPostprocess) else _SEMANTIC
        self.outputs = tuple(self._axes)
        self._pipeline: Any = make_pipeline(self.task, model=self._model, device="cpu", image_processor=self._processor)

    def _read_processor(self, directory: Path, choices: Choices) -> ImagePreprocess:  # noqa: ARG002
        return read_image_processor(self._processor, any_size=_asks_with_queries(self._model.config))

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`; by PyTorch, since optimum knows few of these families."""
        write_image_network(
            self._exported, self.preprocess, path, outputs=self._axes, example=_example(self.preprocess)
        )

    def predict(self, data: bytes) -> ImageSegmentation:
        """See `Source.predict`."""
        options: dict[str, Any] = {}
        if isinstance(self.postprocess, MaskQueriesPostprocess):
            options = {
                "subtask": self.postprocess.subtask,
                "threshold": 0.0,
                "mask_threshold": self.postprocess.mask_threshold,
                "overlap_mask_area_threshold": 0.0,
            }
        with _likeliest_first():
            found = self._pipeline(as_pillow(data), **options)
        segments = [Segment(entry["label"], entry["score"], Mask.of(np.asarray(entry["mask"]) > 0)) for entry in found]
        return ImageSegmentation(tuple(sorted(segments, key=lambda segment: -(segment.score or 0.0))))


def _asks_with_queries(config: Any) -> bool:
    return type(config) in MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING


def _read_segmentation(processor: Any, config: Any, choices: Choices) -> SemanticPostprocess | MaskQueriesPostprocess:
    """The rule by which transformers' pipeline turns the network's outputs into segments.

    Raises:
        ExportError: there is no such rule in the manifest, a class has no name, or the choices do not fit the network.
    """
    name, labels = type(processor).__name__, label_names(config)
    if _asks_with_queries(config):
        if name not in _MASK_SIZES:
            known = ", ".join(sorted(_MASK_SIZES))
            raise ExportError(f"{name} is not a processor whose segments tundish can reproduce; there are {known}.")
        subtask = choices.subtask or "panoptic"
        _check_threshold(subtask, choices)
        threshold = _DEFAULT_THRESHOLD if choices.threshold is None else choices.threshold
        return MaskQueriesPostprocess(labels=labels, subtask=subtask, threshold=threshold, mask_size=_MASK_SIZES[name])
    if not hasattr(processor, "post_process_semantic_segmentation"):
        raise ExportError(f"{name} does not say how segments are made of the network's outputs.")
    if choices.subtask not in (None, "semantic"):
        raise ExportError(
            f"The architecture '{config.model_type}' gives each pixel a label; it does semantic segmentation, not "
            f"{choices.subtask}."
        )
    _check_threshold("semantic", choices)
    return SemanticPostprocess(labels=labels)


def _check_threshold(subtask: Subtask, choices: Choices) -> None:
    if subtask == "semantic" and choices.threshold is not None:
        raise ExportError(
            f"Segments of semantic segmentation have no scores; leave the threshold {choices.threshold} out."
        )


def _example(rule: ImagePreprocess) -> tuple[int, int]:
    """Height and width of an image as the rule makes them: larger than the windows of a network's attention."""
    if isinstance(rule.resize, ShortestEdgeResize):
        length = -(-rule.resize.length // rule.resize.multiple_of) * rule.resize.multiple_of
        return length, length + rule.resize.multiple_of
    return rule.size


@contextmanager
def _likeliest_first() -> Iterator[None]:
    """Instances come in the order of their labels' scores until the context is left; not for several threads at a time.

    Where instances overlap, the pixels go to the last. transformers leaves their order to PyTorch, which promises none.
    """
    topk = torch.Tensor.topk

    def sorted_topk(tensor: torch.Tensor, count: int, **options: Any) -> Any:
        return topk(tensor, count, **(options | {"sorted": True}))

    torch.Tensor.topk = sorted_topk  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        torch.Tensor.topk = topk  # type: ignore[method-assign]
