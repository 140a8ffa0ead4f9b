"""Decoding JPEGs for less: at a fraction of their size, without their last bits; and when data can tell what it costs.

libjpeg's reduction averages pixels otherwise than the source's resize, and last bits are pixels' last steps, so a
variant that does without no longer equals its source to rounding. Quantised variants do not either: the gate measures
all of it together, and only they are offered it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tundish.errors import InvalidInputError
from tundish.manifest import ImagePreprocess, ModelSpec
from tundish.tasks.image_geometry import resized_size
from tundish_exporters.data import Sample
from tundish_kernels import jpeg_size, jpeg_step

_LEAST_SHARE = 0.5
"""Of the samples that must be decoded for less: a drop measured on few of them would be diluted by the others."""
_STEPS_BELOW_BOUND = 0.9
"""Of the samples' quantisation steps, the share that a bound covers: what few samples are as coarse as tells little."""


def reduced_preprocesses(spec: ModelSpec, samples: Sequence[Sample]) -> list[ImagePreprocess]:
    """The model's pre-processing with less to decode, the least first; none if it reads no images or few samples tell.

    What is decoded without its last bits is bounded by how coarse the samples are: nothing coarser has been measured.
    """
    rule = spec.preprocess
    if not isinstance(rule, ImagePreprocess):
        return []
    least = _LEAST_SHARE * len(samples)
    smaller, steps = 0, []
    for sample in samples:
        data = sample.read()
        smaller += _is_reduced(rule, data)
        if isinstance(data, bytes) and (step := jpeg_step(data)) is not None:
            steps.append(step)
    rules = [rule.model_copy(update={"reduced_jpeg": True})] if smaller >= least else []
    if steps and len(steps) >= least:
        coarsest = float(np.quantile(steps, _STEPS_BELOW_BOUND, method="lower"))
        rules.insert(0, (rules or [rule])[0].model_copy(update={"coarsest_jpeg_step": coarsest}))
    return rules


def _is_reduced(rule: ImagePreprocess, data: Any) -> bool:
    """From the header alone."""
    try:
        size = jpeg_size(data)
        return jpeg_size(data, cover=resized_size(rule, *size)) != size
    except (ValueError, InvalidInputError):  # no JPEG, or one that is told with its name when it is evaluated
        return False
