"""From a segmentation network's outputs to segments: a finder for each kind of `SegmentationPostprocess`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import (
    BoxPostprocess,
    LetterboxResize,
    MaskQueriesPostprocess,
    PixelIndexPostprocess,
    PrototypeMasksPostprocess,
    SegmentationPostprocess,
    SemanticPostprocess,
    TensorSpec,
)
from tundish.results import Segment
from tundish.tasks import not_finite
from tundish.tasks.image_reading import PreparedImage
from tundish.tasks.label_maps import index_segments, label_segments
from tundish.tasks.mask_prototypes import Floats, Size, object_masks
from tundish.tasks.mask_queries import segments_of_queries
from tundish.tasks.object_choosing import Chosen, Shape, load_chooser
from tundish_kernels import Window

Found = tuple[Segment, ...]


class SegmentFinder(Protocol):
    """Reads the outputs of one kind of network."""

    def find(self, outputs: Arrays, images: Sequence[PreparedImage], seen: Size) -> list[Found | EngineError]:
        """The segments of each image of a batch, highest score first, or in the order of the labels.

        An error where the engine gave NaN or an infinity. `seen` is the size of the network's input. Images are worked
        on one by one, so that memory holds label maps of one alone.
        """
        ...


def load_finder(
    rule: SegmentationPostprocess,
    outputs: Sequence[TensorSpec],
    directory: Path,
    *,
    letterbox: LetterboxResize | None = None,
) -> SegmentFinder:
    """The finder of a bundle's rule; raises BundleError if the network has not the outputs that the rule reads."""
    if isinstance(rule, SemanticPostprocess):
        cells = ("height", "width") if letterbox is None else (letterbox.height, letterbox.width)
        _check(outputs, "logits", ("batch", len(rule.labels), *cells), directory)
        return SemanticFinder(rule, letterboxed=letterbox is not None)
    if isinstance(rule, PixelIndexPostprocess):
        _check(outputs, "indices", ("batch", "height", "width"), directory)
        return PixelIndexFinder(rule, letterboxed=letterbox is not None)
    if isinstance(rule, MaskQueriesPostprocess):
        if letterbox is not None:
            raise BundleError(
                f"{directory} finds masks by queries, which are of whole images and not of letterboxed ones."
            )
        _check(outputs, "class_queries_logits", ("batch", "queries", len(rule.labels) + 1), directory)
        _check(outputs, "masks_queries_logits", ("batch", "queries", "height", "width"), directory)
        return MaskQueriesFinder(rule)
    if isinstance(rule, PrototypeMasksPostprocess):
        prototypes = _check(outputs, "prototypes", ("batch", "prototypes", "height", "width"), directory)[1]
        finder = PrototypesFinder(rule)
        for name, wanted in finder.needed(prototypes).items():
            _check(outputs, name, wanted, directory)
        return finder
    raise BundleError(f"{directory} finds segments in a way that this version does not know; update tundish.")


def _check(outputs: Sequence[TensorSpec], name: str, wanted: Shape, directory: Path) -> Shape:
    """The output's shape, if it is one of this form."""
    shape = next((spec.shape for spec in outputs if spec.name == name), ())
    wrong = [
        given
        for given, size in zip(shape, wanted, strict=False)
        if isinstance(size, int) and given not in (size, str(given))
    ]
    if len(shape) != len(wanted) or wrong:
        said = ", ".join(map(str, wanted))
        raise BundleError(f"{directory} must have the output '{name}' of the shape [{said}], got {list(shape)}.")
    return shape


class SemanticFinder:
    """SegFormer and all that give each pixel the logits of its labels, at any size."""

    def __init__(self, rule: SemanticPostprocess, *, letterboxed: bool) -> None:
        self._rule = rule
        self._letterboxed = letterboxed

    def find(self, outputs: Arrays, images: Sequence[PreparedImage], seen: Size) -> list[Found | EngineError]:  # noqa: ARG002  # the logits are the whole input's
        """See `SegmentFinder.find`."""
        rows = outputs["logits"].astype(np.float32, copy=False)
        return [
            label_segments(self._of_image(logits, image), self._rule.labels, image.size)
            if np.isfinite(logits).all()
            else not_finite("scores")
            for logits, image in zip(rows, images, strict=True)
        ]

    def _of_image(self, logits: Floats, image: PreparedImage) -> Floats:
        """Without what was seen around the image; letterboxed, logits are of the input's size."""
        if not self._letterboxed:
            return logits
        place = image.window
        rows = slice(-place.top, place.resized_height - place.top)
        return logits[:, rows, -place.left : place.resized_width - place.left]


