"""How large the batches of a model should be: measured in batches such as the server makes.

Images are alike, and any of them share a batch. Texts share one with those of nearly their own length; how much that
gains depends on the length: short ones spend most of their time on reading weights, which a batch reads once, while
long ones gain nothing. So batches of texts are limited in their tokens, too.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tundish.engines import Arrays, Engine
from tundish.tasks import Item, Task
from tundish_exporters.latency import affordable, timed
from tundish_exporters.progress import Progress, tracked

BATCH_SIZES = (1, 2, 4, 8)
"""Sizes that are tried; on a CPU larger ones gain nothing more."""

_SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of all texts, that are shorter than each of those that are measured."""
_ROUNDS, _LEAST_ROUNDS = 8, 2
_ITEMS = 4
"""That each size runs in a round, or one batch if that is more."""
_NEGLIGIBLE = 0.03
"""Of the time an item; less is noise, and is made up for by what a batch costs the server besides its engine."""


@dataclass(frozen=True, slots=True)
class Group:
    """Items that may share a batch."""

    length: int
    """Tokens of each; 0 where all items are alike."""
    batch: Callable[[int], Arrays]
    """Makes a batch of so many of them."""


@dataclass(frozen=True, slots=True)
class BatchTimes:
    """What the engine takes for the batches of a group."""

    length: int
    """As the group's."""
    milliseconds_per_item: Mapping[int, float]
    """By batch size."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """The largest batches of a model."""

    size: int
    tokens: int | None
    """None where items have no length, or are not batched."""

    def largest(self, length: int) -> int:
        """Of the sizes that are tried, the largest of a batch of items of this length; one too long runs alone."""
        allowed = (size for size in BATCH_SIZES if size <= self.size)
        return max(size for size in allowed if size == 1 or self.tokens is None or size * length <= self.tokens)


def batch_groups(task: Task[Any, Any], inputs: Sequence[Item]) -> list[Group]:
    """One of random images; or of texts, five at most, each of copies of one, from the short ones to the long.

    Copies share a batch without padding, of which the server allows next to none. Images are those of the commonest
    shape, since only alike ones share a batch.
    """
    needs = [(task.length(prepared), task.shape(prepared)) for prepared in map(task.prepare, inputs)]
    lengths = [length for length, _ in needs]
    if not any(lengths):
        draw = random.Random(0)
        ((shape, _),) = Counter(shape for _, shape in needs).most_common(1)
        alike = [item for item, (_, other) in zip(inputs, needs, strict=True) if other == shape]
        # Prepared again each time: all of them at once, as decoded photographs, may not fit into memory.
        return [Group(0, lambda size: task.collate([task.prepare(draw.choice(alike)) for _ in range(size)]))]
    by_length = sorted(zip(lengths, inputs, strict=True))
    chosen = dict(by_length[int(share * len(by_length))] for share in _SHARES)
    return [Group(length, partial(_copies, task, task.prepare(item))) for length, item in chosen.items()]


def _copies(task: Task[Any, Any], prepared: Any, count: int) -> Arrays:
    return task.collate([prepared] * count)


def measure_batches(engine: Engine, groups: Sequence[Group], progress: Progress) -> list[BatchTimes]:
    """Times every size on every group, all of them once a round, so that drift cancels."""
    seconds: list[dict[int, list[float]]] = [{size: [] for size in BATCH_SIZES} for _ in groups]
    started = time.perf_counter()
    _measure_round(engine, groups, seconds)
    further = affordable(_ROUNDS, time.perf_counter() - started, least=_LEAST_ROUNDS) - 1
    for _ in tracked(range(further), "measure batches", progress):
        _measure_round(engine, groups, seconds)
    return [
        BatchTimes(group.length, {size: float(np.median(each)) * 1e3 for size, each in times.items()})
        for group, times in zip(groups, seconds, strict=True)
    ]


def _measure_round(engine: Engine, groups: Sequence[Group], seconds: Sequence[dict[int, list[float]]]) -> None:
    """Adds what an item takes in a batch of each size."""
    for group, times in zip(groups, seconds, strict=True):
        for size in BATCH_SIZES:
            batches = [group.batch(size) for _ in range(max(1, _ITEMS // size))]
            times[size].append(sum(timed(engine, batch) for batch in batches) / (size * len(batches)))


def best_limits(measured: Sequence[BatchTimes]) -> BatchLimits:
    """The limits by which the groups, an item each, take the least time; larger ones preferred.

    Larger limits cost an idle server nothing, for it waits for no batch to fill; a busy one wakes up less often.
    """
    tokens: Sequence[int | None] = [None]
    if any(times.length for times in measured):
        tokens = sorted({times.length * size for times in measured for size in BATCH_SIZES})
    costs = {BatchLimits(1, None): _cost(measured, BatchLimits(1, None))}
    for limits in (BatchLimits(size, most) for size in BATCH_SIZES for most in tokens):
        if any(limits.largest(times.length) > 1 for times in measured):
            costs[limits] = _cost(measured, limits)
    most_allowed = min(costs.values()) * (1 + _NEGLIGIBLE)
    return max(
        (limits for limits, cost in costs.items() if cost <= most_allowed),
        key=lambda limits: (limits.size, limits.tokens or 0),
    )


def _cost(measured: Sequence[BatchTimes], limits: BatchLimits) -> float:
    return sum(times.milliseconds_per_item[limits.largest(times.length)] for times in measured)
