"""non_max_suppression on the outputs of a YOLO, 8400 boxes of 80 classes, read in place.

Only the reading of the scores is bound by memory. What follows is one block's work for each image, so that a batch
takes little longer than an image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tundish_bench.cuda.gpu import STREAM, Gpu, View
from tundish_bench.cuda.timing import Case
from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels.non_max_suppression import yolo_output
from tundish_kernels import cuda, non_max_suppression

_RULE: dict[str, Any] = {"box_format": "cxcywh", "score_threshold": 0.25, "iou_threshold": 0.5}


def cases(gpu: Gpu, small: bool) -> Iterator[Case]:
    """A crowded image with 500 objects of which 300 are kept, alone and in a batch."""
    for batch in (1,) if small else (1, 32):
        yield _case(gpu, batch, most=10 if small else 300)


def _case(gpu: Gpu, batch: int, most: int) -> Case:
    output = np.repeat(yolo_output(), batch, axis=0)
    _, rows, count = output.shape
    memory = gpu.array(output)
    row = count * output.itemsize
    boxes = View(memory, 0, (batch, count, 4), (rows * row, output.itemsize, row))
    scores = View(memory, 4 * row, (batch, count, rows - 4), (rows * row, output.itemsize, row))
    indices, classes = gpu.array(np.zeros((batch, most), np.int32)), gpu.array(np.zeros((batch, most), np.int32))
    kept_scores, counts = gpu.array(np.zeros((batch, most), np.float32)), gpu.array(np.zeros(batch, np.int32))
    destination = (indices, classes, kept_scores, counts)
    needed = cuda.non_max_suppression_workspace_bytes(
        batch, count, rows - 4, box_format=_RULE["box_format"], max_detections=most
    )
    workspace = cuda.Workspace(gpu.device, needed)

    def operator() -> None:
        cuda.non_max_suppression_into(destination, boxes, scores, **_RULE, workspace=workspace, stream=STREAM)

    def check() -> None:
        operator()
        expected = non_max_suppression(
            output[:, :4].swapaxes(1, 2), output[:, 4:].swapaxes(1, 2), **_RULE, max_detections=most
        )
        if not all(np.array_equal(array.get(), wanted) for array, wanted in zip(destination, expected, strict=True)):
            raise BenchmarkError("non_max_suppression differs from the CPU form.")

    return Case(
        name=f"non_max_suppression {batch} x {count} x {rows - 4}, {most} kept",
        operator=operator,
        bytes_moved=output[:, 4:].nbytes,
        check=check,
    )
