"""What was measured as rows of a report: each point's figures, and a peer's ratios to tundish, round by round."""

from __future__ import annotations

from collections.abc import Sequence

from tundish_bench.peers.measuring import Points, Target, callers_in_words
from tundish_bench.peers.workloads import Workload
from tundish_bench.reports import Figure, Row
from tundish_bench.rounds import cpu, speed
from tundish_bench.rounds_report import CLIENT_CPU, P50, P99, THROUGHPUT, Quantity, figures_in

THROUGHPUT_RATIO, CPU_RATIO = "throughput ratio", "CPU ratio"
"""Of a peer to tundish, asked by the same transport: gRPC or HTTP."""

_QUANTITIES: tuple[Quantity, ...] = (
    THROUGHPUT,
    P50,
    P99,
    ("server CPU", "ms", "less", lambda sample: sample.cpu_milliseconds),
    ("server memory", "MB", "less", lambda sample: sample.memory_megabytes),
    CLIENT_CPU,
)


def rows_of(workload: Workload, targets: Sequence[Target], points: Points) -> list[Row]:
    """A row for each target under each number of callers."""
    return [_row(workload, target, targets, points, count) for target, count in _order(targets, points)]


def _order(targets: Sequence[Target], points: Points) -> list[tuple[Target, int]]:
    by_name = {target.name: target for target in targets}
    return sorted(((by_name[name], count) for name, count in points), key=lambda pair: pair[1])


def _row(workload: Workload, target: Target, targets: Sequence[Target], points: Points, count: int) -> Row:
    measured = points[target.name, count]
    figures = list(figures_in(measured, _QUANTITIES))
    ours = _rival(target, targets)
    if ours is not None:
        pairs = list(zip(measured, points[ours.name, count], strict=True))
        throughputs = tuple(speed(theirs) / speed(own) for theirs, own in pairs)
        figures.append(Figure(name=THROUGHPUT_RATIO, unit="x", better="more", repeats=throughputs))
        if all(cpu(own) > 0 for _, own in pairs):
            cpus = tuple(cpu(theirs) / cpu(own) for theirs, own in pairs)
            figures.append(Figure(name=CPU_RATIO, unit="x", better="less", repeats=cpus))
    return Row(
        name=f"{workload.title}: {target.name}, {callers_in_words(count)}",
        settings={"workload": workload.title, "server": target.name, "callers": count},
        figures=tuple(figures),
    )


def _rival(target: Target, targets: Sequence[Target]) -> Target | None:
    """What a peer is compared with: tundish by the same transport."""
    if target.is_ours:
        return None
    return next(other for other in targets if other.is_ours and other.by_http == target.by_http)
