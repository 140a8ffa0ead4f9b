"""The plot of all trials: how long an item takes against what it costs in accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from tundish_exporters.report.content import Trial
from tundish_exporters.report.svg import (
    CHARACTER,
    LogScale,
    Scale,
    drawing,
    element,
    joined,
    line,
    text,
    tick_labels,
    ticks,
)
from tundish_exporters.report.wording import quantity, short, signed

_WIDTH, _HEIGHT = 760.0, 420.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 66.0, 20.0, 34.0, 54.0
_RADIUS = 6.0
_TICK_ROOM = 44.0
_LEAST_SEEN = 0.2
"""Points that the plot has room for, if neither the bound nor what is accurate enough needs more."""
_LINE = 15.0
"""Height of a line of text."""
_AROUND = ((12, 4.5, "start"), (-12, 4.5, "end"), (0, -12, "middle"), (0, 22, "middle"),
           (10, -9, "start"), (10, 18, "start"), (-10, -9, "end"), (-10, 18, "end"))  # fmt: skip
"""Where a point's name may stand: its distance from the point, and what of it stands there."""


@dataclass(frozen=True, slots=True)
class Point:
    """A trial that was measured, with its number in the table."""

    number: int
    trial: Trial
    milliseconds: float
    loss: float
    """Points of accuracy."""
    least: float
    greatest: float
    """The ends of its interval; the loss itself if that is not known."""


def points_of(trials: Sequence[Trial]) -> list[Point]:
    """Those of which both the time and the accuracy are known."""
    points = []
    for number, trial in enumerate(trials, 1):
        if trial.milliseconds is not None and trial.drop is not None and abs(trial.drop) <= 1:
            low, high = trial.interval or (trial.drop, trial.drop)
            points.append(Point(number, trial, trial.milliseconds, 100 * trial.drop, 100 * low, 100 * high))
    return points


