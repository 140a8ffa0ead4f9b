"""resize_normalize of a detector's frames.

Bytes are those of whole frames; of a filter that needs no more than a part of the rows, a part is never read.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tundish_bench.cuda.gpu import STREAM, Gpu
from tundish_bench.cuda.timing import Case
from tundish_bench.errors import BenchmarkError
from tundish_kernels import Filter, Window, cuda, resize_normalize

_GREY = 114


def cases(gpu: Gpu, small: bool) -> Iterator[Case]:
    """A batch of 1080p frames in BGR, letterboxed to 640² in float32, without and with antialiasing."""
    frame, size, batch = ((54, 96), 32, 2) if small else ((1080, 1920), 640, 8)
    for antialias in (False, True):
        yield _case(gpu, batch, frame, size, "bilinear", antialias)


def _case(gpu: Gpu, batch: int, frame: tuple[int, int], size: int, named: Filter, antialias: bool) -> Case:
    images = np.random.default_rng(0).integers(0, 256, (batch, *frame, 3), dtype=np.uint8)
    windows = [Window.letterbox(frame, (size, size))] * batch
    sources = [gpu.array(image) for image in images]
    destination = gpu.array(np.zeros((batch, 3, size, size), np.float32))
    needed = cuda.resize_normalize_workspace_bytes(
        [frame] * batch, windows, size=(size, size), filter=named, antialias=antialias
    )
    workspace = cuda.Workspace(gpu.device, needed)

    def operator() -> None:
        cuda.resize_normalize_into(
            destination,
            sources,
            windows,
            format="bgr",
            filter=named,
            antialias=antialias,
            scale=1 / 255,
            pad=_GREY,
            workspace=workspace,
            stream=STREAM,
        )

    def check() -> None:
        operator()
        expected = resize_normalize(
            list(images),
            windows,
            size=(size, size),
            format="bgr",
            filter=named,
            antialias=antialias,
            scale=1 / 255,
            pad=_GREY,
        )
        if not np.array_equal(destination.get(), expected):
            raise BenchmarkError("resize_normalize differs from the CPU form.")

    return Case(
        name=f"resize_normalize {batch} x {frame[0]}p → {size}²{' antialiased' if antialias else ''}",
        operator=operator,
        bytes_moved=images.nbytes + destination.content.nbytes,
        check=check,
    )
