"""Twice as many images a second as the server can answer, for half a minute, each with a deadline.

What: goodput, the images that are answered in time a second, beside the peak; how soon the others are refused, and by
which status; how late the accepted ones are answered.
Against what: the peak of the same server, by 16 callers that wait for their answers, just before and just after.
Inputs: MobileNetV2, int8, twenty photographs of 512 x 512 pixels as JPEG files, over the Open Inference Protocol. They
come in a Poisson process whatever the server does (`offers.py`), at twice the peak.
Method: the client is a process of its own on the same cores. It sends twice what it sends at the peak and reads
refusals besides; what that takes of the cores the server does not have, so goodput is also shown by the cores that the
client leaves. Requests that it sends late, since it is itself kept waiting, are counted, and judged by when they were
sent.
Checked: every request ends, and what was answered, refused and dropped adds up with the server's own statistics.
Goals: goodput of at least 0.9 of the peak by the cores that the client leaves; 99 of 100 refusals within 50 ms, all by
RESOURCE_EXHAUSTED; the 99th percentile of the answered within the deadline.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles
from typing import Annotated

import grpc
import plotext
import typer
from rich.console import Console
from rich.table import Table

from tundish.placement.machine import usable_cores
from tundish_bench.asking import ask_pipeline
from tundish_bench.demo_models import int8_bundle, photo_repository, photograph_paths
from tundish_bench.errors import BenchmarkError
from tundish_bench.load import LoadGenerator
from tundish_bench.offers import OK, Offer, OfferReport, Outcome
from tundish_bench.processes import ServerProcess, tundish_server
from tundish_bench.report import Comparison, Goal, make_console, run_command, show_comparisons, write_json
from tundish_bench.rounds import Rounds, Sample, ServerSubject
from tundish_bench.rounds_report import HistoryFile, add_to_history
from tundish_exporters.demo import PHOTO_MODEL
from tundish_exporters.demo.assets import default_cache
from tundish_proto import open_inference_pb2 as oip
from tundish_proto.open_inference_pb2_grpc import GRPCInferenceServiceStub

GOODPUT_GOAL = Goal(bound=0.9)
REFUSAL_GOAL = Goal(bound=50.0, at_most=True)

REFUSED = "RESOURCE_EXHAUSTED"
LATE = "DEADLINE_EXCEEDED"

_CALLERS = 16
_PEAK_SECONDS = 5.0
_PLOT_SIZE = (100, 16)
_NOTABLE_LATENESS_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Overload:
    """What was measured."""

    before: Sample
    """The peak."""
    after: Sample
    report: OfferReport
    wall_seconds: float
    server_cpu_seconds: float
    resident_bytes: tuple[int, int]
    """The server's memory just before and just after the overload."""
    cores: int

    @property
    def goodput(self) -> float:
        """Images answered in time, a second."""
        return len(self.report.of_status(OK)) / self.wall_seconds

    @property
    def client_cores(self) -> float:
        """How many cores the client was busy on during the overload."""
        return self.report.client_cpu_seconds / self.wall_seconds


