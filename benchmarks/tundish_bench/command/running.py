"""Runs `tundish bench`: reads its options, measures, shows and writes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import urlsplit

import typer
from rich.console import Console

from tundish.datatypes import NUMPY_DTYPES
from tundish_bench.command.access import read_authorities, read_headers
from tundish_bench.command.bar import LoadBar, load_bar
from tundish_bench.driving.contents import Wanted
from tundish_bench.driving.endpoint import WireName
from tundish_bench.driving.load import Closed, Load, Open
from tundish_bench.driving.measuring import Plan
from tundish_bench.driving.serving import Target
from tundish_bench.driving.session import open_session
from tundish_bench.errors import BenchmarkError
from tundish_bench.in_process.measuring import measure_engines
from tundish_bench.in_process.options import EngineOptions
from tundish_bench.reports import Report, Row
from tundish_bench.reports.compare import TOLERANCE, Comparison, compare
from tundish_bench.reports.comparison_table import show_comparison
from tundish_bench.reports.model import read_report
from tundish_bench.reports.table import show_report
from tundish_bench.reports.writing import as_json, check_report_file, write_report
from tundish_bench.sweeping.sweep import Sweep, measure_sweep
from tundish_exporters.cli import progress_bars

_CALLERS = (1, 16)
_SWEPT_CALLERS = (1, 2, 4, 8, 16, 32, 64)
_MOST_CALLERS = 4096
_MOST_RATE = 100_000
"""Requests a second, which is beyond what one process sends; the moments of a repeat are drawn at once."""

ValueT = TypeVar("ValueT", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """As the user gave them."""

    target: str
    model: str
    callers: str
    rate: str
    even: bool
    batch: str
    instances: str
    wire: str
    ca: Path | None
    headers: tuple[str, ...] = field(repr=False)
    inputs: Path | None
    shapes: tuple[str, ...]
    repeats: int
    seconds: float
    warm_up_seconds: float
    timeout_seconds: float
    pid: int | None
    sweep: bool
    slo_milliseconds: float | None
    engines: bool
    threads: int | None
    compare: bool
    tolerance_percent: float | None
    reports: tuple[Path, ...]
    as_json: bool

    @property
    def plan(self) -> Plan:
        """How long to measure."""
        return Plan(repeats=self.repeats, seconds=self.seconds, most_warm_up_seconds=self.warm_up_seconds)

    @property
    def wanted(self) -> Wanted:
        """What to ask."""
        shapes, datatypes = _shapes(self.shapes)
        batch = _numbers("--batch", self.batch, int)[0]
        return Wanted(batch=batch, inputs=self.inputs, shapes=shapes, datatypes=datatypes)


def run(options: Options) -> None:
    """Does what the options say.

    Raises:
        typer.BadParameter: options do not fit each other, or cannot be read.
        BenchmarkError: it cannot be measured.
    """
    console = Console(highlight=False)
    for path in options.reports:
        check_report_file(path)
    _check(options)
    if options.compare:
        comparison = _compared(options)
        if options.as_json:
            print(comparison.model_dump_json(indent=2))
        else:
            show_comparison(console, comparison)
        if comparison.regressions:
            raise typer.Exit(1)
        return
    with _ending_cleanly():
        report, failure = _measured(options)
    if options.as_json:
        print(as_json(report), end="")
    else:
        show_report(console, report)
    for path in options.reports:
        write_report(report, path)
        print(f"Wrote {path}.", file=sys.stderr)
    if failure is not None:
        raise failure


def _check(options: Options) -> None:
    modes = [name for name in ("sweep", "engines", "compare") if getattr(options, name)]
    if len(modes) > 1:
        raise typer.BadParameter(f"--{modes[0]} and --{modes[1]} are two things; give one of them.")
    if options.slo_milliseconds is not None and not options.sweep:
        raise typer.BadParameter("--slo-ms is looked for by --sweep; add it.")
    if options.tolerance_percent is not None and not options.compare:
        raise typer.BadParameter("--tolerance is what --compare allows; add it.")
    if options.even and not options.rate:
        raise typer.BadParameter("--even is of an open loop; give --rate.")
    if options.wire not in ("", "grpc", "http"):
        raise typer.BadParameter(f"--wire must be grpc or http, got '{options.wire}'.")
    several = [name for name in ("batch", "instances") if "," in getattr(options, name)]
    if several and not (options.sweep or (options.engines and several == ["batch"])):
        raise typer.BadParameter(f"--{several[0]} takes several with --sweep alone; give one.")
    _check_mode(options, modes[0] if modes else "")
    if not options.batch:
        raise typer.BadParameter("--batch must be a number of items, got nothing.")
    if options.rate and options.sweep:
        raise typer.BadParameter("--sweep goes through callers; leave --rate out, or give --slo-ms to find a rate.")


def _check_mode(options: Options, mode: str) -> None:
    """Refuses what was given and would not be looked at."""
    given = {
        "--callers": bool(options.callers),
        "--rate": bool(options.rate),
        "--even": options.even,
        "--instances": bool(options.instances),
        "--wire": bool(options.wire),
        "--ca": options.ca is not None,
        "--header": bool(options.headers),
        "--shape": bool(options.shapes),
        "--pid": options.pid is not None,
        "--threads": options.threads is not None,
        "--inputs": options.inputs is not None,
        "--report": bool(options.reports),
    }
    unread = {
        "compare": [*given],
        "engines": [name for name in given if name not in ("--threads", "--inputs", "--report")],
    }.get(mode, ["--threads"])
    for name in unread:
        if given[name]:
            what = f"--{mode}" if mode else "a load"
            raise typer.BadParameter(f"{name} says nothing to {what}; leave it out.")


def _compared(options: Options) -> Comparison:
    percent = options.tolerance_percent
    try:
        before, after = (read_report(Path(path)) for path in (options.target, options.model))
        return compare(before, after, tolerance=TOLERANCE if percent is None else percent / 100)
    except BenchmarkError as error:  # not by the exit code of a regression
        raise typer.BadParameter(str(error)) from None


@contextmanager
def _ending_cleanly() -> Iterator[None]:
    """A signal that ends this process ends first what it has started: a server left behind would slow what follows."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    numbers = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) != signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _measured(options: Options) -> tuple[Report, BenchmarkError | None]:
    """And what ended it early."""
    if options.engines:
        return _engines(options), None
    with load_bar() as bar:
        return (_sweep(options, bar), None) if options.sweep else _loads(options, bar)


