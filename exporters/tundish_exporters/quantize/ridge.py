"""Ridge regression with an intercept, for fewer rows than features.

Source: Saunders, Gammerman and Vovk, "Ridge Regression Learning Algorithm in Dual Variables", 1998.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ridge(features: Floats, outputs: Floats) -> tuple[Floats, Floats]:
    """Weights `[features, outputs]` and bias `[outputs]` that explain outputs by features.

    The penalty is the mean of the eigenvalues of the features' scatter that are not zero by lack of rows: directions in
    which features vary more than that are trusted more than half. Between a third and three times of it, errors of
    networks on other inputs were the same.

    Args:
        features: `[rows, features]`.
        outputs: `[rows, outputs]`.
    """
    mean, offset = features.mean(0), outputs.mean(0)
    centred = features - mean
    products = centred @ centred.T
    size = np.trace(products)
    if size <= 0:
        return np.zeros((features.shape[1], outputs.shape[1])), offset
    penalty = size / min(len(features) - 1, features.shape[1])
    weights = centred.T @ np.linalg.solve(products + penalty * np.eye(len(products)), outputs - offset)
    return weights, offset - mean @ weights