def front_of(points: Sequence[Point]) -> list[Point]:
    """Those to which no other is preferable in both time and accuracy, the fastest first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda each: (each.milliseconds, each.loss)):
        if not front or point.loss < front[-1].loss:
            front.append(point)
    return front


def pareto_plot(trials: Sequence[Trial], max_drop: float | None) -> Markup | None:
    """None if fewer than two trials were measured: there is nothing to compare then."""
    points = points_of(trials)
    if len(points) < 2:
        return None
    front = front_of(points)
    bound = None if max_drop is None else 100 * max_drop
    across, upward = _scales(points, front, bound)
    shown = "Time of one item against the accuracy that is lost, for each way to run the model that was measured"
    return drawing(
        _WIDTH,
        _HEIGHT,
        shown,
        _axes(across, upward),
        _bound(upward, bound),
        _stairs(front, across, upward),
        joined(_error_bar(point, across, upward) for point in points if point.trial.interval),
        joined(_marker(point, across, upward) for point in points),
        _names(points, front, _taken(points, front, bound, across, upward), across, upward),
    )


def _scales(points: Sequence[Point], front: Sequence[Point], bound: float | None) -> tuple[LogScale, Scale]:
    """So that what matters fills the plot; points far from it are drawn at its edge, with their figures."""
    good = [point.loss for point in points if point.trial.outcome in ("served", "passed")]
    near = max(3 * (bound or 0), 2 * max(good, default=0), _LEAST_SEEN)
    seen = [point for point in points if point.loss <= near]
    lowest = min([0.0, *(max(point.least, -2 * near) for point in seen)])
    highest = max([bound or 0.0, *(min(point.greatest, 2 * near) for point in seen)])
    room = 0.12 * (highest - lowest) or 0.1
    slow = 1.6 * max(each.milliseconds for each in points if each in front or each.trial.precision == "fp32")
    times = [min(point.milliseconds, slow) for point in points]
    return (
        LogScale(min(times) / 1.5, max(times) * 1.25, _LEFT, _WIDTH - _RIGHT),
        Scale(lowest - room, highest + room, _HEIGHT - _BOTTOM, _TOP),
    )


def _axes(across: LogScale, upward: Scale) -> Markup:
    parts: list[str] = []
    losses = ticks(upward.low, upward.high, 6)
    for value, label in zip(losses, tick_labels(losses), strict=True):
        y = upward(value)
        parts += [line(_LEFT, y, _WIDTH - _RIGHT, y, "zero" if value == 0 else "grid")]
        parts += [text(_LEFT - 8, y + 4.5, label, anchor="end")]
    for value in across.ticks(_TICK_ROOM):
        x = across(value)
        parts += [line(x, _HEIGHT - _BOTTOM, x, _HEIGHT - _BOTTOM + 5, "axis")]
        parts += [text(x, _HEIGHT - _BOTTOM + 20, f"{value:g}", anchor="middle")]
    parts += [
        line(_LEFT, _HEIGHT - _BOTTOM, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM, "axis"),
        text(
            _WIDTH - _RIGHT,
            _HEIGHT - 10,
            "← milliseconds an item (less is better; logarithmic scale)",
            anchor="end",
        ),
        text(_LEFT - 56, 16, "points of accuracy lost (less is better) ↓"),
    ]
    return joined(parts)


def _bound(upward: Scale, bound: float | None) -> Markup:
    if bound is None:
        return Markup("")
    y = upward(bound)
    return joined(
        [
            line(_LEFT, y, _WIDTH - _RIGHT, y, "bound"),
            text(_WIDTH - _RIGHT - 4, y - 6, f"the bound: {signed(bound, 2)}", anchor="end", class_="bound-name"),
        ]
    )


def _stairs(front: Sequence[Point], across: LogScale, upward: Scale) -> Markup:
    """From each point of the front to the next: no trial lies below and to the left of the line."""
    steps = [(across(point.milliseconds), _height(point, upward)) for point in front]
    path = "".join(f"H{x:.2f}V{y:.2f}" for x, y in steps[1:])
    return element("path", d=f"M{steps[0][0]:.2f} {steps[0][1]:.2f}{path}", class_="front")


def _place(point: Point, across: LogScale) -> float:
    return across(min(point.milliseconds, across.high))


def _height(point: Point, upward: Scale) -> float:
    return upward(min(point.loss, upward.high))


def _is_outside(point: Point, across: LogScale, upward: Scale) -> bool:
    return point.loss > upward.high or point.milliseconds > across.high


def _error_bar(point: Point, across: LogScale, upward: Scale) -> Markup:
    if _is_outside(point, across, upward):
        return Markup("")
    x = _place(point, across)
    low, high = (upward(min(max(end, upward.low), upward.high)) for end in (point.least, point.greatest))
    bars = [line(x, low, x, high, "")]
    bars += [line(x - 4, end, x + 4, end, "") for end, value in ((low, point.least), (high, point.greatest))
             if upward.low <= value <= upward.high]  # fmt: skip
    return element("g", *bars, class_=f"interval {_kind(point)}")


def _kind(point: Point) -> str:
    return {"served": "served", "passed": "passed"}.get(point.trial.outcome, "lost")


def _marker(point: Point, across: LogScale, upward: Scale) -> Markup:
    trial = point.trial
    said = f"{point.number}: {trial.name}, {quantity(point.milliseconds)} ms, {signed(point.loss, 2)} points lost"
    x, y, r = _place(point, across), _height(point, upward), _RADIUS
    shape = element("circle", cx=x, cy=y, r=r)
    if _is_outside(point, across, upward):
        shape = element("path", d=f"M{x - r:.2f} {y + r:.2f}h{2 * r:g}l{-r:g} {-2 * r:g}z")
    return element("g", element("title", said), shape, class_=f"point {_kind(point)}")


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def common(self, other: _Box) -> float:
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)

    @property
    def outside(self) -> float:
        """How far it reaches beyond the plot."""
        return max(_LEFT - self.left, 0) + max(self.right - _WIDTH + _RIGHT, 0) + max(_TOP - 14 - self.top, 0)


def _taken(
    points: Sequence[Point], front: Sequence[Point], bound: float | None, across: LogScale, upward: Scale
) -> list[_Box]:
    """What names may not cover: marks, intervals and lines."""
    taken = []
    for point in points:
        x, y = _place(point, across), _height(point, upward)
        taken.append(_Box(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS))
        if point.trial.interval and not _is_outside(point, across, upward):
            taken.append(_Box(x - 2, upward(point.greatest), x + 2, upward(point.least)))
    corners = [(across(each.milliseconds), _height(each, upward)) for each in front]
    for (x1, y1), (x2, y2) in pairwise(corners):
        taken += [_Box(x1, y1 - 1, x2, y1 + 1), _Box(x2 - 1, y1, x2 + 1, y2)]
    for loss in (0.0, bound):
        if loss is not None:
            taken.append(_Box(_LEFT, upward(loss) - 1, _WIDTH - _RIGHT, upward(loss) + 1))
    if bound is not None:
        taken.append(_Box(_WIDTH - _RIGHT - 120, upward(bound) - 20, _WIDTH - _RIGHT, upward(bound)))
    return taken


def _names(
    points: Sequence[Point], front: Sequence[Point], taken: list[_Box], across: LogScale, upward: Scale
) -> Markup:
    """The number of each point, with its name if it is served or on the front and there is room.

    Of those at the plot's edge, which may be many in one place, those that have room; the table has all.
    """
    parts = []
    for point in sorted(points, key=lambda each: (each.trial.outcome != "served", each not in front)):
        trial = point.trial
        named = point in front or trial.outcome == "served" or trial.precision == "fp32"
        wanted = f"{point.number} {short(trial.name, 28)}" if named else ""
        is_outside = _is_outside(point, across, upward)
        if is_outside:
            wanted = f"{point.number}: {signed(point.loss, 1)}"
        for said in filter(None, (wanted, str(point.number))):
            cost, box, (dx, dy, anchor) = _best_place(point, said, taken, across, upward)
            if cost < 1 or (said == str(point.number) and not is_outside) or trial.outcome == "served":
                taken.append(box)
                x, y = _place(point, across) + dx, _height(point, upward) + dy
                parts.append(text(x, y, said, anchor=anchor, class_=f"name {_kind(point)}"))
                break
    return joined(parts)


def _best_place(
    point: Point, said: str, taken: Sequence[_Box], across: LogScale, upward: Scale
) -> tuple[float, _Box, tuple[float, float, str]]:
    """Where the text is over the least of what is there already."""
    width = CHARACTER * len(said)
    tried = []
    for dx, dy, anchor in _AROUND:
        x, y = _place(point, across) + dx, _height(point, upward) + dy
        left = x - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        box = _Box(left, y - 0.8 * _LINE, left + width, y + 0.2 * _LINE)
        tried.append((sum(map(box.common, taken)) + 100 * box.outside, box, (dx, dy, anchor)))
    return min(tried, key=lambda each: each[0])
