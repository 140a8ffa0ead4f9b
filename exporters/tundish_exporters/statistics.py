"""What a drop that was measured on some samples says of the drop that samples without number would show.

Both variants answer the same samples, so that all here is paired: what counts is where the two differ. All but the
bootstrap takes the samples to be drawn one by one. Where they are not, as views of a few photographs are not, the truth
lies outside of the intervals more often than they say; the bootstrap can draw groups of samples that belong together.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import beta, binomtest, norm, t

Bounds = tuple[float, float]
"""From and to."""

RESAMPLES = 1000
"""Of a bootstrap, at most. By their chance, the ends of a 95 % interval have a standard error of 2 % of its width."""
_LEAST_RESAMPLES = 200
"""With fewer, hardly more than five lie beyond each end of a 95 % interval."""
RESAMPLING_SECONDS = 30.0
"""Of a figure that is resampled, and again of all its slices together."""
_SEED = 1998
"""Of the resamples; any fixed number gives the same interval twice."""
_DRAWN_AT_ONCE = 2**20
"""Units of as many resamples as that takes, which bounds the memory."""
_EDGE = 1e-12


def mcnemar(lost: int, gained: int) -> float:
    """The exact p-value of McNemar's test: how often a fair coin would part these samples as unevenly, or more so.

    `lost` of them the float model alone has right, `gained` the variant alone.
    """
    return float(binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0


def paired_bounds(lost: float, gained: float, samples: float, confidence: float) -> Bounds:
    """Of the drop of a share, between two models on the same samples: those that Tango's score test does not reject.

    T. Tango, Equivalence test and confidence interval for the difference in proportions for the paired-sample design,
    Statistics in Medicine 17 (1998), 891-908. With `drop` for the difference that is tested, q the likeliest share of
    gained samples under it, and z the normal distribution's quantile, the ends are where

        (lost - gained - samples * drop)² = z² * samples * (2q + drop * (1 - drop))

    For a drop of 0 that is McNemar's statistic. Also where no two answers differ it is z² / (samples + z²) wide either
    way. Counts may have fractions, as those of a thought number of samples have.
    """
    critical = float(norm.ppf((1 + confidence) / 2)) ** 2
    seen = (lost - gained) / samples

    def excess(drop: float) -> float:
        variance = 2 * _likeliest_gain(lost, gained, samples, drop) + drop * (1 - drop)
        return float((lost - gained - samples * drop) ** 2 - critical * samples * variance)

    # Below 0 beside what was seen, and above it at the ends of what can be, except where what was seen is an end.
    low = brentq(excess, -1.0, seen - _EDGE) if gained < samples else -1.0
    high = brentq(excess, seen + _EDGE, 1.0) if lost < samples else 1.0
    return float(low), float(high)


def _likeliest_gain(lost: float, gained: float, samples: float, drop: float) -> float:
    """The share of gained samples that makes these counts likeliest, if `drop` is the share of lost ones less it."""
    half = ((2 * samples - lost + gained) * drop - lost - gained) / 2
    root = math.sqrt(max(half * half + 2 * samples * gained * drop * (1 - drop), 0.0))
    return (root - half) / (2 * samples)


def share_bounds(count: float, samples: float, confidence: float) -> Bounds:
    """Of the share that `count` of the samples are: Clopper's and Pearson's, which hold the truth at least so often."""
    tail = (1 - confidence) / 2
    low = beta.ppf(tail, count, samples - count + 1) if count else 0.0
    high = beta.ppf(1 - tail, count + 1, samples - count) if count < samples else 1.0
    return float(low), float(high)


def unseen_share(samples: float, confidence: float) -> float:
    """The largest share of all samples that may well be missing among these: 3.7 / samples for 95 %."""
    return share_bounds(0, samples, confidence)[1]


def bootstrap_bounds(
    drop: Callable[[NDArray[np.intp]], float],
    units: int,
    confidence: float,
    *,
    seconds: float = RESAMPLING_SECONDS,
) -> Bounds | None:
    """Of a drop that `drop` computes for any choice of units, by their indices: percentiles over resamples.

    A unit is what is drawn one by one: a sample, or a group of samples that belong together, which makes the bootstrap
    one of clusters. Both models are resampled alike, which makes it a paired one. The percentiles lie as far out as
    Student's distribution is wider than the normal one for so many units:

        T. Hesterberg, What Teachers Should Know About the Bootstrap, The American Statistician 69 (2015), 371-386

    It knows only differences that it has seen. Where all resamples have the same drop, as when no sample differs, that
    drop is taken for possible, and one that is larger or smaller by as much as units could bring of which none was
    seen: each may cost all that it is worth. With a handful of units that differ the ends are still too near to each
    other; nothing corrects that.

    A resample whose drop is no number counts for nothing, as one without any sample of what is measured. None if those
    are more than a half, if there is no time for 200 of them in `seconds`, or if there is one unit alone.
    """
    if units < 2:
        return None
    generator = np.random.default_rng(_SEED)
    begin = time.monotonic()
    drops: list[float] = []
    while len(drops) < RESAMPLES and (len(drops) < 2 or time.monotonic() - begin < seconds):
        drops.append(drop(generator.integers(units, size=units)))
    known = np.array(drops)[np.isfinite(drops)]
    if len(drops) < _LEAST_RESAMPLES or 2 * known.size < len(drops):
        return None
    return _percentiles(known, units, confidence)


def bootstrap_share_bounds(drops: NDArray[Any], samples: NDArray[Any], confidence: float) -> Bounds | None:
    """What `bootstrap_bounds` says of a drop that is a share of samples, by the sums of each unit; takes milliseconds.

    Args:
        drops: of each unit, its samples that are lost less those that are gained.
        samples: how many it has.
        confidence: of the interval.
    """
    units = len(samples)
    if units < 2:
        return None
    generator = np.random.default_rng(_SEED)
    resamples: list[NDArray[Any]] = []
    at_once = max(1, _DRAWN_AT_ONCE // units)
    for first in range(0, RESAMPLES, at_once):
        chosen = generator.integers(units, size=(min(at_once, RESAMPLES - first), units))
        resamples.append(drops[chosen].sum(axis=1) / samples[chosen].sum(axis=1))
    return _percentiles(np.concatenate(resamples), units, confidence)


def _percentiles(known: NDArray[Any], units: int, confidence: float) -> Bounds:
    """See `bootstrap_bounds`."""
    tail = float(norm.cdf(math.sqrt(units / (units - 1)) * t.ppf((1 - confidence) / 2, units - 1)))
    low, high = (float(end) for end in np.quantile(known, [tail, 1 - tail]))
    if low < high:
        return low, high
    missing = unseen_share(units, confidence)
    return low - missing, high + missing


def samples_for_paired(lost: int, gained: int, samples: int, confidence: float, bound: float) -> float:
    """How many samples of which as large shares are lost and gained have `paired_bounds` up to the bound.

    The drop that was seen must lie below the bound.
    """

    def excess(times: float) -> float:
        return paired_bounds(lost * times, gained * times, samples * times, confidence)[1] - bound

    return samples * _least_times(excess)


def samples_for_share(count: int, samples: int, confidence: float, bound: float) -> float:
    """How many samples of which as large a share is counted have `share_bounds` up to the bound.

    The share itself must lie below the bound.
    """

    def excess(times: float) -> float:
        return share_bounds(count * times, samples * times, confidence)[1] - bound

    return samples * _least_times(excess)


def _least_times(excess: Callable[[float], float]) -> float:
    """From where on a falling function of how many times as many samples there are is below 0."""
    times = 1.0
    while excess(times) > 0:
        times *= 2
    return times if times == 1.0 else float(brentq(excess, times / 2, times, rtol=1e-3))


def units_for_margin(reach: float, units: int, confidence: float, margin: float) -> float:
    """How many units have a bootstrap that reaches as far as `margin` above the drop, if these reach `reach`.

    What it reaches shrinks with the root of the units; if none was seen to differ, as `unseen_share` does.
    """
    if math.isclose(reach, unseen_share(units, confidence)):
        return math.log((1 - confidence) / 2) / math.log1p(-min(margin, 1 - _EDGE))
    return units * (reach / margin) ** 2
