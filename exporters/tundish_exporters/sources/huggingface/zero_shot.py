"""Networks that compare images with texts, such as CLIP: classifiers whose labels are texts.

The labels are chosen at export. Their vectors become constants of the network, so that an image costs no more than the
image tower.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import AutoTokenizer

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import ImageClassification, Label
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.huggingface.image_network import write_image_network
from tundish_exporters.sources.huggingface.loading import LOCAL, Architecture, loaded
from tundish_exporters.sources.huggingface.source import Choices, ImageSource, as_pillow, make_pipeline

SIGLIP_TEXTS: dict[str, Any] = {"padding": "max_length", "max_length": 64, "truncation": True}
"""How SigLIP's texts were padded in training; its text tower reads the padding."""


def check_towers(model: Any) -> None:
    """Raises ExportError unless the network is a pair of towers, or if it has too few positions for SigLIP's texts."""
    if not all(hasattr(model, part) for part in ("get_image_features", "get_text_features", "logit_scale")):
        raise ExportError(
            f"The architecture '{model.config.model_type}' does not compare vectors of images and texts; CLIP and "
            "SigLIP do."
        )
    length = SIGLIP_TEXTS["max_length"]
    if is_siglip(model) and (positions := model.config.text_config.max_position_embeddings) < length:
        raise ExportError(
            f"text_config.max_position_embeddings is {positions}, and SigLIP's texts are padded to {length} tokens; "
            f"give a network with {length} positions or more."
        )


def is_siglip(model: Any) -> bool:
    """Whether its scores are each a probability, and its texts are padded."""
    return "siglip" in model.config.model_type


class ZeroShotClassifier(ImageSource):
    """`zero-shot-image-classification`."""

    architecture = Architecture("zero-shot-image-classification", transformers.AutoModelForZeroShotImageClassification)
    postprocess: manifest.ClassificationPostprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        """Raises ExportError also if the network is no pair of towers."""
        super().__init__(directory, choices)
        check_towers(self._model)
        self._choices = choices
        self.postprocess = manifest.ClassificationPostprocess(
            labels=choices.candidate_labels,
            function="sigmoid" if is_siglip(self._model) else "softmax",
            top_k=len(choices.candidate_labels),
        )
        files = self._with_processor
        self._tokenizer: Any = loaded(files, lambda: AutoTokenizer.from_pretrained(files, **LOCAL))
        texts = [choices.hypothesis_template.format(label) for label in choices.candidate_labels]
        padding = SIGLIP_TEXTS if is_siglip(self._model) else {"padding": True}
        tokens = self._tokenizer(texts, return_tensors="pt", **padding)
        self._vectors = _text_vectors(self._model, tokens)
        self._pipeline: Any = make_pipeline(
            self.task, model=self._model, device="cpu", image_processor=self._processor, tokenizer=self._tokenizer
        )

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`."""
        network = _Compared(self._exported, self._vectors)
        write_image_network(
            network, self.preprocess, path, outputs={"logits": {0: "batch"}}, example=self.preprocess.size
        )

    @torch.inference_mode()
    def network(self, inputs: Arrays) -> Arrays:
        """See `Source.network`."""
        (images,) = inputs.values()
        made = _Compared(self._model, self._vectors)(torch.from_numpy(np.array(images)))
        return {name: array.numpy() for name, array in made.items()}

    def predict(self, data: bytes) -> ImageClassification:
        """See `Source.predict`; the pipeline runs both towers."""
        answer: Sequence[dict[str, Any]] = self._pipeline(
            as_pillow(data),
            candidate_labels=list(self._choices.candidate_labels),
            hypothesis_template=self._choices.hypothesis_template,
        )
        return ImageClassification(tuple(Label(entry["label"], entry["score"]) for entry in answer))


@torch.inference_mode()
def _text_vectors(model: Any, tokens: Any) -> torch.Tensor:
    """`[labels, dimensions]`, of length 1."""
    vectors: torch.Tensor = torch.nn.functional.normalize(model.get_text_features(**tokens), dim=-1)
    return vectors


class _Compared(torch.nn.Module):
    """The image tower, and what it has in common with each label."""

    def __init__(self, model: Any, vectors: torch.Tensor) -> None:
        super().__init__()
        self._model = model
        self.config = model.config
        self._labels: torch.Tensor
        self._bias: torch.Tensor
        self.register_buffer("_labels", (vectors * model.logit_scale.exp().detach()).T.clone())
        bias = getattr(model, "logit_bias", None)
        self.register_buffer("_bias", torch.zeros(1) if bias is None else bias.detach().clone())

    def forward(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        """`[batch, 3, height, width]` to `[batch, labels]`."""
        vectors = torch.nn.functional.normalize(self._model.get_image_features(pixel_values=pixel_values), dim=-1)
        return {"logits": vectors @ self._labels + self._bias}
