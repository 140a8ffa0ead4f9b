"""The report's other plots: errors of layers, activations in their ranges, and where the time goes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from tundish_exporters.report.content import ActivationHistogram, LayerError, StageMedians
from tundish_exporters.report.svg import CHARACTER, Scale, drawing, element, joined, line, text, tick_labels, ticks
from tundish_exporters.report.wording import quantity, short, tensor_names

_WIDTH = 760.0
_NAMED = 320.0
"""Of that, what names of layers take."""
MOST_LAYERS = 40
"""Bars of a plot; layers with smaller errors stay in the JSON."""


def layers_plot(layers: Sequence[LayerError]) -> Markup | None:
    """A bar for each layer, the worst first; None if none was measured."""
    worst = sorted(layers, key=lambda each: -each.error)[:MOST_LAYERS]
    if not worst or not worst[0].error > 0:
        return None
    names = tensor_names([layer.node for layer in layers])
    row, top = 20.0, 8.0
    height = top + row * len(worst) + 40
    across = Scale(0, worst[0].error * 1.02, _NAMED + 10, _WIDTH - 130)
    parts = [_value_axis(across, top, height - 40, "relative error of the layer's output (less is better)")]
    for index, layer in enumerate(worst):
        y = top + row * index
        kind = "kept" if layer.kept else "quantised"
        said = f"{quantity(layer.error)}{', kept in float' if layer.kept else ''}"
        end = across(layer.error)
        parts.append(
            element(
                "g",
                element("title", f"{layer.node} ({layer.operator}): {said}"),
                text(_NAMED, y + 14.5, short(names[layer.node], int(_NAMED / CHARACTER)), anchor="end"),
                element("rect", x=across.start, y=y + 3, width=max(end - across.start, 1), height=row - 6, class_=kind),
                text(end + 6, y + 14.5, said, class_="figure"),
            )
        )
    return drawing(_WIDTH, height, "Error of each layer's output when it alone is quantised", *parts)


def _value_axis(across: Scale, top: float, bottom: float, said: str) -> Markup:
    values = ticks(across.low, across.high, 6)
    parts: list[str] = []
    for value, label in zip(values, tick_labels(values), strict=True):
        x = across(value)
        parts += [line(x, top, x, bottom, "grid"), text(x, bottom + 16, label, anchor="middle")]
    return joined([*parts, text(across.start, bottom + 34, said)])


def histogram_plot(histogram: ActivationHistogram) -> Markup:
    """The values of one tensor; their numbers as logarithms, as most lie near zero."""
    width, height, bottom = 240.0, 120.0, 98.0
    bins = list(zip(histogram.edges, histogram.edges[1:], histogram.counts, strict=False))
    full = [index for index, (_, _, count) in enumerate(bins) if count]
    inside = [i for i, (left, right, _) in enumerate(bins) if histogram.low < (left + right) / 2 < histogram.high]
    first, last = min(full[0], inside[0]), max(full[-1], inside[-1])
    across = Scale(bins[first][0], bins[last][1], 6, width - 6)
    upward = Scale(0, math.log1p(max(histogram.counts)), bottom, 8)
    low, high = across(histogram.low), across(histogram.high)
    parts = [element("rect", x=low, y=4, width=high - low, height=bottom - 4, class_="range")]
    for index in range(first, last + 1):
        left, right, count = bins[index]
        if count:
            y = upward(math.log1p(count))
            kind = "bar" if index in inside else "beyond"
            parts.append(
                element("rect", x=across(left), y=y, width=across(right) - across(left), height=bottom - y, class_=kind)
            )
    parts.append(line(6, bottom, width - 6, bottom, "axis"))
    for value, x, anchor in ((histogram.low, low, "start"), (histogram.high, high, "end")):
        parts.append(line(x, 4, x, bottom + 4, "limit"))
        parts.append(text(x, bottom + 17, quantity(value), anchor=anchor))
    return drawing(width, height, f"Values of {histogram.tensor} and the range chosen for them", *parts)


_STAGES = ("preprocess", "engine", "postprocess")


def stages_plot(stages: Sequence[StageMedians]) -> Markup | None:
    """A bar for each variant, of its three stages; None if none was measured."""
    totals = [sum(getattr(each, stage) for stage in _STAGES) for each in stages]
    if not totals or not max(totals) > 0:
        return None
    row, top, named = 34.0, 6.0, 170.0
    height = top + row * len(stages) + 40
    across = Scale(0, max(totals) * 1.02, named + 10, _WIDTH - 90)
    parts = [_value_axis(across, top, height - 40, "milliseconds an item (less is better)")]
    for index, (each, total) in enumerate(zip(stages, totals, strict=True)):
        y = top + row * index
        parts.append(text(named, y + 21, short(each.variant, int(named / CHARACTER)), anchor="end"))
        begun = 0.0
        for stage in _STAGES:
            took = getattr(each, stage)
            x = across(begun)
            said = element("title", f"{each.variant}, {stage}: {quantity(took)} ms")
            bar = element("rect", said, x=x, y=y + 5, width=across(begun + took) - x, height=row - 10, class_=stage)
            parts.append(bar)
            begun += took
        parts.append(text(across(total) + 6, y + 21, f"{quantity(total)} ms", class_="figure"))
    return drawing(_WIDTH, height, "Where the time of one item goes, for each variant that passed the gate", *parts)
