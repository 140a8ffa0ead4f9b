"""The protocol's classification extension: the highest elements of an output, as text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tundish.errors import InvalidInputError
from tundish.tensors import MOST_TEXTS, Tensor


def classify(name: str, array: Tensor, count: int, labels: Sequence[str]) -> Tensor:
    """The `count` highest elements of each row of `[batch, …]` as `value:index[:label]`, `[batch, count]` BYTES.

    Equal elements keep their order; the label follows if there is one for each element.

    Raises:
        InvalidInputError: the output is not numbers, `count` is below 1, or the texts are too many.
    """
    if array.dtype == np.object_ or array.ndim < 1:
        raise InvalidInputError(f"Output '{name}' is not numbers, and cannot be classified.")
    if count < 1:
        raise InvalidInputError(f"The parameter 'classification' of output '{name}' must be at least 1, got {count}.")
    rows = array.reshape(len(array), -1)
    if (texts_asked := len(rows) * min(count, rows.shape[1])) > MOST_TEXTS:
        raise InvalidInputError(
            f"The parameter 'classification' of output '{name}' asks for {texts_asked} texts; at most {MOST_TEXTS} are "
            "answered. Ask for fewer, or for the numbers."
        )
    named = len(labels) == rows.shape[1]
    highest = np.argsort(-rows.astype(np.float64), axis=1, kind="stable")[:, :count]
    texts = np.empty(highest.shape, np.object_)
    for row, indices in enumerate(highest):
        for place, index in enumerate(indices):
            # As Triton writes numbers: those with a fraction with six digits of it.
            value = f"{rows[row, index]:f}" if np.issubdtype(rows.dtype, np.floating) else str(rows[row, index])
            texts[row, place] = (f"{value}:{index}:{labels[index]}" if named else f"{value}:{index}").encode()
    return texts
