"""What a user says of an ONNX file that its graph does not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tundish.manifest import (
    ImagePreprocess,
    Interpolation,
    LetterboxResize,
    LineResize,
    Resize,
    ShortestEdgeResize,
    StretchResize,
)
from tundish_exporters.detector_hints import DetectorHints
from tundish_exporters.errors import ExportError
from tundish_exporters.text_hints import TextHints

Layout = Literal["nchw", "nhwc"]
Activation = Literal["softmax", "sigmoid", "none"]
Color = Literal["rgb", "bgr"]
Channels = float | tuple[float, float, float]

Crop = tuple[int, int] | None

_PIXELS = "[1-9][0-9]{0,4}"


def _numbers(prefix: str) -> str:
    return rf"(?::(?P<{prefix}height>{_PIXELS})x(?P<{prefix}width>{_PIXELS}))?"


_RESIZE = re.compile(
    f"none|line|stretch{_numbers('')}|shortest-edge(?::(?P<length>{_PIXELS}))?"
    f"|letterbox(?P<corner>-top-left)?{_numbers('box_')}"
)
GREY = 114
"""What YOLO's own scripts pad with."""
_UNIT = 1 / 255
"""What pixels are multiplied by unless another factor is given: they become 0 to 1."""

_OF_ALL = ("labels", "activation", "detector", "texts")
"""Hints that are not of images alone; those of detectors are told apart themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxHints:
    """How a network reads images and what it says of them; what is None is found from the file, if it can be.

    An image is resized, cropped around its centre to the network's size, then `(pixel * scale - mean) / std`.
    """

    labels: Path | str | Sequence[str] | None = None
    """In the order of the scores, or the path of a file with one a line, a JSON list of them, or a JSON object from
    index to label. None takes those that the ONNX file names itself, as Ultralytics' exporter writes them. Of
    text-recognition, the characters, or the path of a file with one a line."""
    mean: Channels | None = None
    """Of each channel in the order of `color`, or one for all; after scaling. None is 0, and for
    networks of documents 0.5."""
    std: Channels | None = None
    """As `mean`; None is 1, and for networks of documents 0.5."""
    scale: float | None = None
    """Factor of a pixel of 0 to 255; None is 1 / 255, unless the mean is one of unscaled pixels, which is refused."""
    layout: Layout | None = None
    size: tuple[int, int] | None = None
    """Height and width of the network's input, in pixels."""
    resize: str | None = None
    """`stretch:HEIGHTxWIDTH`, `shortest-edge:LENGTH`, `letterbox:HEIGHTxWIDTH` or `letterbox-top-left:HEIGHTxWIDTH`,
    whose numbers are the network's own if they are left out, `line`, as PP-OCR's networks read one, or `none`. The
    centre of what comes of it is cropped to the network's size, at which letterboxes and lines end. None is `stretch`
    for a classifier, and for a detector what its head is commonly trained with, which a warning says."""
    padding: int | None = None
    """Pixel value around a letterboxed image; None is 114."""
    interpolation: Interpolation = "bilinear"
    color: Color | None = None
    """Order of the network's channels; None is `rgb`, and for networks of documents `bgr`."""
    activation: Activation | None = None
    """What makes scores of the network's outputs; `none` if they are scores already."""
    detector: DetectorHints = DetectorHints()  # noqa: RUF009  # immutable
    """What is said of a detector besides."""
    texts: TextHints = TextHints()  # noqa: RUF009  # immutable
    """What is said of a network that reads texts."""

    def __post_init__(self) -> None:
        if self.resize is not None and not _RESIZE.fullmatch(self.resize):
            raise ExportError(
                f"There is no way to resize '{self.resize}'; there are stretch, stretch:HEIGHTxWIDTH, "
                "shortest-edge, shortest-edge:LENGTH, letterbox, letterbox-top-left, line and none."
            )
        if self.padding is not None and not 0 <= self.padding <= 255:
            raise ExportError(f"The padding is a pixel value from 0 to 255, got {self.padding}.")
        if self.padding is not None and not (self.resize or "").startswith("letterbox"):
            raise ExportError(
                f"The padding {self.padding} is of a letterbox; give the resize letterbox or letterbox-top-left, too."
            )

    @property
    def said_of_images(self) -> list[str]:
        """The names of what is said that only networks of images have."""
        own = [
            each.name for each in fields(self) if each.name not in _OF_ALL and getattr(self, each.name) != each.default
        ]
        return [*own, *self.detector.said]

    @property
    def labels_file(self) -> Path | None:
        """Where the labels stand, if they stand in a file."""
        return Path(self.labels) if isinstance(self.labels, str | Path) else None

    @property
    def says_how_to_normalize(self) -> bool:
        """Whether anything is said of how pixels become the network's numbers."""
        return not (self.mean is None and self.std is None and self.scale is None)

    @property
    def letterbox_size(self) -> tuple[int, int] | None:
        """Height and width that are said of a letterbox."""
        match = _RESIZE.fullmatch(self.resize or "none")
        assert match is not None  # held by __post_init__
        return (int(match["box_height"]), int(match["box_width"])) if match["box_height"] else None

    def image_rule(self, layout: Layout, size: tuple[int, int], default: Resize) -> ImagePreprocess:
        """The manifest's rule for a network that takes images of this layout and size.

        Raises:
            ExportError: a number is not what its field may hold.
        """
        scale = _UNIT if self.scale is None else self.scale
        mean, std = _channels(self.mean, 0.0), _channels(self.std, 1.0)
        if self.scale is None and max(map(abs, mean)) > 1:
            raise ExportError(
                f"The mean {max(mean, key=abs):g} is one of pixels from 0 to 255, which are divided by 255 unless you "
                "say otherwise: give the scale 1 as well."
            )
        resize, crop = (default, None) if self.resize is None else self._resize(self.resize, size)
        try:
            return ImagePreprocess(
                resize=resize,
                interpolation=self.interpolation,
                # Only those who resize by OpenCV read lines.
                resampling="opencv" if isinstance(resize, LineResize) else "pillow",
                crop=crop,
                centre="torchvision",  # by which most networks outside of transformers were trained, timm's too
                rescale=scale,
                mean=mean,
                std=std,
                color_order="BGR" if self.color == "bgr" else "RGB",
                layout="HWC" if layout == "nhwc" else "CHW",
            )
        except ValidationError as error:
            first = error.errors()[0]
            raise ExportError(
                f"The images' {first['loc'][0]} cannot be {first['input']}: {first['msg'].lower()}."
            ) from error

    def _resize(self, said: str, size: tuple[int, int]) -> tuple[Resize | None, Crop]:
        match = _RESIZE.fullmatch(said)
        assert match is not None  # held by __post_init__
        if said == "none":
            return None, size
        if said == "line":
            return LineResize(height=size[0], shortest=size[1], longest=size[1]), None
        if said.startswith("letterbox"):
            return self._letterbox(size, top_left=match["corner"] is not None), None
        if said.startswith("stretch"):
            height, width = int(match["height"] or size[0]), int(match["width"] or size[1])
            return StretchResize(height=height, width=width), None if (height, width) == size else size
        return ShortestEdgeResize(length=int(match["length"] or max(size))), size

    def _letterbox(self, size: tuple[int, int], *, top_left: bool) -> LetterboxResize:
        if self.letterbox_size not in (None, size):
            raise ExportError(
                f"The network takes images of {size[0]} by {size[1]} pixels, at which a letterbox ends; leave its "
                "numbers out."
            )
        return LetterboxResize(
            height=size[0],
            width=size[1],
            padding=GREY if self.padding is None else self.padding,
            placement="top-left" if top_left else "centre",
        )


def _channels(value: Channels | None, default: float) -> tuple[float, float, float]:
    if value is None:
        value = default
    if isinstance(value, int | float):
        return (value, value, value)
    return value
