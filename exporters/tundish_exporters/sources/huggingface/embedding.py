"""Networks that make vectors of texts and of images, and compare them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import transformers

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import FeatureExtraction, SentenceSimilarity
from tundish.tasks import Item
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.huggingface.image_network import write_image_network
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.source import (
    Choices,
    ImageSource,
    TextSource,
    as_converted,
    as_pillow,
    make_pipeline,
    texts_of,
)
from tundish_exporters.sources.pooling import pooled, read_pooling

_VECTOR = "embedding"


class TextEmbedder(TextSource):
    """`feature-extraction`."""

    architecture = Architecture("feature-extraction", transformers.AutoModel, optional="pooler")
    outputs = ("last_hidden_state",)
    postprocess: manifest.PoolingPostprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        self.postprocess = read_pooling(self._base or directory, self._processor)

    def predict(self, item: bytes) -> FeatureExtraction:
        """See `Source.predict`; by the pooling rule, of which transformers' pipeline knows nothing."""
        inputs = self.processed(item)
        tokens = torch.from_numpy(self.network(inputs)["last_hidden_state"])
        return FeatureExtraction(pooled(tokens, torch.from_numpy(inputs["attention_mask"]), self.postprocess).numpy())


class SentenceComparer(TextSource):
    """`sentence-similarity`."""

    architecture = Architecture(
        "sentence-similarity", transformers.AutoModel, optional="pooler", exported_as="feature-extraction"
    )
    outputs = ("last_hidden_state",)
    postprocess: manifest.PoolingPostprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        self.postprocess = read_pooling(self._base or directory, self._processor)
        if self.postprocess.pooling == "none":
            raise ExportError(
                f"{directory} does not say how it pools: it has no modules.json with a Pooling; save it by "
                "sentence-transformers, or export it for feature-extraction."
            )

    @classmethod
    def reads(cls, choices: Choices) -> tuple[manifest.TextInput, ...]:  # noqa: ARG003
        """See `TextSource.reads`."""
        return ("text", "text_pair")

    def processed(self, item: Item) -> Arrays:
        """See `Source.processed`; a row for each text."""
        encoded = self._processor(
            texts_of(item),
            truncation=True,
            max_length=self.preprocess.maximum_tokens,
            padding=True,
            return_tensors="np",
        )
        return {name: np.asarray(array, np.int64) for name, array in encoded.items()}

    def predict(self, item: Item) -> SentenceSimilarity:
        """See `Source.predict`."""
        inputs = self.processed(item)
        tokens = torch.from_numpy(self.network(inputs)["last_hidden_state"])
        masks = torch.from_numpy(inputs["attention_mask"])
        first, second = (pooled(tokens[row : row + 1], masks[row : row + 1], self.postprocess) for row in range(2))
        return SentenceSimilarity(float(torch.nn.functional.cosine_similarity(first, second, dim=0)))


class ImageEmbedder(ImageSource):
    """`image-feature-extraction`: the projection, the output of the pooling layer, or else that of the first token."""

    architecture = Architecture("image-feature-extraction", transformers.AutoModel, optional="pooler")
    postprocess: manifest.VectorPostprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        self.postprocess = manifest.VectorPostprocess(of=_vector_of(self._model, self.preprocess.size))
        self._pipeline: Any = make_pipeline(self.task, model=self._model, device="cpu", image_processor=self._processor)

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`."""
        network = _Vectors(self._exported, self.postprocess.of)
        write_image_network(
            network, self.preprocess, path, outputs={_VECTOR: {0: "batch"}}, example=self.preprocess.size
        )

    @torch.inference_mode()
    def network(self, inputs: Arrays) -> Arrays:
        """See `Source.network`."""
        (images,) = inputs.values()
        made = _Vectors(self._model, self.postprocess.of)(torch.from_numpy(np.array(images)))
        return {name: array.numpy() for name, array in made.items()}

    @torch.inference_mode()
    def predict(self, data: bytes) -> FeatureExtraction:
        """See `Source.predict`; by transformers' pipeline, which knows no projection."""
        if self.postprocess.of == "projection":
            inputs = self._processor(as_converted(data), return_tensors="pt")
            return FeatureExtraction(self._model.get_image_features(**inputs)[0].numpy())
        pools = self.postprocess.of == "pooler"
        answer = np.array(self._pipeline(as_pillow(data), pool=pools), np.float32)
        return FeatureExtraction(answer.ravel() if pools else answer[0, 0])


@torch.inference_mode()
def _vector_of(model: Any, size: tuple[int, int]) -> Literal["projection", "pooler", "first-token"]:
    """What an image's vector is made of; raises ExportError if the network makes nothing to make it of."""
    if hasattr(model, "get_image_features"):
        return "projection"
    answer = model(torch.zeros(1, 3, *size))
    if answer.get("pooler_output") is not None:
        return "pooler"
    if answer["last_hidden_state"].ndim == 3:
        return "first-token"
    raise ExportError(
        f"The architecture '{model.config.model_type}' has neither a pooling layer nor tokens to make a vector of; "
        "wrap it yourself and pass the module to tundish_exporters.export_module."
    )


class _Vectors(torch.nn.Module):
    """The network with one vector an image as its only output."""

    def __init__(self, model: Any, of: str) -> None:
        super().__init__()
        self._model = model
        self._of = of
        self.config = model.config

    def forward(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        """`[batch, 3, height, width]` to `[batch, dimensions]`."""
        if self._of == "projection":
            return {_VECTOR: self._model.get_image_features(pixel_values=pixel_values)}
        answer = self._model(pixel_values=pixel_values)
        pooled = self._of == "pooler"
        return {_VECTOR: answer["pooler_output"].flatten(1) if pooled else answer["last_hidden_state"][:, 0]}
