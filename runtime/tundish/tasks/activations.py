"""From logits to scores, in NumPy, for the tasks that need all of them: `softmax_top_k` gives those of the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the last dimension; where a logit is NaN or infinity, so may the scores be, which is for the caller to see."""
    with np.errstate(invalid="ignore"):
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        scores: NDArray[np.float32] = powers / powers.sum(axis=-1, keepdims=True)
    return scores


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each element; exact also next to 0, where queries compete for pixels that none is sure of."""
    with np.errstate(over="ignore"):  # of logits below -88 the power is infinite and the score 0
        scores: NDArray[np.float32] = np.float32(1) / (np.float32(1) + np.exp(-logits))
    return scores
