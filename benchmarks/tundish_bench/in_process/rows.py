"""A variant's row of the report, made of what was measured in the rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from hdrh.histogram import HdrHistogram

from tundish.manifest import Variant
from tundish_bench.in_process.loading import Loading
from tundish_bench.in_process.timing import Round
from tundish_bench.reports import Better, Figure, Row

_LONGEST_MICROSECONDS = 3_600_000_000
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a variant apart from its speed."""

    agreement: float
    loadings: Sequence[Loading]


def whole(name: str) -> str:
    """The name under which a variant's floor is measured."""
    return f"{name}, with all that comes before it"


def row_of(
    variant: Variant,
    rounds: Sequence[Mapping[str, Round]],
    facts: Facts,
    *,
    baseline: str,
    batch_size: int,
    threads: int,
) -> Row:
    """Of a variant with batches of one size; the floor's figures only if that was measured."""
    engine, reference = [each[variant.name] for each in rounds], [each[baseline] for each in rounds]
    figures = [
        _figure("throughput", "/s", "more", lambda one: batch_size * len(one.seconds) / one.seconds.sum(), engine),
        _figure("p50", "ms", "less", lambda one: 1e3 * np.percentile(one.seconds, 50), engine),
        _figure("p99", "ms", "less", lambda one: 1e3 * np.percentile(one.seconds, 99), engine),
        _figure("CPU", "ms", "less", lambda one: _cpu_milliseconds(one, batch_size), engine),
        Figure(
            name="speed-up",
            unit="x",
            better="more",
            repeats=_of_pairs(lambda theirs, ours: theirs.seconds.sum() / ours.seconds.sum(), reference, engine),
        ),
    ]
    if whole(variant.name) in rounds[0]:
        floor = [each[whole(variant.name)] for each in rounds]
        figures += [
            _figure("floor", "ms", "less", lambda one: 1e3 * one.seconds.mean() / batch_size, floor),
            _figure("floor CPU", "ms", "less", lambda one: _cpu_milliseconds(one, batch_size), floor),
            Figure(
                name="not engine",
                unit="%",
                repeats=_of_pairs(lambda alone, all_: 100 * (1 - alone.cpu_seconds / all_.cpu_seconds), engine, floor),
            ),
        ]
    figures += [
        Figure(name="agreement", unit="%", better="more", repeats=(100 * facts.agreement,)),
        Figure(name="load", unit="ms", better="less", repeats=tuple(1e3 * each.seconds for each in facts.loadings)),
        Figure(name="load memory", unit="MB", better="less", repeats=tuple(each.megabytes for each in facts.loadings)),
    ]
    return Row(
        name=f"{variant.name}, batch {batch_size}",
        settings={
            "variant": variant.name,
            "engine": variant.engine,
            "precision": variant.precision,
            "batch": batch_size,
            "threads": threads,
        },
        figures=tuple(figures),
        histogram=_histogram(engine),
    )


def _cpu_milliseconds(one: Round, batch_size: int) -> float:
    return 1e3 * one.cpu_seconds / (batch_size * len(one.seconds))


def _figure(name: str, unit: str, better: Better, of: Callable[[Round], float], rounds: Sequence[Round]) -> Figure:
    return Figure(name=name, unit=unit, better=better, repeats=tuple(float(of(each)) for each in rounds))


def _of_pairs(
    of: Callable[[Round, Round], float], first: Sequence[Round], second: Sequence[Round]
) -> tuple[float, ...]:
    """Of the same calls in the same round."""
    return tuple(float(of(one, other)) for one, other in zip(first, second, strict=True))


def _histogram(rounds: Sequence[Round]) -> str:
    histogram = HdrHistogram(1, _LONGEST_MICROSECONDS, _DIGITS)
    for one in rounds:
        for microseconds in np.maximum(1, np.rint(1e6 * one.seconds)).astype(int):
            histogram.record_value(int(microseconds))
    return str(histogram.encode().decode())
