"""What transformers' own pipeline finds in images, and where ours differs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import transformers
from PIL import Image

from tundish.results import Box, DetectedObject

SCORE_TOLERANCE = 1e-3
PIXEL_TOLERANCE = 0.1
"""Of a box's edge; the pipeline's own boxes are cut to whole pixels, these are not."""


def detection_pipeline(source: Path, **options: Any) -> Any:
    """What a user of transformers writes, with the pixels' fractions left in; shares nothing with the exporter."""
    ask: Any = transformers.pipeline("object-detection", model=str(source), **options)
    ask._get_bounding_box = lambda box: box.tolist()
    return ask


def found_by(ask: Any, data: bytes, **options: Any) -> list[DetectedObject]:
    """Highest score first, as the pipeline does not have it."""
    found = ask(Image.open(io.BytesIO(data)), **options)
    objects = [DetectedObject(entry["label"], entry["score"], Box(*entry["box"])) for entry in found]
    return sorted(objects, key=lambda each: -each.score)


def object_faults(expected: Sequence[DetectedObject], actual: Sequence[DetectedObject]) -> list[str]:
    """What makes the two different, whatever the order of nearly equal scores."""
    left, faults = list(expected), []
    for found in actual:
        if (partner := next((other for other in left if _equal(found, other)), None)) is None:
            faults.append(f"{found} is not expected")
        else:
            left.remove(partner)
    scores = [found.score for found in actual]
    if scores != sorted(scores, reverse=True):
        faults.append(f"the scores {scores} are not in order")
    return faults + [f"{missing} is missing" for missing in left]


def _equal(first: DetectedObject, second: DetectedObject) -> bool:
    return (
        first.label == second.label
        and abs(first.score - second.score) <= SCORE_TOLERANCE
        and all(abs(one - other) <= PIXEL_TOLERANCE for one, other in zip(first.box, second.box, strict=True))
    )
