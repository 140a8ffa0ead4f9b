"""What a model has done since it was loaded: counts and times, for the protocol's statistics and for metrics."""

from __future__ import annotations

import asyncio
import bisect
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import grpc

from tundish.errors import TundishError
from tundish.pipeline import Answer
from tundish.results import StageTimes

BUCKET_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper ends of the histograms' buckets; the last bucket has none."""

STAGES = ("queue", "preprocess", "compute", "postprocess")

_BUCKET_NANOSECONDS = [round(seconds * 1e9) for seconds in BUCKET_SECONDS]


@dataclass(slots=True)
class Total:
    """How often, and how long altogether."""

    count: int = 0
    nanoseconds: int = 0

    def add(self, nanoseconds: int) -> None:
        """Counts one that took so long."""
        self.count += 1
        self.nanoseconds += nanoseconds

    def copy(self) -> Total:
        """As it is now."""
        return Total(self.count, self.nanoseconds)


@dataclass(slots=True)
class Histogram:
    """How many durations fell into each bucket, and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKET_SECONDS) + 1))
    nanoseconds: int = 0

    def add(self, nanoseconds: int) -> None:
        """Counts a duration; one that equals a bucket's end is in it."""
        self.counts[bisect.bisect_left(_BUCKET_NANOSECONDS, nanoseconds)] += 1
        self.nanoseconds += nanoseconds

    def copy(self) -> Histogram:
        """As it is now."""
        return Histogram(list(self.counts), self.nanoseconds)


@dataclass(slots=True)
class BatchTotals:
    """The batches of one size."""

    preprocess: Total = field(default_factory=Total)
    compute: Total = field(default_factory=Total)
    postprocess: Total = field(default_factory=Total)

    def copy(self) -> BatchTotals:
        """As they are now."""
        return BatchTotals(self.preprocess.copy(), self.compute.copy(), self.postprocess.copy())


@dataclass(slots=True)
class Snapshot:
    """The figures at one moment; a request counts once, however many items it has."""

    succeeded: Total = field(default_factory=Total)
    failed: Total = field(default_factory=Total)
    """From acceptance to answer, or to the error; refused requests are among them."""
    failures: dict[str, int] = field(default_factory=dict)
    """Requests that failed, by the name of their gRPC status."""
    items: int = 0
    """Answered."""
    batches: dict[int, BatchTotals] = field(default_factory=dict)
    """By size."""
    stages: dict[str, Histogram] = field(default_factory=lambda: {stage: Histogram() for stage in STAGES})
    """Of the items of requests that succeeded."""
    longest: dict[str, Total] = field(default_factory=lambda: {stage: Total() for stage in STAGES})
    """Of each request that succeeded, that item which took longest: its stages fit into the request's time."""
    requests: Histogram = field(default_factory=Histogram)
    """Of those that succeeded."""
    last_answer_seconds: float = 0.0
    """When the last answer was given, since 1970; 0 if there was none."""

    @property
    def batch_count(self) -> int:
        """How often the engine ran."""
        return sum(totals.compute.count for totals in self.batches.values())

    def copy(self) -> Snapshot:
        """As it is now."""
        return replace(
            self,
            succeeded=self.succeeded.copy(),
            failed=self.failed.copy(),
            failures=dict(self.failures),
            batches={size: totals.copy() for size, totals in self.batches.items()},
            stages={stage: histogram.copy() for stage, histogram in self.stages.items()},
            longest={stage: total.copy() for stage, total in self.longest.items()},
            requests=self.requests.copy(),
        )


class Statistics:
    """Counts for one entry of a model. Any number of threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._figures = Snapshot()

    @contextmanager
    def request(self) -> Iterator[list[Answer[Any]]]:
        """Around the work for a request, which puts its answers into the list; an error that passes is counted."""
        started = time.monotonic_ns()
        answers: list[Answer[Any]] = []
        try:
            yield answers
        except BaseException as error:
            self._fail(_status_of(error), time.monotonic_ns() - started)
            raise
        self._succeed(answers, time.monotonic_ns() - started)

    def add_batch(self, times: StageTimes) -> None:
        """Counts a batch that the engine ran."""
        with self._lock:
            totals = self._figures.batches.setdefault(times.batch_size, BatchTotals())
            totals.preprocess.add(times.preprocess_nanoseconds)
            totals.compute.add(times.compute_nanoseconds)
            totals.postprocess.add(times.postprocess_nanoseconds)

    def snapshot(self) -> Snapshot:
        """The figures now, all of one moment."""
        with self._lock:
            return self._figures.copy()

    def _succeed(self, answers: Sequence[Answer[Any]], nanoseconds: int) -> None:
        with self._lock:
            figures = self._figures
            figures.succeeded.add(nanoseconds)
            figures.requests.add(nanoseconds)
            figures.items += len(answers)
            figures.last_answer_seconds = time.time()
            stages = [_stages(answer.stage_times) for answer in answers]
            for nanoseconds_of in stages:
                for stage, spent in zip(STAGES, nanoseconds_of, strict=True):
                    figures.stages[stage].add(spent)
            for stage, spent in zip(STAGES, max(stages, key=sum), strict=True):
                figures.longest[stage].add(spent)

    def _fail(self, status: str, nanoseconds: int) -> None:
        with self._lock:
            figures = self._figures
            figures.failed.add(nanoseconds)
            figures.failures[status] = figures.failures.get(status, 0) + 1


class Refusals:
    """Counts requests that failed before a version of a model had them. Any number of threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, model: str, status: grpc.StatusCode) -> None:
        """Counts one that named this model; no name stands for all that there are not, which are without number."""
        with self._lock:
            self._counts[model, status.name] = self._counts.get((model, status.name), 0) + 1

    def snapshot(self) -> dict[tuple[str, str], int]:
        """The counts so far, by model and name of the gRPC status."""
        with self._lock:
            return dict(self._counts)


def _stages(times: StageTimes) -> tuple[int, int, int, int]:
    """The nanoseconds of each of `STAGES`."""
    return (
        times.queue_nanoseconds,
        times.preprocess_nanoseconds,
        times.compute_nanoseconds,
        times.postprocess_nanoseconds,
    )


def _status_of(error: BaseException) -> str:
    """The name of the gRPC status that the caller gets."""
    if isinstance(error, TundishError):
        return error.status.name
    return "CANCELLED" if isinstance(error, asyncio.CancelledError) else "INTERNAL"
