"""run_length_encode of the masks of one image's objects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tundish_bench.cuda.gpu import STREAM, Gpu
from tundish_bench.cuda.timing import Case
from tundish_bench.errors import BenchmarkError
from tundish_kernels import cuda, run_length_encode

_CAPACITY = 16384


def cases(gpu: Gpu, small: bool) -> Iterator[Case]:
    """Large objects with ragged edges, at a camera's size."""
    yield _case(gpu, *((2, 40, 70) if small else (20, 1080, 1920)))


def _case(gpu: Gpu, batch: int, height: int, width: int) -> Case:
    y, x = np.mgrid[0:height, 0:width]
    waves = 0.2 * np.sin(x / 15) * np.sin(y / 11)
    reach = ((y / height - 0.46) / 0.28) ** 2 + ((x / width - 0.47) / 0.26) ** 2 + waves
    masks = np.stack([reach < 0.3 + number / batch for number in range(batch)])
    source = gpu.array(masks)
    text, lengths = gpu.array(np.zeros((batch, _CAPACITY), np.uint8)), gpu.array(np.zeros(batch, np.int64))
    workspace = cuda.Workspace(gpu.device, cuda.run_length_encode_workspace_bytes(batch, height, width))
    expected = run_length_encode(masks)

    def operator() -> None:
        cuda.run_length_encode_into((text, lengths), source, workspace=workspace, stream=STREAM)

    def check() -> None:
        operator()
        found = zip(text.get(), lengths.get().tolist(), strict=True)
        if [row[:length].tobytes() for row, length in found] != expected:
            raise BenchmarkError("run_length_encode differs from the CPU form.")

    return Case(
        name=f"run_length_encode {batch} x {height} x {width}",
        operator=operator,
        bytes_moved=masks.nbytes + sum(map(len, expected)) + lengths.content.nbytes,
        check=check,
    )