class PixelIndexFinder:
    """Networks that choose each pixel's label themselves."""

    def __init__(self, rule: PixelIndexPostprocess, *, letterboxed: bool) -> None:
        self._rule = rule
        self._letterboxed = letterboxed

    def find(self, outputs: Arrays, images: Sequence[PreparedImage], seen: Size) -> list[Found | EngineError]:
        """See `SegmentFinder.find`."""
        rows = outputs["indices"].astype(np.float32, copy=False)
        whole = Window.stretch(seen)
        return [
            index_segments(indices, self._rule.labels, image.size, image.window if self._letterboxed else whole, seen)
            if np.isfinite(indices).all()
            else not_finite("indices")
            for indices, image in zip(rows, images, strict=True)
        ]


class MaskQueriesFinder:
    """MaskFormer and Mask2Former: a set of queries, each with a label and a mask."""

    def __init__(self, rule: MaskQueriesPostprocess) -> None:
        self._rule = rule

    def find(self, outputs: Arrays, images: Sequence[PreparedImage], seen: Size) -> list[Found | EngineError]:  # noqa: ARG002  # the masks are the whole input's
        """See `SegmentFinder.find`."""
        classes = outputs["class_queries_logits"].astype(np.float32, copy=False)
        masks = outputs["masks_queries_logits"].astype(np.float32, copy=False)
        return [
            segments_of_queries(*queries, self._rule, image.size)
            if all(np.isfinite(each).all() for each in queries)
            else not_finite("scores and masks")
            for queries, image in zip(zip(classes, masks, strict=True), images, strict=True)
        ]


class PrototypesFinder:
    """YOLO's instances: objects, each with a mask that is a weighted sum of prototypes."""

    def __init__(self, rule: PrototypeMasksPostprocess) -> None:
        self._labels = rule.objects.labels
        self._chooser = load_chooser(rule.objects)
        self._candidates_last = isinstance(rule.objects, BoxPostprocess) and rule.objects.candidates_last

    def needed(self, prototypes: int | str) -> Mapping[str, Shape]:
        """The outputs that it reads besides `prototypes`, of so many."""
        batch, *boxes = self._chooser.needed["boxes"]
        of_one = [extent if isinstance(extent, str) else prototypes for extent in boxes]
        return {**self._chooser.needed, "coefficients": (batch, *of_one)}

    def find(self, outputs: Arrays, images: Sequence[PreparedImage], seen: Size) -> list[Found | EngineError]:
        """See `SegmentFinder.find`."""
        coefficients, prototypes = (
            outputs[name].astype(np.float32, copy=False) for name in ("coefficients", "prototypes")
        )
        if self._candidates_last:
            coefficients = coefficients.swapaxes(1, 2)
        chosen = self._chooser.choose(outputs)
        return [
            each if isinstance(each, EngineError) else self._segments(each, weights, cells, image, seen)
            for each, weights, cells, image in zip(chosen, coefficients, prototypes, images, strict=True)
        ]

    def _segments(
        self, chosen: Chosen, coefficients: Floats, prototypes: Floats, image: PreparedImage, seen: Size
    ) -> Found | EngineError:
        weights = coefficients[chosen.places]
        if not np.isfinite(weights).all() or not np.isfinite(prototypes).all():
            return not_finite("masks")
        masks = object_masks(chosen.boxes, weights, prototypes, image, seen)
        return tuple(
            Segment(self._labels[index], score, mask)
            for index, score, mask in zip(chosen.classes.tolist(), chosen.scores.tolist(), masks, strict=True)
            if mask is not None
        )
