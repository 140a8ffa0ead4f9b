"""What plots show and say: their titles' figures, no text on another, and names that are no formulas."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.text import Text
from support.bench_reports import (
    encoded,
    engines_report,
    history_reports,
    load_report,
    load_row,
    peers_report,
    ratio,
    report,
    sweep_report,
)

from tundish_bench.reports import Figure, Report, Row
from tundish_bench.reports.charts import Chart, charts_of, key_figures, render
from tundish_bench.reports.charts.over_time import history_chart
from tundish_bench.reports.charts.style import BAD, EVEN, GOOD, WIDTH
from tundish_bench.reports.wording import readable

KERNELS = [f"resize_normalize 1080p bgr to 640 squared number {number} float32 chw antialiased" for number in range(12)]


def kernels_report() -> Report:
    rows = [
        Row(name=name, figures=(ratio("times faster", 1.0 + number, seed=number),))
        for number, name in enumerate(KERNELS)
    ]
    return report("kernels", rows)


def painted(chart: Chart) -> Canvas:
    canvas = Canvas(figsize=(WIDTH, chart.height), layout="constrained")
    chart.paint(canvas)
    canvas.draw_without_rendering()
    return canvas


def texts_of(canvas: Canvas) -> list[Text]:
    """Those that are drawn: ticks beyond the ends of an axis are not."""
    beyond = [
        tick.label1
        for axes in canvas.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    ]
    texts = [each for each in canvas.findobj(Text) if isinstance(each, Text)]
    return [text for text in texts if text.get_text() and text.get_visible() and text not in beyond]


def names_of(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


CHARTS = [
    *charts_of(sweep_report()),
    *charts_of(load_report())[::3],
    charts_of(engines_report())[0],
    charts_of(peers_report())[0],
    *charts_of(kernels_report()),
    history_chart(history_reports(), ("time",)),
]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.title[:30])
def test_no_text_hides_another_and_all_are_within_the_plot(chart: Chart) -> None:
    canvas = painted(chart)
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts_of(canvas)]
    assert len(boxes) > 8
    for (one, box), (other, its) in combinations(boxes, 2):
        overlap = min(box.x1, its.x1) - max(box.x0, its.x0), min(box.y1, its.y1) - max(box.y0, its.y0)
        assert min(overlap) <= 1, (one, other)
    for said, box in boxes:
        assert canvas.bbox.x0 - 1 <= box.x0 <= box.x1 <= canvas.bbox.x1 + 1, said


def test_a_sweep_marks_its_knee_and_its_bound_and_says_what_they_allow() -> None:
    (chart,) = charts_of(sweep_report())
    assert chart.title == "Up to 339 requests/s with 99 % of the answers within 60 ms (8 callers, batch 8)"
    canvas = painted(chart)
    (axes,) = canvas.axes
    legend = [text.get_text() for text in canvas.legends[0].get_texts()]
    assert legend == ["batch 1 p99", "batch 1 p50", "batch 8 p99", "batch 8 p50", "knee: 8 callers, batch 8"]
    texts = [text.get_text() for text in axes.texts]
    assert texts[0] == "asked for: 60 ms"
    assert {"1", "2", "4", "8", "16", "32", "64"} <= set(texts)
    row = sweep_report().rows[0]
    values = {name: row.figure(name) for name in ("throughput", "p99")}
    drawn = axes.lines[0].get_xydata()
    assert isinstance(drawn, np.ndarray)
    assert tuple(drawn[0]) == tuple(figure.value for figure in values.values() if figure)


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"slo_milliseconds": 1.0}, "No load has 99 % of its answers within 1 ms"),
        (
            {"slo_milliseconds": None},
            "Beyond 8 callers, batch 8 more load hardly brings more: 339 requests/s, 99 % of them",
        ),
        ({"slo_milliseconds": None, "knee": None}, "Up to 404 requests/s (64 callers, batch 8)"),
    ],
)
def test_a_sweep_without_a_bound_or_a_knee(changes: dict[str, object], title: str) -> None:
    (chart,) = charts_of(sweep_report().model_copy(update=changes))
    assert chart.title.startswith(title)


def test_a_search_for_a_rate_is_a_line_of_its_own_and_its_answer_the_title() -> None:
    """A caller that waits for its answers gets more than any rate that may be asked for; see Kleinrock on M/D/1."""
    latencies = encoded(np.full(200, 20.0))
    closed = [
        load_row(callers, 200).model_copy(update={"settings": {"callers": callers}, "histogram": latencies})
        for callers in (1, 2, 4)
    ]
    trials = {30.0: 90.0, 45.0: 400.0, 37.0: 180.0, 33.0: 99.0}
    rates = [
        Row(
            name=f"{rate:g}/s",
            settings={"rate": rate},
            figures=tuple(
                Figure(name=name, unit=unit, repeats=(value,))
                for name, unit, value in (("throughput", "/s", rate), ("p50", "ms", p99 / 3), ("p99", "ms", p99))
            ),
            histogram=encoded(np.full(200, p99)),
        )
        for rate, p99 in trials.items()
    ]
    swept = report("sweep", [*closed, *rates]).model_copy(
        update={"slo_milliseconds": 100.0, "highest": ("33/s",), "knee": closed[0].name}
    )
    curve, percentiles = charts_of(swept)
    assert curve.title == "Up to 33.0 requests/s with 99 % of the answers within 100 ms (33/s)"
    (axes,) = painted(curve).axes
    across = {str(line.get_label()): list(map(float, np.asarray(line.get_xdata()))) for line in axes.lines}
    assert across["at a rate p99"] == sorted(trials)
    assert len(across["callers that wait p99"]) == len(closed)
    drawn = {str(line.get_label()) for line in painted(percentiles).axes[0].lines}
    assert drawn == {*(row.name for row in closed), "33/s"}
    none = swept.model_copy(update={"highest": ()})
    assert charts_of(none)[0].title == "No load has 99 % of its answers within 100 ms"


def test_percentiles_are_those_of_the_latencies() -> None:
    latencies = np.concatenate([np.full(9_900, 10.0), np.full(90, 50.0), np.full(10, 200.0)])
    told = load_row(4, 200).model_copy(update={"histogram": encoded(latencies)})
    said = f"99 % within {readable(figure.value)} ms" if (figure := told.figure("p99")) else ""
    assert charts_of(report("load", [told]))[0].title.endswith(said), "the table's figure, where there is one"
    row = told.model_copy(update={"figures": told.figures[:1]})
    (chart,) = charts_of(report("load", [row]))
    assert chart.title == "Half of the answers come within 10.0 ms, 99 % within 10.0 ms"
    (axes,) = painted(chart).axes
    across, up = (np.asarray(values) for values in axes.lines[0].get_data())
    shares = 1 - 1 / across
    assert up[-1] == pytest.approx(200.0, rel=1e-3), "the longest of all"
    for low, high, latency in ((0.0, 0.98, 10.0), (0.9905, 0.9985, 50.0), (0.9995, 1.0, 200.0)):
        assert up[(shares > low) & (shares < high)] == pytest.approx(latency, rel=1e-3)
    assert across.max() == pytest.approx(len(latencies))  # of ten thousand, nothing is said of one in a million


def variant_row(variant: str, batch: int, speed_up: float, latencies: float) -> Row:
    return Row(
        name=f"{variant}, batch {batch}",
        settings={"variant": variant, "engine": variant[:4], "precision": variant[5:], "batch": batch, "threads": 1},
        figures=(
            Figure(name="throughput", unit="/s", better="more", repeats=(100 * speed_up, 101 * speed_up)),
            ratio("speed-up", speed_up),
        ),
        histogram=encoded(np.full(1_000, latencies)),
    )


def test_variants_of_several_batches_are_held_against_each_other_by_the_batch() -> None:
    """Their speed-ups are over the same batch, and a variant's engine and precision tell nothing more."""
    variants = {"onnx-fp32": (1.0, 20.0), "onnx-int8": (3.0, 9.0), "open-bf16": (2.0, 8.0), "open-int8": (2.5, 12.0)}
    rows = [
        variant_row(variant, batch, speed_up / batch, slowness * batch)
        for variant, (speed_up, slowness) in variants.items()
        for batch in (1, 4)
    ]
    ratios, bars, percentiles = charts_of(report("engines", rows))
    assert ratios.title.startswith("speed-up at batch 4: the best is onnx-int8, 0.7")
    assert bars.title.startswith("throughput at batch 4: the best is onnx-int8")
    assert len(painted(bars).axes[0].patches) == len(rows)
    assert "8.00 ms (open-bf16, batch 1) to 80" in percentiles.title, "the least of all, drawn or not"
    assert any("; 2 more are not drawn" in text.get_text() for text in texts_of(painted(percentiles)))


