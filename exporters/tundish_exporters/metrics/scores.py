"""How right scores are that are quantities: likenesses, ranks, the values of a regression."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from tundish.results import Result, SentenceSimilarity, TextRanking
from tundish_exporters.metrics.labels import labels_of
from tundish_exporters.metrics.metric import Metric, Rows


def score_of(result: Result) -> float:
    """The one score of a result."""
    if isinstance(result, TextRanking | SentenceSimilarity):
        return result.score
    (labels,) = labels_of([result])
    return labels[0].score


def _rows(results: Sequence[Result], truths: Sequence[float]) -> Rows:
    return np.array([(score_of(result), truth) for result, truth in zip(results, truths, strict=True)], np.float64)


def _rank_correlation(rows: Rows) -> float:
    """NaN of what has no ranks: samples of one score, or of one that is no number."""
    if not np.isfinite(rows).all() or not np.ptp(rows, axis=0).all():
        return math.nan
    return float(spearmanr(rows).statistic)


SPEARMAN = Metric("Spearman", _rows, _rank_correlation)
"""Spearman's rank correlation of scores and what is right."""
