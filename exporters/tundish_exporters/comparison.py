"""What a variant gets right beside what the float model does, on the same samples and by the same metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tundish.manifest import Accuracy, Interval, SliceAccuracy
from tundish_exporters.errors import DataError
from tundish_exporters.metrics import Metric, Rows
from tundish_exporters.statistics import (
    RESAMPLING_SECONDS,
    Bounds,
    bootstrap_bounds,
    bootstrap_share_bounds,
    mcnemar,
    paired_bounds,
    share_bounds,
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of some samples: what each adds to the metric by the variant's answer, and by the float model's."""

    metric: Metric
    rows: Rows
    floating: Rows | None
    """None if the float model's answers are what is right, so that its own figure is 1."""
    confidence: float
    """Of the interval."""
    agreement: float | None = None
    """With the float model's answers, if the metric is another and it can be told."""
    groups: Sequence[str] | None = None
    """Of each sample, if some belong together: then groups are what is drawn one by one."""
    is_float: bool = False
    """Whether the variant is the float model, which loses nothing, whatever the samples."""

    def of(self, indices: Sequence[int] | NDArray[np.intp]) -> Comparison:
        """Of these samples alone."""
        floating = None if self.floating is None else self.floating[indices]
        groups = None if self.groups is None else [self.groups[index] for index in indices]
        return replace(self, rows=self.rows[indices], floating=floating, groups=groups)

    def accuracy(self, slices: tuple[SliceAccuracy, ...] = ()) -> Accuracy:
        """All of it, as the manifest has it."""
        lost, gained = self._counts or (None, None)
        is_coin = self.floating is not None and self.groups is None
        return Accuracy(
            metric=self.metric.name,
            value=self._value,
            reference=self._reference,
            samples=len(self.rows),
            groups=self._group_count,
            interval=self._interval(self._bounds()),
            lost=lost,
            gained=gained,
            p_value=mcnemar(lost, gained) if is_coin and lost is not None and gained is not None else None,
            agreement=self.agreement,
            slices=slices,
        )

    def slice(self, name: str, *, seconds: float) -> SliceAccuracy:
        """All of it, as one of many slices: where samples are not counted, `seconds` are what its interval may take."""
        return SliceAccuracy(
            name=name,
            value=self._value,
            reference=self._reference,
            samples=len(self.rows),
            groups=self._group_count,
            interval=self._interval(self._bounds(seconds) if seconds or self._counts is not None else None),
        )

    @property
    def _value(self) -> float:
        return self.metric.value(self.rows)

    @property
    def _reference(self) -> float:
        return 1.0 if self.floating is None else self.metric.value(self.floating)

    @property
    def _group_count(self) -> int | None:
        return None if self.groups is None else len(set(self.groups))

    @property
    def _counts(self) -> tuple[int, int] | None:
        """Samples that the float model alone has right, and the variant alone; None if they are not right or wrong."""
        if self.rows.dtype != np.bool_ or self.is_float:
            return None
        floating = np.ones_like(self.rows) if self.floating is None else self.floating
        return int((floating & ~self.rows).sum()), int((self.rows & ~floating).sum())

    def _interval(self, bounds: Bounds | None) -> Interval | None:
        return None if bounds is None else Interval(low=bounds[0], high=bounds[1], confidence=self.confidence)

    def _bounds(self, seconds: float = RESAMPLING_SECONDS) -> Bounds | None:
        """Of the drop; `seconds` are for resampling what is not counted.

        Of groups it is that of a bootstrap over them, and no narrower than if each sample stood for itself: where
        hardly any differ, the groups that were drawn look more alike than others will.
        """
        counted = self._counted()
        if self.groups is None:
            return counted or self._resampled(len(self.rows), self._drop, seconds)
        numbers: dict[str, int] = {}
        of_group = np.array([numbers.setdefault(group, len(numbers)) for group in self.groups], np.intp)
        if counted is not None:
            resampled = self._resampled_counts(of_group)
            return None if resampled is None else (min(counted[0], resampled[0]), max(counted[1], resampled[1]))
        places = [np.flatnonzero(of_group == group) for group in range(len(numbers))]
        whole = replace(self, groups=None)  # whose choices need not know their groups
        return self._resampled(
            len(places), lambda chosen: whole._drop(np.concatenate([places[group] for group in chosen])), seconds
        )

    def _counted(self) -> Bounds | None:
        if self._counts is None:
            return None
        lost, gained = self._counts
        if self.floating is None:  # nothing can be gained
            return share_bounds(lost, len(self.rows), self.confidence)
        return paired_bounds(lost, gained, len(self.rows), self.confidence)

    def _resampled_counts(self, of_group: NDArray[np.intp]) -> Bounds | None:
        """Of answers that are right or wrong, whose groups have sums."""
        floating = np.ones_like(self.rows) if self.floating is None else self.floating
        drops = np.bincount(of_group, floating.astype(float) - self.rows)
        return self._possible(bootstrap_share_bounds(drops, np.bincount(of_group), self.confidence))

    def _resampled(self, units: int, drop: Callable[[NDArray[np.intp]], float], seconds: float) -> Bounds | None:
        if self.is_float or not math.isfinite(self._reference - self._value):
            return None
        return self._possible(bootstrap_bounds(drop, units, self.confidence, seconds=seconds))

    def _possible(self, bounds: Bounds | None) -> Bounds | None:
        if bounds is None or self.floating is not None:
            return bounds
        return max(bounds[0], 0.0), bounds[1]  # no answer is more like the float model's than its own

    def _drop(self, indices: NDArray[np.intp]) -> float:
        chosen = self.of(indices)
        try:
            return chosen._reference - chosen._value
        except DataError:  # of a function of the maker's own, which a resample may be too poor for
            return math.nan
