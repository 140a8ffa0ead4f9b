"""Networks that segment what prompts point at: Segment Anything, an encoder of images and a decoder of masks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from tundish import manifest
from tundish.engines import Arrays
from tundish.masks import Mask
from tundish.results import FeatureExtraction, ImageSegmentation, Segment
from tundish.tasks import Item, parts_of
from tundish.tasks.prompted_segmentation import ENCODING, IMAGE_ENCODING, KINDS, MASK, POINTS, SCORE, SEGMENTS
from tundish.tasks.prompts import NOT_A_POINT, read_prompt
from tundish.tasks.shared_image import SharedImage
from tundish_exporters.composed_sources import Asked, Parts
from tundish_exporters.errors import ExportError
from tundish_exporters.probes import probe_inputs
from tundish_exporters.sources import Source
from tundish_exporters.sources.huggingface.image_network import write_image_network
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.network_writing import write_network
from tundish_exporters.sources.huggingface.source import Choices, ImageSource, as_converted
from tundish_exporters.sources.image_processors import read_normalization

_MOST_ENCODED = 100
"""Images of which the decoder is asked at export: their encodings are kept meanwhile."""
_ENCODER, _DECODER = "encoder", "decoder"
_MAP = "embedding"
REMEMBERED_IMAGES = 16
"""Encodings that are kept, 4 MB each: somebody who points at an image points again."""


class ImageEncoder(ImageSource):
    """The component that encodes images."""

    architecture = Architecture("image-feature-extraction", transformers.AutoModelForMaskGeneration)
    postprocess = manifest.VectorPostprocess(of="map")

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        self._with_prompts: Any = transformers.SamProcessor(self._processor)

    def _read_processor(self, directory: Path, choices: Choices) -> manifest.ImagePreprocess:  # noqa: ARG002
        processor, name = self._processor, type(self._processor).__name__
        if name != "SamImageProcessor":
            raise ExportError(f"{name} is not the image processor of Segment Anything, which tundish reproduces.")
        size, padded = processor.size["longest_edge"], processor.pad_size
        if (size, size) != (padded["height"], padded["width"]):
            raise ExportError(f"{name} pads images of {size} pixels to {padded}; tundish reproduces squares.")
        return read_normalization(
            processor,
            manifest.LetterboxResize(height=size, width=size, padding=None, placement="top-left"),
        )

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`."""
        write_image_network(
            _Encoder(self._exported), self.preprocess, path, outputs={_MAP: {0: "batch"}}, example=self.preprocess.size
        )

    def processed(self, item: bytes) -> Arrays:
        """See `Source.processed`."""
        return {"pixel_values": self._processor(as_converted(item), return_tensors="np")["pixel_values"]}

    @torch.inference_mode()
    def network(self, inputs: Arrays) -> Arrays:
        """See `Source.network`."""
        (images,) = inputs.values()
        return {_MAP: _Encoder(self._model)(torch.from_numpy(np.array(images)))[_MAP].numpy()}

    def predict(self, item: bytes) -> FeatureExtraction:
        """See `Source.predict`."""
        return FeatureExtraction(self.network(self.processed(item))[_MAP][0])

    def scaled(self, points: NDArray[np.float32], image: SharedImage) -> NDArray[np.float32]:
        """Points of an image in pixels of what the network sees, by transformers' processor."""
        given = self._with_prompts(as_converted(image.data), input_points=[[points.tolist()]], return_tensors="np")
        return np.asarray(given["input_points"], np.float32).reshape(points.shape)

    @torch.inference_mode()
    def segment(self, image: bytes, data: bytes, **encoded: torch.Tensor) -> Segment:
        """The best mask of a prompt, by transformers' own processor, network and post-processing."""
        prompt = read_prompt(data)
        asked: dict[str, Any] = {"input_boxes": [[list(prompt.box)]]} if prompt.box is not None else {}
        if prompt.points:
            labels = prompt.labels or [1] * len(prompt.points)
            asked |= {"input_points": [[list(map(list, prompt.points))]], "input_labels": [[list(labels)]]}
        inputs = self._with_prompts(as_converted(image), return_tensors="pt", **asked)
        sizes = inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes")
        if encoded:
            inputs.pop("pixel_values")
        answer = self._model(**inputs, **encoded)
        masks = self._with_prompts.post_process_masks(answer.pred_masks, *sizes)[0][0]
        best = int(answer.iou_scores[0, 0].argmax())
        return Segment("", float(answer.iou_scores[0, 0, best]), Mask.of(np.ascontiguousarray(masks[best].numpy())))


