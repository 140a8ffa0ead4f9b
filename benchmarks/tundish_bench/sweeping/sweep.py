"""Measures a sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tundish_bench.driving.contents import Wanted
from tundish_bench.driving.load import Closed, Open
from tundish_bench.driving.measuring import OnProgress, Plan
from tundish_bench.driving.serving import Target
from tundish_bench.driving.session import Session, open_session
from tundish_bench.reports import Report, Row
from tundish_bench.sweeping.knee import knee
from tundish_bench.sweeping.limits import highest_rate

_ENOUGH_REQUESTS = 110
"""In all repeats together, so that they say a 99th percentile."""
_LONGEST_SECONDS = 60.0
"""Of a repeat."""


OnLoad = Callable[[str], OnProgress]
"""Is told the name of a load that begins, and gives what is told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What is gone through: every combination."""

    callers: Sequence[int]
    batches: Sequence[int]
    instances: Sequence[int | None]
    """None: as the server places the model by itself, or as it runs."""
    slo_milliseconds: float | None


def measure_sweep(
    target: Target,
    model: str,
    wanted: Wanted,
    sweep: Sweep,
    plan: Plan,
    *,
    timeout_seconds: float,
    pid: int | None,
    method: str,
    on_load: OnLoad,
) -> Report:
    """The report of a sweep.

    Raises:
        BenchmarkError: the server cannot be asked, or answers nothing.
    """
    rows: list[Row] = []
    notes: list[str] = []
    highest: list[str] = []
    server = ""
    for instances in sweep.instances:
        with target.served(instances) as endpoint:
            for batch in sweep.batches:
                settings: dict[str, str | int | float] = {}
                if len(sweep.batches) > 1:
                    settings["batch"] = batch
                if instances is not None and len(sweep.instances) > 1:
                    settings["instances"] = instances
                session = open_session(
                    endpoint,
                    model,
                    replace(wanted, batch=batch),
                    timeout_seconds=timeout_seconds,
                    pid=pid,
                    settings=settings,
                )
                server = session.server
                curve = [_told(session, Closed(callers), plan, on_load) for callers in sweep.callers]
                rows.extend(curve)
                if sweep.slo_milliseconds is not None:
                    found, best, note = _within(session, curve, plan, sweep.slo_milliseconds, on_load)
                    rows.extend(found)
                    highest.extend([best.name] if best else [])
                    notes.append(note)
    bend = knee(rows)
    if bend is not None:
        [throughput], [mean] = _values([bend], "throughput"), _values([bend], "mean")
        beyond = " or beyond, as no more were tried" if bend.settings["callers"] == max(sweep.callers) else ""
        notes.insert(0, f"The knee is at {bend.name}{beyond}: {throughput:.4g}/s in {mean:.3g} ms on average.")
    return Report(
        kind="sweep",
        title=f"{model} by {server}",
        method=method,
        rows=tuple(rows),
        notes=tuple(notes),
        knee=bend.name if bend else None,
        slo_milliseconds=sweep.slo_milliseconds,
        highest=tuple(highest),
    )


def _told(session: Session, load: Closed | Open, plan: Plan, on_load: OnLoad) -> Row:
    return session.measure(load, plan, on_load(load.name))


def _within(
    session: Session, curve: Sequence[Row], plan: Plan, slo_milliseconds: float, on_load: OnLoad
) -> tuple[list[Row], Row | None, str]:
    """The rows of the search for the highest rate, that of this rate if there is one, and what it found."""

    def measure(rate: float) -> Row:
        seconds = min(_LONGEST_SECONDS, max(plan.seconds, _ENOUGH_REQUESTS / rate / plan.repeats))
        return _told(session, Open(rate), replace(plan, seconds=seconds), on_load)

    others = "".join(f", {name} {value}" for name, value in session.settings.items())
    none = f"No rate keeps p99 under {slo_milliseconds:g} ms{others}."
    if min(_values(curve, "p50")) > slo_milliseconds:
        return [], None, none  # half of the answers take longer where nobody waits
    best, rows = highest_rate(measure, max(_values(curve, "throughput")), slo_milliseconds)
    if best is None:
        return rows, None, none
    return (
        rows,
        best,
        f"The highest rate that keeps p99 under {slo_milliseconds:g} ms{others}: {best.settings['rate']:g}/s.",
    )


def _values(rows: Sequence[Row], name: str) -> list[float]:
    return [figure.value for row in rows if (figure := row.figure(name))]
