"""How tables, plots and pages say a figure: with as many digits as count, and with its interval."""

from __future__ import annotations

import math

from tundish_bench.reports.model import Better, Figure

_DIGITS = 3
_LEAST_PLAIN = 1e-4
"""What is smaller is said by its power of ten."""

DIRECTIONS: dict[Better | None, str] = {"more": "higher is better", "less": "lower is better", None: ""}
"""Behind the name of a figure, where one is better."""


def readable(value: float) -> str:
    """Three digits that count; whole numbers are not cut: '0.0123', '4.57', '12,346'."""
    if not math.isfinite(value):
        return "not a number"
    if value != 0 and abs(value) < _LEAST_PLAIN:
        return _signed(f"{value:.{_DIGITS - 1}e}")
    return _signed(f"{value:,.{_decimals(value)}f}")


def with_interval(figure: Figure) -> str:
    """The value and half of its interval: '268 ± 4'; the value alone if it was measured once or never varies."""
    if figure.interval is None or min(figure.repeats) == max(figure.repeats):
        return readable(figure.value)
    half = (figure.interval.high - figure.interval.low) / 2
    decimals = _decimals(figure.value) if abs(figure.value) >= _LEAST_PLAIN else 0
    decimals = min(decimals, _decimals(half))
    # Of what hardly varies, the digits of the value would say that it does not at all.
    said = f"{half:,.{decimals}f}" if round(half, decimals) > 0 else f"{half:.1g}"
    return f"{readable(figure.value)} ± {said}"


def percent(share: float) -> str:
    """A change with its sign, to a tenth: '+3.1 %'."""
    return _signed(f"{round(100 * share, 1) + 0.0:+.1f} %")


def shortened(text: str, most: int) -> str:
    """With its middle left out if it has more characters: names differ at both ends."""
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def _decimals(value: float) -> int:
    rounded = abs(float(f"{value:.{_DIGITS}g}"))
    return max(0, _DIGITS - 1 - math.floor(math.log10(rounded))) if rounded else 0


def _signed(said: str) -> str:
    return said.replace("-", "\N{MINUS SIGN}")
