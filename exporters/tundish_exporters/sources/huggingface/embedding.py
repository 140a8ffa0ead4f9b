"""Networks that make vectors of texts and of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import FeatureExtraction
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.huggingface.image_network import write_image_network
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.source import Choices, ImageSource, TextSource, as_pillow
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

    def predict(self, data: bytes) -> FeatureExtraction:
        """See `Source.predict`; by the pooling rule, of which transformers' pipeline knows nothing."""
        inputs = self.processed(data)
        tokens = torch.from_numpy(self.network(inputs)["last_hidden_state"])
        return FeatureExtraction(pooled(tokens, torch.from_numpy(inputs["attention_mask"]), self.postprocess).numpy())


class ImageEmbedder(ImageSource):
    """`image-feature-extraction`: the output of the network's own pooling layer, or else of its first token."""

    architecture = Architecture("image-feature-extraction", transformers.AutoModel, optional="pooler")
    outputs = (_VECTOR,)

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        self._pools = self._answer_to_black().get("pooler_output") is not None
        self.postprocess = manifest.VectorPostprocess(of="pooler" if self._pools else "first-token")
        self._pipeline: Any = transformers.pipeline(
            self.task, model=self._model, device="cpu", image_processor=self._processor
        )

    @torch.inference_mode()
    def _answer_to_black(self) -> Any:
        """What the network gives, whatever it is asked; raises ExportError if it gives no vectors."""
        answer = self._model(torch.zeros(1, 3, *self.preprocess.size))
        if answer.get("pooler_output") is None and answer["last_hidden_state"].ndim != 3:
            raise ExportError(
                f"The architecture '{self._model.config.model_type}' has neither a pooling layer nor tokens to make a "
                "vector of; wrap it yourself and pass the module to tundish_exporters.export_module."
            )
        return answer

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`."""
        network = _Vectors(self._exported, pools=self._pools)
        write_image_network(
            network, self.preprocess, path, outputs={_VECTOR: {0: "batch"}}, example=self.preprocess.size
        )

    def network(self, inputs: Arrays) -> Arrays:
        """See `Source.network`."""
        with torch.inference_mode():
            made = _Vectors(self._model, pools=self._pools)(
                *(torch.from_numpy(np.array(each)) for each in inputs.values())
            )
        return {name: array.numpy() for name, array in made.items()}

    def predict(self, data: bytes) -> FeatureExtraction:
        """See `Source.predict`."""
        answer = np.array(self._pipeline(as_pillow(data), pool=self._pools), np.float32)
        return FeatureExtraction(answer.ravel() if self._pools else answer[0, 0])


class _Vectors(torch.nn.Module):
    """The network with one vector an image as its only output."""

    def __init__(self, model: Any, *, pools: bool) -> None:
        super().__init__()
        self._model = model
        self._pools = pools
        self.config = model.config

    def forward(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        """`[batch, 3, height, width]` to `[batch, dimensions]`."""
        answer = self._model(pixel_values=pixel_values)
        vectors = answer["pooler_output"].flatten(1) if self._pools else answer["last_hidden_state"][:, 0]
        return {_VECTOR: vectors}
