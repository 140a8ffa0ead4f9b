"""Promptable segmentation: an image and prompts in, a segment for each prompt out.

The image is encoded once, whatever is asked of it, and its encoding is remembered; each prompt is then decoded by
itself, with those of all waiting requests in its batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError, InvalidInputError
from tundish.manifest import (
    Composition,
    ModelSpec,
    PromptedPostprocess,
    PromptMaskPostprocess,
    PromptPreprocess,
)
from tundish.masks import MAX_EDGE, Mask
from tundish.results import ImageSegmentation, Segment
from tundish.tasks import Item, Task, not_finite, parts_of
from tundish.tasks.composed import ComposedTask, StepForm, check_steps
from tundish.tasks.image_segmentation import ImageSegmentationTask
from tundish.tasks.prompts import MAX_PROMPTS, read_prompt
from tundish.tasks.shared_image import SharedImage
from tundish_kernels import Window, upsample_argmax

ENCODING, POINTS, KINDS = "image_embeddings", "points", "kinds"
"""The decoder's inputs: `[batch, dimensions, height, width] float32`, `[batch, points, 2] float32` in pixels of what
the encoder sees, and `[batch, points] int64`, see `Prompt.embedded`."""
MASK, SCORE = "mask", "score"
"""Its outputs, `[batch, height, width]` and `[batch]`, both float32."""

IMAGE_ENCODING, SEGMENTS = "image_encoding", "segments"
"""The values that the steps of the whole must make."""


_STEPS: dict[str, StepForm] = {
    IMAGE_ENCODING: ("image-feature-extraction", ("image",), None),
    SEGMENTS: ("prompted-segmentation", ("image", IMAGE_ENCODING, "prompts"), "prompts"),
}


@dataclass(frozen=True, slots=True)
class PreparedPrompt:
    """A prompt to an encoded image."""

    encoding: NDArray[np.float32]
    points: NDArray[np.float32]
    kinds: NDArray[np.int64]
    size: tuple[int, int]
    """Height and width of the image."""
    resized: tuple[int, int]
    """Of what the encoder saw of it."""


class PromptedSegmentationTask(Task[PreparedPrompt, ImageSegmentation]):
    """The decoder; an item is a `SharedImage`, its encoding as a `FeatureExtraction`, and a prompt."""

    name: ClassVar[str] = "prompted-segmentation"
    reads = ((),)
    result_type: ClassVar[type[ImageSegmentation]] = ImageSegmentation
    output_specs = ImageSegmentationTask.output_specs

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        rule = spec.preprocess
        if not isinstance(rule, PromptPreprocess) or not isinstance(spec.postprocess, PromptMaskPostprocess):
            raise BundleError(f"{directory} must read prompts and give their masks to do {self.name}.")
        named = [tensor.name for tensor in (*spec.inputs, *spec.outputs)]
        if sorted(named) != sorted([ENCODING, POINTS, KINDS, MASK, SCORE]):
            raise BundleError(f"{directory} must have the tensors of a decoder of masks, got {named}.")
        self._seen = (rule.resize.height, rule.resize.width)

    def prepare(self, item: Any) -> PreparedPrompt:
        """See `Task.prepare`."""
        if not isinstance(item, tuple) or len(item) != 3 or not isinstance(item[0], SharedImage):
            raise InvalidInputError("A decoder of masks is asked by the model that it belongs to alone.")
        image, encoding, prompt = item
        decoded = image.decoded()
        size = decoded.height, decoded.width
        if max(size) > MAX_EDGE:
            raise InvalidInputError(
                f"The image of {size[1]} x {size[0]} pixels is too long: a mask may have {MAX_EDGE}."
            )
        place = Window.letterbox(size, self._seen, placement="top_left")
        points, kinds = read_prompt(prompt).embedded
        scale = np.array([place.resized_width / size[1], place.resized_height / size[0]], np.float32)
        resized = (place.resized_height, place.resized_width)
        return PreparedPrompt(encoding.vector, points * scale, kinds, size, resized)

    def shape(self, item: PreparedPrompt) -> tuple[int, ...]:
        """How many points are embedded."""
        return (len(item.kinds),)

    def collate(self, items: Sequence[PreparedPrompt]) -> Arrays:
        """See `Task.collate`."""
        return {
            ENCODING: items[0].encoding[np.newaxis] if len(items) == 1 else np.stack([item.encoding for item in items]),
            POINTS: np.stack([item.points for item in items]),
            KINDS: np.stack([item.kinds for item in items]),
        }

    def finish(self, outputs: Arrays, items: Sequence[PreparedPrompt]) -> list[ImageSegmentation | EngineError]:
        """See `Task.finish`; a segment without a label."""
        masks = outputs[MASK].astype(np.float32, copy=False)
        scores = outputs[SCORE].astype(np.float32, copy=False)
        return [
            ImageSegmentation((Segment("", float(score), _mask(mask, item)),))
            if np.isfinite(mask).all() and np.isfinite(score)
            else not_finite("masks")
            for mask, score, item in zip(masks, scores, items, strict=True)
        ]

    to_tensors = staticmethod(ImageSegmentationTask.to_tensors)
    to_message = staticmethod(ImageSegmentationTask.to_message)
    from_message = staticmethod(ImageSegmentationTask.from_message)


def _mask(logits: NDArray[np.float32], item: PreparedPrompt) -> Mask:
    height, width = item.resized
    # The first of two classes has the logit 0 everywhere, so that the second wins where the mask's is above it.
    classes = np.zeros((1, 2, height, width), np.float32)
    classes[0, 1] = logits[:height, :width]
    return Mask.of(upsample_argmax(classes, item.size)[0].astype(np.bool_))


class PromptableSegmentationTask(ComposedTask[ImageSegmentation]):
    """See `ComposedTask`."""

    name: ClassVar[str] = "image-segmentation"
    reads = (("image", "prompts"),)
    result_type: ClassVar[type[ImageSegmentation]] = ImageSegmentation
    output_specs = ImageSegmentationTask.output_specs

    def __init__(self, composition: Composition, components: Mapping[str, ModelSpec]) -> None:
        if not isinstance(composition.postprocess, PromptedPostprocess):
            raise BundleError(f"'{composition.model}' must make segments of prompts to do {self.name}.")
        check_steps(composition, components, _STEPS, self.name)

    def read(self, item: Item) -> dict[str, Any]:
        """See `ComposedTask.read`."""
        image, prompts = parts_of(item)
        if not 1 <= len(prompts) <= MAX_PROMPTS:
            raise InvalidInputError(f"An image is segmented by 1 to {MAX_PROMPTS} prompts, got {len(prompts)}.")
        for prompt in prompts:
            read_prompt(prompt)  # before the image is encoded, which takes long
        return {"image": SharedImage(image), "prompts": prompts}

    def join(self, values: Mapping[str, Any]) -> ImageSegmentation:
        """See `ComposedTask.join`; in the order of the prompts."""
        found = [answer.segments[0] for answer in values[SEGMENTS]]
        return ImageSegmentation(tuple(replace(segment, label=str(place)) for place, segment in enumerate(found)))

    to_tensors = staticmethod(ImageSegmentationTask.to_tensors)
    to_message = staticmethod(ImageSegmentationTask.to_message)
    from_message = staticmethod(ImageSegmentationTask.from_message)
