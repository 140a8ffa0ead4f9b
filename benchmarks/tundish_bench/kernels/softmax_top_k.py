"""softmax_top_k against NumPy as a competent user writes it: a partition of the logits, exponentials for the sum alone.

Half of the operator's time is exponentials, a quarter the search and a quarter the call from Python; NumPy spends most
of its own on exponentials and the partition, both of which it vectorises too.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels.timing import Case
from tundish_kernels import softmax_top_k_into


def cases() -> Iterator[Case]:
    """A batch of an ImageNet classifier's logits."""
    yield _imagenet(batch=8, classes=1000, k=5)


def _imagenet(batch: int, classes: int, k: int) -> Case:
    logits = np.random.default_rng(0).normal(0, 3, (batch, classes)).astype(np.float32)
    indices, scores = np.empty((batch, k), np.int64), np.empty((batch, k), np.float32)

    def operator() -> None:
        softmax_top_k_into((indices, scores), logits)

    def baseline() -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        maximum = logits.max(axis=1, keepdims=True)
        total = np.exp(logits - maximum).sum(axis=1, keepdims=True)
        best = np.argpartition(logits, classes - k, axis=1)[:, -k:]
        order = np.argsort(-np.take_along_axis(logits, best, axis=1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, axis=1)
        return best, np.exp(np.take_along_axis(logits, best, axis=1) - maximum) / total

    def check() -> None:
        operator()
        expected_indices, expected_scores = baseline()
        if not np.array_equal(indices, expected_indices) or not np.allclose(scores, expected_scores, rtol=1e-6):
            raise BenchmarkError("softmax_top_k differs from NumPy.")

    return Case(
        name=f"softmax_top_k [{batch}, {classes}] k={k}",
        operator=operator,
        baseline=baseline,
        baseline_name="NumPy",
        bytes_moved=logits.nbytes + indices.nbytes + scores.nbytes,
        goal=5.0,
        check=check,
    )
