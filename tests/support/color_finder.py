"""A network that really finds red, green and blue patches, by the moments of their pixels, with YOLO's heads."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import onnx
import torch
from onnx import helper
from PIL import Image, ImageDraw
from torch import Tensor, nn

EDGE = 128
LABELS = ("red", "green", "blue")
COLORS = {"red": (250, 20, 20), "green": (20, 240, 20), "blue": (30, 30, 250)}
_COPIES = 4
"""Candidates of a patch, of which each next one is less sure, and lies beside it."""
_PROTOTYPES = 8
_FINE = 4
"""Times that pictures are drawn larger."""

Kind = Literal["obb", "segment"]


class ColorFinder(nn.Module):
    """`[batch, 3, EDGE, EDGE]` of 0 to 1 to what Ultralytics' exporters give for the kind."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self._kind = kind
        y, x = torch.meshgrid(torch.arange(EDGE) + 0.5, torch.arange(EDGE) + 0.5, indexing="ij")
        self.x, self.y = nn.Buffer(x), nn.Buffer(y)
        self.mixed = nn.Conv2d(3, _PROTOTYPES - 3, 1)

    def forward(self, images: Tensor) -> Any:
        red, green, blue = images.split(1, 1)
        others = [torch.maximum(green, blue), torch.maximum(red, blue), torch.maximum(red, green)]
        excess = torch.relu(images - torch.cat(others, 1) - 0.2)
        mass = excess.sum((2, 3)) + 1e-3

        def mean(values: Tensor) -> Tensor:
            return (excess * values).sum((2, 3)) / mass

        x, y = mean(self.x), mean(self.y)
        across, down = self.x - x[..., None, None], self.y - y[..., None, None]
        scores = mass / (mass + 20)
        if self._kind == "obb":
            return self._columns(x, y, *_rectangle(mean(across**2), mean(down**2), mean(across * down)), scores)
        # An ellipse reaches two standard deviations from its centre.
        width, height = (4 * torch.sqrt(mean(values**2)) + 2 for values in (across, down))
        weights = torch.eye(_PROTOTYPES)[:, :3] + 0 * scores[:, None]
        prototypes = nn.functional.avg_pool2d(torch.cat([excess, self.mixed(images)], 1), 4) * 8 - 3
        return self._columns(x, y, width, height, weights, scores), prototypes

    def _columns(self, x: Tensor, y: Tensor, width: Tensor, height: Tensor, more: Tensor, scores: Tensor) -> Tensor:
        """`[batch, 4 + labels + more, candidates]`."""
        more = more if more.ndim == 3 else more[:, None]
        parts = []
        for copy in range(_COPIES):
            boxes = torch.stack([x + copy / 2, y - copy / 2, width, height], 1)
            sure = scores[:, None] * torch.eye(3) * (1 - 0.1 * copy)
            parts.append(torch.cat([boxes, sure, more], 1))
        return torch.cat(parts, 2)


def _rectangle(xx: Tensor, yy: Tensor, xy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Width, height and angle of the rectangle with these second moments."""
    middle, root = (xx + yy) / 2, torch.sqrt(((xx - yy) / 2) ** 2 + xy**2 + 1e-9)
    angles = torch.atan2(2 * xy, xx - yy + 1e-6) / 2
    return torch.sqrt(12 * (middle + root)), torch.sqrt(12 * torch.relu(middle - root)), angles


def write_color_finder(path: Path, kind: Kind) -> Path:
    """The ONNX file as its users' exporters write it, with their metadata."""
    torch.manual_seed(3)
    module = ColorFinder(kind).eval()
    names = ["output0"] if kind == "obb" else ["output0", "output1"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's own, of its successor
        torch.onnx.export(
            module,
            (torch.rand(1, 3, EDGE, EDGE),),
            path,
            input_names=["images"],
            output_names=names,
            opset_version=17,
            dynamo=False,
        )
    model = onnx.load(path)
    metadata = {"names": str(dict(enumerate(LABELS))), "stride": "32", "task": kind, "imgsz": f"[{EDGE}, {EDGE}]"}
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


Point = tuple[float, float]


def draw_rectangles(size: tuple[int, int], rectangles: Mapping[str, Sequence[Point]]) -> Image.Image:
    """A grey picture of a width and height with a patch of each colour between four corners."""
    picture = Image.new("RGB", (size[0] * _FINE, size[1] * _FINE), (90, 90, 90))
    for color, corners in rectangles.items():
        ImageDraw.Draw(picture).polygon([(x * _FINE, y * _FINE) for x, y in corners], fill=COLORS[color])
    return picture.resize(size, Image.Resampling.BOX)


def draw_ellipses(size: tuple[int, int], boxes: dict[str, tuple[float, float, float, float]]) -> Image.Image:
    """A grey picture of a width and height with an ellipse of each colour in a box of x_min, y_min, x_max and y_max."""
    picture = Image.new("RGB", (size[0] * _FINE, size[1] * _FINE), (90, 90, 90))
    for color, box in boxes.items():
        ImageDraw.Draw(picture).ellipse([edge * _FINE for edge in box], fill=COLORS[color])
    return picture.resize(size, Image.Resampling.BOX)
