"""Accuracy told apart: by the values of a column that the maker names, and by the label that is right.

A mean hides what a model does to few of its users: a variant may lose nothing over all and much on one group.
"""

from __future__ import annotations

from collections.abc import Sequence

from tundish.manifest import SliceAccuracy
from tundish_exporters.comparison import Comparison
from tundish_exporters.statistics import RESAMPLING_SECONDS


def measure_slices(
    comparison: Comparison, groups: Sequence[str], *, seconds: float = RESAMPLING_SECONDS
) -> tuple[SliceAccuracy, ...]:
    """What a variant gets right of each group's samples alone, by the groups' names.

    Args:
        comparison: of all samples.
        groups: one a sample.
        seconds: for intervals that must be resampled, shared by the groups; one that takes longer is left out.
    """
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    each = seconds / len(members)
    return tuple(comparison.of(indices).slice(name, seconds=each) for name, indices in sorted(members.items()))
