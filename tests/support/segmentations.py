"""What transformers' own pipeline finds the segments of an image to be, and where ours differ."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import transformers
from numpy.typing import NDArray
from PIL import Image

from tundish.results import Segment

SCORE_TOLERANCE = 1e-3
LEAST_OVERLAP = 0.99
FEW_PIXELS = 4
"""That rounding may give to another segment, where a mask is so small that they are a hundredth of it."""


class Expected(NamedTuple):
    """A segment, with its mask as pixels `[height, width]`."""

    label: str
    score: float | None
    pixels: NDArray[np.bool_]


def segmentation_pipeline(source: Path) -> Any:
    """What a user of transformers writes; shares nothing with the exporter."""
    return transformers.pipeline("image-segmentation", model=str(source))


def segmented_by(ask: Any, data: bytes, **options: Any) -> list[Expected]:
    """Highest score first, as the pipeline does not have it."""
    found = ask(Image.open(io.BytesIO(data)), **options)
    segments = [Expected(entry["label"], entry["score"], np.asarray(entry["mask"]) > 0) for entry in found]
    return sorted(segments, key=lambda each: -(each.score or 0))


def segment_faults(expected: Sequence[Expected], actual: Sequence[Segment]) -> list[str]:
    """What makes the two different, whatever the order of nearly equal scores."""
    left, faults = list(range(len(expected))), []
    for segment in actual:
        pixels = segment.mask.to_array()
        partner = next((key for key in left if _is_equal(expected[key], segment, pixels)), None)
        if partner is not None:
            left.remove(partner)
        elif pixels.sum() > FEW_PIXELS:
            faults.append(f"'{segment.label}' {segment.score} of {pixels.sum()} pixels is not expected")
    scores = [segment.score or 0 for segment in actual]
    if scores != sorted(scores, reverse=True):
        faults.append(f"the scores {scores} are not in order")
    missing = [expected[key] for key in left if expected[key].pixels.sum() > FEW_PIXELS]
    return faults + [f"'{each.label}' {each.score} of {each.pixels.sum()} pixels is missing" for each in missing]


def _is_equal(expected: Expected, segment: Segment, pixels: NDArray[np.bool_]) -> bool:
    if expected.label != segment.label or (expected.score is None) != (segment.score is None):
        return False
    if abs((expected.score or 0) - (segment.score or 0)) > SCORE_TOLERANCE or expected.pixels.shape != pixels.shape:
        return False
    differing = int((expected.pixels ^ pixels).sum())
    union = int((expected.pixels | pixels).sum())
    return differing <= FEW_PIXELS or 1 - differing / union >= LEAST_OVERLAP
