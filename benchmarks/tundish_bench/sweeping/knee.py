"""Where a curve of throughput against latency bends."""

from __future__ import annotations

from collections.abc import Sequence

from tundish_bench.reports import Row


def knee(rows: Sequence[Row]) -> Row | None:
    """The row of a closed loop with the most throughput for its latency; None if there is no such row.

    That is Kleinrock's power (1979), throughput divided by mean latency: one more caller adds in proportion more to the
    waiting than to the throughput.
    """
    curve = [row for row in rows if "callers" in row.settings and row.figure("mean") is not None]
    return max(curve, key=_power, default=None)


def _power(row: Row) -> float:
    throughput, mean = row.figure("throughput"), row.figure("mean")
    assert throughput is not None
    assert mean is not None
    return throughput.value / mean.value
