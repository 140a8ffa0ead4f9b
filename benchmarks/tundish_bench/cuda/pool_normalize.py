"""pool_normalize of a sentence encoder's token vectors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tundish_bench.cuda.gpu import STREAM, Gpu
from tundish_bench.cuda.timing import Case
from tundish_bench.errors import BenchmarkError
from tundish_kernels import Pooling, cuda, pool_normalize


def cases(gpu: Gpu, small: bool) -> Iterator[Case]:
    """MiniLM's vectors of texts from 20 to 128 tokens; the mean and the maximum."""
    poolings: tuple[Pooling, ...] = ("mean", "max")
    for pooling in poolings:
        yield _case(gpu, 2 if small else 256, 128, 40 if small else 384, pooling)


def _case(gpu: Gpu, batch: int, tokens: int, width: int, pooling: Pooling) -> Case:
    generator = np.random.default_rng(0)
    vectors = generator.normal(0, 1, (batch, tokens, width)).astype(np.float32)
    lengths = generator.integers(20, tokens + 1, batch)
    mask = (np.arange(tokens) < lengths[:, np.newaxis]).astype(np.int64)
    source, kept = gpu.array(vectors), gpu.array(mask)
    destination = gpu.array(np.zeros((batch, width), np.float32))

    def operator() -> None:
        cuda.pool_normalize_into(
            destination, source, kept, pooling=pooling, normalize=True, device=gpu.device, stream=STREAM
        )

    def check() -> None:
        operator()
        if not np.array_equal(destination.get(), pool_normalize(vectors, mask, pooling=pooling, normalize=True)):
            raise BenchmarkError("pool_normalize differs from the CPU form.")

    return Case(
        name=f"pool_normalize {list(vectors.shape)} {pooling}",
        operator=operator,
        bytes_moved=int(mask.sum()) * width * vectors.itemsize + mask.nbytes + destination.content.nbytes,
        check=check,
    )
