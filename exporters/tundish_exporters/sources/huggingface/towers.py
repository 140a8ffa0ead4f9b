"""Two towers, one of images and one of texts, whose vectors are compared when both are there: CLIP and SigLIP.

The labels come with each request. Where they are known at export, `zero_shot.py` makes them a part of the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import FeatureExtraction, ImageClassification, Label
from tundish.tasks import Item, parts_of
from tundish.tasks.zero_shot import IMAGE_VECTOR, TEXT_VECTORS
from tundish_exporters.composed_sources import Asked, Parts
from tundish_exporters.probes import probe_inputs
from tundish_exporters.sources import Source
from tundish_exporters.sources.huggingface.embedding import ImageEmbedder
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.network_writing import write_network
from tundish_exporters.sources.huggingface.source import Choices, TextSource, as_pillow, make_pipeline, texts_of
from tundish_exporters.sources.huggingface.zero_shot import SIGLIP_TEXTS, check_towers, is_siglip

_VECTOR = "embedding"
_IMAGE, _TEXT = "image", "text"
REMEMBERED_TEXTS = 1000
"""Vectors that are kept: a question that a camera asks of every frame costs its texts once."""

_LABELS = tuple(label.encode() for label in ("a crack", "a worn roller", "größer", "nothing of these"))
"""What stands for labels where there are none; short, since CLIP's own pipeline fails on a text that is too long."""


class TextTower(TextSource):
    """The component that makes vectors of texts, each padded as in training."""

    architecture = Architecture("feature-extraction", transformers.AutoModelForZeroShotImageClassification)
    postprocess = manifest.VectorPostprocess(of="projection")

    def __init__(self, directory: Path, choices: Choices) -> None:
        """Raises ExportError also if the network is no pair of towers."""
        super().__init__(directory, choices)
        check_towers(self._model)
        self._settings = SIGLIP_TEXTS if is_siglip(self._model) else {"truncation": True, "max_length": self._longest}
        if is_siglip(self._model):
            self.preprocess = self.preprocess.model_copy(update={"padded_tokens": SIGLIP_TEXTS["max_length"]})

    @property
    def _longest(self) -> int:
        return self.preprocess.maximum_tokens

    def processed(self, item: Item) -> Arrays:
        """See `Source.processed`."""
        encoded = self._processor(texts_of(item), return_tensors="np", **self._settings)
        return {name: np.asarray(array, np.int64) for name, array in encoded.items()}

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`."""
        example = {name: torch.from_numpy(np.repeat(rows, 2, 0)) for name, rows in self.processed(b"a text").items()}
        axes = {name: {0: "batch", 1: "tokens"} for name in example}
        write_network(
            _TextVectors(self._exported), path, examples=example, inputs=axes, outputs={_VECTOR: {0: "batch"}}
        )

    @torch.inference_mode()
    def network(self, inputs: Arrays) -> Arrays:
        """See `Source.network`."""
        made = _TextVectors(self._model)(**{name: torch.from_numpy(np.array(rows)) for name, rows in inputs.items()})
        return {name: array.numpy() for name, array in made.items()}

    def predict(self, item: bytes) -> FeatureExtraction:
        """See `Source.predict`."""
        return FeatureExtraction(self.network(self.processed(item))[_VECTOR][0])

    @property
    def text_config(self) -> Any:
        """See `TextSource.text_config`."""
        return self._model.config.text_config


class Towers:
    """See `ComposedSource`: `zero-shot-image-classification` of labels that come with the image."""

    task: manifest.TaskName = "zero-shot-image-classification"
    architecture = Architecture(task, transformers.AutoModelForZeroShotImageClassification)
    reads: tuple[manifest.InputName, ...] = ("image", "candidate_labels")
    steps = (
        manifest.Step(name=IMAGE_VECTOR, component=_IMAGE, inputs=("image",)),
        manifest.Step(
            name=TEXT_VECTORS,
            component=_TEXT,
            inputs=("candidate_labels",),
            for_each="candidate_labels",
            remembered=REMEMBERED_TEXTS,
        ),
    )

    def __init__(self, directory: Path, choices: Choices) -> None:
        """Raises ExportError if the directory holds no pair of towers, or nothing that reads images or texts."""
        self._text = TextTower(directory, choices)
        self._image = ImageEmbedder(directory, choices)
        self._template = choices.hypothesis_template
        model: Any = self._text.model
        bias = getattr(model, "logit_bias", None)
        self.postprocess = manifest.SimilarityPostprocess(
            function="sigmoid" if is_siglip(model) else "softmax",
            scale=float(model.logit_scale.detach().exp()),
            bias=0.0 if bias is None else float(bias.detach()),
            template=self._template,
        )
        self._pipeline: Any = make_pipeline(
            self.task,
            model=model,
            device="cpu",
            image_processor=self._image.processor,
            tokenizer=self._text.processor,
        )

    @property
    def components(self) -> Mapping[str, Source]:
        """See `ComposedSource.components`."""
        return {_IMAGE: self._image, _TEXT: self._text}

    def describe(self) -> manifest.Source:
        """See `ComposedSource.describe`."""
        return self._image.describe()

    def asked_of(self, component: str, samples: Sequence[Parts]) -> list[Asked]:
        """See `ComposedSource.asked_of`; of a text that stands in several samples, one."""
        if component == _IMAGE:
            return [Asked(sample["image"], place) for place, sample in enumerate(samples) if "image" in sample]
        labels = dict.fromkeys(label for sample in samples for label in sample.get("candidate_labels", ()))
        return [Asked(self._template.format(label.decode()).encode(), None) for label in labels]

    def completed(self, sample: Parts) -> Item:
        """See `ComposedSource.completed`."""
        image, *_ = probe_inputs(("image",), self._image.postprocess)
        return (sample.get("image", image), sample.get("candidate_labels", _LABELS))

    def predict(self, item: Item) -> ImageClassification:
        """See `ComposedSource.predict`."""
        image, labels = parts_of(item)
        answer: Sequence[dict[str, Any]] = self._pipeline(
            as_pillow(image),
            candidate_labels=[label.decode() for label in labels],
            hypothesis_template=self._template,
        )
        return ImageClassification(tuple(Label(entry["label"], entry["score"]) for entry in answer))


class _TextVectors(torch.nn.Module):
    """The text tower with its vectors as its only output."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model
        self.config = model.config

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """`[batch, tokens]` each to `[batch, dimensions]`."""
        return {_VECTOR: self._model.get_text_features(**inputs)}
