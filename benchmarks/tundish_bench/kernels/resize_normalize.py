"""resize_normalize against OpenCV and NumPy, as a competent user writes it.

The answers are compared with Pillow's to the bit, and with the baseline's within what OpenCV's rounding allows.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels.timing import Case
from tundish_kernels import Window, resize_normalize_into

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def cases() -> Iterator[Case]:
    """The photograph of an image classifier."""
    yield _classifier(512, 256, 224)


def _classifier(source: int, resized: int, size: int) -> Case:
    image = _photograph(source, source)
    window = Window(resized, resized, (resized - size) // 2, (resized - size) // 2)
    destination = np.empty((1, 3, size, size), np.float32)

    def operator() -> None:
        resize_normalize_into(destination, [image], [window], filter="bilinear", scale=1 / 255, mean=_MEAN, std=_STD)

    mean, std = np.array(_MEAN, np.float32), np.array(_STD, np.float32)

    def baseline() -> NDArray[np.float32]:
        # Halving, OpenCV's linear filter averages all four pixels: no other is better or faster.
        small = cv2.resize(image, (resized, resized), interpolation=cv2.INTER_LINEAR)
        crop = small[window.top : window.top + size, window.left : window.left + size]
        normalized = (crop.astype(np.float32) / 255 - mean) / std
        return np.ascontiguousarray(normalized.transpose(2, 0, 1))

    def check() -> None:
        operator()
        picture = Image.fromarray(image).resize((resized, resized), Image.Resampling.BILINEAR)
        crop = np.asarray(picture)[window.top : window.top + size, window.left : window.left + size]
        expected = ((crop / 255 - np.array(_MEAN)) / np.array(_STD)).transpose(2, 0, 1)
        if not np.allclose(destination[0], expected, rtol=0, atol=1e-5):
            raise BenchmarkError("resize_normalize differs from Pillow.")

    return Case(
        name=f"resize_normalize {source}² → {size}² float32",
        operator=operator,
        baseline=baseline,
        baseline_name="cv2 + NumPy",
        bytes_moved=image.nbytes + destination.nbytes,
        goal=5.0,
        check=check,
    )


def _photograph(height: int, width: int) -> NDArray[np.uint8]:
    """Smooth shapes with some noise: the time does not depend on the pixels, but an answer's check should see some."""
    y, x = np.mgrid[0:height, 0:width]
    waves = 127 + 100 * np.sin(x / 37)[..., None] * np.cos(y[..., None] / np.array([23, 31, 41]))
    noise = np.random.default_rng(0).integers(-20, 21, (height, width, 3))
    image: NDArray[np.uint8] = np.clip(waves + noise, 0, 255).astype(np.uint8)
    return image
