"""Server CPU per image, from the bytes of an image file to its label: tundish beside NVIDIA's Triton and the floor.

What: user and system time of the server's processes, divided by the images that they answered. CPU, not throughput,
is what a box that also does other work pays, and a busy client distorts it least.
Against what: tritonserver 2.51 with its Python backend (OpenCV, NumPy, ONNX Runtime), as one writes it first and,
beside it, tuned; and the floor, which is decoding, fused pre-processing and inference in threads of this process: on
one core, and on all of them at once, as a loaded server works (`floor.py` says why both). tundish and the floor decode
JPEGs at half their size if the bundle's gate has measured that; Triton's models decode in full.
Inputs: MobileNetV2, int8, the very same file in all; twenty photographs of 512 x 512 pixels as JPEG files; 16
callers, each waiting for its answer before it sends the next image, over the Open Inference Protocol on the loopback.
Method: the servers start once and stay; rounds of load go to one after the other in alternating order, the floors
between them, so that a machine that slows down or speeds up does so for all. The ratio is taken round by round.
Precision: CPU time is counted in hundredths of a second, 0.1 % of a round. The table shows how many cores other work
took meanwhile; above a tenth of a core, the figures are not to be relied upon.
Checked: every answer's top label against the one that its server gave when asked alone, and those between the servers.
Goal: a median ratio of tundish to Triton, not tuned, of at most 0.82.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tundish.bundle import Bundle
from tundish.manifest import ClassificationPostprocess
from tundish.placement.machine import usable_cores
from tundish_bench.demo_models import int8_bundle, photo_repository, photograph_paths
from tundish_bench.driving.connecting import ask_alone
from tundish_bench.driving.generator import Generator
from tundish_bench.driving.questions import ask_pipeline
from tundish_bench.errors import BenchmarkError
from tundish_bench.floor import Floor, ImageWorker
from tundish_bench.peers.settings import image_model
from tundish_bench.peers.triton import install_triton, triton_server
from tundish_bench.peers.tuning import Tuning
from tundish_bench.processes import ServerProcess, tundish_server
from tundish_bench.report import (
    Comparison,
    Goal,
    figures_of,
    make_console,
    run_command,
    show_comparisons,
    show_each_round,
    show_spread,
    show_table,
    warn_of_other_work,
    write_json,
)
from tundish_bench.rounds import Rounds, ServerSubject, cpu, measure_rounds, speed
from tundish_bench.rounds_report import HistoryFile, add_to_history
from tundish_exporters.demo import PHOTO_MODEL
from tundish_exporters.demo.assets import default_cache

TUNDISH, TRITON, TUNED = "tundish", "triton", "triton, tuned"
FLOOR, FULL_FLOOR = "floor", "floor, all cores"

GOAL = Goal(bound=0.82, at_most=True)
"""Of the ratio of tundish's CPU per image to that of Triton, not tuned."""

LEAST_AGREEMENT = 19
"""Photographs of the twenty on which tundish and a peer must give the same top label; they resize differently."""

Answers = Mapping[str, tuple[str, ...]]
"""By subject, the top label of each photograph when it is asked alone."""


