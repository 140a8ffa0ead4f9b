"""Zero-shot image classification by labels that come with the image: how alike are its vector and those of texts?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.errors import BundleError, InvalidInputError
from tundish.manifest import Composition, ModelSpec, SimilarityPostprocess, TensorSpec
from tundish.results import FeatureExtraction, ImageClassification, Label
from tundish.tasks import Item, parts_of
from tundish.tasks.composed import ComposedTask, StepForm, check_steps
from tundish.tasks.image_classification import ImageClassificationTask
from tundish_kernels import softmax_top_k
from tundish_proto.v1 import inference_pb2 as typed

MAX_LABELS = 1000
"""Of an image: each is a text to the text tower."""

IMAGE_VECTOR, TEXT_VECTORS = "image_vector", "text_vectors"
"""The values that the steps must make, of `image` and of `candidate_labels`."""
_NAMES = "names"
_STEPS: dict[str, StepForm] = {
    IMAGE_VECTOR: ("image-feature-extraction", ("image",), None),
    TEXT_VECTORS: ("feature-extraction", ("candidate_labels",), "candidate_labels"),
}


class RequestedLabelsTask(ComposedTask[ImageClassification]):
    """See `ComposedTask`; the value of `candidate_labels` are the texts that the template makes of them."""

    name: ClassVar[str] = "zero-shot-image-classification"
    reads = (("image", "candidate_labels"),)
    result_type: ClassVar[type[ImageClassification]] = ImageClassification
    output_specs = (
        TensorSpec(name="label", datatype="BYTES", shape=("batch", "labels")),
        TensorSpec(name="score", datatype="FP32", shape=("batch", "labels")),
    )

    def __init__(self, composition: Composition, components: Mapping[str, ModelSpec]) -> None:
        rule = composition.postprocess
        if not isinstance(rule, SimilarityPostprocess):
            raise BundleError(f"'{composition.model}' must compare vectors to do {self.name}.")
        check_steps(composition, components, _STEPS, self.name)
        self._rule = rule
        self._before, self._behind = rule.template.split("{}")

    def read(self, item: Item) -> dict[str, Any]:
        """See `ComposedTask.read`."""
        image, labels = parts_of(item)
        if not 1 <= len(labels) <= MAX_LABELS:
            raise InvalidInputError(f"An image is compared with 1 to {MAX_LABELS} candidate_labels, got {len(labels)}.")
        try:
            names = [label.decode() for label in labels]
        except UnicodeDecodeError as error:
            raise InvalidInputError(f"A candidate label is not UTF-8: {error}.") from None
        texts = [f"{self._before}{name}{self._behind}".encode() for name in names]
        return {"image": image, "candidate_labels": texts, _NAMES: names}

    def join(self, values: Mapping[str, Any]) -> ImageClassification:
        """See `ComposedTask.join`; equal scores keep the order of the labels."""
        image: FeatureExtraction = values[IMAGE_VECTOR]
        texts: Sequence[FeatureExtraction] = values[TEXT_VECTORS]
        vectors = np.stack([text.vector for text in texts])
        lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(image.vector)
        cosines = np.einsum("ij,j->i", vectors, image.vector) / np.maximum(lengths, np.finfo(np.float32).tiny)
        logits = (self._rule.scale * cosines + self._rule.bias).astype(np.float32)
        places, scores = softmax_top_k(logits[np.newaxis], len(texts), function=self._rule.function)
        names = values[_NAMES]
        best = zip(places[0].tolist(), scores[0].tolist(), strict=True)
        return ImageClassification(tuple(Label(names[place], score) for place, score in best))

    @staticmethod
    def to_tensors(results: Sequence[ImageClassification]) -> dict[str, NDArray[np.generic]]:
        """`label` BYTES and `score` FP32 `[batch, labels]`; behind those of an image that has fewer, empty and 0."""
        most = max(len(result.labels) for result in results)
        names = np.full((len(results), most), b"", np.object_)
        scores = np.zeros((len(results), most), np.float32)
        for row, result in enumerate(results):
            names[row, : len(result.labels)] = [label.name.encode() for label in result.labels]
            scores[row, : len(result.labels)] = [label.score for label in result.labels]
        return {"label": names, "score": scores}

    @staticmethod
    def to_message(result: ImageClassification) -> typed.ImageClassification:
        """See `TypedTask.to_message`."""
        return ImageClassificationTask.to_message(result)

    @staticmethod
    def from_message(message: Any) -> ImageClassification:
        """See `TypedTask.from_message`."""
        return ImageClassificationTask.from_message(message)
