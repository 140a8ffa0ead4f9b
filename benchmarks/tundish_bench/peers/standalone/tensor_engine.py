"""A network alone in ONNX Runtime, for the peers' servers: a tensor in, a tensor out, one thread."""

# mypy: ignore-errors
# Its imports exist in the peers' environments only: what they look like in ours, if they are there, is not what runs.

from __future__ import annotations

import numpy as np
from networks import one_thread_session


class TensorEngine:
    """One network, loaded; for one thread at a time."""

    def __init__(self, settings):
        self.input, self.output = settings["input"], settings["output"]
        self.shape = settings["shape"]
        self.session = one_thread_session(settings)

    def run(self, rows):
        """What the network makes of the rows, `[rows, ...] float32`.

        A row is an array of one, `[1, ...] float32`, or the bytes of one.
        """
        arrays = [np.frombuffer(row, np.float32).reshape(1, *self.shape) for row in rows]
        batch = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        return (self.session.run([self.output], {self.input: batch})[0],)
