"""Small pieces of SVG for the report's plots.

Colours are classes of the page's style sheet, so that they follow the reader's theme; all text is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

CHARACTER = 6.8
"""Width of a character of the plots' text, in the plots' units: no less than the wider fonts have on average."""


def element(tag: str, *children: str, **attributes: object) -> Markup:
    """An element; of an attribute's name, a leading or trailing `_` is dropped and others are hyphens."""
    written = Markup("").join(
        Markup(' {}="{}"').format(name.strip("_").replace("_", "-"), _figure(value))
        for name, value in attributes.items()
        if value is not None
    )
    return Markup("<{}{}>{}</{}>").format(tag, written, joined(children), tag)


def joined(parts: Iterable[str]) -> Markup:
    """Parts one behind the other; those that are not markup are escaped."""
    return Markup("").join(escape(part) for part in parts)


def _figure(value: object) -> object:
    """Coordinates to a hundredth, which no eye sees."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def drawing(width: float, height: float, title: str, *children: str, class_: str = "plot") -> Markup:
    """A picture that fills its place and says what it shows to those who do not see it."""
    return element(
        "svg",
        element("title", title),
        *children,
        class_=class_,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=title,
    )


def text(x: float, y: float, said: str, *, anchor: str = "start", class_: str | None = None) -> Markup:
    """A line of text, its baseline at `y`."""
    return element("text", said, x=x, y=y, text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to coordinates."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value lies."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class LogScale:
    """From positive values to coordinates, with equal distances for equal ratios."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value lies."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, room: float) -> list[float]:
        """Round values, each as far from the next as a label needs; rounder ones have precedence."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        chosen: list[float] = []
        for factor in (1, 2, 5, 3, 8, 4, 6, 1.5):
            for value in (factor * 10.0**power for power in powers):
                near = any(abs(self(value) - self(other)) < room for other in chosen)
                if self.low <= value <= self.high and not near:
                    chosen.append(value)
        return sorted(chosen) if len(chosen) > 2 else ticks(self.low, self.high, 5)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round values between two bounds, at steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [count * step for count in range(first, last + 1)]


def tick_labels(values: Sequence[float]) -> list[str]:
    """With the digits that tell them apart, and a real minus."""
    step = min((abs(b - a) for a, b in pairwise(values)), default=1.0)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{value + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}") for value in values]
