"""Accuracy told apart: by the values of a column that the maker names, and by the label that is right.

A mean hides what a model does to few of its users: a variant may lose nothing over all and much on one group.
"""

from __future__ import annotations

from collections.abc import Sequence

from tundish.manifest import SliceAccuracy
from tundish.results import Result
from tundish_exporters.agreement import ScoreFunction
from tundish_exporters.gate import measure


def measure_slices(
    results: Sequence[Result],
    float_results: Sequence[Result],
    labels: Sequence[str] | None,
    groups: Sequence[str],
    *,
    function: ScoreFunction,
) -> tuple[SliceAccuracy, ...]:
    """What `gate.measure` gives for each group's samples alone, by the groups' names; `groups` has one a sample."""
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    measured = []
    for name, indices in sorted(members.items()):
        accuracy = measure(
            [results[index] for index in indices],
            [float_results[index] for index in indices],
            None if labels is None else [labels[index] for index in indices],
            function=function,
        )
        measured.append(
            SliceAccuracy(name=name, value=accuracy.value, reference=accuracy.reference, samples=accuracy.samples)
        )
    return tuple(measured)
