"""The floor of serving an image: decoding, fused pre-processing and inference in one thread, and nothing else.

It runs in batches of the size that the bundle serves with, since the engine takes less time an image in a batch. With
the other core idle, it has the machine's caches to itself, so a server that keeps all cores busy stays above it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

import numpy as np

from tundish.bundle import Bundle
from tundish.engines import load_engine
from tundish.manifest import ClassificationPostprocess
from tundish.tasks.registry import load_task
from tundish_bench.errors import BenchmarkError


class Floor:
    """The bundle's best variant in this process, on the calling thread."""

    def __init__(self, bundle: Bundle, images: Sequence[bytes]) -> None:
        manifest = bundle.manifest
        assert isinstance(manifest.postprocess, ClassificationPostprocess)
        self._labels = manifest.postprocess.labels
        self._output = manifest.outputs[0].name
        variant = manifest.servable[0]
        self._task = load_task(manifest.of_variant(variant), bundle.directory)
        self._engine = load_engine(bundle, variant, threads=1)
        self._batch_size = manifest.serving.max_batch_size
        self._images = images

    def top_labels(self, images: Sequence[bytes]) -> list[str]:
        """The label of each image of one batch."""
        inputs = self._task.collate([self._task.prepare(image) for image in images])
        logits = self._engine.run(inputs)[self._output]
        return [self._labels[index] for index in np.argmax(logits, axis=1)]

    def run(self, seconds: float, expected: Sequence[str]) -> tuple[int, float, float]:
        """Answers images for about `seconds`; returns how many, and the CPU and wall seconds that they took.

        Raises:
            BenchmarkError: an answer is another than expected.
        """
        turns = itertools.cycle(range(len(self._images)))
        answered = 0
        cpu_before, began = time.thread_time(), time.perf_counter()
        while time.perf_counter() - began < seconds:
            batch = list(itertools.islice(turns, self._batch_size))
            if self.top_labels([self._images[turn] for turn in batch]) != [expected[turn] for turn in batch]:
                raise BenchmarkError("The floor answered an image otherwise than before.")
            answered += len(batch)
        return answered, time.thread_time() - cpu_before, time.perf_counter() - began
