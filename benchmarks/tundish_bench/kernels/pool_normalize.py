"""pool_normalize against NumPy, in the two ways that a competent user writes it, and for the maximum in the fastest.

A mean must read each kept vector once. The usual formula, a product with the mask and a sum, writes and reads the
vectors a second time. A matrix product with the mask reads them once as well; what remains to be gained there is that
padding is not read. The limit is memory: the vectors are more than a second-level cache holds. A loop that
does nothing but read the kept ones (1.3 MB, 50 GB/s from the third level) takes 25 µs of the operator's 32, and the
matrix product 49: no operator reaches 2 against it, so the goal is missed there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels.timing import Case
from tundish_kernels import Pooling, pool_normalize_into

Floats = NDArray[np.float32]


def cases() -> Iterator[Case]:
    """A batch of MiniLM's token vectors, of texts from 20 to 128 tokens."""
    generator = np.random.default_rng(0)
    tokens = generator.normal(0, 1, (8, 128, 384)).astype(np.float32)
    lengths = np.append(generator.integers(20, 129, 7), 128)
    mask = (np.arange(128) < lengths[:, np.newaxis]).astype(np.int64)
    yield _case(tokens, mask, "mean", _mean, "NumPy (product and sum)")
    yield _case(tokens, mask, "mean", _mean_by_matrix_product, "NumPy (matrix product)")
    yield _case(tokens, mask, "max", _max, "NumPy")


def _mean(tokens: Floats, mask: NDArray[np.int64]) -> Floats:
    weights = mask.astype(np.float32)[:, :, np.newaxis]
    return _normalized((tokens * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9))


def _mean_by_matrix_product(tokens: Floats, mask: NDArray[np.int64]) -> Floats:
    weights = mask.astype(np.float32)
    sums = np.matmul(weights[:, np.newaxis], tokens)[:, 0]
    return _normalized(sums / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9))


def _max(tokens: Floats, mask: NDArray[np.int64]) -> Floats:
    kept = mask.astype(np.bool_)
    return _normalized(np.stack([row[place].max(axis=0) for row, place in zip(tokens, kept, strict=True)]))


def _normalized(pooled: Floats) -> Floats:
    normalized: Floats = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
    return normalized


def _case(
    tokens: Floats,
    mask: NDArray[np.int64],
    pooling: Pooling,
    formula: Callable[[Floats, NDArray[np.int64]], Floats],
    baseline_name: str,
) -> Case:
    batch, _, width = tokens.shape
    destination = np.empty((batch, width), np.float32)

    def operator() -> None:
        pool_normalize_into(destination, tokens, mask, pooling=pooling, normalize=True)

    def check() -> None:
        operator()
        if not np.allclose(destination, formula(tokens, mask), rtol=0, atol=1e-6):
            raise BenchmarkError("pool_normalize differs from NumPy.")

    return Case(
        name=f"pool_normalize {list(tokens.shape)} {pooling}",
        operator=operator,
        baseline=lambda: formula(tokens, mask),
        baseline_name=baseline_name,
        bytes_moved=int(mask.sum()) * width * tokens.itemsize + mask.nbytes + destination.nbytes,
        goal=5.0,
        check=check,
    )
