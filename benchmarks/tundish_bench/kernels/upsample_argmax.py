"""upsample_argmax against OpenCV's resize of one class after the other, with a running maximum in NumPy and OpenCV.

That is the fastest way that needs no array of all classes at the image's size; PyTorch's interpolate and argmax, which
make one, take ten times as long. The limit is the choice: every class of every pixel is interpolated between two rows,
compared and perhaps taken, which is two thirds of the operator's time; the rest goes along the width.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels.timing import Case
from tundish_kernels import upsample_argmax_into

Floats = NDArray[np.float32]


def cases() -> Iterator[Case]:
    """SegFormer's logits of ADE20K's 150 classes, a quarter of the image's size."""
    yield _case(classes=150, source=128, size=512)


def _case(classes: int, source: int, size: int) -> Case:
    logits = _smooth_logits(classes, source)
    destination = np.empty((1, size, size), np.uint8)

    def baseline() -> NDArray[np.uint8]:
        labels = np.zeros((size, size), np.uint8)
        best = cv2.resize(logits[0, 0], (size, size), interpolation=cv2.INTER_LINEAR)
        large = np.empty_like(best)
        for index in range(1, classes):
            cv2.resize(logits[0, index], (size, size), dst=large, interpolation=cv2.INTER_LINEAR)
            np.copyto(labels, index, where=large > best)
            cv2.max(best, large, dst=best)
        return labels

    def check() -> None:
        upsample_argmax_into(destination, logits)
        # OpenCV rounds in another order: classes that are as good as equal may change places.
        if np.mean(destination[0] != baseline()) > 1e-4:
            raise BenchmarkError("upsample_argmax differs from OpenCV.")

    return Case(
        name=f"upsample_argmax {classes} classes, {source}² → {size}²",
        operator=lambda: upsample_argmax_into(destination, logits),
        baseline=baseline,
        baseline_name="cv2.resize + cv2.max",
        bytes_moved=logits.nbytes + destination.nbytes,
        goal=3.0,
        check=check,
    )


def _smooth_logits(classes: int, size: int) -> Floats:
    """Regions of some sixteenth of the image, as a network sees them."""
    coarse = np.random.default_rng(0).normal(0, 3, (classes, 18, 18)).astype(np.float32)
    return np.stack([cv2.resize(plane, (size, size), interpolation=cv2.INTER_CUBIC) for plane in coarse])[None]
