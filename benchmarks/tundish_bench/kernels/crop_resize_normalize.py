"""crop_resize_normalize against OpenCV and NumPy, region by region, as a competent user writes it."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels.images import photograph, to_nv12
from tundish_bench.kernels.timing import Case
from tundish_kernels import PixelFormat, Region, Window, crop_resize_normalize_into

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SIZE = 224


def cases() -> Iterator[Case]:
    """What a detector found in a video frame, for a classifier."""
    yield _detections("bgr", goal=5.0)
    yield _detections("nv12", goal=5.0)


def _detections(pixels: PixelFormat, *, goal: float) -> Case:
    bgr = photograph(1080, 1920)
    frame = to_nv12(bgr) if pixels == "nv12" else bgr
    regions = _regions(20, 1080, 1920)
    windows = [Window.stretch((_SIZE, _SIZE))] * len(regions)
    destination = np.empty((len(regions), 3, _SIZE, _SIZE), np.float32)

    def operator() -> None:
        crop_resize_normalize_into(
            destination,
            frame,
            regions,
            windows,
            format=pixels,
            filter="bilinear",
            antialias=False,
            scale=1 / 255,
            mean=_MEAN,
            std=_STD,
        )

    mean, std = np.array(_MEAN, np.float32), np.array(_STD, np.float32)

    def baseline() -> NDArray[np.float32]:
        source = cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_NV12) if pixels == "nv12" else frame
        crops = np.empty((len(regions), _SIZE, _SIZE, 3), np.uint8)
        for crop, (x, y, width, height) in zip(crops, regions, strict=True):
            small = cv2.resize(source[y : y + height, x : x + width], (_SIZE, _SIZE), interpolation=cv2.INTER_LINEAR)
            cv2.cvtColor(small, cv2.COLOR_BGR2RGB, dst=crop)
        normalized = (crops.astype(np.float32) / 255 - mean) / std
        return np.ascontiguousarray(normalized.transpose(0, 3, 1, 2))

    def check() -> None:
        operator()
        if np.abs(destination - baseline()).max() > 1.01 / 255 / min(_STD):
            raise BenchmarkError("crop_resize_normalize differs from OpenCV by more than one.")

    return Case(
        name=f"crop_resize_normalize 1080p {pixels}, {len(regions)} regions → {_SIZE}²",
        operator=operator,
        baseline=baseline,
        baseline_name="cv2 + NumPy",
        bytes_moved=sum(region.width * region.height for region in regions) * frame.nbytes // (1080 * 1920)
        + destination.nbytes,
        goal=goal,
        check=check,
    )


def _regions(count: int, height: int, width: int) -> list[Region]:
    """From 40 to 400 pixels each way, anywhere in the frame."""
    generator = np.random.default_rng(0)
    regions = []
    for _ in range(count):
        region_width, region_height = generator.integers(40, 401, 2).tolist()
        x, y = generator.integers(0, width - region_width), generator.integers(0, height - region_height)
        regions.append(Region(int(x), int(y), region_width, region_height))
    return regions