def overload(
    factor: Annotated[float, typer.Option(min=1.0, max=20, help="How much is offered, in peaks.")] = 2.0,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="For how long.")] = 30.0,
    deadline_milliseconds: Annotated[float, typer.Option("--deadline-ms", min=1, help="Of each request.")] = 500.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures, for programs.")] = None,
    history: HistoryFile = None,
) -> None:
    """Offer tundish more than it can answer, and see what it makes of it."""
    console = make_console()
    log = default_cache() / "benchmarks" / "overload.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tundish-bench-") as directory:
        scratch, models = Path(directory), Path(directory) / "models"
        int8_bundle(photo_repository(None, scratch, console), PHOTO_MODEL, models)
        questions = [ask_pipeline(PHOTO_MODEL, "image", path.read_bytes()) for path in photograph_paths()]
        with (
            tundish_server(models, log=log) as server,
            LoadGenerator(questions) as generator,
        ):
            subject = ServerSubject(server, generator, questions, callers=_CALLERS)
            with console.status("measure the peak"):
                subject.measure(1.0)
                before = subject.measure(_PEAK_SECONDS)
            offer = Offer(
                url=server.url,
                per_second=factor * before.items_per_second,
                seconds=seconds,
                deadline_seconds=deadline_milliseconds / 1e3,
            )
            measured = _measure(server, generator, offer, subject, before, console)
    _show(console, measured, offer)
    content = {"offer": asdict(offer), "before": asdict(measured.before), "after": asdict(measured.after)}
    write_json(json_file, {**content, "outcomes": [asdict(outcome) for outcome in measured.report.outcomes]})
    peaks = Rounds([{"tundish": sample} for sample in (measured.before, measured.after)])
    compared = compare(measured, offer.deadline_seconds)
    add_to_history(history, "overload", f"{factor:g} times the capacity", {"peak": peaks}, compared)


def _measure(
    server: ServerProcess,
    generator: LoadGenerator,
    offer: Offer,
    subject: ServerSubject,
    before: Sample,
    console: Console,
) -> Overload:
    counted, cpu, resident_before = _requests(server), server.cpu_seconds(), server.resident_bytes()
    with console.status(f"offer {offer.per_second:.0f} images/s for {offer.seconds:g} s"):
        report = generator.run(offer)
    spent, requests, resident_after = server.cpu_seconds_since(cpu), _requests(server), server.resident_bytes()
    check_adds_up(report, succeeded=requests[0] - counted[0], failed=requests[1] - counted[1])
    with console.status("measure the peak again"):
        after = subject.measure(_PEAK_SECONDS)
    return Overload(
        before=before,
        after=after,
        report=report,
        wall_seconds=offer.seconds,
        server_cpu_seconds=spent,
        resident_bytes=(resident_before, resident_after),
        cores=usable_cores(),
    )


def check_adds_up(report: OfferReport, *, succeeded: int, failed: int) -> None:
    """Holds what the client saw against what the server counted.

    A request whose deadline passes on its way may end on the client's side alone, and be anything on the server's.

    Raises:
        BenchmarkError: a request was left hanging or lost, or an answer was counted that nobody got.
    """
    if hanging := report.of_status("left hanging"):
        raise BenchmarkError(f"{len(hanging)} requests were left hanging.")
    answered, late = len(report.of_status(OK)), len(report.of_status(LATE))
    if not answered <= succeeded <= answered + late or succeeded + failed > len(report.outcomes):
        raise BenchmarkError(
            f"The server counted {succeeded} answers and {failed} failures, its client {answered} answers, {late} "
            f"deadlines that passed, and {len(report.outcomes)} requests in all."
        )


def compare(measured: Overload, deadline_seconds: float) -> list[Comparison]:
    """What is held against the goals."""
    peak = _by_left_core(measured.before.items_per_second, _client_cores(measured.before), measured.cores)
    goodput = _by_left_core(measured.goodput, measured.client_cores, measured.cores)
    answered = [outcome.seconds for outcome in measured.report.of_status(OK)]
    refused = [outcome.seconds for outcome in measured.report.of_status(REFUSED)]
    comparisons = [Comparison("goodput / peak, by the cores that the client leaves", [goodput / peak], GOODPUT_GOAL)]
    if len(refused) > 1:
        what = f"{REFUSED}, p99 of the time until it came, in ms"
        comparisons.append(Comparison(what, [1e3 * quantiles(refused, n=100)[98]], REFUSAL_GOAL))
    if len(answered) > 1:
        bound = Goal(bound=1e3 * deadline_seconds, at_most=True)
        comparisons.append(Comparison("answered, p99 in ms", [1e3 * quantiles(answered, n=100)[98]], bound))
    return comparisons


def _by_left_core(items_per_second: float, client_cores: float, cores: int) -> float:
    return items_per_second / (cores - client_cores)


