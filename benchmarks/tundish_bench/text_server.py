"""Texts answered each second, from review snippets and plots of mixed length to their labels, beside NVIDIA's Triton.

What: throughput, user and system time of the server's processes for each text, and how long a caller waits.
Against what: tritonserver 2.51 with its Python backend (Hugging Face's `tokenizers`, ONNX Runtime) in its two
configurations: a text at a time, and dynamic batching up to 8, padded to the longest; each with an instance of one
thread for each core; and a text at a time of the usual file, ONNX Runtime's own dynamic int8 of the same float network,
which is what one brings to Triton. And the floor, the engine alone on rows that are tokenized already, one by one, one
engine and thread for each core. tundish is placed as it places itself at first load, with the one file; where it would
take another variant by itself, also with all; with `--tune`, also as `tundish tune` picks.
Inputs: MiniLM fine-tuned on film reviews, dynamic int8, the very same file in all but where it says so; 192 texts of
8 to 256 tokens, three fifths snippets of reviews, the others plots of films, the same ones in the same order for all;
16 callers, each waiting for its answer before it sends the next text, over the Open Inference Protocol.
Method: the servers start once and stay; rounds of load go to one after the other in alternating order.
Precision: a load ends in the middle of the texts, which is worth 1 to 2 %. The table shows how many cores other work
took meanwhile; above a tenth of a core, the figures are not to be relied upon.
Checked: every answer's label against the one that its server gave when asked alone. Dynamic quantisation scales a
batch as a whole, so that a text whose scores are close may change its label among others: 5 % may; 2 % where texts run
alone.
Goals: 1.05 times the throughput of Triton's better configuration and 2 times that of its dynamic batching on the same
file; with what `tune` picks 1.3 times that configuration, on the same file and on the usual one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import quantiles
from typing import Annotated

import typer
from rich.console import Console

from tundish.bundle import Bundle
from tundish.placement.availability import on_this_machine
from tundish.placement.machine import usable_cores
from tundish.tasks.registry import load_task
from tundish_bench.demo_models import (
    int8_bundle,
    newest_bundle,
    placement_of,
    repository_of,
    review_repository,
    review_texts,
)
from tundish_bench.driving.connecting import ask_alone
from tundish_bench.driving.generator import Generator
from tundish_bench.driving.questions import Question, ask_pipeline
from tundish_bench.errors import BenchmarkError
from tundish_bench.floor import EngineWorker, Floor
from tundish_bench.peers.settings import PeerModel, text_model
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
from tundish_exporters.demo import REVIEW_MODEL
from tundish_exporters.demo.assets import default_cache
from tundish_exporters.progress import silent
from tundish_exporters.quantize import apply
from tundish_exporters.quantize.dynamic import DynamicRecipe

ONE_BY_ONE, BATCHED, USUAL = "triton, one by one", "triton, batched", "triton, usual file"
TUNDISH, ITSELF, TUNED = "tundish", "tundish, by itself", "tundish, tuned"
FLOOR = "engine alone"

BETTER_GOAL = Goal(bound=1.05)
BATCHED_GOAL = Goal(bound=2.0)
TUNED_GOAL = Goal(bound=1.3)
"""Of tundish's throughput divided by Triton's."""

_DIFFERENT_SHARE = 0.02
"""Of the answers under load that may be others than alone."""
_DIFFERENT_SHARE_OF_BATCHED = 0.05
"""The same of servers that batch."""
_TEXTS = 192
_BATCHED = 8
"""Texts of a batch, where Triton makes some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inputs:
    """What all subjects are asked."""

    whole: Bundle
    """With all its variants."""
    bundle: Bundle
    """With the one that is compared."""
    texts: Sequence[str]
    questions: Sequence[Question]


