"""Server CPU per image, from the bytes of an image file to its label: tundish beside NVIDIA's Triton and the floor.

What: user and system time of the server's processes, divided by the images that they answered. CPU, not throughput,
is what a box that also does other work pays, and a busy client distorts it least.
Against what: tritonserver 2.51 with its Python backend (OpenCV, NumPy, ONNX Runtime), as one writes it first and,
beside it, tuned; and the floor, which is decoding, fused pre-processing and inference in one thread of this process.
tundish and the floor decode JPEGs at half their size if the bundle's gate has measured that; Triton's models decode
in full.
Inputs: MobileNetV2, int8, the very same file in all; twenty photographs of 512 x 512 pixels as JPEG files; 16
callers, each waiting for its answer before it sends the next image, over the Open Inference Protocol on the loopback.
Method: the servers start once and stay; rounds of load go to one after the other in alternating order, the floor
between them, so that a machine that slows down or speeds up does so for all. The ratio is taken round by round.
Precision: CPU time is counted in hundredths of a second, 0.1 % of a round. The table shows how many cores other work
took meanwhile; above a tenth of a core, the figures are not to be relied upon.
Checked: every answer's top label against the one that its server gave when asked alone, and those between the servers.
Goal: a median ratio of tundish to Triton, not tuned, of at most 0.82.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tundish.bundle import Bundle, read_bundle, versions_in
from tundish.errors import TundishError
from tundish.manifest import ClassificationPostprocess
from tundish_bench.errors import BenchmarkError
from tundish_bench.floor import Floor
from tundish_bench.load import Load, LoadGenerator, ask_once, make_request
from tundish_bench.peers.triton import install_triton, triton_server
from tundish_bench.processes import HOST, ServerProcess, free_port, machine_busy_seconds
from tundish_exporters.cli import loading_frameworks, progress_bars
from tundish_exporters.demo import PHOTO_MODEL, export_photographs
from tundish_exporters.demo.assets import PHOTOGRAPHS, default_cache, fetch

GOAL = 0.82
"""Of the median ratio of tundish's CPU per image to that of Triton, not tuned."""

LEAST_AGREEMENT = 19
"""Photographs of the twenty on which tundish and Triton must give the same top label; they resize differently."""

_DEMO_REPOSITORY = Path(".demo/models")
_WARM_UP_SECONDS = 1.0
_NOTABLE_CORES = 0.1
"""Other work that takes more than this makes a measurement doubtful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One subject in one round."""

    images: int
    cpu_milliseconds: float
    """For each image."""
    images_per_second: float
    other_cores: float
    """How many cores were busy with anything but the subject and its client."""
    p50_milliseconds: float | None = None
    """From sending to answer, as a caller sees it; the floor has no callers."""
    p99_milliseconds: float | None = None
    client_cpu_milliseconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """All, one after the other."""

    tundish: Sample
    floor: Sample
    triton: Sample
    tuned: Sample
    """Triton, tuned."""

    @property
    def ratio(self) -> float:
        """CPU per image, tundish to Triton."""
        return self.tundish.cpu_milliseconds / self.triton.cpu_milliseconds

    @property
    def tuned_ratio(self) -> float:
        """CPU per image, tundish to Triton when that is tuned."""
        return self.tundish.cpu_milliseconds / self.tuned.cpu_milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The top label of each photograph, by each subject when asked alone, and the true one."""

    tundish: tuple[str, ...]
    floor: tuple[str, ...]
    triton: tuple[str, ...]
    tuned: tuple[str, ...]
    truth: tuple[str, ...]

    @property
    def agreement(self) -> int:
        """The least number of photographs on which tundish agrees with a Triton."""
        return min(count_equal(self.tundish, theirs) for theirs in (self.triton, self.tuned))


def count_equal(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """At how many places the two are equal."""
    return sum(one == other for one, other in zip(ours, theirs, strict=True))


def compare(
    rounds: Annotated[int, typer.Option(min=2, help="Rounds; each loads every server once.")] = 8,
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="Length of each load.")] = 5.0,
    callers: Annotated[int, typer.Option(min=1, max=128, help="Requests in flight.")] = 16,
    repository: Annotated[
        Path | None,
        typer.Option(help=f"Repository with {PHOTO_MODEL}; the default is {_DEMO_REPOSITORY}, else it is exported."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures, for programs.")] = None,
) -> None:
    """Compare the CPU per image of tundish with that of NVIDIA's Triton, side by side."""
    console = Console(highlight=False)
    paths = sorted(fetch(PHOTOGRAPHS, default_cache()).rglob("*.jpg"))
    images = [path.read_bytes() for path in paths]
    with tempfile.TemporaryDirectory(prefix="tundish-bench-") as scratch:
        served = repository or _demo_repository(Path(scratch), console)
        bundle = _photo_bundle(served)
        with console.status("install Triton and start the servers"):
            servers = _servers(served, bundle, Path(scratch))
        with servers as (tundish, triton, tuned), LoadGenerator(bundle.manifest.model, images) as generator:
            floor = Floor(bundle, images)
            answers = _check_answers(bundle, paths, tundish, triton, tuned, floor)
            measuring = _Measuring(tundish, triton, tuned, floor, generator, answers, callers)
            measured = measuring.run(rounds, seconds, console)
    _show(console, measured, answers)
    if json_file:
        content = {"goal": GOAL, "callers": callers, "seconds": seconds, "answers": asdict(answers)}
        content["rounds"] = [
            {**asdict(each), "ratio": each.ratio, "tuned_ratio": each.tuned_ratio} for each in measured
        ]
        json_file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _demo_repository(scratch: Path, console: Console) -> Path:
    """The demo's repository; if there is none, one below `scratch` to which the model is exported now."""
    if versions_in(_DEMO_REPOSITORY / PHOTO_MODEL):
        return _DEMO_REPOSITORY
    exported = scratch / "models"
    with loading_frameworks(), progress_bars(console) as progress:
        export_photographs(scratch / PHOTO_MODEL, exported, progress)
    return exported


