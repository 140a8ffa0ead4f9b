"""How right the segments of images are, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tundish.results import ImageSegmentation, Result
from tundish_exporters.errors import DataError
from tundish_exporters.metrics.metric import Metric, Rows, mean_overlap

_UNLABELLED = 255
"""The index of pixels of which nobody says what they show."""


def mean_iou(labels: Sequence[str]) -> Metric:
    """The mean over labels of the intersection over union of their pixels in all samples.

    The pixels of the right masks are indices of `labels`, 255 for none: such pixels do not count. Classes of one name
    are one, and so are the segments of an image that have one label.
    """
    names = list(dict.fromkeys(labels))
    name_of = np.array([names.index(label) for label in labels])

    def rows(results: Sequence[Result], truths: Sequence[Path]) -> Rows:
        counts = np.zeros((len(results), len(names), 2), np.int64)
        for row, result, path in zip(counts, results, truths, strict=True):
            assert isinstance(result, ImageSegmentation)
            row[:] = _overlaps(result, path)
        return counts

    def _overlaps(result: ImageSegmentation, path: Path) -> NDArray[np.int64]:
        indices = _read_indices(path, len(labels))
        known = indices != _UNLABELLED
        truth = np.where(known, name_of[np.where(known, indices, 0)], len(names))
        masks = {name: np.zeros(truth.shape, bool) for name in {segment.label for segment in result.segments}}
        for segment in result.segments:
            if segment.mask.size != truth.shape:
                raise DataError(
                    f"The mask {path} has {truth.shape[1]} x {truth.shape[0]} pixels, and its image "
                    f"{segment.mask.size[1]} x {segment.mask.size[0]}; give masks of their images' sizes."
                )
            masks[segment.label] |= segment.mask.to_array()
        overlaps = np.zeros((len(names), 2), np.int64)
        overlaps[:, 1] = np.bincount(truth.ravel(), minlength=len(names) + 1)[: len(names)]
        for name, mask in masks.items():
            index = names.index(name)
            common = int((mask & (truth == index)).sum())
            overlaps[index] = common, overlaps[index, 1] + int((mask & known).sum()) - common
        return overlaps

    return Metric("mean IoU", rows, mean_overlap)


def _read_indices(path: Path, labels: int) -> NDArray[np.int64]:
    """`[height, width]`; raises DataError if the file is no such mask."""
    try:
        with Image.open(path) as image:
            indices = np.asarray(image).astype(np.int64)
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"The mask {path} cannot be read: {error}.") from error
    if indices.ndim != 2:
        raise DataError(f"The mask {path} has colours; its pixels must be indices of labels, as in a grey PNG.")
    odd = indices[(indices != _UNLABELLED) & ((indices < 0) | (indices >= labels))]
    if odd.size:
        raise DataError(
            f"The mask {path} has a pixel of the index {odd[0]}, and the model's labels have 0 to {labels - 1}; give "
            f"{_UNLABELLED} to pixels of no label."
        )
    return indices
