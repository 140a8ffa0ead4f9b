"""What the records of a load's repeats say: its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tundish_bench.driving.histogram import Latencies
from tundish_bench.driving.records import Records, Times
from tundish_bench.reports import Figure

_PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9)
_BEYOND = 10
"""How many latencies must lie beyond a percentile for a repeat of its own to say it."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """One of them: from when to when, of the machine's monotonic clock."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Seen:
    """The records of some repeats, taken apart."""

    repeats: Sequence[Repeat]
    ended: Sequence[Records]
    """By repeat, those that ended in it: what the server did."""
    due: Sequence[Records]
    """By repeat, those that were due in it: what callers felt. They may have ended after it."""


def seen_in(repeats: Sequence[Repeat], records: Records) -> Seen:
    """Takes the records apart."""
    return Seen(
        repeats,
        [records.between(each.begin, each.end, of=records.ended) for each in repeats],
        [records.between(each.begin, each.end, of=records.due) for each in repeats],
    )


def load_figures(seen: Seen, batch: int) -> Iterator[Figure]:
    """Throughput, latencies and errors; a percentile that too few latencies can say is left out."""
    rates = [
        int(records.answered.sum()) / repeat.seconds for repeat, records in zip(seen.repeats, seen.ended, strict=True)
    ]
    yield Figure(name="throughput", unit="/s", better="more", repeats=tuple(rates))
    if batch > 1:
        yield Figure(name="items", unit="/s", better="more", repeats=tuple(batch * rate for rate in rates))
    histograms = [Latencies(felt(records)) for records in seen.due]
    if all(histograms):
        means = tuple(each.mean_milliseconds for each in histograms)
        yield Figure(name="mean", unit="ms", better="less", repeats=means)
        pooled = pooled_latencies(seen)
        for percent in _PERCENTS:
            yield from _percentile(percent, histograms, pooled)
    yield Figure(name="errors", unit="%", better="less", repeats=tuple(map(_errors, seen.due)))


def felt(records: Records) -> Times:
    """The latencies of those that were answered, and of those that would not have been answered any sooner."""
    return records.latencies[records.answered | records.was_given_up]


def pooled_latencies(seen: Seen) -> Latencies:
    """Of all repeats together."""
    return Latencies(np.concatenate([felt(records) for records in seen.due]))


def _percentile(percent: float, histograms: Sequence[Latencies], pooled: Latencies) -> Iterator[Figure]:
    """Of each repeat, if each has enough beyond it; else of all together; of too few, nothing."""
    beyond = 1 - percent / 100
    if min(map(len, histograms)) * beyond >= _BEYOND or percent == _PERCENTS[0]:
        values = tuple(each.percentile(percent) for each in histograms)
    elif len(pooled) * beyond >= 1:
        values = (pooled.percentile(percent),)
    else:
        return
    yield Figure(name=f"p{percent:g}", unit="ms", better="less", repeats=values)


def _errors(records: Records) -> float:
    return 100.0 * float(np.mean(~records.answered)) if len(records) else 0.0