def _client_cores(sample: Sample) -> float:
    return (sample.client_cpu_milliseconds or 0.0) * sample.items_per_second / 1e3


def _requests(server: ServerProcess) -> tuple[int, int]:
    """How many requests the server has answered so far, and how many have failed."""
    with grpc.insecure_channel(server.url) as channel:
        asked = oip.ModelStatisticsRequest(name=PHOTO_MODEL)
        (figures,) = GRPCInferenceServiceStub(channel).ModelStatistics(asked, timeout=10).model_stats
    return figures.inference_stats.success.count, figures.inference_stats.fail.count


def _show(console: Console, measured: Overload, offer: Offer) -> None:
    outcomes = measured.report.outcomes
    within = f"{1e3 * offer.deadline_seconds:.0f} ms"
    table = Table(title=f"{offer.per_second:.0f} images/s for {offer.seconds:g} s, each to be answered within {within}")
    for heading in ("outcome", "requests", "share", "p50 ms", "p99 ms", "most ms"):
        table.add_column(heading, justify="left" if heading == "outcome" else "right")
    for status, count in Counter(outcome.status for outcome in outcomes).most_common():
        table.add_row(status, str(count), f"{count / len(outcomes):.1%}", *_times(measured.report.of_status(status)))
    console.print(table)
    console.print(_plot(outcomes), markup=False)
    console.print(
        f"peak before and after: {measured.before.items_per_second:.0f} and {measured.after.items_per_second:.0f} "
        f"images/s, with {_client_cores(measured.before):.2f} cores for the client; goodput {measured.goodput:.0f} "
        f"images/s, with {measured.client_cores:.2f}.",
        soft_wrap=True,
    )
    console.print(
        f"server: {measured.server_cpu_seconds / measured.wall_seconds:.2f} cores, "
        f"{1e3 * measured.server_cpu_seconds / max(1, len(measured.report.of_status(OK))):.1f} ms of CPU an answered "
        f"image against {measured.before.cpu_milliseconds:.1f} at the peak; "
        f"{' and '.join(f'{size / 1e6:.0f}' for size in measured.resident_bytes)} MB resident before and after.",
        soft_wrap=True,
    )
    late = sum(outcome.late > _NOTABLE_LATENESS_SECONDS for outcome in outcomes)
    if late:
        most = max(outcome.late for outcome in outcomes)
        console.print(
            f"[yellow]warning:[/] the client sent {late} of {len(outcomes)} requests more than "
            f"{1e3 * _NOTABLE_LATENESS_SECONDS:.0f} ms late, at most {1e3 * most:.0f} ms: it shares the cores.",
            soft_wrap=True,
        )
    show_comparisons(console, compare(measured, offer.deadline_seconds))


def _times(outcomes: Sequence[Outcome]) -> tuple[str, str, str]:
    seconds = sorted(outcome.seconds for outcome in outcomes)
    if len(seconds) < 2:
        return ("", "", f"{1e3 * seconds[-1]:.0f}")
    cuts = quantiles(seconds, n=100)
    return f"{1e3 * cuts[49]:.1f}", f"{1e3 * cuts[98]:.1f}", f"{1e3 * seconds[-1]:.0f}"


def _plot(outcomes: Sequence[Outcome]) -> str:
    """What became of the requests of each second, over time."""
    seconds = range(int(outcomes[-1].due))
    plotext.clear_figure()
    plotext.plot_size(*_PLOT_SIZE)
    plotext.theme("clear")
    for label, status in (("answered", OK), ("refused", REFUSED), ("late", LATE)):
        counts = Counter(int(outcome.due) for outcome in outcomes if outcome.status == status)
        plotext.plot(seconds, [counts[second] for second in seconds], label=label)
    plotext.ylim(0, None)
    plotext.xlabel("second")
    plotext.ylabel("requests")
    return str(plotext.uncolorize(plotext.build()))


if __name__ == "__main__":
    run_command(overload)
