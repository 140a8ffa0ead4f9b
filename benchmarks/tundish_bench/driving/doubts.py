"""What must be known to believe a load's figures: whether the server was saturated, and what else they may tell of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tundish.placement.machine import usable_cores
from tundish_bench.driving.figures import Seen, felt
from tundish_bench.driving.load import Closed, Load, Open
from tundish_bench.driving.loops import PAUSE_AFTER_ERROR
from tundish_bench.driving.records import Records

_UNTAKEN = "CANCELLED: CANCELLED"
"""By gRPC's core, beyond the limits `grpc.server.max_pending_requests` and `…_hard_limit`."""
_KEPT_UP = 0.98
"""A server that answers less of what is offered does not keep up, if what waits has grown by as much as is missing."""
_BUSY_THREAD = 0.85
"""Of its time; all requests go through the generator's one thread."""
_LATE_SHARE = 0.05
"""Of the median latency; later than that, requests tell of the generator."""
_LATE_SECONDS = 5e-4
_BUSY_MACHINE, _NOTABLE_SHARE = 0.95, 0.1
"""Of the cores: all but idle ones, and what the generator takes from a server that could use them."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been used up to a moment."""

    at: float
    cpu_seconds: float
    """By the generator's process."""
    loop_seconds: float
    """By its one thread that all requests go through."""
    machine_seconds: float
    """By all cores of this machine."""


def doubts(load: Load, seen: Seen, all_records: Records, spent: Sequence[Spent]) -> Iterator[str]:
    """Sentences for the reader, the gravest first."""
    begin, end = seen.repeats[0].begin, seen.repeats[-1].end
    saturated = False
    if isinstance(load, Open):
        offered = len(all_records.between(begin, end, of=all_records.due))
        answered = sum(int(records.answered.sum()) for records in seen.ended)
        grown = _under_way(all_records, end) - _under_way(all_records, begin)
        saturated = answered < _KEPT_UP * offered and grown > (1 - _KEPT_UP) * offered
        if saturated:
            yield (
                f"The server is saturated: {offered / (end - begin):.4g}/s were offered, it answered "
                f"{answered / (end - begin):.4g}/s, and {grown} more waited at the end than at the beginning; the "
                "latencies would grow as long as this went on."
            )
    if errors := all_records.errors.total():
        yield (
            f"{errors} of {len(all_records)} requests failed, warm-up and end included; most often: "
            f"{all_records.commonest_error}."
        )
        if isinstance(load, Closed):
            yield (
                f"A caller pauses for {1e3 * PAUSE_AFTER_ERROR:g} ms after a failure, so that the throughput is less "
                "than the server could give."
            )
        if all_records.commonest_error == _UNTAKEN:
            yield (
                "A gRPC server says CANCELLED, in no more words, of requests that came while it had a thousand or more "
                "that its program had not taken up yet."
            )
    yield from _of_the_generator(load, seen, spent, saturated=saturated)


def _of_the_generator(load: Load, seen: Seen, spent: Sequence[Spent], *, saturated: bool) -> Iterator[str]:
    first, last = spent[0], spent[-1]
    wall = last.at - first.at
    busy = (last.loop_seconds - first.loop_seconds) / wall
    if busy > _BUSY_THREAD:
        yield f"The load generator is itself the bottleneck: its thread was busy {busy:.0%} of the time."
    if isinstance(load, Open) and not saturated:
        late = np.concatenate([records.sent - records.due for records in seen.due])
        median = float(np.median(np.concatenate([felt(records) for records in seen.due])))
        p99 = float(np.percentile(late, 99))
        if p99 > max(_LATE_SECONDS, _LATE_SHARE * median):
            yield (
                f"The load generator was late: 1 % of the requests were sent over {1e3 * p99:.2g} ms after they were "
                f"due, beside a median latency of {1e3 * median:.3g} ms that has this in it."
            )
    cores = usable_cores()
    share = (last.cpu_seconds - first.cpu_seconds) / wall / cores
    machine = (last.machine_seconds - first.machine_seconds) / wall / cores
    if machine > _BUSY_MACHINE and share > _NOTABLE_SHARE:
        yield (
            f"The load generator takes {share:.0%} of this machine's cores, which are all busy; a server that runs "
            "here would be faster without that."
        )


def _under_way(records: Records, moment: float) -> int:
    """How many were due before a moment and ended after it."""
    return int(np.count_nonzero((records.due <= moment) & (records.ended > moment)))
