"""OpenCV takes no cores but its caller's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tundish.tasks.opencv import load_opencv


def test_it_computes_on_its_caller_alone() -> None:
    opencv = load_opencv()
    page = np.random.default_rng(0).integers(0, 256, (2000, 1500, 3), np.uint8)
    before = {task.name for task in Path("/proc/self/task").iterdir()}
    opencv.resize(page, (1000, 1333), interpolation=opencv.INTER_LINEAR)
    assert {task.name for task in Path("/proc/self/task").iterdir()} <= before
    assert opencv.getNumThreads() == 1
