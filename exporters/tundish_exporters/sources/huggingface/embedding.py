"""Networks that make vectors of texts, and compare them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import transformers

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import FeatureExtraction, SentenceSimilarity
from tundish.tasks import Item
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.source import Choices, TextSource, texts_of
from tundish_exporters.sources.pooling import pooled, read_pooling


class TextEmbedder(TextSource):
    """`feature-extraction`."""

    architecture = Architecture("feature-extraction", transformers.AutoModel, unread="pooler")
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
        "sentence-similarity", transformers.AutoModel, unread="pooler", exported_as="feature-extraction"
    )
    outputs = ("last_hidden_state",)
    postprocess: manifest.PoolingPostprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        self.postprocess = read_pooling(self._base or directory, self._processor)
        if self.postprocess.pooling == "none":
            raise ExportError(f"{directory} does not say how it pools: it has no modules.json with a Pooling.")

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
