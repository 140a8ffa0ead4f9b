"""From logits to labels with scores; shared by the tasks that classify."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tundish.manifest import ClassificationPostprocess, TensorSpec
from tundish.results import Label
from tundish_proto.v1 import inference_pb2 as typed


class Labelling:
    """Scores logits and names the highest, as transformers' classification pipelines do."""

    def __init__(self, rule: ClassificationPostprocess) -> None:
        self._rule = rule
        self._top_k = min(rule.top_k, len(rule.labels))
        self.output_specs = (
            TensorSpec(name="label", datatype="BYTES", shape=("batch", self._top_k)),
            TensorSpec(name="score", datatype="FP32", shape=("batch", self._top_k)),
        )

    def apply(self, logits: NDArray[np.generic]) -> list[tuple[Label, ...]]:
        """The top labels of each row of `[batch, labels]` logits; equal scores keep the order of the labels."""
        scores = _SCORERS[self._rule.function](logits.astype(np.float32, copy=False))
        order = np.argsort(-scores, axis=1, kind="stable")[:, : self._top_k]
        names = self._rule.labels
        return [
            tuple(Label(names[index], float(row[index])) for index in best)
            for row, best in zip(scores, order, strict=True)
        ]


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # a difference over float32's range has the exponential 0, as it should
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = exponents / exponents.sum(axis=1, keepdims=True)
    return result


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    # exp of a large positive number overflows; of a negative one it does not.
    exponents = np.exp(-np.abs(logits))
    result: NDArray[np.float32] = np.where(logits >= 0, 1 / (1 + exponents), exponents / (1 + exponents))
    return result


def _identity(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return logits


_SCORERS = {"softmax": _softmax, "sigmoid": _sigmoid, "none": _identity}


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
