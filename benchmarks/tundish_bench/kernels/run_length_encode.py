"""run_length_encode against NumPy, which is asked for the run lengths alone: its text would take a loop in Python.

Both must transpose the mask. The operator packs 64 rows into a word for each column; half of its time is that, the rest
the search for changes, a word at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels.timing import Case
from tundish_kernels import RunLengths, run_length_decode, run_length_encode_into


def cases() -> Iterator[Case]:
    """One large object with a ragged edge."""
    yield _case(1080, 1920)


def _case(height: int, width: int) -> Case:
    y, x = np.mgrid[0:height, 0:width]
    waves = 0.2 * np.sin(x / 15) * np.sin(y / 11)
    masks = ((y - 500) ** 2 / 300**2 + (x - 900) ** 2 / 500**2 + waves < 1)[np.newaxis]
    destination = RunLengths(np.empty((1, 16384), np.uint8), np.empty(1, np.int64))

    def baseline() -> NDArray[np.intp]:
        pixels = masks[0].T.ravel()
        changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
        return np.diff(np.concatenate([[0], changes, [pixels.size]]))

    def check() -> None:
        run_length_encode_into(destination, masks)
        text = destination.text[0, : destination.lengths[0]].tobytes()
        decoded = np.zeros(masks[0].size, np.bool_)
        for begin, length in zip(np.cumsum(baseline())[:-1:2].tolist(), baseline()[1::2].tolist(), strict=True):
            decoded[begin : begin + length] = True
        if not np.array_equal(run_length_decode([text], (height, width))[0].T.ravel(), decoded):
            raise BenchmarkError("run_length_encode differs from NumPy.")

    return Case(
        name=f"run_length_encode {height} x {width}",
        operator=lambda: run_length_encode_into(destination, masks),
        baseline=baseline,
        baseline_name="NumPy (lengths only)",
        bytes_moved=masks.nbytes + 8192,
        goal=5.0,
        check=check,
    )