def _loads(options: Options, bar: LoadBar) -> tuple[Report, BenchmarkError | None]:
    loads: list[Load] = [Closed(callers) for callers in _callers(options.callers)]
    loads += [Open(rate, is_poisson=not options.even) for rate in _numbers("--rate", options.rate, float)]
    for load in loads:
        if isinstance(load, Open):
            _check_rate(load, options.seconds)
    instances = _numbers("--instances", options.instances, int)
    with _target(options).served(instances[0] if instances else None) as endpoint:
        session = open_session(
            endpoint, options.model, options.wanted, timeout_seconds=options.timeout_seconds, pid=options.pid
        )
        loads = loads or [Closed(callers) for callers in _CALLERS]
        bar.expect(len(loads))
        rows: list[Row] = []
        failure = None
        for load in loads:
            try:
                rows.append(session.measure(load, options.plan, bar.begin(load.name)))
            except BenchmarkError as error:
                if not rows:
                    raise
                failure = BenchmarkError(f"It ended at {load.name}: {error}")
                break  # with minutes of figures at hand
            except KeyboardInterrupt:
                if not rows:
                    raise
                failure = BenchmarkError(f"It was interrupted at {load.name}; the loads before it are whole.")
                break
    report = Report(
        kind="load",
        title=f"{options.model} by {session.server}",
        method=_method(options),
        rows=tuple(rows),
        notes=() if failure is None else (str(failure),),
    )
    return report, failure


