"""What a metric is, and the ways in which one figure is made of what each sample adds to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tundish.results import Result

Rows = NDArray[Any]
"""What each sample adds to a figure, along the first axis: booleans where an answer is either right or wrong."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of how right answers are, higher being better, in two steps: of each sample, and of any choice of them.

    The first is taken once, so that the second can be repeated for slices and resamples.
    """

    name: str
    """As it stands in the manifest."""
    rows: Callable[[Sequence[Result], Sequence[Any]], Rows]
    """Of the results, and of what is right for each; raises DataError if that cannot be right for such a result."""
    value: Callable[[Rows], float]
    """The figure of some rows, 1 at best; NaN if they have none."""
    code: str = ""
    """Tells a function of the maker's own from what it was before it was changed; ours have a name for each."""


def mean(rows: Rows) -> float:
    """Of a number, or of right and wrong, for each sample."""
    return float(np.mean(rows))


def f1(rows: Rows) -> float:
    """Over all samples together, of `[samples, 2]`: what was found rightly, and all that was found or is right.

    1 if there is nothing to find and nothing was.
    """
    common, found = rows.sum(axis=0)
    return float(2 * common / found) if found else 1.0


def mean_overlap(rows: Rows) -> float:
    """Over all samples together, of `[samples, labels, 2]`: the pixels that are in both of two masks, and in either.

    The mean over labels of their quotients, so that rare labels count as much; 1 if there are none.
    """
    common, union = np.moveaxis(rows.sum(axis=0), -1, 0)
    known = union > 0
    return float(np.mean(common[known] / union[known])) if known.any() else 1.0