def bars_of(axes: Axes) -> list[tuple[float, str]]:
    return [(patch.get_width(), matplotlib.colors.to_hex(patch.get_facecolor())) for patch in axes.patches]  # type: ignore[attr-defined]


def test_ratios_are_coloured_by_what_is_proven() -> None:
    values = {"slow": (0.5, 0.52, 0.49), "alike": (0.95, 1.0, 1.06), "fast": (2.0, 2.1, 1.9), "floor": (3.0, 3.1, 2.9)}
    rows = [
        Row(name=name, figures=(Figure(name="speed-up", unit="x", better="more", repeats=each),))
        for name, each in values.items()
    ]
    (chart,) = charts_of(report("engines", rows))
    assert chart.title.startswith("speed-up: the best is fast, 2.00 times (1.7")  # a floor is no rival
    (axes,) = painted(chart).axes
    assert [color for _, color in bars_of(axes)] == [BAD, EVEN, GOOD, GOOD]
    assert [width for width, _ in bars_of(axes)] == pytest.approx([row.figures[0].value for row in rows])
    assert names_of(axes) == list(values)
    assert axes.get_xlabel() == "speed-up, x (higher is better)"


def test_a_title_does_not_prefer_what_cannot_be_told_apart() -> None:
    throughput, _, cpu = charts_of(peers_report())
    assert throughput.title == "throughput at 64 callers: the best is tundish, 414 /s"
    assert cpu.title == "server CPU at 64 callers: no telling apart tundish and 3 others, 3.14 ms"


