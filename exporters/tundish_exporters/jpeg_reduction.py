"""Decoding JPEGs at a fraction of their size: when a variant may, and when the data can tell what it costs.

libjpeg's reduction averages pixels otherwise than the source's resize, so a variant that uses it no longer equals its
source to rounding. Quantised variants do not either: the gate measures both together, and only they are offered it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tundish.errors import InvalidInputError
from tundish.manifest import ImagePreprocess, ModelSpec
from tundish.tasks.image_geometry import resized_size
from tundish_exporters.data import Sample
from tundish_kernels import jpeg_size

_LEAST_SHARE = 0.5
"""Of the samples that must be reduced: a drop measured on few of them would be diluted by the others."""


def reduced_preprocess(spec: ModelSpec, samples: Sequence[Sample]) -> ImagePreprocess | None:
    """The model's pre-processing with reduction; None if it reads no images, or too few samples would be reduced."""
    rule = spec.preprocess
    if not isinstance(rule, ImagePreprocess):
        return None
    reduced = sum(_is_reduced(rule, sample.read()) for sample in samples)
    return rule.model_copy(update={"reduced_jpeg": True}) if reduced >= _LEAST_SHARE * len(samples) else None


def _is_reduced(rule: ImagePreprocess, data: Any) -> bool:
    """From the header alone."""
    try:
        size = jpeg_size(data)
        return jpeg_size(data, cover=resized_size(rule, *size)) != size
    except (ValueError, InvalidInputError):  # no JPEG, or one that is told with its name when it is evaluated
        return False
