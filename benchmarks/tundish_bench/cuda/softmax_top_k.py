"""softmax_top_k of a batch of an image classifier's logits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tundish_bench.cuda.gpu import STREAM, Gpu
from tundish_bench.cuda.timing import Case
from tundish_bench.errors import BenchmarkError
from tundish_kernels import cuda, softmax_top_k


def cases(gpu: Gpu, small: bool) -> Iterator[Case]:
    """ImageNet's classes, of a batch that fills a GPU."""
    yield _case(gpu, batch=3 if small else 1024, classes=100 if small else 1000, k=5)


def _case(gpu: Gpu, batch: int, classes: int, k: int) -> Case:
    logits = np.random.default_rng(0).normal(0, 3, (batch, classes)).astype(np.float32)
    source = gpu.array(logits)
    indices, scores = gpu.array(np.zeros((batch, k), np.int64)), gpu.array(np.zeros((batch, k), np.float32))

    def operator() -> None:
        cuda.softmax_top_k_into((indices, scores), source, device=gpu.device, stream=STREAM)

    def check() -> None:
        operator()
        expected_indices, expected_scores = softmax_top_k(logits, k)
        if not (np.array_equal(indices.get(), expected_indices) and np.array_equal(scores.get(), expected_scores)):
            raise BenchmarkError("softmax_top_k differs from the CPU form.")

    return Case(
        name=f"softmax_top_k [{batch}, {classes}] k={k}",
        operator=operator,
        bytes_moved=logits.nbytes + indices.content.nbytes + scores.content.nbytes,
        check=check,
    )
