"""Kernels with much to do let other Python threads run meanwhile, also those that keep the GIL for short work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from support.wordpiece import hugging_face_tokenizer, ours

from tundish_kernels import (
    Packed,
    Tokens,
    pack_into,
    pool_normalize_into,
    softmax_top_k_into,
    wordpiece_capacity,
    wordpiece_into,
)

WORK_SECONDS = 0.03
NATIVE = ours(hugging_face_tokenizer())
WORDS = "Unbelievably the cat don't " * 100


# Into arrays that are there: NumPy lets other threads run while it fills or copies large ones.
def softmax_of(size: int) -> Callable[[], object]:
    logits = np.zeros((size, 1000), np.float32)
    destination = np.zeros((size, 5), np.int64), np.zeros((size, 5), np.float32)
    return lambda: softmax_top_k_into(destination, logits)


def pooling_of(size: int) -> Callable[[], object]:
    tokens, mask = np.zeros((size, 10, 100), np.float32), np.ones((size, 10), np.bool_)
    destination = np.zeros((size, 100), np.float32)
    return lambda: pool_normalize_into(destination, tokens, mask, pooling="mean", normalize=True)


def packing_of(size: int) -> Callable[[], object]:
    ids, starts = np.zeros(1000 * size, np.int32), np.arange(0, 1000 * size + 1, 100)
    destination = Packed(np.zeros((10 * size, 100), np.int64), np.zeros((10 * size, 100), np.int64), None)
    return lambda: pack_into(destination, ids, starts)


def tokens_of(size: int) -> Callable[[], object]:
    texts = [WORDS] * size
    room = wordpiece_capacity(NATIVE, texts)
    destination = Tokens(
        np.zeros(room, np.int32),
        np.zeros(room, np.int32),
        np.zeros(size + 1, np.int64),
        np.zeros(size, np.bool_),
        None,
        None,
    )
    return lambda: wordpiece_into(destination, NATIVE, texts)


def much(work_of: Callable[[int], Callable[[], object]]) -> Callable[[], object]:
    """Work that takes `WORK_SECONDS` here, at least."""
    size = 16
    while True:
        work = work_of(size)
        work()  # which is the first to touch the arrays, and takes longer
        began = time.perf_counter()
        work()
        if time.perf_counter() - began >= WORK_SECONDS:
            return work
        size *= 2


def steps_beside(work: Callable[[], object]) -> int:
    """How often this thread comes to its turn meanwhile."""
    thread = threading.Thread(target=work)
    thread.start()
    steps = 0
    while thread.is_alive():
        steps += 1
        time.sleep(WORK_SECONDS / 100)
    return steps


@pytest.mark.parametrize("work_of", [softmax_of, pooling_of, packing_of, tokens_of])
def test_other_threads_run_while_a_kernel_has_much_to_do(work_of: Callable[[int], Callable[[], object]]) -> None:
    work = much(work_of)
    # One or two, if it waits for the kernel's end; none, where a busy machine has no core for it: so thrice.
    assert max(steps_beside(work) for _ in range(3)) > 5