def compare(
    rounds: Annotated[int, typer.Option(min=2, help="Rounds; each loads every server once.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="Length of each load.")] = 4.0,
    callers: Annotated[int, typer.Option(min=1, max=128, help="Requests in flight.")] = 16,
    repository: Annotated[
        Path | None,
        typer.Option(help=f"Repository with {REVIEW_MODEL}; the default is the demo's, else it is exported."),
    ] = None,
    tune: Annotated[
        float | None, typer.Option(min=0.01, help="Minutes for `tundish tune`; what it picks is measured as well.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures, for programs.")] = None,
    history: HistoryFile = None,
) -> None:
    """Compare the throughput of tundish with that of NVIDIA's Triton on texts of mixed length, side by side."""
    console = make_console()
    with tempfile.TemporaryDirectory(prefix="tundish-bench-") as directory:
        scratch = Path(directory)
        inputs = _read_inputs(review_repository(repository, scratch, console), scratch, console)
        repositories = _repositories(inputs, scratch, tune, console)
        with console.status("install Triton and start the servers"):
            servers = _servers(inputs, repositories, scratch)
        with servers as started, Generator() as generator:
            for name, models in repositories.items():
                placement = placement_of(models, newest_bundle(models, REVIEW_MODEL))
                console.print(f"{name}: {placement}.", soft_wrap=True)
            subjects = [
                ServerSubject(
                    server,
                    generator,
                    ask_alone(server.url, inputs.questions),
                    callers=callers,
                    different_share=(
                        _DIFFERENT_SHARE if server.name in (ONE_BY_ONE, USUAL) else _DIFFERENT_SHARE_OF_BATCHED
                    ),
                )
                for server in started
            ]
            measured = measure_rounds([*subjects, _floor(inputs)], rounds=rounds, seconds=seconds, console=console)
    compared = comparisons(measured)
    _show(console, measured, compared)
    content = {"callers": callers, "seconds": seconds, "comparisons": [asdict(each) for each in compared]}
    write_json(json_file, {**content, "rounds": figures_of(measured)})
    add_to_history(history, "text server", "review snippets to label", {"texts": measured}, compared)


def _read_inputs(repository: Path, scratch: Path, console: Console) -> _Inputs:
    whole = newest_bundle(repository, REVIEW_MODEL)
    bundle = int8_bundle(repository, REVIEW_MODEL, scratch / "models")
    texts = review_texts(bundle, _TEXTS)
    task = load_task(bundle.manifest, bundle.directory)
    tenths = quantiles([task.length(task.prepare(text.encode())) for text in texts], n=10)
    variant = bundle.manifest.servable[0]
    console.print(
        f"{variant.name}, {variant.recipe}; {len(texts)} texts whose 10th, 50th and 90th percentiles are "
        f"{tenths[0]:.0f}, {tenths[4]:.0f} and {tenths[8]:.0f} tokens.",
        soft_wrap=True,
    )
    questions = [ask_pipeline(bundle.manifest.model, "text", text.encode()) for text in texts]
    return _Inputs(whole=whole, bundle=bundle, texts=texts, questions=questions)


def _repositories(inputs: _Inputs, scratch: Path, tune: float | None, console: Console) -> dict[str, Path]:
    """What each of tundish's servers serves."""
    repositories = {TUNDISH: scratch / "models"}
    if on_this_machine(inputs.whole).manifest.servable[0] not in inputs.bundle.manifest.variants:
        repositories[ITSELF] = repository_of(scratch / "itself", inputs.whole)
    if tune is not None:
        repositories[TUNED] = _tuned(inputs, scratch, tune, console)
    return repositories


def _tuned(inputs: _Inputs, scratch: Path, minutes: float, console: Console) -> Path:
    """A repository of the bundle with what `tundish tune` picks on the benchmark's texts, which is shown.

    Raises:
        BenchmarkError: it failed.
    """
    repository = repository_of(scratch / "tuned", inputs.whole)
    file = scratch / "texts.txt"
    file.write_text("".join(f"{' '.join(text.split())}\n" for text in inputs.texts), encoding="utf-8")
    command = [sys.executable, "-m", "tundish", "tune", str(repository), inputs.bundle.manifest.model]
    outcome = subprocess.run(  # noqa: S603  # the arguments are this file's own
        [*command, "--minutes", str(minutes), "--inputs", str(file)], stdout=subprocess.PIPE, text=True, check=False
    )
    if outcome.returncode != 0:
        raise BenchmarkError("`tundish tune` failed; what it said stands above.")
    console.print(outcome.stdout, markup=False)
    return repository


@contextmanager
def _servers(inputs: _Inputs, repositories: Mapping[str, Path], scratch: Path) -> Iterator[list[ServerProcess]]:
    """All of them, ready."""
    logs = default_cache() / "benchmarks"
    logs.mkdir(parents=True, exist_ok=True)
    environment = install_triton(default_cache())
    servers = [
        tundish_server(models, name=name, log=logs / f"text-{models.name}.log") for name, models in repositories.items()
    ]
    model = text_model(inputs.bundle)
    for name, served, most in ((ONE_BY_ONE, model, 1), (BATCHED, model, _BATCHED), (USUAL, _usual(inputs, scratch), 1)):
        tuning = Tuning(instances=usable_cores(), max_batch_size=most)
        log = logs / f"{name.replace(', ', '-').replace(' ', '-')}.log"
        servers.append(triton_server(environment, [served], tuning, name=name, scratch=scratch, log=log))
    with ExitStack() as stack:
        yield [stack.enter_context(server) for server in servers]


def _usual(inputs: _Inputs, scratch: Path) -> PeerModel:
    """The model with the file that ONNX Runtime's own tool makes of the float network.

    Raises:
        BenchmarkError: the bundle has no float network in ONNX.
    """
    variants = inputs.whole.manifest.variants
    floating = next((each for each in variants if (each.engine, each.precision) == ("onnx", "fp32")), None)
    if floating is None:
        raise BenchmarkError(f"{inputs.whole.directory} has no fp32 variant by ONNX Runtime; export it anew.")
    file = scratch / "usual.onnx"
    apply(DynamicRecipe(), inputs.whole.path(floating.files[0]), file, [], silent)
    model = text_model(inputs.bundle)
    return replace(model, settings={**model.settings, "model": str(file)})


def _floor(inputs: _Inputs) -> Floor:
    task = load_task(inputs.bundle.manifest, inputs.bundle.directory)
    rows = [task.collate([task.prepare(text.encode())]) for text in inputs.texts]
    workers = [EngineWorker(inputs.bundle, rows) for _ in range(usable_cores())]
    return Floor(FLOOR, workers, len(rows))


def comparisons(measured: Rounds) -> list[Comparison]:
    """What is held against a goal."""
    better = measured.best([ONE_BY_ONE, BATCHED])
    held = [
        Comparison(f"{TUNDISH} / {better}, texts/s", measured.ratios(TUNDISH, better, speed), BETTER_GOAL),
        Comparison(f"{TUNDISH} / {BATCHED}, texts/s", measured.ratios(TUNDISH, BATCHED, speed), BATCHED_GOAL),
    ]
    if TUNED in measured.names:
        held += [
            Comparison(f"{TUNED} / {other}, texts/s", measured.ratios(TUNED, other, speed), TUNED_GOAL)
            for other in (better, USUAL)
        ]
    return held


def _show(console: Console, measured: Rounds, compared: Sequence[Comparison]) -> None:
    show_table(console, measured, what="review snippets to label", item="text")
    first = compared[0]
    show_each_round(console, first.what, first.values)
    show_spread(console, f"{TUNDISH} / {FLOOR}, CPU", measured.ratios(TUNDISH, FLOOR, cpu))
    show_spread(console, f"{TUNDISH} / {FLOOR}, texts/s", measured.ratios(TUNDISH, FLOOR, speed))
    show_spread(console, f"{TUNDISH} / {USUAL}, texts/s", measured.ratios(TUNDISH, USUAL, speed))
    if ITSELF in measured.names:
        show_spread(console, f"{ITSELF} / {TUNDISH}, texts/s", measured.ratios(ITSELF, TUNDISH, speed))
    samples = [sample for each in measured for sample in each.values()]
    console.print(
        f"All {sum(sample.items for sample in samples):,} answers were checked; "
        f"{sum(sample.different for sample in samples):,} were others among other texts than alone.",
        soft_wrap=True,
    )
    show_comparisons(console, compared)
    warn_of_other_work(console, measured)


if __name__ == "__main__":
    run_command(compare)
