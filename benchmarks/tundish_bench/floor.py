"""Floors: the least that answering an item takes, in this process, without a server.

A floor runs one worker, an engine of one thread, or one on each core. One worker alone has the caches and, where cores
are hyper-threads of one, the whole core to itself, and so needs less CPU than the same work does on a machine whose
cores are all busy, as a loaded server's are: 14 ms instead of 11.8 ms for an image on two virtual cores. What a server
adds to its engine is seen beside the workers on all cores; beside the one, what is lost by sharing the machine as well.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from tundish.bundle import Bundle
from tundish.engines import Arrays, load_engine
from tundish.manifest import ClassificationPostprocess
from tundish.pipeline import Answer, Pipeline, stacked
from tundish.results import ImageClassification, TextClassification
from tundish.tasks.registry import load_task
from tundish_bench.driving.answers import class_of
from tundish_bench.driving.histogram import Latencies
from tundish_bench.errors import BenchmarkError
from tundish_bench.processes import machine_busy_seconds
from tundish_bench.rounds import Sample


class Worker(Protocol):
    """Answers items on the calling thread; one thread at a time may use it."""

    @property
    def batch_size(self) -> int:
        """How many items it is given at a time."""
        ...

    def answers(self, turns: Sequence[int]) -> list[str]:
        """The answer to each of the items of these indices, computed as one batch."""
        ...


class ImageWorker:
    """Decoding, fused pre-processing, inference and the largest logit, in batches of the bundle's own size.

    In a batch, the engine takes less time an image.
    """

    def __init__(self, bundle: Bundle, images: Sequence[bytes]) -> None:
        manifest = bundle.manifest
        assert isinstance(manifest.postprocess, ClassificationPostprocess)
        self._labels = manifest.postprocess.labels
        self._output = manifest.outputs[0].name
        variant = manifest.servable[0]
        self._task = load_task(manifest.of_variant(variant), bundle.directory)
        self._engine = load_engine(bundle, variant, threads=1)
        self._images = images
        self.batch_size = manifest.serving.max_batch_size

    def answers(self, turns: Sequence[int]) -> list[str]:
        """See `Worker.answers`: labels."""
        inputs = self._task.collate([self._task.prepare(self._images[turn]) for turn in turns])
        logits = self._engine.run(inputs)[self._output]
        return [self._labels[index] for index in np.argmax(logits, axis=1)]


class EngineWorker:
    """The engine alone, on arrays of one row each that lie ready."""

    def __init__(self, bundle: Bundle, rows: Sequence[Arrays], *, batch_size: int = 1, threads: int = 1) -> None:
        self._engine = load_engine(bundle, bundle.manifest.servable[0], threads=threads)
        self._output = bundle.manifest.outputs[0].name
        self._rows = rows
        self.batch_size = batch_size

    def answers(self, turns: Sequence[int]) -> list[str]:
        """See `Worker.answers`: the class of each row, as `class_of` says it."""
        inputs = stacked(self._engine, [self._rows[turn] for turn in turns])
        return [class_of(logits) for logits in self._engine.run(inputs)[self._output]]


class PipelineWorker:
    """The whole pipeline of a model that gives labels, as an instance of it runs it: from bytes to a typed result."""

    batch_size = 1

    def __init__(self, bundle: Bundle, items: Sequence[bytes], *, threads: int) -> None:
        variant = bundle.manifest.servable[0]
        task = load_task(bundle.manifest.of_variant(variant), bundle.directory)
        self._pipeline = Pipeline(task, load_engine(bundle, variant, threads=threads))
        self._items = items

    def answers(self, turns: Sequence[int]) -> list[str]:
        """See `Worker.answers`: the first label of each item."""
        answers = self._pipeline.run([self._pipeline.prepare(self._items[turn]) for turn in turns])
        return [_first_label(answer) for answer in answers]


class Floor:
    """A subject of workers, each on a thread of its own."""

    def __init__(self, name: str, workers: Sequence[Worker], items: int) -> None:
        """Asks the first worker for each of the `items` alone; under measurement, all must answer the same."""
        self.name = name
        self._workers = workers
        self.answers = tuple(workers[0].answers([turn])[0] for turn in range(items))

    def measure(self, seconds: float) -> Sample:
        """See `Subject.measure`."""
        count = len(self._workers)
        # Of the whole process: an engine may have threads of its own, and nothing else here works meanwhile.
        cpu_before, busy_before, began = time.process_time(), machine_busy_seconds(), time.perf_counter()
        with ThreadPoolExecutor(count) as threads:
            # Each begins elsewhere, so that together they go through all items, the cheap and the dear.
            starts = [len(self.answers) * index // count for index in range(count)]
            spent = list(threads.map(partial(self._work, seconds), self._workers, starts))
        wall, busy = time.perf_counter() - began, machine_busy_seconds() - busy_before
        cpu, items = time.process_time() - cpu_before, sum(each.items for each in spent)
        one_by_one = all(worker.batch_size == 1 for worker in self._workers)
        latencies = Latencies(np.concatenate([each.latencies for each in spent]))
        return Sample(
            items=items,
            cpu_milliseconds=1e3 * cpu / items,
            items_per_second=items / wall,
            other_cores=max(0.0, (busy - cpu) / wall),
            p50_milliseconds=latencies.percentile(50) if one_by_one else None,
            p99_milliseconds=latencies.percentile(99) if one_by_one else None,
        )

    def _work(self, seconds: float, worker: Worker, start: int) -> _Spent:
        turns = itertools.islice(itertools.cycle(range(len(self.answers))), start, None)
        items, latencies = 0, []
        began = time.perf_counter()
        while (asked := time.perf_counter()) - began < seconds:
            batch = list(itertools.islice(turns, worker.batch_size))
            answers = worker.answers(batch)
            latencies.append(time.perf_counter() - asked)
            if answers != [self.answers[turn] for turn in batch]:
                raise BenchmarkError(f"{self.name} answered an item otherwise than when it was asked for it alone.")
            items += len(batch)
        return _Spent(items, latencies)


@dataclass(frozen=True, slots=True)
class _Spent:
    """What one worker did."""

    items: int
    latencies: list[float]


def _first_label(answer: object) -> str:
    match answer:
        case Answer(output=ImageClassification(labels=labels) | TextClassification(labels=labels)):
            return labels[0].name
        case _:
            raise BenchmarkError(f"The pipeline gave {answer} where labels belong.")