def test_bars_stand_in_groups_of_servers() -> None:
    chart = charts_of(peers_report())[0]
    canvas = painted(chart)
    (axes,) = canvas.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "4", "16", "64"]
    assert [text.get_text() for text in canvas.legends[0].get_texts()] == [
        "tundish",
        "tritonserver",
        "mosec",
        "LitServe",
    ]
    heights = [patch.get_height() for patch in axes.patches]  # type: ignore[attr-defined]
    expected = [figure.value for row in peers_report().rows if (figure := row.figure("throughput"))]
    assert heights == pytest.approx(expected)


def test_each_load_has_bars_of_its_own() -> None:
    rows = [
        row.model_copy(update={"name": f"{load} {row.name}", "settings": {**row.settings, "load": load}})
        for load in ("images", "texts")
        for row in peers_report().rows
    ]
    charts = charts_of(report("peers", rows))
    assert [chart.subtitle.rsplit(", ")[-1] for chart in charts] == ["images", "texts"] * 3
    assert all("at 64 callers" in chart.title for chart in charts)


def test_a_history_breaks_where_the_machine_changes_and_shows_what_is_worse() -> None:
    chart = history_chart(history_reports(), key_figures(history_reports()[-1])[1:])
    assert chart.title == "engines: since the run before 2 figures are proven to be worse, 0 to be better"
    canvas = painted(chart)
    first = canvas.axes[0]
    assert first.get_title(loc="left") == "onnx-fp32-cpu\ntime, ms (lower is better)"
    runs = [list(map(float, container[0].get_xdata())) for container in first.containers]
    assert runs == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert "other machine" in [text.get_text() for text in first.texts]


def test_names_are_no_formulas_and_no_letters_are_refused() -> None:
    names = ("$\\frac{", "a_b^c $x$", "漢字 🙂", "<b>&amp;", "x" * 200)
    rows = [Row(name=name, figures=(ratio("speed $up", 2.0),)) for name in names]
    drawn = render(charts_of(report("engines", rows, title="$\\bad{")), "svg")
    assert drawn.startswith(b"<?xml")


def test_what_cannot_be_compared_is_not_drawn() -> None:
    def kinds(made: Report) -> Sequence[str]:
        return [chart.title for chart in charts_of(made)]

    assert kinds(report("load", [load_row(1, 200)])) == []  # one bar says nothing
    assert kinds(report("sweep", [load_row(1, 200)])) == []
    # Times of operators that do other things are no bars, and none is the best.
    assert kinds(kernels_report()) == ["times faster: 11 of 12 are proven to be better than 1, 0 to be worse"]
