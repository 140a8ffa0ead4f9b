"""From logits to labels with scores; shared by the tasks that classify."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tundish.errors import EngineError
from tundish.manifest import ClassificationPostprocess, TensorSpec
from tundish.results import Label
from tundish.tasks import not_finite
from tundish_kernels import softmax_top_k
from tundish_proto.v1 import inference_pb2 as typed


class Labelling:
    """Scores logits and names the highest, as transformers' classification pipelines do."""

    def __init__(self, rule: ClassificationPostprocess) -> None:
        self._rule = rule
        self._function: Literal["softmax", "sigmoid", "none"] = "none" if rule.in_network else rule.function
        self._top_k = min(rule.top_k, len(rule.labels))
        self.output_specs = (
            TensorSpec(name="label", datatype="BYTES", shape=("batch", self._top_k)),
            TensorSpec(name="score", datatype="FP32", shape=("batch", self._top_k)),
        )

    def apply(self, logits: NDArray[np.generic]) -> list[tuple[Label, ...] | EngineError]:
        """The top labels of each row of `[batch, labels]` logits; equal scores keep the order of the labels.

        An error for a row with a NaN, or with a score that is not finite; a logit of negative infinity has none to
        softmax and sigmoid, which give it 0.
        """
        values = np.ascontiguousarray(logits, np.float32)
        indices, scores = softmax_top_k(values, self._top_k, function=self._function)
        # A NaN ranks last, so that the scores alone may not show it.
        good = np.all(np.isfinite(scores), axis=1) & ~np.any(np.isnan(values), axis=1)
        names = self._rule.labels
        return [
            tuple(Label(names[index], score) for index, score in zip(row, row_scores, strict=True))
            if row_good
            else not_finite("scores")
            for row, row_scores, row_good in zip(indices.tolist(), scores.tolist(), good, strict=True)
        ]


def labels_to_tensors(rows: Sequence[Sequence[Label]]) -> dict[str, NDArray[np.generic]]:
    """`label` BYTES and `score` FP32, both `[batch, labels]`."""
    names = np.array([[label.name.encode() for label in row] for row in rows], dtype=np.object_)
    scores = np.array([[label.score for label in row] for row in rows], dtype=np.float32)
    return {"label": names, "score": scores}


def labels_to_message(labels: Iterable[Label]) -> list[typed.Label]:
    """Labels as the typed API's messages."""
    return [typed.Label(name=label.name, score=label.score) for label in labels]


def labels_from_message(messages: Iterable[typed.Label]) -> tuple[Label, ...]:
    """The inverse of `labels_to_message`."""
    return tuple(Label(message.name, message.score) for message in messages)
