"""Twice as many images a second as the server can answer, for half a minute, each with a deadline.

What: goodput, the images that are answered in time a second, beside the peak; how soon the others are refused, and by
which status; how late the accepted ones are answered.
Against what: the peak of the same server, by 16 callers that wait for their answers, just before and just after.
Inputs: MobileNetV2, int8, twenty photographs of 512 x 512 pixels as JPEG files, over the Open Inference Protocol. They
come in a Poisson process whatever the server does, at twice the peak.
Method: the client is a process of its own on the same cores. It sends twice what it sends at the peak and reads
refusals besides; what that takes of the cores the server does not have, so goodput is also shown by the cores that the
client leaves. Requests that it sends late, since it is itself kept waiting, are counted, and judged by when they were
sent.
Checked: every request ends, answers are those given alone, and what was answered, refused and dropped adds up with the
server's own statistics.
Goals: goodput of at least 0.9 of the peak by the cores that the client leaves; 99 of 100 refusals within 50 ms, all by
RESOURCE_EXHAUSTED; the 99th percentile of the answered within the deadline.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import grpc
import numpy as np
import plotext
import typer
from rich.console import Console
from rich.table import Table

from tundish.placement.machine import usable_cores
from tundish_bench.demo_models import int8_bundle, photo_repository, photograph_paths
from tundish_bench.driving.connecting import ask_alone
from tundish_bench.driving.generator import Finished, Generator, Order
from tundish_bench.driving.load import Open
from tundish_bench.driving.outcomes import ANSWERED, status_name
from tundish_bench.driving.questions import ask_pipeline
from tundish_bench.driving.records import Records, Times
from tundish_bench.errors import BenchmarkError
from tundish_bench.processes import ServerProcess, tundish_server
from tundish_bench.report import Comparison, Goal, make_console, run_command, show_comparisons, write_json
from tundish_bench.rounds import Rounds, Sample, ServerSubject
from tundish_bench.rounds_report import HistoryFile, add_to_history
from tundish_bench.watching import ServerWatch
from tundish_exporters.demo import PHOTO_MODEL
from tundish_exporters.demo.assets import default_cache
from tundish_proto import open_inference_pb2 as oip
from tundish_proto.open_inference_pb2_grpc import GRPCInferenceServiceStub

GOODPUT_GOAL = Goal(bound=0.9)
REFUSAL_GOAL = Goal(bound=50.0, at_most=True)

REFUSED: int = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
LATE: int = grpc.StatusCode.DEADLINE_EXCEEDED.value[0]

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
    order: Order
    finished: Finished
    server_cpu_seconds: float
    resident_megabytes: tuple[float, float]
    """The server's memory just before and just after the overload."""
    cores: int

    @property
    def records(self) -> Records:
        """What became of each request."""
        return self.finished.records

    @property
    def goodput(self) -> float:
        """Images answered in time, a second."""
        return int(self.records.answered.sum()) / self.order.block_seconds

    @property
    def client_cores(self) -> float:
        """How many cores the client was busy on during the overload."""
        return self.finished.cpu_seconds / self.order.block_seconds


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
            Generator() as generator,
        ):
            asking = ask_alone(server.url, questions)
            subject = ServerSubject(server, generator, asking, callers=_CALLERS)
            with console.status("measure the peak"):
                subject.measure(1.0)
                before = subject.measure(_PEAK_SECONDS)
            order = Order(
                asking=replace(asking, timeout_seconds=deadline_milliseconds / 1e3),
                load=Open(factor * before.items_per_second),
                block_seconds=seconds,
                ends_itself=True,
            )
            measured = _measure(server, generator, order, subject, before, console)
    _show(console, measured)
    content = {"offer": _offer(order), "before": asdict(measured.before), "after": asdict(measured.after)}
    write_json(json_file, {**content, "outcomes": _outcomes(measured.finished)})
    peaks = Rounds([{"tundish": sample} for sample in (measured.before, measured.after)])
    compared = compare(measured)
    add_to_history(history, "overload", f"{factor:g} times the capacity", {"peak": peaks}, compared)


def _measure(
    server: ServerProcess,
    generator: Generator,
    order: Order,
    subject: ServerSubject,
    before: Sample,
    console: Console,
) -> Overload:
    watch, counted = ServerWatch(server.pid), _requests(server)
    watch.sample()
    resident_before = watch.resident_megabytes
    with console.status(f"offer {order.load.name} for {order.block_seconds:g} s"):
        finished = generator.run(order)
    watch.sample()
    requests = _requests(server)
    check_adds_up(finished.records, succeeded=requests[0] - counted[0], failed=requests[1] - counted[1])
    with console.status("measure the peak again"):
        after = subject.measure(_PEAK_SECONDS)
    return Overload(
        before=before,
        after=after,
        order=order,
        finished=finished,
        server_cpu_seconds=watch.cpu_seconds,
        resident_megabytes=(resident_before, watch.resident_megabytes),
        cores=usable_cores(),
    )


