"""Latencies as an HDR histogram: any range, to three digits, in little memory.

Gil Tene's histogram; its percentile is the least value that so many of all values do not exceed.
"""

from __future__ import annotations

import math

import numpy as np
from hdrh.histogram import HdrHistogram

from tundish_bench.driving.records import Times

_LONGEST_MICROSECONDS = 3600 * 10**6
_DIGITS = 3
_ROUNDING = 1e-9
"""Of a percentage of a count, which is no whole number by so much alone."""


class Latencies:
    """How often each latency was seen."""

    def __init__(self, seconds: Times) -> None:
        self._histogram = HdrHistogram(1, _LONGEST_MICROSECONDS, _DIGITS)
        microseconds = np.clip(np.rint(seconds * 1e6), 1, _LONGEST_MICROSECONDS).astype(np.int64)
        for value, count in zip(*np.unique(microseconds, return_counts=True), strict=True):
            self._histogram.record_value(int(value), int(count))
        self.mean_milliseconds = 1e3 * float(seconds.mean()) if len(seconds) else 0.0

    def __len__(self) -> int:
        return int(self._histogram.get_total_count())

    def percentile(self, percent: float) -> float:
        """In milliseconds; of at least one latency."""
        # The library rounds the number of values half up, so that of seven the 90th percentile would be the sixth.
        rank = math.ceil(len(self) * percent / 100 - _ROUNDING)
        return float(self._histogram.get_value_at_percentile(100 * rank / len(self))) / 1e3

    def encoded(self) -> str:
        """Microseconds, in the histogram's own compressed form, version 2, base64."""
        text: bytes = self._histogram.encode()
        return text.decode("ascii")
