"""Networks that make vectors of texts."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers

from tundish import manifest
from tundish.results import FeatureExtraction
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.source import Choices, TextSource
from tundish_exporters.sources.pooling import pooled, read_pooling


class TextEmbedder(TextSource):
    """`feature-extraction`."""

    architecture = Architecture("feature-extraction", transformers.AutoModel, unread="pooler")
    outputs = ("last_hidden_state",)
    postprocess: manifest.PoolingPostprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        self.postprocess = read_pooling(self._base or directory, self._processor)

    def predict(self, data: bytes) -> FeatureExtraction:
        """See `Source.predict`; by the pooling rule, of which transformers' pipeline knows nothing."""
        inputs = self.processed(data)
        tokens = torch.from_numpy(self.network(inputs)["last_hidden_state"])
        return FeatureExtraction(pooled(tokens, torch.from_numpy(inputs["attention_mask"]), self.postprocess).numpy())
