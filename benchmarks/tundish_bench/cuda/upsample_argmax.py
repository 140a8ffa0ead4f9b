"""upsample_argmax of a segmentation model's logits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tundish_bench.cuda.gpu import STREAM, Gpu
from tundish_bench.cuda.timing import Case
from tundish_bench.errors import BenchmarkError
from tundish_kernels import cuda, upsample_argmax


def cases(gpu: Gpu, small: bool) -> Iterator[Case]:
    """SegFormer's logits of ADE20K's 150 classes, a quarter of the image's size."""
    yield _case(gpu, batch=1 if small else 8, classes=5 if small else 150, source=16 if small else 128)


def _case(gpu: Gpu, batch: int, classes: int, source: int) -> Case:
    logits = np.random.default_rng(0).normal(0, 3, (batch, classes, source, source)).astype(np.float32)
    size = 4 * source
    maps, destination = gpu.array(logits), gpu.array(np.zeros((batch, size, size), np.uint8))

    def operator() -> None:
        cuda.upsample_argmax_into(destination, maps, device=gpu.device, stream=STREAM)

    def check() -> None:
        operator()
        if not np.array_equal(destination.get(), upsample_argmax(logits, (size, size))):
            raise BenchmarkError("upsample_argmax differs from the CPU form.")

    return Case(
        name=f"upsample_argmax {batch} x {classes} classes, {source}² → {size}²",
        operator=operator,
        bytes_moved=logits.nbytes + destination.content.nbytes,
        check=check,
    )
