"""Batches of what networks that find answers say of each token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def collated(rows: Sequence[NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """A batch of `[2, tokens]`, starts and ends, whose padding would be answers, if anybody read it."""
    length = max(row.shape[1] for row in rows)
    batch = np.full((2, len(rows), length), 99, np.float32)
    for place, row in enumerate(rows):
        batch[:, place, : row.shape[1]] = row
    return {"start_logits": batch[0], "end_logits": batch[1]}
