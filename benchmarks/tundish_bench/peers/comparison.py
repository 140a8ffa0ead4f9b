"""A comparison of tundish with its peers: workload by workload, everything in one interleaved run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from tundish import __version__
from tundish.placement.machine import usable_cores
from tundish_bench.demo_models import photo_repository, review_repository
from tundish_bench.driving.dialects import GRPC, HTTP
from tundish_bench.errors import BenchmarkError
from tundish_bench.peers.comparing import rows_of
from tundish_bench.peers.measuring import Points, Target, ask_each_alone, idle_percents, measure
from tundish_bench.peers.roster import Peer
from tundish_bench.peers.timetable import Timetable
from tundish_bench.peers.workloads import DemoBundles, Workload, WorkloadName, demo_bundles, make_workload
from tundish_bench.processes import HOST, ServerProcess, free_port, tundish_server
from tundish_bench.reports import Report, Row
from tundish_exporters.demo.assets import default_cache

_TUNDISH = "tundish"
_NOTABLE_CORES = 0.1
"""Other work that takes more than this makes a measurement doubtful."""
_NOTABLE_IDLE_PERCENT = 5.0
"""Of a core, taken by a server that nobody asks: the others would be measured beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to compare."""

    workloads: Sequence[WorkloadName]
    peers: Sequence[Peer]
    callers: Sequence[int]
    minutes: float

    @property
    def points(self) -> dict[str, int]:
        """How many each workload has; tundish is asked by gRPC and by HTTP."""
        return {name: (len(self.peers) + 2) * len(self.callers) for name in self.workloads}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """Of one workload."""

    rows: list[Row]
    points: Points
    idle_percents: Mapping[str, float]
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was measured, and what was not."""

    report: Report
    failures: Mapping[WorkloadName, BenchmarkError]
    """Of workloads of which nothing was measured: a server did not start, or answered wrongly."""


def compare(wanted: Wanted, console: Console) -> Compared:
    """Installs what is not installed, and measures; only the latter counts as the time that was asked for.

    Raises:
        BenchmarkError: the time is too short; a peer cannot be installed; all workloads failed.
    """
    Timetable(60 * wanted.minutes, wanted.points)  # before the long preparations, whether it can be done at all
    environments = install(wanted.peers, console)
    with tempfile.TemporaryDirectory(prefix="tundish-peers-") as directory:
        scratch = Path(directory)
        photos = photo_repository(None, scratch, console)
        bundles = demo_bundles(photos, review_repository(None, scratch, console), scratch)
        outcomes, failures = _measure_all(wanted, environments, bundles, scratch, console)
    if not outcomes:
        raise next(iter(failures.values()))
    return Compared(report=_report(wanted, outcomes, failures), failures=failures)


def install(peers: Sequence[Peer], console: Console) -> dict[str, Path]:
    """The environment of each, by name, made where it is not there yet.

    Raises:
        BenchmarkError: one cannot be installed.
    """
    environments = {}
    for peer in peers:
        with console.status(f"install {peer.name}; the first time takes minutes"):
            environments[peer.name] = peer.install(default_cache())
    return environments


def _measure_all(
    wanted: Wanted, environments: Mapping[str, Path], bundles: DemoBundles, scratch: Path, console: Console
) -> tuple[dict[WorkloadName, _Outcome], dict[WorkloadName, BenchmarkError]]:
    """What came of each workload: a failure of one costs none of the others."""
    timetable = Timetable(60 * wanted.minutes, wanted.points)
    outcomes, failures = {}, {}
    with _progress(console, timetable) as progress:
        for name in wanted.workloads:
            progress.tell(f"{name}: start the servers")
            workload = make_workload(name, bundles, scratch)
            try:
                with _targets(workload, wanted.peers, environments, scratch) as targets:
                    outcomes[name] = _measure(workload, targets, wanted.callers, timetable, progress)
                    timetable.end(name)
            except BenchmarkError as error:
                failures[name] = error
                timetable.end(name)
    return outcomes, failures


def _measure(
    workload: Workload, targets: Sequence[Target], callers: Sequence[int], timetable: Timetable, progress: _Progress
) -> _Outcome:
    progress.tell(f"{workload.name}: check the answers")
    askings = ask_each_alone(targets, workload)
    processes = {target.process.name: target.process for target in targets}
    idle = dict(zip(processes, idle_percents(list(processes.values())), strict=True))
    pace = timetable.begin(workload.name)
    points = measure(
        targets,
        workload,
        askings,
        callers=callers,
        restless=[processes[name] for name, percent in idle.items() if percent > _NOTABLE_IDLE_PERCENT],
        pace=pace,
        advance=lambda what: progress.tell(f"{workload.name}, {what}"),
    )
    return _Outcome(rows=rows_of(workload, targets, points), points=points, idle_percents=idle, rounds=pace.rounds)


