"""Networks that answer questions about images: ViLT, which chooses among the answers that it was trained to give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import AutoImageProcessor

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import Label, VisualQuestionAnswering
from tundish.tasks import Item, parts_of
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.huggingface.image_network import PIXELS, image_axes
from tundish_exporters.sources.huggingface.loading import LOCAL, Architecture
from tundish_exporters.sources.huggingface.network_writing import write_network
from tundish_exporters.sources.huggingface.source import (
    Choices,
    HuggingFaceSource,
    as_converted,
    as_pillow,
    label_names,
    load_tokenizer,
    make_pipeline,
)
from tundish_exporters.sources.image_processors import read_image_processor
from tundish_exporters.sources.tokenizers import read_tokenizer, write_tokenizer

_TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_EXAMPLE_PATCHES = (3, 4)
"""In height and width of the image that the network is traced with."""
_EXAMPLE_TOKENS = 6


@dataclass(frozen=True, slots=True)
class _Processors:
    images: Any
    questions: Any


class VisualAnswerer(HuggingFaceSource):
    """`visual-question-answering`."""

    architecture = Architecture("visual-question-answering", transformers.AutoModelForVisualQuestionAnswering)
    preprocess: manifest.ImageTextPreprocess
    postprocess: manifest.ClassificationPostprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        """Raises ExportError also if the network is none that chooses among answers, or sees images in part."""
        super().__init__(directory, choices)
        config = self._model.config
        rule = manifest.ClassificationPostprocess(labels=label_names(config), function="sigmoid")
        self.postprocess = rule if choices.top_k is None else rule.model_copy(update={"top_k": choices.top_k})
        processors = self._processor
        # This pipeline takes no max_length, it truncates to what its tokenizer says.
        processors.questions.model_max_length = self.preprocess.text.maximum_tokens
        self._pipeline: Any = make_pipeline(
            self.task,
            model=self._model,
            device="cpu",
            image_processor=processors.images,
            tokenizer=processors.questions,
        )

    def _load_processor(self, directory: Path) -> _Processors:
        return _Processors(
            AutoImageProcessor.from_pretrained(directory, **LOCAL, use_fast=False),
            load_tokenizer(directory),
        )

    def _read_processor(self, directory: Path, choices: Choices) -> manifest.ImageTextPreprocess:  # noqa: ARG002
        config = self._model.config
        if config.model_type != "vilt":
            raise ExportError(
                f"The architecture '{config.model_type}' does not choose among answers that it knows; ViLT does."
            )
        rule = manifest.ImageTextPreprocess(
            image=read_image_processor(self._processor.images, any_size=True),
            text=read_tokenizer(self._processor.questions, config, directory, ("question",)),
        )
        _check_patches(rule.image, config, directory)
        return rule

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`."""
        rule, patch = self.preprocess.image, self._model.config.patch_size
        height, width = rule.size if rule.has_one_size else (count * patch for count in _EXAMPLE_PATCHES)
        tokens = torch.ones(2, _EXAMPLE_TOKENS, dtype=torch.int64)
        write_network(
            _WholeImages(self._exported),
            path,
            examples={PIXELS: torch.randn(2, 3, height, width), **dict.fromkeys(_TEXT_INPUTS, tokens)},
            inputs={
                PIXELS: image_axes(rule),
                **{name: {0: "batch", 1: "tokens"} for name in _TEXT_INPUTS},
            },
            outputs={"logits": {0: "batch"}},
        )

    def write_assets(self, directory: Path) -> list[str]:
        """See `Source.write_assets`."""
        name = self.preprocess.text.tokenizer
        write_tokenizer(self._processor.questions, directory / name)
        return [name]

    def processed(self, item: Item) -> Arrays:
        """See `Source.processed`."""
        image, question = parts_of(item)
        pixels = self._processor.images(as_converted(image), return_tensors="np")[PIXELS]
        tokens = self._processor.questions(question.decode(), truncation=True, return_tensors="np")
        return {PIXELS: pixels, **{name: np.asarray(array, np.int64) for name, array in tokens.items()}}

    def network(self, inputs: Arrays) -> Arrays:
        """See `Source.network`; transformers takes all pixels to be an image's only if a mask says so."""
        batch, _, height, width = inputs[PIXELS].shape
        return super().network({**inputs, "pixel_mask": np.ones((batch, height, width), np.int64)})

    def predict(self, item: Item) -> VisualQuestionAnswering:
        """See `Source.predict`."""
        image, question = parts_of(item)
        answers = self._pipeline(
            as_pillow(image), question.decode(), top_k=len(self.postprocess.labels), truncation=True
        )
        return VisualQuestionAnswering(tuple(Label(each["answer"], each["score"]) for each in answers))


def _check_patches(rule: manifest.ImagePreprocess, config: Any, directory: Path) -> None:
    """Raises ExportError if the network draws by chance which patches of a large image it sees."""
    most = config.max_image_length
    if most < 0:
        return
    height, width = _largest(rule)
    patches = (height // config.patch_size) * (width // config.patch_size)
    if patches > most:
        raise ExportError(
            f"{directory} sees {most} patches of an image, drawn by chance from up to {patches}, so that it does not "
            "answer alike each time; set max_image_length to -1 in config.json."
        )


def _largest(rule: manifest.ImagePreprocess) -> tuple[int, int]:
    if rule.has_one_size:
        return rule.size
    assert isinstance(rule.resize, manifest.ShortestEdgeResize)  # by has_one_size
    return rule.resize.length, rule.resize.longest or rule.resize.length


class _WholeImages(torch.nn.Module):
    """ViLT for images of one shape without padding.

    transformers' own form looks for the patches that are no padding, image by image, and brings them into an order by
    chance, which attention is blind to. Without padding there are none to look for, and the graph can be traced.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model
        self.config = model.config

    def forward(self, pixel_values: torch.Tensor, **tokens: torch.Tensor) -> Any:
        """`[batch, 3, height, width]` and `[batch, tokens]` to `[batch, labels]`."""
        embeddings = self._model.vilt.embeddings
        patches = embeddings.patch_embeddings(pixel_values)
        side = self.config.image_size // self.config.patch_size
        first, others = embeddings.position_embeddings[:, :1], embeddings.position_embeddings[:, 1:]
        places = torch.nn.functional.interpolate(
            others.transpose(1, 2).reshape(1, -1, side, side),
            size=patches.shape[2:],
            mode="bilinear",
            align_corners=True,
        )
        image = torch.cat(
            [
                (embeddings.cls_token + first).expand(patches.shape[0], -1, -1),
                (patches + places).flatten(2).transpose(1, 2),
            ],
            dim=1,
        )
        seen = torch.ones_like(image[..., 0], dtype=torch.int64)
        return self._model(image_embeds=image, pixel_mask=seen, **tokens)
