"""Accuracy told apart: by the values of a column that the maker names, and by the label that is right.

A mean hides what a model does to few of its users: a variant may lose nothing over all and much on one group.
"""

from __future__ import annotations

from collections.abc import Sequence

from tundish.manifest import SliceAccuracy
from tundish_exporters.comparison import Comparison


def measure_slices(comparison: Comparison, groups: Sequence[str]) -> tuple[SliceAccuracy, ...]:
    """What a variant gets right of each group's samples alone, by the groups' names; `groups` has one a sample."""
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    return tuple(comparison.of(indices).slice(name) for name, indices in sorted(members.items()))
