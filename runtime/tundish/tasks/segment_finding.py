"""From a segmentation network's outputs to segments: a finder for each kind of `SegmentationPostprocess`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import MaskQueriesPostprocess, SegmentationPostprocess, SemanticPostprocess, TensorSpec
from tundish.results import Segment
from tundish.tasks import not_finite
from tundish.tasks.label_maps import label_segments
from tundish.tasks.mask_queries import segments_of_queries

Found = tuple[Segment, ...]


class SegmentFinder(Protocol):
    """Reads the outputs of one kind of network."""

    def find(self, outputs: Arrays, sizes: Sequence[tuple[int, int]]) -> list[Found | EngineError]:
        """The segments of each image of a batch, highest score first, or in the order of the labels.

        An error where the engine gave NaN or an infinity. `sizes` are the images' heights and widths in pixels. Images
        are worked on one by one, so that memory holds label maps of one alone.
        """
        ...


def load_finder(rule: SegmentationPostprocess, outputs: Sequence[TensorSpec], directory: Path) -> SegmentFinder:
    """The finder of a bundle's rule; raises BundleError if the network has not the outputs that the rule reads."""
    count = len(rule.labels)
    if isinstance(rule, SemanticPostprocess):
        _check(outputs, "logits", ("batch", count, "height", "width"), directory)
        return SemanticFinder(rule)
    if isinstance(rule, MaskQueriesPostprocess):
        _check(outputs, "class_queries_logits", ("batch", "queries", count + 1), directory)
        _check(outputs, "masks_queries_logits", ("batch", "queries", "height", "width"), directory)
        return MaskQueriesFinder(rule)
    raise BundleError(f"{directory} finds segments in a way that this version does not know; update tundish.")


def _check(outputs: Sequence[TensorSpec], name: str, wanted: tuple[int | str, ...], directory: Path) -> None:
    shape = next((spec.shape for spec in outputs if spec.name == name), ())
    wrong = [
        given
        for given, size in zip(shape, wanted, strict=False)
        if isinstance(size, int) and given not in (size, str(given))
    ]
    if len(shape) != len(wanted) or wrong:
        said = ", ".join(map(str, wanted))
        raise BundleError(f"{directory} must have the output '{name}' of the shape [{said}], got {list(shape)}.")


class SemanticFinder:
    """SegFormer and all that give each pixel the logits of its labels, at any size."""

    def __init__(self, rule: SemanticPostprocess) -> None:
        self._rule = rule

    def find(self, outputs: Arrays, sizes: Sequence[tuple[int, int]]) -> list[Found | EngineError]:
        """See `SegmentFinder.find`."""
        images = outputs["logits"].astype(np.float32, copy=False)
        return [
            label_segments(logits, self._rule.labels, size) if np.isfinite(logits).all() else not_finite("scores")
            for logits, size in zip(images, sizes, strict=True)
        ]


class MaskQueriesFinder:
    """MaskFormer and Mask2Former: a set of queries, each with a label and a mask."""

    def __init__(self, rule: MaskQueriesPostprocess) -> None:
        self._rule = rule

    def find(self, outputs: Arrays, sizes: Sequence[tuple[int, int]]) -> list[Found | EngineError]:
        """See `SegmentFinder.find`."""
        classes = outputs["class_queries_logits"].astype(np.float32, copy=False)
        masks = outputs["masks_queries_logits"].astype(np.float32, copy=False)
        return [
            segments_of_queries(*queries, self._rule, size)
            if all(np.isfinite(each).all() for each in queries)
            else not_finite("scores and masks")
            for queries, size in zip(zip(classes, masks, strict=True), sizes, strict=True)
        ]