def _photo_bundle(repository: Path) -> Bundle:
    """The version that a server of the repository answers with."""
    versions = versions_in(repository / PHOTO_MODEL)
    if not versions:
        raise BenchmarkError(
            f"{repository} holds no model '{PHOTO_MODEL}'; run tundish demo, or leave --repository out."
        )
    bundle = read_bundle(repository / PHOTO_MODEL / str(versions[-1]))
    variant = bundle.manifest.servable[0]
    if variant.precision != "int8":
        raise BenchmarkError(f"{bundle.directory} would serve {variant.name}, but int8 is compared; export it anew.")
    return bundle


@contextmanager
def _servers(
    repository: Path, bundle: Bundle, scratch: Path
) -> Iterator[tuple[ServerProcess, ServerProcess, ServerProcess]]:
    """tundish, Triton and Triton tuned, ready, with an instance of one thread for each core."""
    logs = default_cache() / "benchmarks"
    logs.mkdir(parents=True, exist_ok=True)
    instances = len(os.sched_getaffinity(0))
    environment = install_triton(default_cache())
    port = free_port()
    command = [sys.executable, "-m", "tundish", "serve", str(repository), "--grpc-port", str(port)]
    command += ["--http-port", "0", "--host", HOST, "--instances", str(instances)]
    with ExitStack() as stack:
        tundish = stack.enter_context(ServerProcess("tundish", command, port=port, log=logs / "tundish.log"))
        plain, tuned = (
            stack.enter_context(
                triton_server(
                    environment,
                    bundle,
                    tuned=tuned,
                    instances=instances,
                    scratch=scratch,
                    log=logs / ("triton-tuned.log" if tuned else "triton.log"),
                )
            )
            for tuned in (False, True)
        )
        yield tundish, plain, tuned


def _check_answers(
    bundle: Bundle,
    paths: Sequence[Path],
    tundish: ServerProcess,
    triton: ServerProcess,
    tuned: ServerProcess,
    floor: Floor,
) -> Answers:
    """Asks each subject for each photograph, and holds the answers against each other."""
    images = [path.read_bytes() for path in paths]
    requests = [make_request(bundle.manifest.model, image) for image in images]
    assert isinstance(bundle.manifest.postprocess, ClassificationPostprocess)
    labels = bundle.manifest.postprocess.labels
    answers = Answers(
        tundish=ask_once(tundish.url, requests),
        floor=tuple(floor.top_labels([image])[0] for image in images),
        triton=ask_once(triton.url, requests),
        tuned=ask_once(tuned.url, requests),
        # The class stands at the end of the name, as an index into ImageNet's labels.
        truth=tuple(labels[int(path.stem.rsplit("_", maxsplit=1)[1])] for path in paths),
    )
    if answers.tundish != answers.floor:
        raise BenchmarkError("tundish's server answers otherwise than its own engine in this process.")
    if answers.agreement < LEAST_AGREEMENT:
        raise BenchmarkError(
            f"The servers agree on {answers.agreement} of {len(paths)} photographs, fewer than {LEAST_AGREEMENT}."
        )
    return answers


