"""pack against NumPy, which scatters ragged ids through the mask that is wanted anyway.

Of the small batch's time (2 µs) more than half is the call from Python. The large one takes less than two copies of its
bytes: what memory allows is the limit there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels.timing import Case
from tundish_kernels import Packed, pack_into


def cases() -> Iterator[Case]:
    """A batch of sentences and a large one of paragraphs."""
    yield _case(32, 64, goal=2)
    yield _case(256, 512, goal=2)


def _case(batch: int, length: int, *, goal: float) -> Case:
    generator = np.random.default_rng(0)
    counts = generator.integers(length // 8, length + 1, batch)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    ids = generator.integers(0, 30522, starts[-1], dtype=np.int32)
    type_ids = np.zeros(starts[-1], np.int32)
    made = Packed(*(np.empty((batch, length), np.int64) for _ in range(3)))

    def operator() -> None:
        pack_into(made, ids, starts, type_ids)

    def baseline() -> tuple[NDArray[np.int64], ...]:
        mask = np.arange(length) < np.diff(starts)[:, np.newaxis]
        padded = np.zeros((batch, length), np.int64)
        padded[mask] = ids
        types = np.zeros((batch, length), np.int64)
        types[mask] = type_ids
        return padded, mask.astype(np.int64), types

    def check() -> None:
        operator()
        for array, expected in zip(made, baseline(), strict=True):
            assert array is not None
            if not np.array_equal(array, expected):
                raise BenchmarkError("pack differs from NumPy.")

    return Case(
        name=f"pack {batch} x {length} int64",
        operator=operator,
        baseline=baseline,
        baseline_name="NumPy",
        bytes_moved=ids.nbytes + type_ids.nbytes + starts.nbytes + 3 * made.ids.nbytes,
        goal=goal,
        check=check,
    )
