"""What measuring a placement gives, and which of several placements is the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tundish.placement.placement import Placement

NOISE = 0.03
"""Throughputs that differ by less are the same."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of a placement, every instance busy."""

    seconds: float
    """From the first of these answers to the last."""
    cpu_seconds: float
    """Of the whole process meanwhile."""
    latencies: Sequence[float]
    """Of each item, in seconds from its submission to its answer."""
    mean_items: float
    """The answers as so many items of mean length: a short run has more short ones, or more long ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a placement does, over all its measurements."""

    items_per_second: float
    p50_milliseconds: float
    p99_milliseconds: float
    cpu_milliseconds_per_item: float
    measured_seconds: float

    @classmethod
    def of(cls, measurements: Sequence[Measurement]) -> Figures:
        """Of one or more measurements, none of them without an item."""
        latencies = np.concatenate([run.latencies for run in measurements])
        seconds = sum(run.seconds for run in measurements)
        items = sum(run.mean_items for run in measurements)
        p50, p99 = np.percentile(latencies, (50, 99)) * 1e3
        return cls(
            items_per_second=items / seconds,
            p50_milliseconds=float(p50),
            p99_milliseconds=float(p99),
            cpu_milliseconds_per_item=1e3 * sum(run.cpu_seconds for run in measurements) / items,
            measured_seconds=seconds,
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """A placement and what it does."""

    placement: Placement
    figures: Figures


def ranked(measured: Sequence[Measured], slo_milliseconds: float | None) -> list[Measured]:
    """Best first: by throughput; those whose p99 is over the objective come last, by how far."""

    def key(candidate: Measured) -> tuple[bool, float]:
        figures = candidate.figures
        late = slo_milliseconds is not None and figures.p99_milliseconds > slo_milliseconds
        return late, figures.p99_milliseconds if late else -figures.items_per_second

    return sorted(measured, key=key)


def best(measured: Sequence[Measured], slo_milliseconds: float | None) -> Measured:
    """The highest throughput within the objective, or the lowest p99 if none is; of equals, the lower p99.

    Throughputs are equal within `NOISE`.
    """
    first = ranked(measured, slo_milliseconds)[0]
    if slo_milliseconds is not None and first.figures.p99_milliseconds > slo_milliseconds:
        return first
    enough = (1 - NOISE) * first.figures.items_per_second
    equals = [candidate for candidate in measured if candidate.figures.items_per_second >= enough]
    return min(equals, key=lambda candidate: candidate.figures.p99_milliseconds)


def pareto_front(measured: Sequence[Measured]) -> list[Measured]:
    """Those that no other beats in throughput without a higher p99; the lowest p99 first."""
    front: list[Measured] = []
    for candidate in sorted(measured, key=lambda one: (one.figures.p99_milliseconds, -one.figures.items_per_second)):
        if not front or candidate.figures.items_per_second > front[-1].figures.items_per_second:
            front.append(candidate)
    return front
