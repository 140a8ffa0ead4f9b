"""pack of tokens that are on the GPU already."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tundish_bench.cuda.gpu import STREAM, Gpu
from tundish_bench.cuda.timing import Case
from tundish_bench.errors import BenchmarkError
from tundish_kernels import cuda, pack


def cases(gpu: Gpu, small: bool) -> Iterator[Case]:
    """A large batch of paragraphs, to the ids, mask and type ids that a model takes."""
    yield _case(gpu, *((3, 40) if small else (1024, 512)))


def _case(gpu: Gpu, batch: int, length: int) -> Case:
    generator = np.random.default_rng(0)
    starts = np.concatenate([[0], np.cumsum(generator.integers(length // 8, length + 1, batch))]).astype(np.int64)
    ids = generator.integers(0, 30522, starts[-1], dtype=np.int32)
    type_ids = generator.integers(0, 2, starts[-1], dtype=np.int32)
    tokens, places, types = gpu.array(ids), gpu.array(starts), gpu.array(type_ids)
    rows, mask, row_types = (gpu.array(np.zeros((batch, length), np.int64)) for _ in range(3))

    def operator() -> None:
        cuda.pack_into((rows, mask, row_types), tokens, places, types, device=gpu.device, stream=STREAM)

    def check() -> None:
        operator()
        expected = pack(ids, starts, type_ids, length=length)
        for array, wanted in zip((rows, mask, row_types), expected, strict=True):
            if wanted is None or not np.array_equal(array.get(), wanted):
                raise BenchmarkError("pack differs from the CPU form.")

    return Case(
        name=f"pack {batch} x {length} int64",
        operator=operator,
        bytes_moved=ids.nbytes + type_ids.nbytes + starts.nbytes + 3 * rows.content.nbytes,
        check=check,
    )
