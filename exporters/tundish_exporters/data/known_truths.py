"""What evaluation data say is right, in the names that the model's own answers have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from tundish.manifest import (
    ClassificationPostprocess,
    ComposedPostprocess,
    DetectionPostprocess,
    Postprocess,
    TaskName,
)
from tundish_exporters.data.labels import indices_of, label_indices
from tundish_exporters.data.sample import Sample
from tundish_exporters.truths import TrueObject, Truth


def known_truths(
    task: TaskName, postprocess: Postprocess | ComposedPostprocess, samples: Sequence[Sample], path: Path
) -> list[Truth] | None:
    """What is right for each sample of `path`; None if none of them says it, which a classifier's must.

    Raises:
        DataError: a label is none of the model's, or samples that must say what is right do not.
    """
    # An answer that a model for questions does not know may be right all the same, and is never given.
    labels = None if task == "visual-question-answering" else _labels(postprocess)
    if labels and isinstance(postprocess, ClassificationPostprocess) and postprocess.function == "softmax":
        return [labels[index] for index in label_indices(samples, labels, path)]
    truths = [sample.truth for sample in samples if sample.truth is not None]
    if len(truths) < len(samples):  # a form of data either has what is right for all of its samples, or for none
        return None
    return [_named(truth, labels, path) for truth in truths] if labels else truths


def _labels(postprocess: Postprocess | ComposedPostprocess) -> Sequence[str] | None:
    if isinstance(postprocess, ClassificationPostprocess | DetectionPostprocess):
        return postprocess.labels
    return None


def _named(truth: Truth, labels: Sequence[str], path: Path) -> Truth:
    """With the model's own names for labels that were given by their indices."""

    def names(said: Sequence[str]) -> list[str]:
        return [labels[index] for index in indices_of(said, labels, path)]

    match truth:
        case frozenset():
            return frozenset(names(sorted(truth)))
        case tuple():
            objects = cast(tuple[TrueObject, ...], truth)
            found = zip(objects, names([each.label for each in objects]), strict=True)
            return tuple(replace(each, label=name) for each, name in found)
        case _:
            return truth
