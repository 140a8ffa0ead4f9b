"""What a user says of an ONNX file that its graph does not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tundish.manifest import ImagePreprocess, Interpolation, ShortestEdgeResize, StretchResize
from tundish_exporters.errors import ExportError

Layout = Literal["nchw", "nhwc"]
Activation = Literal["softmax", "sigmoid", "none"]
Color = Literal["rgb", "bgr"]
Channels = float | tuple[float, float, float]

_PIXELS = "[1-9][0-9]{0,4}"
_RESIZE = re.compile(
    rf"none|stretch(?::(?P<height>{_PIXELS})x(?P<width>{_PIXELS}))?|shortest-edge(?::(?P<length>{_PIXELS}))?"
)
_UNIT = 1 / 255
"""What pixels are multiplied by unless another factor is given: they become 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxHints:
    """How an image classifier reads images and what it says of them; what is None is found from the file, if it can be.

    An image is resized, cropped around its centre to the network's size, then `(pixel * scale - mean) / std`.
    """

    labels: Path | str | Sequence[str] | None = None
    """In the order of the scores, or the path of a file with one a line, a JSON list of them, or a JSON object from
    index to label. None takes those that the ONNX file names itself, as Ultralytics' exporter writes them."""
    mean: Channels | None = None
    """Of each channel in the order of `color`, or one for all; after scaling. None is 0."""
    std: Channels | None = None
    """As `mean`; None is 1."""
    scale: float | None = None
    """Factor of a pixel of 0 to 255; None is 1 / 255, unless the mean is one of unscaled pixels, which is refused."""
    layout: Layout | None = None
    size: tuple[int, int] | None = None
    """Height and width of the network's input, in pixels."""
    resize: str = "stretch"
    """`stretch:HEIGHTxWIDTH` or `shortest-edge:LENGTH`, whose numbers are the network's own if they are left out, or
    `none`. The centre of what comes of it is cropped to the network's size."""
    interpolation: Interpolation = "bilinear"
    color: Color = "rgb"
    """Order of the network's channels."""
    activation: Activation | None = None
    """What makes scores of the network's outputs; `none` if they are scores already."""

    def __post_init__(self) -> None:
        if not _RESIZE.fullmatch(self.resize):
            raise ExportError(
                f"There is no way to resize '{self.resize}'; there are stretch, stretch:HEIGHTxWIDTH, "
                "shortest-edge, shortest-edge:LENGTH and none."
            )

    @property
    def labels_file(self) -> Path | None:
        """Where the labels stand, if they stand in a file."""
        return Path(self.labels) if isinstance(self.labels, str | Path) else None

    @property
    def says_how_to_normalize(self) -> bool:
        """Whether anything is said of how pixels become the network's numbers."""
        return not (self.mean is None and self.std is None and self.scale is None)

    def image_rule(self, layout: Layout, size: tuple[int, int]) -> ImagePreprocess:
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
        resize, crop = self._resize(size)
        try:
            return ImagePreprocess(
                resize=resize,
                interpolation=self.interpolation,
                crop=crop,
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

    def _resize(
        self, size: tuple[int, int]
    ) -> tuple[StretchResize | ShortestEdgeResize | None, tuple[int, int] | None]:
        match = _RESIZE.fullmatch(self.resize)
        assert match is not None  # held by __post_init__
        if self.resize == "none":
            return None, size
        if self.resize.startswith("stretch"):
            height, width = int(match["height"] or size[0]), int(match["width"] or size[1])
            return StretchResize(height=height, width=width), None if (height, width) == size else size
        return ShortestEdgeResize(length=int(match["length"] or max(size))), size


def _channels(value: Channels | None, default: float) -> tuple[float, float, float]:
    if value is None:
        value = default
    if isinstance(value, int | float):
        return (value, value, value)
    return value