def check_adds_up(records: Records, *, succeeded: int, failed: int) -> None:
    """Holds what the client saw against what the server counted.

    A request whose deadline passes on its way may end on the client's side alone, and be anything on the server's.

    Raises:
        BenchmarkError: a request was left hanging or lost, an answer was counted that nobody got, or one was wrong.
    """
    if hanging := int(records.was_given_up.sum()):
        raise BenchmarkError(f"{hanging} requests were left hanging.")
    if different := int(records.differs.sum()):
        raise BenchmarkError(f"{different} requests were answered otherwise than when asked alone.")
    answered, late = int(records.answered.sum()), int((records.status == LATE).sum())
    if not answered <= succeeded <= answered + late or succeeded + failed > len(records):
        raise BenchmarkError(
            f"The server counted {succeeded} answers and {failed} failures, its client {answered} answers, {late} "
            f"deadlines that passed, and {len(records)} requests in all."
        )


def compare(measured: Overload) -> list[Comparison]:
    """What is held against the goals."""
    peak = _by_left_core(measured.before.items_per_second, _client_cores(measured.before), measured.cores)
    goodput = _by_left_core(measured.goodput, measured.client_cores, measured.cores)
    comparisons = [Comparison("goodput / peak, by the cores that the client leaves", [goodput / peak], GOODPUT_GOAL)]
    refused, answered = (_milliseconds(measured.records, status) for status in (REFUSED, ANSWERED))
    if len(refused):
        what = f"{status_name(REFUSED)}, p99 of the time until it came, in ms"
        comparisons.append(Comparison(what, [float(np.percentile(refused, 99))], REFUSAL_GOAL))
    if len(answered):
        bound = Goal(bound=1e3 * measured.order.asking.timeout_seconds, at_most=True)
        comparisons.append(Comparison("answered, p99 in ms", [float(np.percentile(answered, 99))], bound))
    return comparisons


def _milliseconds(records: Records, status: int) -> Times:
    """From sending to its end, of each that ended so: a deadline, too, counts from there."""
    ended = records.chosen(records.status == status)
    return 1e3 * (ended.ended - ended.sent)


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


def _offer(order: Order) -> dict[str, float]:
    """For programs."""
    rate, deadline = float(order.load.settings["rate"]), order.asking.timeout_seconds
    return {"per_second": rate, "seconds": order.block_seconds, "deadline_seconds": deadline}


def _outcomes(finished: Finished) -> list[dict[str, float | str]]:
    """For programs: of each request, when it was due, how late it was sent, and how soon it ended how."""
    records = finished.records
    rows = zip(records.due, records.sent, records.ended, records.status, strict=True)
    return [
        {"due": due - finished.began, "late": sent - due, "seconds": ended - sent, "status": status_name(status)}
        for due, sent, ended, status in rows
    ]


def _show(console: Console, measured: Overload) -> None:
    records, order = measured.records, measured.order
    within = f"{1e3 * order.asking.timeout_seconds:.0f} ms"
    table = Table(title=f"{order.load.name} images for {order.block_seconds:g} s, each to be answered within {within}")
    for heading in ("outcome", "requests", "share", "p50 ms", "p99 ms", "most ms"):
        table.add_column(heading, justify="left" if heading == "outcome" else "right")
    for status, count in Counter(records.status.tolist()).most_common():
        p50, p99, most = np.percentile(_milliseconds(records, status), (50, 99, 100))
        share = f"{count / len(records):.1%}"
        table.add_row(status_name(status), str(count), share, f"{p50:.1f}", f"{p99:.1f}", f"{most:.0f}")
    console.print(table)
    console.print(_plot(measured.finished, order.block_seconds), markup=False)
    console.print(
        f"peak before and after: {measured.before.items_per_second:.0f} and {measured.after.items_per_second:.0f} "
        f"images/s, with {_client_cores(measured.before):.2f} cores for the client; goodput {measured.goodput:.0f} "
        f"images/s, with {measured.client_cores:.2f}.",
        soft_wrap=True,
    )
    console.print(
        f"server: {measured.server_cpu_seconds / order.block_seconds:.2f} cores, "
        f"{1e3 * measured.server_cpu_seconds / max(1, int(records.answered.sum())):.1f} ms of CPU an answered "
        f"image against {measured.before.cpu_milliseconds:.1f} at the peak; "
        f"{' and '.join(f'{size:.0f}' for size in measured.resident_megabytes)} MB resident before and after.",
        soft_wrap=True,
    )
    lateness = records.sent - records.due
    if late := int((lateness > _NOTABLE_LATENESS_SECONDS).sum()):
        console.print(
            f"[yellow]warning:[/] the client sent {late} of {len(records)} requests more than "
            f"{1e3 * _NOTABLE_LATENESS_SECONDS:.0f} ms late, at most {1e3 * lateness.max():.0f} ms: "
            "it shares the cores.",
            soft_wrap=True,
        )
    show_comparisons(console, compare(measured))


def _plot(finished: Finished, seconds: float) -> str:
    """What became of the requests of each second, over time."""
    records, whole = finished.records, range(int(seconds))
    plotext.clear_figure()
    plotext.plot_size(*_PLOT_SIZE)
    plotext.theme("clear")
    for label, status in (("answered", ANSWERED), ("refused", REFUSED), ("late", LATE)):
        counts = Counter((records.due[records.status == status] - finished.began).astype(int).tolist())
        plotext.plot(whole, [counts[second] for second in whole], label=label)
    plotext.ylim(0, None)
    plotext.xlabel("second")
    plotext.ylabel("requests")
    return str(plotext.uncolorize(plotext.build()))


if __name__ == "__main__":
    run_command(overload)