class _Measuring:
    """The rounds of a benchmark whose servers run."""

    def __init__(
        self,
        tundish: ServerProcess,
        triton: ServerProcess,
        tuned: ServerProcess,
        floor: Floor,
        generator: LoadGenerator,
        answers: Answers,
        callers: int,
    ) -> None:
        self._floor, self._generator, self._answers, self._callers = floor, generator, answers, callers
        self._subjects: dict[str, Callable[[float], Sample]] = {
            "tundish": lambda seconds: self._measure_server(tundish, answers.tundish, seconds),
            "floor": self._measure_floor,
            "triton": lambda seconds: self._measure_server(triton, answers.triton, seconds),
            "tuned": lambda seconds: self._measure_server(tuned, answers.tuned, seconds),
        }

    def run(self, rounds: int, seconds: float, console: Console) -> list[Round]:
        """Measures all subjects in each round; every other round in the opposite order."""
        measured = []
        for measure in self._subjects.values():
            measure(_WARM_UP_SECONDS)
        with console.status("") as status:
            for number in range(rounds):
                order = list(self._subjects)[:: 1 if number % 2 == 0 else -1]
                samples = {}
                for name in order:
                    status.update(f"round {number + 1} of {rounds}: {name}")
                    samples[name] = self._subjects[name](seconds)
                measured.append(Round(**samples))
        return measured

    def _measure_server(self, server: ServerProcess, expected: tuple[str, ...], seconds: float) -> Sample:
        load = Load(url=server.url, callers=self._callers, seconds=seconds, expected=expected)
        busy_before, cpu_before = machine_busy_seconds(), server.cpu_seconds()
        report = self._generator.run(load)
        cpu, busy = server.cpu_seconds_since(cpu_before), machine_busy_seconds() - busy_before
        if report.wrong:
            raise BenchmarkError(
                f"{server.name} answered {report.wrong} of {report.answered} images otherwise than when asked alone."
            )
        others = (busy - cpu - report.client_cpu_seconds) / report.wall_seconds
        percentiles = quantiles(report.latencies, n=100)
        return Sample(
            images=report.answered,
            cpu_milliseconds=1e3 * cpu / report.answered,
            images_per_second=report.answered / report.wall_seconds,
            other_cores=max(0.0, others),
            p50_milliseconds=1e3 * percentiles[49],
            p99_milliseconds=1e3 * percentiles[98],
            client_cpu_milliseconds=1e3 * report.client_cpu_seconds / report.answered,
        )

    def _measure_floor(self, seconds: float) -> Sample:
        busy_before = machine_busy_seconds()
        images, cpu, wall = self._floor.run(seconds, self._answers.floor)
        others = (machine_busy_seconds() - busy_before - cpu) / wall
        return Sample(
            images=images,
            cpu_milliseconds=1e3 * cpu / images,
            images_per_second=images / wall,
            other_cores=max(0.0, others),
        )


def _show(console: Console, rounds: Sequence[Round], answers: Answers) -> None:
    table = Table(
        title=f"image bytes to label, {len(rounds)} rounds: median (least - most)",
        caption="CPU of the server, for each image; others: cores that other work took",
    )
    table.add_column("subject", no_wrap=True)
    for heading in ("CPU ms", "images/s", "p50 ms", "p99 ms", "others"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in ("tundish", "triton", "tuned", "floor"):
        samples = [getattr(each, name) for each in rounds]
        table.add_row(
            "triton, tuned" if name == "tuned" else name,
            _spread([sample.cpu_milliseconds for sample in samples], 2),
            f"{median(sample.images_per_second for sample in samples):.0f}",
            _median([sample.p50_milliseconds for sample in samples]),
            _median([sample.p99_milliseconds for sample in samples]),
            f"{median(sample.other_cores for sample in samples):.2f}",
        )
    console.print(table)
    ratios = [each.ratio for each in rounds]
    console.print(
        f"tundish / triton, CPU round by round: {', '.join(f'{ratio:.3f}' for ratio in ratios)}", soft_wrap=True
    )
    floor_ratios = [each.tundish.cpu_milliseconds / each.floor.cpu_milliseconds for each in rounds]
    speeds = [each.tundish.images_per_second / each.triton.images_per_second for each in rounds]
    console.print(f"tundish / floor, CPU: {_spread(floor_ratios, 3)}", soft_wrap=True)
    console.print(f"tundish / triton, images/s: {_spread(speeds, 3)}", soft_wrap=True)
    console.print(f"tundish / triton tuned, CPU: {_spread([each.tuned_ratio for each in rounds], 3)}", soft_wrap=True)
    samples = [sample for each in rounds for sample in (each.tundish, each.floor, each.triton, each.tuned)]
    images = sum(sample.images for sample in samples)
    right = ", ".join(f"{name} {count_equal(getattr(answers, name), answers.truth)}" for name in ("tundish", "triton"))
    console.print(
        f"All {images:,} answers were checked. Of {len(answers.truth)} photographs the servers agree on "
        f"{answers.agreement}; right: {right}.",
        soft_wrap=True,
    )
    verdict = "[green]met[/]" if median(ratios) <= GOAL else "[red]missed[/]"
    console.print(
        f"[bold]tundish / triton, CPU: {_spread(ratios, 3)}; the goal of {GOAL} is {verdict}.[/]", soft_wrap=True
    )
    others = max(sample.other_cores for sample in samples)
    if others > _NOTABLE_CORES:
        console.print(
            f"[yellow]warning:[/] other work took up to {others:.2f} cores; measure on an idle machine.", soft_wrap=True
        )


def _spread(values: Sequence[float], digits: int) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} - {max(values):.{digits}f})"


def _median(values: Sequence[float | None], digits: int = 1) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):.{digits}f}" if known else ""


def main() -> None:
    """Runs the command. Exit code 0 if it measured, 2 for a usage error, 1 for a failure, said in one sentence."""
    try:
        typer.run(compare)
    except TundishError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