@contextmanager
def _targets(
    workload: Workload, peers: Sequence[Peer], environments: Mapping[str, Path], scratch: Path
) -> Iterator[list[Target]]:
    """All servers of the workload, running; ours is asked by two protocols."""
    logs = default_cache() / "benchmarks"
    logs.mkdir(parents=True, exist_ok=True)
    cores, http_port = usable_cores(), free_port()
    with ExitStack() as stack:
        ours = stack.enter_context(
            tundish_server(
                workload.repository, log=logs / f"{workload.name}-tundish.log", instances=cores, http_port=http_port
            )
        )
        targets = [
            Target(name="tundish, gRPC", process=ours, url=ours.url, dialect=GRPC, is_ours=True),
            Target(name="tundish, HTTP", process=ours, url=f"{HOST}:{http_port}", dialect=HTTP, is_ours=True),
        ]
        for peer in peers:
            server = peer.serve(
                environments[peer.name],
                workload.models,
                peer.tuning(workload.name, cores),
                name=f"{peer.name} on {workload.name}",
                scratch=scratch,
                log=logs / f"{workload.name}-{peer.name}.log",
            )
            targets.append(_target(peer, stack.enter_context(server)))
        yield targets


def _target(peer: Peer, server: ServerProcess) -> Target:
    transport = "HTTP" if peer.dialect.wire == "http" else "gRPC"
    return Target(name=f"{peer.name}, {transport}", process=server, url=server.url, dialect=peer.dialect)


def _report(
    wanted: Wanted, outcomes: Mapping[WorkloadName, _Outcome], failures: Mapping[WorkloadName, BenchmarkError]
) -> Report:
    rounds = sorted({outcome.rounds for outcome in outcomes.values()})
    points = [each for outcome in outcomes.values() for repeats in outcome.points.values() for each in repeats]
    return Report(
        kind="peers",
        title=f"{_TUNDISH} beside other servers",
        method=_method(wanted, " or ".join(map(str, rounds)), sum(point.items for point in points)),
        rows=tuple(row for outcome in outcomes.values() for row in outcome.rows),
        notes=(
            *(f"Nothing was measured of {name}: {error}" for name, error in failures.items()),
            *_notes(outcomes, max(point.other_cores for point in points)),
        ),
    )


def _method(wanted: Wanted, rounds: str, answered: int) -> str:
    cores = usable_cores()
    servers = "; ".join([f"{_TUNDISH} {__version__}", *(peer.version for peer in wanted.peers)])
    return "\n\n".join(
        (
            f"What the same models cost in different servers: {servers}. Each runs the very same int8 ONNX file by "
            f"the same version of ONNX Runtime, with an instance of one thread for each of {cores} cores, and with "
            "the best code that we could write for it. Results where another server is better stand here as well.",
            "Photographs are twenty JPEG files of 512 x 512 pixels for MobileNetV2; tensors are what these are "
            "prepared to, [1, 3, 224, 224] float32; texts are 192 snippets and plots of film reviews of 8 to 256 "
            "tokens for a fine-tuned MiniLM; the four models are two of each, asked in turn.",
            "All servers of a workload run at once and are loaded one after the other, in each round each of them "
            f"under {', '.join(map(str, wanted.callers))} callers, every other round in the opposite order, {rounds} "
            "rounds. A caller waits for its answer before it asks again. The client is one process of its own, the "
            "same for all, on the same machine over the loopback.",
            f"All {answered:,} answers were checked: alone, each server answers as the bundle does in the benchmark's "
            "own process (peers may differ on 5 % of the photographs, which OpenCV resizes otherwise than Pillow, and "
            "on 3 % of the texts, for which ONNX Runtime joins operators that tundish keeps apart); "
            "under load, each answers as it does alone (of the texts 5 % may differ, because dynamic quantisation "
            "scales a batch as a whole).",
            "CPU is user and system time of all of a server's processes divided by the answers. Memory is theirs with "
            "what they share counted once (PSS). Ratios are taken round by round, to tundish by the same transport; "
            "the values after ± and in brackets are intervals of 95 % over the rounds.",
        )
    )


def _notes(outcomes: Mapping[WorkloadName, _Outcome], other_cores: float) -> Iterator[str]:
    if other_cores > _NOTABLE_CORES:
        yield f"Other work took up to {other_cores:.2f} cores; measure on an idle machine."
    most = max(percent for outcome in outcomes.values() for percent in outcome.idle_percents.values())
    yield f"While nobody asked, no server took more than {most:.1f} % of a core."
    for outcome in outcomes.values():
        for server, percent in outcome.idle_percents.items():
            if percent > _NOTABLE_IDLE_PERCENT:
                yield f"{server} takes {percent:.0f} % of a core while nobody asks, and stood still beside others."


class _Progress:
    """Says what is done now, and how much time is left."""

    def __init__(self, progress: Progress, task: TaskID, timetable: Timetable) -> None:
        self._progress, self._task, self._timetable = progress, task, timetable
        self._began = monotonic()

    def tell(self, what: str) -> None:
        left = max(0.0, self._timetable.left)
        minutes, seconds = divmod(round(left), 60)
        self._progress.update(
            self._task,
            completed=monotonic() - self._began,
            total=monotonic() - self._began + left,
            description=f"{what}; {minutes}:{seconds:02} left",
        )


@contextmanager
def _progress(console: Console, timetable: Timetable) -> Iterator[_Progress]:
    # Drawn once a second: drawing more often would be other work on the cores.
    with Progress(BarColumn(), TextColumn("{task.description}"), console=console, refresh_per_second=1) as progress:
        yield _Progress(progress, progress.add_task("", total=None), timetable)