def _check_rate(load: Open, seconds: float) -> None:
    if load.per_second > _MOST_RATE:
        raise typer.BadParameter(f"--rate must be at most {_MOST_RATE:,}, got {load.per_second:g}.")
    if load.per_second * seconds < 1:
        raise typer.BadParameter(
            f"--rate {load.per_second:g} sends nothing in {seconds:g} s; give --seconds {1 / load.per_second:g}."
        )


def _sweep(options: Options, bar: LoadBar) -> Report:
    sweep = Sweep(
        callers=_callers(options.callers) or _SWEPT_CALLERS,
        batches=_numbers("--batch", options.batch, int),
        instances=_numbers("--instances", options.instances, int) or (None,),
        slo_milliseconds=options.slo_milliseconds,
    )
    bar.expect(len(sweep.callers) * len(sweep.batches) * len(sweep.instances))
    return measure_sweep(
        _target(options),
        options.model,
        options.wanted,
        sweep,
        options.plan,
        timeout_seconds=options.timeout_seconds,
        pid=options.pid,
        method=_method(options),
        on_load=bar.begin,
    )


def _engines(options: Options) -> Report:
    repository = _target(options).repository
    if repository is None:
        raise typer.BadParameter(f"--engines takes a repository, got '{options.target}'.")
    engines = EngineOptions(
        threads=options.threads or 1,
        batch_sizes=_numbers("--batch", options.batch, int),
        inputs=options.inputs,
        rounds=options.repeats,
        seconds=options.seconds,
    )
    with progress_bars(Console(stderr=True, highlight=False)) as progress:
        return measure_engines(repository, options.model, engines, progress)


def _target(options: Options) -> Target:
    target = Target(place=options.target, wire=cast(WireName, options.wire) if options.wire else None)
    if target.repository is None:
        return replace(target, authorities=read_authorities(options.ca), headers=read_headers(options.headers))
    if options.ca or options.headers:
        raise typer.BadParameter(f"--ca and --header are for a server's URL, and '{options.target}' is a repository.")
    return target


def _method(options: Options) -> str:
    asked = f"inputs of {options.inputs}" if options.inputs else "made-up inputs"
    wire = urlsplit(options.target).scheme if "://" in options.target else options.wire
    items = "" if options.batch == "1" else f", {options.batch} items in each request"
    return (
        f"{options.repeats} repeats of {options.seconds:g} s after warming up, by {wire or 'grpc'}, with "
        f"{asked}{items}. A closed loop has so many callers that each ask when they are answered; an open loop sends "
        "at its rate whether the server keeps up or not. Latency counts from when a request was due. Intervals are of "
        "95 %, by Student's t over the repeats."
    )


def _callers(text: str) -> tuple[int, ...]:
    values = _numbers("--callers", text, int)
    if any(value > _MOST_CALLERS for value in values):
        raise typer.BadParameter(f"--callers must be at most {_MOST_CALLERS}, got '{text}'.")
    return values


def _numbers(option: str, text: str, kind: type[ValueT]) -> tuple[ValueT, ...]:
    """The numbers of a list with commas, above zero; none of an empty text."""
    if not text:
        return ()
    try:
        values = tuple(kind(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(0 < value < float("inf") for value in values):
        what = "whole numbers" if kind is int else "numbers"
        raise typer.BadParameter(f"{option} must be {what} above 0 with commas between, got '{text}'.")
    return values


def _shapes(texts: Sequence[str]) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """The sizes of inputs, and of those that have one their datatype."""
    shapes, datatypes = {}, {}
    for text in texts:
        name, _, sizes = text.rpartition(":")
        left, _, last = name.rpartition(":")
        if left and last in (*NUMPY_DTYPES, "BYTES"):
            name, datatypes[left] = left, last
        if not name:
            raise typer.BadParameter(f"--shape must be as NAME:3,224,224 or NAME:FP32:3,224,224, got '{text}'.")
        shapes[name] = _numbers("--shape", sizes, int)
    return shapes, datatypes
