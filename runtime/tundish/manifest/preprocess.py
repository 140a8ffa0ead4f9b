"""Pre-processing: from the image or the text of a request to a network's inputs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tundish.manifest.terms import Part, PathInside, PositiveInt

TextInput = Literal["text", "text_pair", "question", "context", "query", "page"]
ListInput = Literal["candidate_labels", "prompts"]
"""Parts that are several texts."""
InputName = Literal["image"] | TextInput | ListInput
"""A part of what a request asks about: the name of a field of the typed API, and of a tensor of the pipeline."""

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


class StretchResize(Part):
    """Resize to exactly this size, whatever the aspect ratio."""

    kind: Literal["stretch"] = "stretch"
    height: PositiveInt
    width: PositiveInt


class ShortestEdgeResize(Part):
    """Resize so that the shorter side has this length, keeping the aspect ratio."""

    kind: Literal["shortest-edge"] = "shortest-edge"
    length: PositiveInt
    longest: PositiveInt | None = None
    """The most that the longer side may have: where it would have more, it gets this, and the shorter one less."""
    multiple_of: PositiveInt = 1
    """Each side is rounded to a multiple of it."""
    rounding: Literal["down", "up", "half-up"] = "down"
    """Which multiple, and what becomes of fractions of a pixel before that, in the steps of the processors that do it.

    `down`: the one below, as DETR's and YOLOS's. `up`: the one above, as MaskFormer's. `half-up`: the one below what is
    rounded to whole pixels, a half up, as ViLT's.
    """


class LetterboxResize(Part):
    """Resize to the largest form of the whole image that fits into this size, on a ground of one grey.

    Each edge is `round(edge * ratio)`, half to even, and at least one pixel; the ratio is the smaller of
    `height / image height` and `width / image width`, also where that enlarges.
    """

    kind: Literal["letterbox"] = "letterbox"
    height: PositiveInt
    width: PositiveInt
    padding: Annotated[int, Field(ge=0, le=255)] | None
    """Of the pixels around the image, before they are normalised; None for zeros after that."""
    placement: Literal["centre", "top-left"] = "centre"
    """Where the image lies; in the centre, an odd pixel of padding goes below or to the right."""


class EdgeRangeResize(Part):
    """Resize as little as brings both sides into a range, as text detectors have it; keeps the aspect ratio.

    An image whose longer side is over `longest` is shrunk to that. If the shorter side is below `shortest` then, it is
    enlarged to it, as far as the longer one stays within `enlarged`. Fractions of pixels are cut, then each side goes
    to the nearest multiple, half to even, and has one at least.
    """

    kind: Literal["edge-range"] = "edge-range"
    shortest: PositiveInt
    longest: PositiveInt
    enlarged: PositiveInt
    multiple_of: PositiveInt


class LineResize(Part):
    """Resize a line of text to this height, keeping its aspect ratio; a short one has zeros behind it.

    The line becomes `height * image width / image height` wide, and `longest` at most. A fraction of a pixel is cut if
    it is wider than `shortest`, else it counts as one, and zeros, which are numbers of the network's input and no
    pixels, fill it up to `shortest`.
    """

    kind: Literal["line"] = "line"
    height: PositiveInt
    shortest: PositiveInt
    longest: PositiveInt


Resize = Annotated[
    StretchResize | ShortestEdgeResize | LetterboxResize | EdgeRangeResize | LineResize, Field(discriminator="kind")
]


class ImagePreprocess(Part):
    """From an image to float32 of its `layout`: resize, centre crop, then `(pixel * rescale - mean) / std`.

    Height and width are the same for all images, or bounded by the resize.
    """

    kind: Literal["image"] = "image"
    resize: Resize | None
    interpolation: Interpolation = "bilinear"
    resampling: Literal["pillow", "opencv"] = "pillow"
    """Whose, to the bit. Pillow's is antialiased when shrinking; OpenCV's, which is an extra, reads the nearest pixels
    alone."""
    crop: tuple[PositiveInt, PositiveInt] | None
    """Height and width around the centre; zero pixels where the image is smaller."""
    centre: Literal["transformers", "torchvision"] = "transformers"
    """Whose, to the pixel, of a crop: they differ by one where an odd number is cut off or padded."""
    rescale: float
    mean: tuple[float, float, float]
    std: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    color_order: Literal["RGB", "BGR"] = "RGB"
    """Of the network's channels; `mean` and `std` follow it."""
    layout: Literal["CHW", "HWC"] = "CHW"
    """`[3, height, width]` or `[height, width, 3]`."""
    reduced_jpeg: bool = False
    """A JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as that is not smaller than its resized form."""
    coarsest_jpeg_step: Annotated[float, Field(gt=0)] | None = None
    """A progressive JPEG may be decoded without the last bits of its coefficients, which doubles its quantisation
    steps, if their mean is at most this: the gate has measured none that is coarser. None decodes all bits."""

    @property
    def reads(self) -> tuple[InputName, ...]:
        """The parts of an item, in their order."""
        return ("image",)

    @property
    def has_one_size(self) -> bool:
        """Whether all images end at the same size."""
        if isinstance(self.resize, LineResize):
            return self.resize.shortest == self.resize.longest
        return self.crop is not None or isinstance(self.resize, StretchResize | LetterboxResize)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the result, if all images end at the same size."""
        if self.crop is not None:
            return self.crop
        if isinstance(self.resize, LineResize):
            return self.resize.height, self.resize.longest
        assert isinstance(self.resize, StretchResize | LetterboxResize)  # by has_one_size
        return self.resize.height, self.resize.width

    @property
    def padding(self) -> int:
        """The pixel value where the network sees more than the image, before it is normalised."""
        return (self.resize.padding or 0) if isinstance(self.resize, LetterboxResize) else 0

    @property
    def pads_with_zeros(self) -> bool:
        """Whether the network sees zeros there, whatever the pixels are normalised by."""
        return isinstance(self.resize, LineResize) or (
            isinstance(self.resize, LetterboxResize) and self.resize.padding is None
        )

    @model_validator(mode="after")
    def _crops_what_can_be_cropped(self) -> ImagePreprocess:
        if self.crop is None:
            return self
        if isinstance(self.resize, LetterboxResize):
            raise ValueError(f"a letterbox ends at its own size and is not cropped, got the crop {list(self.crop)}")
        if isinstance(self.resize, EdgeRangeResize | LineResize):
            raise ValueError(f"images of texts are not cropped, got the crop {list(self.crop)}")
        return self

    @model_validator(mode="after")
    def _has_bounded_size(self) -> ImagePreprocess:
        is_bounded = isinstance(self.resize, EdgeRangeResize | LineResize) or (
            isinstance(self.resize, ShortestEdgeResize) and self.resize.longest is not None
        )
        if not self.has_one_size and not is_bounded:
            raise ValueError(
                "an image must end at a fixed or bounded size: by a stretch, a letterbox, a crop or a longest edge"
            )
        return self


class TextPreprocess(Part):
    """From a text, or two as one sequence, to token ids, by a tokenizer in the `tokenizers` library's JSON form."""

    kind: Literal["text"] = "text"
    tokenizer: PathInside = "tokenizer.json"
    reads: Annotated[tuple[TextInput, ...], Field(min_length=1, max_length=2)] = ("text",)
    """The parts of an item, in their order."""
    maximum_tokens: PositiveInt
    """Special tokens included; what is beyond is left out."""
    stride: Annotated[int, Field(ge=0)] | None = None
    """A context that is too long comes in windows of so many tokens in common; None leaves out what is too long."""
    truncation_side: Literal["right", "left"] = "right"
    padding_side: Literal["right", "left"] = "right"
    padding_id: int = 0
    padding_type_id: int = 0
    padded_tokens: PositiveInt | None = None
    """What each text is padded to, where the network reads its padding as well, as SigLIP's does."""
    separator_id: int | None = None
    """Of the token between a question and a page, which stands in the page's lower right corner; None if there is none,
    or no page is read."""


class PromptPreprocess(Part):
    """From a prompt in pixels of an image to points in pixels of what the image's encoder sees of it.

    Only another model asks, of which this is a component: an item is the image, its encoding and the prompt.
    """

    kind: Literal["prompt"] = "prompt"
    resize: LetterboxResize
    """Of the image's encoder; the image lies at the top left."""

    @property
    def reads(self) -> tuple[InputName, ...]:
        """No part of a request."""
        return ()


class ImageTextPreprocess(Part):
    """From an image and a text to the inputs of one network: its first is the image's, the others are the text's."""

    kind: Literal["image-text"] = "image-text"
    image: ImagePreprocess
    text: TextPreprocess

    @property
    def reads(self) -> tuple[InputName, ...]:
        """The parts of an item, in their order."""
        return (*self.image.reads, *self.text.reads)


Preprocess = Annotated[
    ImagePreprocess | TextPreprocess | ImageTextPreprocess | PromptPreprocess, Field(discriminator="kind")
]
