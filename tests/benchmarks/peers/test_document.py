"""The document of a comparison: who wins, every figure, and nothing of it broken by what names hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tundish_bench.driving.dialects import GRPC, GRPC_BYTES, HTTP, POST, Dialect
from tundish_bench.peers.comparing import CPU_RATIO, THROUGHPUT_RATIO, rows_of
from tundish_bench.peers.document import document, escaped
from tundish_bench.peers.measuring import Points, Target
from tundish_bench.peers.plots import plots_of
from tundish_bench.peers.workloads import Workload
from tundish_bench.processes import ServerProcess
from tundish_bench.reports import Better, Figure, Report, Row
from tundish_bench.rounds import Sample

REASONS = "**mosec** is quick because of | this.\n"


def row(server: str, callers: int, ratios: Mapping[str, tuple[float, ...]], workload: str = "Images") -> Row:
    figures = [
        Figure(name="throughput", unit="/s", better="more", repeats=(1234.0, 1266.0)),
        Figure(name="p50", unit="ms", better="less", repeats=(5.678, 5.682)),
        Figure(name="server CPU", unit="ms", better="less", repeats=(7.0, 7.2)),
    ]
    for name, repeats in ratios.items():
        better: Better = "more" if name == THROUGHPUT_RATIO else "less"
        figures.append(Figure(name=name, unit="x", better=better, repeats=repeats))
    return Row(
        name=f"{workload}: {server}, {callers}",
        settings={"workload": workload, "server": server, "callers": callers},
        figures=tuple(figures),
    )


def page(*rows: Row, notes: tuple[str, ...] = ()) -> str:
    report = Report(kind="peers", title="us | them", method="One.\n\nTwo * two.", rows=rows, notes=notes)
    return document(report, REASONS)


def winners(*rows: Row) -> tuple[str, str]:
    """By throughput and by CPU, under one number of callers."""
    found = [line for line in page(*rows).splitlines() if line.startswith("| Images |")]
    return found[0].split("|")[2].strip(), found[1].split("|")[2].strip()


def test_who_wins_is_the_best_peer_or_tundish_and_only_if_it_is_proven() -> None:
    ours = row("tundish, gRPC", 4, {})
    slow = row("slow", 4, {THROUGHPUT_RATIO: (0.5, 0.5, 0.5), CPU_RATIO: (2.0, 2.0, 2.0)})
    near = row("near", 4, {THROUGHPUT_RATIO: (0.79, 0.8, 0.81), CPU_RATIO: (1.24, 1.25, 1.26)})
    fast = row("fast", 4, {THROUGHPUT_RATIO: (1.09, 1.1, 1.11), CPU_RATIO: (0.9, 0.91, 0.92)})
    even = row("even", 4, {THROUGHPUT_RATIO: (0.9, 1.3, 1.0), CPU_RATIO: (0.8, 1.1, 1.0)})
    assert winners(ours, slow, near) == ("tundish, 1.25 x near", "tundish, 1.25 x near")
    assert winners(ours, slow, near, fast) == ("**fast**, 1.10", "**fast**, 1.10")
    assert winners(ours, slow, even) == ("even: even 1.05", "even: even 1.04")
    assert winners(ours) == ("", "")


def test_the_document_holds_every_figure_the_reasons_and_the_method() -> None:
    made = page(
        row("tundish, gRPC", 1, {}),
        row("mosec, HTTP", 1, {THROUGHPUT_RATIO: (0.5, 0.52)}),
        row("mosec, HTTP", 64, {THROUGHPUT_RATIO: (0.5, 0.5)}, workload="Texts"),
        notes=("Other work took up to 0.40 cores; measure on an idle machine.",),
    )
    assert made.startswith("# us \\| them\n")
    assert REASONS.strip() in made
    assert "\n\nOne.\n\nMeasured on " in made
    assert "\nTwo \\* two.\n" in made
    assert "> Other work took up to 0.40 cores" in made
    assert "| 1 caller | 64 callers |" in made
    assert "| 1 | mosec, HTTP | 1,250 ± 203 | 0.510 (" in made
    assert "### Texts\n" in made
    assert "make bench-peers" in made


HOSTILE = "a|b <script>`*x*` [l](javascript:1) _y_\n# head \\ ~~z~~ {q}"


def test_names_break_neither_tables_nor_the_page() -> None:
    made = page(row("tundish", 1, {}), row(HOSTILE, 1, {THROUGHPUT_RATIO: (1.0, 1.1)}, workload=HOSTILE))
    bars = {line.replace("\\|", "").count("|") for line in made.splitlines() if line.startswith("|")}
    assert bars == {3, 10}  # the winners' tables and the figures'
    assert "<script>" not in made
    assert "\n# head" not in made
    assert "[l](javascript" not in made.replace("\\[l\\]", "")


@pytest.mark.parametrize(
    ("text", "shown"), [("plain, text.", "plain, text."), ("a  \n b", "a b"), ("1 | 2", "1 \\| 2"), ("\\|", "\\\\\\|")]
)
def test_what_markdown_would_take_for_markup_is_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


def target(name: str, dialect: Dialect, *, ours: bool = False) -> Target:
    process = ServerProcess(name, ["none"], port=1, log=None)  # type: ignore[arg-type]
    return Target(name=name, process=process, url="", dialect=dialect, is_ours=ours)


def point(throughput: float, cpu: float) -> Sample:
    return Sample(items=10, items_per_second=throughput, cpu_milliseconds=cpu, other_cores=0.0, memory_megabytes=50.0)


def test_a_peer_is_compared_with_tundish_by_the_same_transport_round_by_round() -> None:
    targets = [
        target("ours", GRPC, ours=True),
        target("ours, HTTP", HTTP, ours=True),
        target("one", GRPC_BYTES),
        target("other", POST),
    ]
    points: Points = {
        ("ours", 4): [point(100, 10), point(200, 10)],
        ("ours, HTTP", 4): [point(50, 20), point(100, 20)],
        ("one", 4): [point(150, 5), point(100, 5)],
        ("other", 4): [point(150, 5), point(100, 40)],
    }
    workload = Workload(
        name="images", title="Images", item="image", repository=Path(), models=(), questions=(), expected=()
    )
    rows = {str(each.settings["server"]): each for each in rows_of(workload, targets, points)}

    def repeats(server: str, name: str) -> tuple[float, ...]:
        figure = rows[server].figure(name)
        assert figure is not None
        return figure.repeats

    assert repeats("one", THROUGHPUT_RATIO) == (1.5, 0.5)
    assert repeats("one", CPU_RATIO) == (0.5, 0.5)
    assert repeats("other", THROUGHPUT_RATIO) == (3.0, 1.0)
    assert repeats("other", CPU_RATIO) == (0.25, 2.0)
    assert rows["ours"].figure(THROUGHPUT_RATIO) is None
    assert repeats("ours", "throughput") == (100, 200)
    assert repeats("ours", "server memory") == (50, 50)


def test_each_workload_has_its_plots_where_it_is_told() -> None:
    rows = [row(server, callers, {}, workload) for workload in ("Images", "Four models") for server in ("a", "b")
            for callers in (1, 4)]  # fmt: skip
    report = Report(kind="peers", title="us and them", method="One.\n\nTwo.", rows=tuple(rows))
    plots = tuple(plots_of(report))
    assert [plot.name for plot in plots] == ["images-throughput.svg", "four-models-throughput.svg"]
    assert all(plot.content.startswith(b"<?xml") for plot in plots)
    made = document(report, REASONS, plots, "benchmarks")
    images, four = made.split("### Four models")
    assert "](benchmarks/images-throughput.svg)" in images
    assert "](benchmarks/four-models-throughput.svg)" in four
