"""Images for the kernels' cases."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def photograph(height: int, width: int) -> NDArray[np.uint8]:
    """Smooth shapes with some noise: the time does not depend on the pixels, but an answer's check should see some."""
    y, x = np.ogrid[0:height, 0:width]
    waves = 127 + 100 * np.sin(x / 37)[..., None] * np.cos(y[..., None] / np.array([23, 31, 41]))
    noise = np.random.default_rng(0).integers(-20, 21, (height, width, 3))
    image: NDArray[np.uint8] = np.clip(waves + noise, 0, 255).astype(np.uint8)
    return image


def to_nv12(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`[height * 3 / 2, width]`, as a camera gives it."""
    height, width, _ = bgr.shape
    planar = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    chroma = planar[height:].reshape(2, -1)
    interleaved = np.ascontiguousarray(chroma.T).reshape(height // 2, width)
    return np.concatenate([planar[:height], interleaved])
