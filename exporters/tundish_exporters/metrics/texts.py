"""How right texts are that were read from images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tundish.results import DocumentReading, Result, TextRecognition
from tundish_exporters.metrics.metric import Metric, Rows, f1, mean


def _same_text(results: Sequence[Result], truths: Sequence[str]) -> Rows:
    return np.array(
        [
            isinstance(result, TextRecognition) and result.text == truth
            for result, truth in zip(results, truths, strict=True)
        ]
    )


def _lines(results: Sequence[Result], truths: Sequence[tuple[str, ...]]) -> Rows:
    rows = []
    for result, truth in zip(results, truths, strict=True):
        assert isinstance(result, DocumentReading)
        common = Counter(line.text for line in result.lines) & Counter(truth)
        rows.append((common.total(), len(result.lines) + len(truth)))
    return np.array(rows)


TEXT_MATCH = Metric("exact match", _same_text, mean)
"""The share of lines that were read without a fault."""

LINES_F1 = Metric("F1 of lines", _lines, f1)
"""The F1 score of the lines of documents, wherever they stand: one is right if all of its text is."""
