"""Reports as the benchmarks make them, of figures that are drawn around known ones, always the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from tundish.placement.machine import Machine
from tundish_bench.reports import Better, Figure, Report, Row

MACHINE = Machine(
    processor="Some Processor 9000",
    instructions=("avx2", "fma"),
    cores=8,
    packages={"tundish": "0.1.0", "onnxruntime": "1.23"},
)
CREATED = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)

UNITS: dict[str, tuple[str, Better | None]] = {
    "throughput": ("/s", "more"),
    "mean": ("ms", "less"),
    "p50": ("ms", "less"),
    "p90": ("ms", "less"),
    "p95": ("ms", "less"),
    "p99": ("ms", "less"),
    "p99.9": ("ms", "less"),
    "errors": ("%", "less"),
    "server CPU": ("ms", "less"),
    "server memory": ("MB", "less"),
    "client CPU": ("ms", None),
    "GPU use": ("%", None),
    "GPU memory": ("MB", "less"),
    "energy": ("J", "less"),
}
"""Of the figures of a load, with their directions."""


def figure(name: str, value: float, *, noise: float = 0.02, repeats: int = 5, seed: int = 0) -> Figure:
    """Of a load, with repeats around the value."""
    unit, better = UNITS[name]
    draw = np.random.default_rng([seed, sum(name.encode())])
    values = value * np.exp(draw.normal(0, noise, repeats)) if value else np.zeros(repeats)
    return Figure(name=name, unit=unit, better=better, repeats=tuple(map(float, values)))


def ratio(name: str, value: float, *, noise: float = 0.02, seed: int = 0) -> Figure:
    values = value * np.exp(np.random.default_rng(seed).normal(0, noise, 8))
    return Figure(name=name, unit="x", better="more", repeats=tuple(map(float, values)))


def encoded(latencies: NDArray[np.float64]) -> str:
    """A histogram of milliseconds, as a row has it."""
    histogram = HdrHistogram(1, 3_600_000_000, 3)
    for latency in latencies:
        histogram.record_value(int(1e3 * latency))
    return bytes(histogram.encode()).decode()


def load_row(callers: int, capacity: float, *, batch: int = 1, seed: int = 0, gpu: bool = False, count: int = 0) -> Row:
    """Of a server that answers `capacity` a second at most, alone in 4 ms; as a closed queue behaves."""
    throughput = capacity * callers / (callers + capacity * 0.004)
    median = 1e3 * callers / throughput
    values = {
        "throughput": throughput, "mean": 1.1 * median, "p50": median, "p90": 1.4 * median, "p95": 1.7 * median,
        "p99": 2.2 * median, "p99.9": 3.5 * median, "errors": 0.0, "server CPU": 3.1, "server memory": 412.0,
        "client CPU": 0.21,
    }  # fmt: skip
    if gpu:
        values |= {"GPU use": 73.0, "GPU memory": 1890.0, "energy": 0.412}
    name = f"{callers} callers, batch {batch}"
    histogram = None
    if count:
        draw = np.random.default_rng([seed, callers])
        histogram = encoded(median * np.exp(draw.normal(0, 0.35, count)))
    return Row(
        name=name,
        settings={"callers": callers, "batch": batch},
        figures=tuple(figure(each, value, seed=seed + callers) for each, value in values.items()),
        histogram=histogram,
    )


def report(kind: str, rows: Sequence[Row], **others: object) -> Report:
    values: Mapping[str, object] = {
        "kind": kind,
        "title": f"photo-labels: {kind}",
        "method": "Closed loop over gRPC, 5 repeats of 10 s after a warm-up of 2 s, one server on 8 cores.",
        "machine": MACHINE,
        "created": CREATED,
        "version": "0.1.0",
        "rows": tuple(rows),
        **others,
    }
    return Report.model_validate(values)


def sweep_report() -> Report:
    """Of callers and batches, with a knee and a bound on latency."""
    rows = [
        load_row(callers, capacity, batch=batch)
        for batch, capacity in ((1, 260.0), (8, 410.0))
        for callers in (1, 2, 4, 8, 16, 32, 64)
    ]
    return report("sweep", rows, knee="8 callers, batch 8", slo_milliseconds=60.0)


def load_report(*, gpu: bool = False) -> Report:
    """Of four loads, with their histograms."""
    rows = [load_row(callers, 260.0, gpu=gpu, count=20_000) for callers in (1, 4, 16, 64)]
    rows[-1] = rows[-1].model_copy(
        update={"notes": ("The server is saturated: it answers no more than with 16 callers.",)}
    )
    return report("load", rows, notes=("Other work took up to 0.4 cores; measure on an idle machine.",))


def engines_report() -> Report:
    """Variants beside the float one, in process."""
    speeds = {
        "onnx-fp32-cpu": 1.0,
        "onnx-int8-cpu": 1.94,
        "openvino-fp32-cpu": 1.12,
        "openvino-int8-cpu": 2.61,
        "floor": 2.9,
    }
    rows = [
        Row(
            name=name,
            figures=(
                Figure(
                    name="time",
                    unit="ms",
                    better="less",
                    repeats=tuple(6.5 / speed * each for each in (1, 1.01, 0.99, 1.02)),
                ),
                ratio("speed-up", speed, seed=number),
            ),
        )
        for number, (name, speed) in enumerate(speeds.items())
    ]
    return report("engines", rows)


def peers_report() -> Report:
    """Servers at four numbers of callers each."""
    capacities = {"tundish": 420.0, "tritonserver": 310.0, "mosec": 250.0, "LitServe": 140.0}
    rows = [
        load_row(callers, capacity).model_copy(
            update={"name": f"{peer}, {callers} callers", "settings": {"server": peer, "callers": callers}}
        )
        for peer, capacity in capacities.items()
        for callers in (1, 4, 16, 64)
    ]
    return report("peers", rows)


def history_reports(count: int = 8) -> list[Report]:
    """Of engines, a day apart; the fifth is on another machine, the last is slower."""
    reports = []
    for number in range(count):
        slower = 1.2 if number == count - 1 else 1.0
        names = ("onnx-fp32-cpu", "onnx-int8-cpu")
        rows = [
            Row(
                name=name,
                figures=(
                    Figure(
                        name="time", unit="ms", better="less", repeats=_around(9.0 / speed * slower, [number, speed])
                    ),
                    ratio("speed-up", float(speed), seed=10 * number + speed),
                ),
            )
            for speed, name in enumerate(names, start=1)
        ]
        machine = MACHINE if number < count // 2 else MACHINE.model_copy(update={"cores": 16})
        reports.append(report("engines", rows, created=CREATED + timedelta(days=number), machine=machine))
    return reports


def _around(value: float, seed: list[int]) -> tuple[float, ...]:
    return tuple(map(float, value * np.exp(np.random.default_rng(seed).normal(0, 0.02, 6))))
