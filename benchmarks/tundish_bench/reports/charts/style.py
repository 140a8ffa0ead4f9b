"""How all plots look: colours that colour-blind people can tell apart, paper, ink, and where labels find room."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle
from textwrap import fill
from typing import Any, Literal

import matplotlib
import matplotlib.ticker
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.figure import SubFigure
from matplotlib.transforms import Bbox

from tundish_bench.reports.wording import readable

INK, SOFT, GRID, PAPER = "#1b2027", "#5a6470", "#e9ecf0", "#ffffff"
"""Text, what is less important, lines behind, and the background; a page replaces them by those of its theme."""

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of series, by Okabe and Ito; there are no more, as nobody tells more lines apart."""
MARKERS = ("o", "s", "^", "D", "v", "P")
"""Beside the colours, for prints without them."""
GOOD, BAD, EVEN = COLORS[0], COLORS[1], "#8a94a0"
"""Better than what it is compared with, worse, and not to be told from it."""

WIDTH = 9.0
"""Inches."""
_CHARACTERS_A_LINE = 100
_DECADES = 1e3
"""Between the ends of an axis: a longer one has marks at powers of ten alone."""
_DOTS = 160
"""An inch, of a PNG."""
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "figure.facecolor": PAPER,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "text.parse_math": False,  # names are no formulas, whatever is in them
}

Surface = Canvas | SubFigure


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One plot."""

    title: str
    """What is seen in it."""
    subtitle: str
    """What it is of."""
    height: float
    """Inches."""
    paint: Callable[[Surface], None]


def render(charts: Sequence[Chart], form: Literal["svg", "png"]) -> bytes:
    """The charts below one another, as a file's bytes; those of equal charts are equal."""
    salt = "|".join(chart.title for chart in charts)
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": salt}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in letters that the font lacks
        heights = [chart.height for chart in charts]
        canvas = Canvas(figsize=(WIDTH, sum(heights)), layout="constrained")
        for chart, surface in zip(charts, _surfaces(canvas, heights), strict=True):
            surface.suptitle(fill(chart.title, _CHARACTERS_A_LINE), x=0.02, ha="left", fontsize=11, fontweight="bold")
            chart.paint(surface)
        stream = BytesIO()
        canvas.savefig(stream, format=form, dpi=_DOTS, metadata={"Date": None} if form == "svg" else {"Software": None})
    return stream.getvalue()


def _surfaces(canvas: Canvas, heights: Sequence[float]) -> list[SubFigure]:
    made = canvas.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
    return [row[0] for row in made]


def series_styles() -> Iterator[tuple[str, str]]:
    """A colour and a marker for each series in turn."""
    return cycle(zip(COLORS, MARKERS, strict=True))


def dress(axes: Axes, *, subtitle: str, across: str, up: str = "") -> None:
    """What a plot is of above it, and its axes' names."""
    axes.set_title(subtitle, loc="left", fontsize=9, color=SOFT)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.tick_params(length=0)


def plain_ticks(axis: Any) -> None:
    """Numbers as people write them, on a logarithmic axis too: 1, 2, 5, 10."""
    if axis.get_scale() == "log":
        low, high = axis.get_view_interval()
        axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5) if high < _DECADES * low else (1,)))
    axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: _short(value)))
    axis.set_minor_formatter(matplotlib.ticker.NullFormatter())


def _short(value: float) -> str:
    said = readable(value)
    return said.rstrip("0").rstrip(".") if "." in said else said


def label_points(axes: Axes, labels: Sequence[tuple[float, float, str]], points: Sequence[tuple[float, float]]) -> None:
    """Puts a text beside each point where it hides no point and no other text; leaves out what finds no room.

    Args:
        axes: with its limits and all else set.
        labels: x, y and text, the most important first.
        points: all that is drawn, in the axes' units.
    """
    root = axes.get_figure(root=True)
    assert root is not None
    root.draw_without_rendering()
    renderer = FigureCanvasAgg(root).get_renderer()
    taken = [text.get_window_extent(renderer) for text in axes.texts]
    for x, y in points:
        across, up = axes.transData.transform((x, y))
        taken.append(Bbox.from_extents(across - 4, up - 4, across + 4, up + 4))
    within = axes.get_window_extent(renderer)
    for x, y, said in labels:
        text = axes.annotate(said, (x, y), xytext=(0, 0), textcoords="offset points", fontsize=7.5, color=SOFT)
        for across, up, side, base in _PLACES:
            text.set(position=(across, up), ha=side, va=base)
            box = text.get_window_extent(renderer)
            if within.containsx(box.x0) and within.containsx(box.x1) and not any(box.overlaps(each) for each in taken):
                taken.append(box)
                break
        else:
            text.remove()


_PLACES = (
    (-4, 3, "right", "bottom"),
    (0, 5, "center", "bottom"),
    (0, -5, "center", "top"),
    (6, 0, "left", "center"),
    (-6, 0, "right", "center"),
    (5, 5, "left", "bottom"),
    (5, -5, "left", "top"),
    (-5, -5, "right", "top"),
)
"""Beside a point, in points: the offset and which side of the text is there; above rising lines first."""
