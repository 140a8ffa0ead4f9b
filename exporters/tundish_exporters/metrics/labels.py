"""How right labels are: one that holds, or several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tundish.results import ImageClassification, Label, Result, TextClassification, VisualQuestionAnswering
from tundish_exporters.metrics.metric import Metric, Rows, f1, mean

_HOLDS = 0.5
"""The score from which on a label of a sigmoid holds."""


def labels_of(results: Sequence[Result]) -> list[Sequence[Label]]:
    """Of a classifier's results, or the answers of what chooses among some as a classifier does."""
    return [
        result.answers if isinstance(result, VisualQuestionAnswering) else result.labels
        for result in results
        if isinstance(result, ImageClassification | TextClassification | VisualQuestionAnswering)
    ]


def holding(labels: Sequence[Label]) -> frozenset[str]:
    """Those that hold, where several may."""
    return frozenset(label.name for label in labels if label.score >= _HOLDS)


def are_finite(labels: Sequence[Label]) -> bool:
    """Whether all scores are numbers; what has others is never right."""
    return bool(np.isfinite([label.score for label in labels]).all())


def _first_is_right(results: Sequence[Result], truths: Sequence[str]) -> Rows:
    answers = zip(labels_of(results), truths, strict=True)
    return np.array([labels[0].name == truth and are_finite(labels) for labels, truth in answers])


def _those_that_hold(results: Sequence[Result], truths: Sequence[frozenset[str]]) -> Rows:
    rows = []
    for labels, truth in zip(labels_of(results), truths, strict=True):
        held = holding(labels) if are_finite(labels) else frozenset()
        rows.append((len(held & truth), len(held) + len(truth)))
    return np.array(rows)


ACCURACY = Metric("accuracy", _first_is_right, mean)
"""The share of samples whose first label is the right one."""

LABELS_F1 = Metric("F1 of labels", _those_that_hold, f1)
"""The micro F1 score of the labels that hold, where several may."""
