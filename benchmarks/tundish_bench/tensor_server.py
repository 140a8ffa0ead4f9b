"""What the server itself costs: beside its own engine and pipeline in this process, a bare echo, and while it is idle.

Throughput: preprocessed photographs, `[1, 3, 224, 224] float32` (602 kB a message), in, logits out, through
`photo-labels.engine`, 16 callers; beside the same engine in this process on the same cores: one of one thread for each
core, an item or a batch at a time, and one of all cores' threads. The client works on the same cores, so throughput is
divided by the cores that it leaves; both are shown.
Goal: 0.95 of the best in this process.
Latency: a photograph's bytes to its labels, one caller, p50 over gRPC less the p50 of the whole pipeline in this
process on as many threads, round by round. Goal: 0.8 ms at most. Beside it, a bare grpc.aio server that answers the
same message at once (`echo.py`), the floor of any transport.
At rest: a server of the demo's two models, whose placement was measured before: seconds from the start of its process
until it is ready (median of three starts), the share of a core that it takes when nobody asks (10 seconds, counted in
hundredths of a second, so to 0.1 %), and its physical memory before the first request. Goals: 2 s, 0.5 %, 350 MB.
Checked: every answer's label or class against the one given when asked alone.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tundish.bundle import Bundle
from tundish.placement.machine import usable_cores
from tundish.tasks.registry import load_task
from tundish_bench.demo_models import (
    int8_bundle,
    newest_bundle,
    photo_repository,
    photograph_paths,
    placement_of,
    repository_of,
    review_repository,
)
from tundish_bench.driving.connecting import ask_alone
from tundish_bench.driving.generator import Generator
from tundish_bench.driving.questions import ask_engine, ask_pipeline
from tundish_bench.echo import echo_server
from tundish_bench.floor import EngineWorker, Floor, PipelineWorker
from tundish_bench.processes import ServerProcess, tundish_server
from tundish_bench.report import (
    Comparison,
    Goal,
    figures_of,
    make_console,
    run_command,
    show_comparisons,
    show_spread,
    show_table,
    warn_of_other_work,
    write_json,
)
from tundish_bench.rounds import Rounds, Sample, ServerSubject, measure_rounds, speed
from tundish_bench.rounds_report import HistoryFile, add_to_history
from tundish_bench.watching import Family, ServerWatch
from tundish_exporters.demo import PHOTO_MODEL, REVIEW_MODEL
from tundish_exporters.demo.assets import default_cache

SERVER, PIPELINE, ECHO = "tundish", "pipeline in process", "echo"

THROUGHPUT_GOAL = Goal(bound=0.95)
LATENCY_GOAL = Goal(bound=0.8, at_most=True)
READY_GOAL = Goal(bound=2.0, at_most=True)
IDLE_GOAL = Goal(bound=0.5, at_most=True)
MEMORY_GOAL = Goal(bound=350.0, at_most=True)

_CALLERS = 16
_STARTS = 3
_IDLE_SECONDS = 10.0


def measure(
    rounds: Annotated[int, typer.Option(min=2, help="Rounds; each measures everything once.")] = 4,
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="Length of each measurement.")] = 2.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures, for programs.")] = None,
    history: HistoryFile = None,
) -> None:
    """Measure what the server adds to its engine, with the demo's models."""
    console = make_console()
    logs = default_cache() / "benchmarks"
    logs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tundish-bench-") as directory:
        scratch = Path(directory)
        photos = int8_bundle(photo_repository(None, scratch, console), PHOTO_MODEL, scratch / "photos")
        reviews = newest_bundle(review_repository(None, scratch, console, int8=False), REVIEW_MODEL)
        models = repository_of(scratch / "models", photos, reviews)
        images = [path.read_bytes() for path in photograph_paths()]

        compared = _at_rest(models, logs / "tensors.log", console)
        with tundish_server(models, log=logs / "tensors.log") as server, echo_server(ECHO, logs / "echo.log") as echo:
            throughput = _throughput(server, photos, images, rounds, seconds, console)
            placement = placement_of(models, photos)
            latency = _latency(server, echo, photos, images, placement.threads, rounds, seconds, console)
    compared += [compare_throughput(throughput, usable_cores()), compare_latency(latency)]
    console.print(f"{SERVER}: {placement}.", soft_wrap=True)
    _show(console, throughput, latency, compared)
    content = {"rounds": rounds, "seconds": seconds, "comparisons": [asdict(each) for each in compared]}
    write_json(json_file, {**content, "throughput": figures_of(throughput), "latency": figures_of(latency)})
    measured = {"tensors": throughput, "one caller": latency}
    add_to_history(history, "tensor server", "what the server adds to its engine", measured, compared)


