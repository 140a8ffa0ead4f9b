"""crop_resize_normalize of what a detector found in a frame, for a classifier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tundish_bench.cuda.gpu import STREAM, Gpu
from tundish_bench.cuda.timing import Case
from tundish_bench.errors import BenchmarkError
from tundish_kernels import Region, Window, crop_resize_normalize, cuda


def cases(gpu: Gpu, small: bool) -> Iterator[Case]:
    """Objects of a tenth to a third of a 1080p frame in BGR, each to 224² in float32."""
    yield _case(gpu, *((3, 54, 96, 20) if small else (20, 1080, 1920, 224)))


def _case(gpu: Gpu, count: int, height: int, width: int, size: int) -> Case:
    generator = np.random.default_rng(0)
    frame = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    extents = generator.integers(height // 10, height // 3, (count, 2)).tolist()
    regions = [
        Region(int(generator.integers(0, width - w)), int(generator.integers(0, height - h)), w, h) for w, h in extents
    ]
    windows = [Window.stretch((size, size))] * count
    source, destination = gpu.array(frame), gpu.array(np.zeros((count, 3, size, size), np.float32))
    needed = cuda.crop_resize_normalize_workspace_bytes(regions, windows, size=(size, size), filter="bilinear")
    workspace = cuda.Workspace(gpu.device, needed)
    options: dict[str, Any] = {"format": "bgr", "filter": "bilinear", "scale": 1 / 255}

    def operator() -> None:
        cuda.crop_resize_normalize_into(
            destination, source, regions, windows, **options, workspace=workspace, stream=STREAM
        )

    def check() -> None:
        operator()
        expected = crop_resize_normalize(frame, regions, windows, size=(size, size), **options)
        if not np.array_equal(destination.get(), expected):
            raise BenchmarkError("crop_resize_normalize differs from the CPU form.")

    return Case(
        name=f"crop_resize_normalize {count} of {height}p → {size}²",
        operator=operator,
        bytes_moved=3 * sum(region.width * region.height for region in regions) + destination.content.nbytes,
        check=check,
    )
