"""How right vectors are: which others they lie beside, and how near they are to the float model's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tundish.results import FeatureExtraction, Result
from tundish_exporters.equality import cosine
from tundish_exporters.metrics.metric import Metric, Rows, mean

_ROWS_AT_A_TIME = 1024
"""Of all likenesses, which would not fit into memory at once."""


def are_pooled(results: Sequence[Result]) -> bool:
    """Whether each is one vector, and all can be compared."""
    shapes = {result.vector.shape for result in results if isinstance(result, FeatureExtraction)}
    return len(shapes) == 1 and len(next(iter(shapes))) == 1


def nearest_others(results: Sequence[Result]) -> NDArray[np.intp]:
    """For each pooled vector, which other one has the largest cosine with it; raises ValueError if there is no other.

    -1 for a vector with a value that is no number.
    """
    vectors = np.array([result.vector for result in results if isinstance(result, FeatureExtraction)])
    whole = np.isfinite(vectors).all(axis=1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.where(whole[:, np.newaxis], vectors / np.maximum(lengths, np.finfo(np.float32).tiny), 0.0)
    nearest = []
    for first in range(0, len(units), _ROWS_AT_A_TIME):
        likenesses = units[first : first + _ROWS_AT_A_TIME] @ units.T
        rows = np.arange(len(likenesses))
        likenesses[rows, first + rows] = -np.inf
        nearest.append(likenesses.argmax(axis=1))
    return np.where(whole, np.concatenate(nearest), -1)


def _cosines(results: Sequence[Result], others: Sequence[Result]) -> Rows:
    return np.array(
        [
            cosine(other.vector, result.vector)
            for result, other in zip(results, others, strict=True)
            if isinstance(result, FeatureExtraction) and isinstance(other, FeatureExtraction)
        ]
    )


def _beside_its_like(results: Sequence[Result], truths: Sequence[str]) -> Rows:
    labels = np.array(truths)
    nearest = nearest_others(results)
    beside: Rows = (nearest >= 0) & (labels[nearest] == labels)
    return beside


def _beside_the_same(results: Sequence[Result], others: Sequence[Result]) -> Rows:
    nearest = nearest_others(results)
    beside: Rows = (nearest >= 0) & (nearest == nearest_others(others))
    return beside


COSINE = Metric("cosine", _cosines, mean)
"""The mean cosine to the float model's vectors; of vectors of tokens, the mean over these first."""

RECALL = Metric("recall@1", _beside_its_like, mean)
"""The share of samples whose nearest other sample has their label. One whose label no other has is never right."""

NEIGHBOURS = Metric("agreement", _beside_the_same, mean)
"""The share of samples whose nearest other sample is the same as by the float model's vectors."""
