"""What all models of the peers share: a network that ONNX Runtime runs on one thread, and the labels of its logits."""

# mypy: ignore-errors
# Its imports exist in the peers' environments only: what they look like in ours, if they are there, is not what runs.

from __future__ import annotations

import numpy as np
import onnxruntime


def one_thread_session(settings):
    """A session of the network, with the operators that it may ask for; it takes one core and never spins."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.register_custom_ops_library(settings["operators"])
    return onnxruntime.InferenceSession(settings["model"], options, providers=["CPUExecutionProvider"])


class Labels:
    """The labels of a classifier, as `settings` says them."""

    def __init__(self, settings):
        self.labels = np.array(settings["labels"], dtype=np.object_)
        self.top_k = settings["top_k"]

    def best(self, logits):
        """By falling score, and the scores: `[items, top_k]` objects and float32."""
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = exponents / exponents.sum(axis=1, keepdims=True)
        best = np.argsort(-scores, axis=1)[:, : self.top_k]
        return self.labels[best], np.take_along_axis(scores, best, axis=1)
