"""What was measured as rows of a report: each point's figures, and a peer's ratios to tundish, round by round."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tundish_bench.peers.measuring import Point, Points, Target, callers_in_words
from tundish_bench.peers.workloads import Workload
from tundish_bench.reports import Better, Figure, Row

THROUGHPUT_RATIO, CPU_RATIO = "throughput ratio", "CPU ratio"
"""Of a peer to tundish, asked by the same transport: gRPC or HTTP."""

_FIGURES: tuple[tuple[str, str, Better | None, Callable[[Point], float]], ...] = (
    ("throughput", "/s", "more", lambda point: point.throughput),
    ("p50", "ms", "less", lambda point: point.p50),
    ("p99", "ms", "less", lambda point: point.p99),
    ("server CPU", "ms", "less", lambda point: point.server_cpu),
    ("server memory", "MB", "less", lambda point: point.memory),
    ("client CPU", "ms", None, lambda point: point.client_cpu),
)


def rows_of(workload: Workload, targets: Sequence[Target], points: Points) -> list[Row]:
    """A row for each target under each number of callers."""
    return [_row(workload, target, targets, points, count) for target, count in _order(targets, points)]


def _order(targets: Sequence[Target], points: Points) -> list[tuple[Target, int]]:
    by_name = {target.name: target for target in targets}
    return sorted(((by_name[name], count) for name, count in points), key=lambda pair: pair[1])


def _row(workload: Workload, target: Target, targets: Sequence[Target], points: Points, count: int) -> Row:
    measured = points[target.name, count]
    figures = [
        Figure(name=name, unit=unit, better=better, repeats=tuple(map(value, measured)))
        for name, unit, better, value in _FIGURES
    ]
    ours = _rival(target, targets)
    if ours is not None:
        pairs = list(zip(measured, points[ours.name, count], strict=True))
        throughputs = tuple(theirs.throughput / own.throughput for theirs, own in pairs)
        figures.append(Figure(name=THROUGHPUT_RATIO, unit="x", better="more", repeats=throughputs))
        if all(own.server_cpu > 0 for _, own in pairs):
            cpus = tuple(theirs.server_cpu / own.server_cpu for theirs, own in pairs)
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