def compare(
    rounds: Annotated[int, typer.Option(min=2, help="Rounds; each loads every server once.")] = 8,
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="Length of each load.")] = 4.0,
    callers: Annotated[int, typer.Option(min=1, max=128, help="Requests in flight.")] = 16,
    repository: Annotated[
        Path | None,
        typer.Option(help=f"Repository with {PHOTO_MODEL}; the default is the demo's, else it is exported."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures, for programs.")] = None,
    history: HistoryFile = None,
) -> None:
    """Compare the CPU per image of tundish with that of NVIDIA's Triton, side by side."""
    console = make_console()
    paths = photograph_paths()
    images = [path.read_bytes() for path in paths]
    with tempfile.TemporaryDirectory(prefix="tundish-bench-") as directory:
        scratch = Path(directory)
        bundle = int8_bundle(photo_repository(repository, scratch, console), PHOTO_MODEL, scratch / "models")
        questions = [ask_pipeline(PHOTO_MODEL, "image", image) for image in images]
        with console.status("install Triton and start the servers"):
            servers = _servers(bundle, scratch)
        with servers as started, Generator() as generator:
            subjects: list[ServerSubject | Floor] = [
                *(
                    ServerSubject(server, generator, ask_alone(server.url, questions), callers=callers)
                    for server in started
                ),
                Floor(FLOOR, [ImageWorker(bundle, images)], len(images)),
                Floor(FULL_FLOOR, [ImageWorker(bundle, images) for _ in range(usable_cores())], len(images)),
            ]
            answers = {subject.name: subject.answers for subject in subjects}
            check_answers(answers)
            measured = measure_rounds(subjects, rounds=rounds, seconds=seconds, console=console)
    compared = Comparison(f"{TUNDISH} / {TRITON}, CPU", measured.ratios(TUNDISH, TRITON, cpu), GOAL)
    truth = _truth(bundle, paths)
    _show(console, measured, compared, answers, truth)
    content = {"callers": callers, "seconds": seconds, "comparisons": [asdict(compared)]}
    write_json(json_file, {**content, "answers": answers, "truth": truth, "rounds": figures_of(measured)})
    add_to_history(history, "image server", "image bytes to label", {"images": measured}, [compared])


def count_equal(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """At how many places the two are equal."""
    return sum(one == other for one, other in zip(ours, theirs, strict=True))


def agreement(answers: Answers) -> int:
    """The least number of photographs on which tundish agrees with another subject."""
    return min(count_equal(answers[TUNDISH], theirs) for theirs in answers.values())


def check_answers(answers: Answers) -> None:
    """Holds the answers of the subjects against each other.

    Raises:
        BenchmarkError: they are not of one model.
    """
    if answers[TUNDISH] != answers[FLOOR]:
        raise BenchmarkError("tundish's server answers otherwise than its own engine in this process.")
    if agreement(answers) < LEAST_AGREEMENT:
        raise BenchmarkError(
            f"The servers agree on {agreement(answers)} of {len(answers[TUNDISH])} photographs, fewer than "
            f"{LEAST_AGREEMENT}."
        )


@contextmanager
def _servers(bundle: Bundle, scratch: Path) -> Iterator[list[ServerProcess]]:
    """All of them, ready, with an instance of one thread for each core."""
    cache = default_cache()
    logs = cache / "benchmarks"
    logs.mkdir(parents=True, exist_ok=True)
    instances = usable_cores()
    environment = install_triton(cache)
    servers = [tundish_server(scratch / "models", log=logs / "image.log", instances=instances)]
    for name, tuned in ((TRITON, False), (TUNED, True)):
        models = [image_model(bundle, tuned=tuned)]
        # Batched by up to 4, it cost Triton the least CPU an image on two cores, of 1, 2, 4 and 8.
        tuning = Tuning(instances=instances, max_batch_size=4 if tuned else 1)
        log = logs / f"triton-image{'-tuned' * tuned}.log"
        servers.append(triton_server(environment, models, tuning, name=name, scratch=scratch, log=log))
    with ExitStack() as stack:
        yield [stack.enter_context(server) for server in servers]


def _truth(bundle: Bundle, paths: Sequence[Path]) -> list[str]:
    """The label of each photograph; its class stands at the end of the name, as an index into ImageNet's labels."""
    assert isinstance(bundle.manifest.postprocess, ClassificationPostprocess)
    labels = bundle.manifest.postprocess.labels
    return [labels[int(path.stem.rsplit("_", maxsplit=1)[1])] for path in paths]


def _show(console: Console, measured: Rounds, compared: Comparison, answers: Answers, truth: Sequence[str]) -> None:
    show_table(console, measured, what="image bytes to label", item="image")
    show_each_round(console, compared.what, compared.values)
    for floor in (FLOOR, FULL_FLOOR):
        show_spread(console, f"{TUNDISH} / {floor}, CPU", measured.ratios(TUNDISH, floor, cpu))
    peers = [name for name in measured.names if name not in (TUNDISH, FLOOR, FULL_FLOOR)]
    for peer in peers:
        show_spread(console, f"{TUNDISH} / {peer}, images/s", measured.ratios(TUNDISH, peer, speed))
    for peer in peers[1:]:
        show_spread(console, f"{TUNDISH} / {peer}, CPU", measured.ratios(TUNDISH, peer, cpu))
    images = sum(sample.items for each in measured for sample in each.values())
    right = ", ".join(f"{name} {count_equal(answers[name], truth)}" for name in (TUNDISH, TRITON))
    console.print(
        f"All {images:,} answers were checked. Of {len(truth)} photographs the servers agree on "
        f"{agreement(answers)}; right: {right}.",
        soft_wrap=True,
    )
    show_comparisons(console, [compared])
    warn_of_other_work(console, measured)


if __name__ == "__main__":
    run_command(compare)