class MaskDecoder:
    """The component that decodes prompts; see `Source`. An item is an image, its encoding and a prompt."""

    task: manifest.TaskName = "prompted-segmentation"
    postprocess = manifest.PromptMaskPostprocess()
    warnings: tuple[str, ...] = ()

    def __init__(self, encoder: ImageEncoder) -> None:
        resize = encoder.preprocess.resize
        assert isinstance(resize, manifest.LetterboxResize)  # by its construction
        self.preprocess = manifest.PromptPreprocess(resize=resize)
        self._encoder = encoder
        self._network = _Decoder(encoder.model).eval()

    def describe(self) -> manifest.Source:
        """See `Source.describe`."""
        return self._encoder.describe()

    def write_assets(self, directory: Path) -> list[str]:  # noqa: ARG002  # there are none
        """See `Source.write_assets`."""
        return []

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`."""
        size = self.preprocess.resize.height
        with torch.inference_mode():
            encoding = self._encoder.model.get_image_embeddings(torch.zeros(2, 3, size, size))
        examples = {
            ENCODING: encoding.clone(),
            POINTS: torch.tensor([[[4.0, 5.0], [0, 0]], [[6.0, 7.0], [9.0, 11.0]]]),
            KINDS: torch.tensor([[1, NOT_A_POINT], [2, 3]]),
        }
        axes = {ENCODING: {0: "batch"}, POINTS: {0: "batch", 1: "points"}, KINDS: {0: "batch", 1: "points"}}
        write_network(
            self._network, path, examples=examples, inputs=axes, outputs={MASK: {0: "batch"}, SCORE: {0: "batch"}}
        )

    def processed(self, item: Any) -> Arrays:
        """See `Source.processed`; points are where transformers' processor has them."""
        image, encoding, data = item
        points, kinds = read_prompt(data).embedded
        scaled = self._encoder.scaled(points, image)
        return {ENCODING: encoding.vector[np.newaxis], POINTS: scaled[np.newaxis], KINDS: kinds[np.newaxis]}

    @torch.inference_mode()
    def network(self, inputs: Arrays) -> Arrays:
        """See `Source.network`."""
        made = self._network(*(torch.from_numpy(np.array(inputs[name])) for name in (ENCODING, POINTS, KINDS)))
        return {name: array.numpy() for name, array in made.items()}

    def predict(self, item: Any) -> ImageSegmentation:
        """See `Source.predict`."""
        image, encoding, data = item
        encoded = torch.from_numpy(encoding.vector[np.newaxis])
        return ImageSegmentation((self._encoder.segment(image.data, data, image_embeddings=encoded),))


class PromptableSegmenter:
    """See `ComposedSource`: `image-segmentation` by prompts."""

    task: manifest.TaskName = "image-segmentation"
    architecture = Architecture(task, transformers.AutoModelForMaskGeneration)
    reads: tuple[manifest.InputName, ...] = ("image", "prompts")
    postprocess = manifest.PromptedPostprocess()
    steps = (
        manifest.Step(name=IMAGE_ENCODING, component=_ENCODER, inputs=("image",), remembered=REMEMBERED_IMAGES),
        manifest.Step(
            name=SEGMENTS, component=_DECODER, inputs=("image", IMAGE_ENCODING, "prompts"), for_each="prompts"
        ),
    )

    def __init__(self, directory: Path, choices: Choices) -> None:
        """Raises ExportError if the directory does not hold Segment Anything."""
        self._encoder = ImageEncoder(directory, choices)
        self._decoder = MaskDecoder(self._encoder)

    @property
    def components(self) -> Mapping[str, Source]:
        """See `ComposedSource.components`."""
        return {_ENCODER: self._encoder, _DECODER: self._decoder}

    def describe(self) -> manifest.Source:
        """See `ComposedSource.describe`."""
        return self._encoder.describe()

    def asked_of(self, component: str, samples: Sequence[Parts]) -> list[Asked]:
        """See `ComposedSource.asked_of`."""
        whole = [self.completed(sample) for sample in samples]
        if component == _ENCODER:
            return [Asked(image, place) for place, (image, _) in enumerate(whole)]
        asked: list[Asked] = []
        for place, (image, prompts) in enumerate(whole[:_MOST_ENCODED]):
            encoding = self._encoder.predict(image)
            items: list[Any] = [(SharedImage(image), encoding, prompt) for prompt in prompts]
            asked += [Asked(item, place) for item in items]
        return asked

    def completed(self, sample: Parts) -> Any:
        """See `ComposedSource.completed`; made-up prompts are a point and a box in the middle."""
        image = sample.get("image") or _made_up_image()
        return image, sample.get("prompts") or _made_up_prompts(image)

    def predict(self, item: Item) -> ImageSegmentation:
        """See `ComposedSource.predict`."""
        image, prompts = parts_of(item)
        found = [self._encoder.segment(image, prompt) for prompt in prompts]
        return ImageSegmentation(tuple(replace(segment, label=str(place)) for place, segment in enumerate(found)))


def _made_up_image() -> Any:
    return probe_inputs(("image",), manifest.VectorPostprocess(of="map"))[0]


def _made_up_prompts(image: bytes) -> tuple[bytes, ...]:
    width, height = as_converted(image).size
    box = [width * 0.2, height * 0.25, width * 0.7, height * 0.8]
    prompts = ({"points": [[width / 2, height / 2]]}, {"box": box}, {"points": [box[:2], box[2:]], "labels": [0, 1]})
    return tuple(json.dumps(prompt).encode() for prompt in prompts)


class _Encoder(torch.nn.Module):
    """The encoder of images, with its map as its only output."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._encoder = model.vision_encoder
        self.config = model.config

    def forward(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        """`[batch, 3, size, size]` to `[batch, dimensions, height, width]`."""
        return {_MAP: self._encoder(pixel_values)[0]}


class _Decoder(torch.nn.Module):
    """The decoder of masks, of one prompt an image, by the points that it embeds; the mask that it thinks best."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model
        self.config = model.config
        self._size = model.config.prompt_encoder_config.image_size
        self._positions: torch.Tensor
        self.register_buffer("_positions", model.get_image_wide_positional_embeddings().detach())

    def forward(
        self, image_embeddings: torch.Tensor, points: torch.Tensor, kinds: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """See `tundish.tasks.prompted_segmentation`."""
        prompts = self._model.prompt_encoder
        count = image_embeddings.shape[0]
        sparse = self._embedded(points, kinds).unsqueeze(1)
        edge = self.config.prompt_encoder_config.image_embedding_size
        dense = prompts.no_mask_embed.weight.reshape(1, -1, 1, 1).expand(count, -1, edge, edge)
        masks, scores = self._model.mask_decoder(
            image_embeddings=image_embeddings,
            image_positional_embeddings=self._positions.expand(count, -1, -1, -1),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )[:2]
        scores = scores[:, 0]
        best = scores.argmax(1)
        rows = torch.arange(count)
        mask = torch.nn.functional.interpolate(
            masks[:, 0][rows, best].unsqueeze(1), (self._size, self._size), mode="bilinear", align_corners=False
        )
        return {MASK: mask[:, 0], SCORE: scores[rows, best]}

    def _embedded(self, points: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        """`[batch, points, dimensions]`; pixels are embedded at their centres."""
        prompts = self._model.prompt_encoder
        places = prompts.shared_embedding((points + 0.5).unsqueeze(1), (self._size, self._size)).squeeze(1)
        named = torch.stack([embedding.weight[0] for embedding in prompts.point_embed])[kinds.clamp(min=0)]
        nowhere = (kinds == NOT_A_POINT).unsqueeze(-1)
        return torch.where(nowhere, prompts.not_a_point_embed.weight, places + named)
