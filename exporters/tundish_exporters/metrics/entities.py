"""How right the entities of texts are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tundish.results import Result, TokenClassification
from tundish_exporters.metrics.metric import Metric, Rows, f1
from tundish_exporters.truths import TrueEntity


def _rows(results: Sequence[Result], truths: Sequence[tuple[TrueEntity, ...]]) -> Rows:
    rows = []
    for result, truth in zip(results, truths, strict=True):
        assert isinstance(result, TokenClassification)
        found = Counter(entity.place for entity in result.entities)
        right = Counter((entity.label, entity.start, entity.end) for entity in truth)
        rows.append(((found & right).total(), found.total() + right.total()))
    return np.array(rows)


ENTITIES_F1 = Metric("F1 of entities", _rows, f1)
"""The micro F1 score of entities with the right label, start and end.

That is seqeval's or nervaluate's, strict, of texts whose every character is a token.
"""
