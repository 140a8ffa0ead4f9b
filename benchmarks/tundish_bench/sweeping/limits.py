"""The highest rate at which a server keeps a limit of latency, found by halving."""

from __future__ import annotations

from collections.abc import Callable

from tundish_bench.reports import Row

_CLOSE = 0.03
"""How near the rates that are kept and not kept must come, as a share."""
_MOST_STEPS = 8
_KEPT_UP = 0.95
"""Of the rate: some that are due in a repeat are answered after it."""


def highest_rate(measure: Callable[[float], Row], most: float, slo_milliseconds: float) -> tuple[Row | None, list[Row]]:
    """The row of the highest rate that keeps it, None if none does, and all rows that were measured for it.

    Args:
        measure: Measures an open loop of so many requests a second.
        most: What the server answers a second when it is asked without a pause; higher rates cannot be kept.
        slo_milliseconds: What p99 must stay under.
    """
    kept, not_kept = 0.0, most * (1 + _CLOSE)
    best: Row | None = None
    rows: list[Row] = []
    for _ in range(_MOST_STEPS):
        rate = round((kept + not_kept) / 2, 3 if not_kept < 1 else 1)
        row = measure(rate)
        rows.append(row)
        if keeps(row, rate, slo_milliseconds):
            kept, best = rate, row
        else:
            not_kept = rate
        if not_kept - kept <= _CLOSE * not_kept:
            break
    return best, rows


def keeps(row: Row, rate: float, slo_milliseconds: float) -> bool:
    """Whether 99 % of the answers came within the limit, all came, and as many as were asked for."""
    p99, errors, throughput = row.figure("p99"), row.figure("errors"), row.figure("throughput")
    return (
        p99 is not None
        and errors is not None
        and throughput is not None
        and p99.value <= slo_milliseconds
        and errors.value == 0
        and throughput.value >= _KEPT_UP * rate
    )