def compare_throughput(measured: Rounds, cores: int) -> Comparison:
    """The server against the best of the others, by the cores that its client leaves."""
    best = measured.best([name for name in measured.names if name != SERVER])

    def speed_of_core(sample: Sample) -> float:
        return sample.items_per_second / (cores - client_cores(sample))

    what = f"{SERVER} / {best}, tensors/s of a core that the client leaves"
    return Comparison(what, measured.ratios(SERVER, best, speed_of_core), THROUGHPUT_GOAL)


def compare_latency(measured: Rounds) -> Comparison:
    """What the server adds to its pipeline, in milliseconds."""
    values = [p50(each[SERVER]) - p50(each[PIPELINE]) for each in measured]
    return Comparison(f"{SERVER} - {PIPELINE}, p50 in ms", values, LATENCY_GOAL)


def client_cores(sample: Sample) -> float:
    """How many cores the client of a server was busy on; none where there is no client."""
    return (sample.client_cpu_milliseconds or 0.0) * sample.items_per_second / 1e3


def p50(sample: Sample) -> float:
    """A figure to compare: milliseconds of the middle answer."""
    assert sample.p50_milliseconds is not None
    return sample.p50_milliseconds


def _at_rest(models: Path, log: Path, console: Console) -> list[Comparison]:
    """Starts the server until its placement is stored, and then to measure it."""
    ready = []
    with console.status("start the server"):
        with tundish_server(models, log=log):
            pass  # measures how to place its models, and keeps it
        for _ in range(_STARTS):
            with tundish_server(models, log=log) as server:
                ready.append(server.seconds_to_ready)
                watch = ServerWatch(server.pid)
                watch.sample()
                if len(ready) == _STARTS:
                    idle = _idle_percent(server)
    return [
        Comparison("start to ready, s", ready, READY_GOAL),
        Comparison("idle, % of a core", [idle], IDLE_GOAL),
        Comparison("resident memory, MB", [watch.resident_megabytes], MEMORY_GOAL),
    ]


def _idle_percent(server: ServerProcess) -> float:
    """The share of a core that a server takes which nobody asks."""
    time.sleep(1.0)  # what the last question, whether it is ready, leaves behind is not idling
    family, began = Family(server.pid), time.perf_counter()
    time.sleep(_IDLE_SECONDS)
    family.look()
    return 100 * family.cpu_seconds() / (time.perf_counter() - began)


def _throughput(
    server: ServerProcess, bundle: Bundle, images: Sequence[bytes], rounds: int, seconds: float, console: Console
) -> Rounds:
    task = load_task(bundle.manifest, bundle.directory)
    rows = [task.collate([task.prepare(image)]) for image in images]
    questions = [ask_engine(PHOTO_MODEL, row) for row in rows]
    cores, batch = usable_cores(), bundle.manifest.serving.max_batch_size
    ways = {(cores, 1, 1), (cores, 1, batch), (1, cores, batch)}
    floors = [
        Floor(
            f"in process, {engines} x {threads}, batch {size}",
            [EngineWorker(bundle, rows, batch_size=size, threads=threads) for _ in range(engines)],
            len(rows),
        )
        for engines, threads, size in sorted(ways, reverse=True)
    ]
    with Generator() as generator:
        subject = ServerSubject(server, generator, ask_alone(server.url, questions), callers=_CALLERS)
        return measure_rounds([subject, *floors], rounds=rounds, seconds=seconds, console=console)


def _latency(
    server: ServerProcess,
    echo: ServerProcess,
    bundle: Bundle,
    images: Sequence[bytes],
    threads: int,
    rounds: int,
    seconds: float,
    console: Console,
) -> Rounds:
    questions = [ask_pipeline(PHOTO_MODEL, "image", image) for image in images]
    pipeline = Floor(PIPELINE, [PipelineWorker(bundle, images, threads=threads)], len(images))
    with Generator() as generator:
        asked = [ServerSubject(each, generator, ask_alone(each.url, questions), callers=1) for each in (server, echo)]
        return measure_rounds([*asked, pipeline], rounds=rounds, seconds=seconds, console=console)


def _show(console: Console, throughput: Rounds, latency: Rounds, compared: Sequence[Comparison]) -> None:
    show_table(console, throughput, what="tensors in and out", item="tensor")
    best = throughput.best([name for name in throughput.names if name != SERVER])
    show_spread(console, f"{SERVER} / {best}, tensors/s", throughput.ratios(SERVER, best, speed))
    show_spread(console, "cores that the client took", [client_cores(each[SERVER]) for each in throughput])
    show_table(console, latency, what="one caller, image bytes to label", item="image")
    show_comparisons(console, compared)
    warn_of_other_work(console, throughput, latency)


if __name__ == "__main__":
    run_command(measure)
