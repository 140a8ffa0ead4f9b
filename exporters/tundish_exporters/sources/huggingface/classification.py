"""Classifiers of images and of texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers

from tundish import manifest
from tundish.results import ImageClassification, Label, TextClassification
from tundish.tasks import Item
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.source import (
    Choices,
    ImageSource,
    TextSource,
    as_pillow,
    label_names,
    make_pipeline,
    texts_of,
)


class ImageClassifier(ImageSource):
    """`image-classification`."""

    architecture = Architecture("image-classification", transformers.AutoModelForImageClassification)
    postprocess: manifest.ClassificationPostprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        self.postprocess = _read_labels(self._model.config, regression="softmax")
        self._pipeline: Any = make_pipeline(self.task, model=self._model, device="cpu", image_processor=self._processor)

    def predict(self, item: bytes) -> ImageClassification:
        """See `Source.predict`."""
        return ImageClassification(_labels(self._pipeline(as_pillow(item), top_k=len(self.postprocess.labels))))


class TextClassifier(TextSource):
    """`text-classification`."""

    architecture = Architecture("text-classification", transformers.AutoModelForSequenceClassification)

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        self.postprocess = _read_labels(self._model.config, regression="none")
        self._pipeline: Any = make_pipeline(self.task, model=self._model, device="cpu", tokenizer=self._processor)

    @classmethod
    def reads(cls, choices: Choices) -> tuple[manifest.TextInput, ...]:
        """See `TextSource.reads`."""
        return ("text", "text_pair") if choices.pairs else ("text",)

    def predict(self, item: Item) -> TextClassification:
        """See `Source.predict`."""
        asked = dict(zip(self.preprocess.reads, texts_of(item), strict=True))
        answer = self._pipeline(asked, top_k=None, truncation=True, max_length=self.preprocess.maximum_tokens)
        return TextClassification(_labels(answer))


def _read_labels(config: Any, *, regression: Any) -> manifest.ClassificationPostprocess:
    """The labels, and the function that transformers' pipeline of the task would apply to the logits."""
    function: Any = "softmax" if config.num_labels > 1 else "sigmoid"
    if config.problem_type == "multi_label_classification":
        function = "sigmoid"
    elif config.problem_type == "regression":
        function = regression or function
    return manifest.ClassificationPostprocess(labels=label_names(config), function=function)


def _labels(answer: list[dict[str, Any]]) -> tuple[Label, ...]:
    return tuple(Label(entry["label"], entry["score"]) for entry in answer)
