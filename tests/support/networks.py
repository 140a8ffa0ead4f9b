"""Small PyTorch networks whose answers are known by hand, or that int8 breaks by construction."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from tundish.manifest import ClassificationPostprocess, ImagePreprocess, StretchResize

COLORS = ("red", "green", "blue")
COLOR_EDGE = 16
COLOR_PREPROCESS = ImagePreprocess(
    resize=StretchResize(height=COLOR_EDGE, width=COLOR_EDGE),
    crop=None,
    rescale=1 / 255,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
)
COLOR_POSTPROCESS = ClassificationPostprocess(labels=COLORS, function="softmax")
COLOR_INPUTS = {"pixel_values": torch.zeros(1, 3, COLOR_EDGE, COLOR_EDGE)}

_OUTLIER = 1000.0
_SHARPNESS = 20.0


class ColorNetwork(nn.Module):
    """Which colour an image has most of.

    `outlier=True` adds a channel of brightness a thousand times as large as the others, which nothing reads: floats do
    not mind, but 256 steps over its range leave the other channels none.
    """

    def __init__(self, *, outlier: bool = False, heads: Tensor | None = None) -> None:
        """`heads` `[labels, 3]` weigh the mean colours; without it, there is a label for each colour."""
        super().__init__()
        weights = torch.eye(3) * _SHARPNESS if heads is None else heads
        self.split = nn.Conv2d(3, 4, 1, bias=False)
        self.join = nn.Conv2d(4, 3, 1, bias=False)
        self.head = nn.Linear(3, len(weights), bias=False)
        with torch.no_grad():
            self.split.weight.copy_(torch.cat([torch.ones(1, 3) / 3, torch.eye(3)])[:, :, None, None])
            self.split.weight[0] *= _OUTLIER if outlier else 1.0
            self.join.weight.copy_(torch.cat([torch.zeros(3, 1), torch.eye(3)], dim=1)[:, :, None, None])
            self.head.weight.copy_(weights)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """`[batch, 3, height, width]` to logits `[batch, labels]`."""
        joined = torch.relu(self.join(torch.relu(self.split(pixel_values))))
        logits: Tensor = self.head(joined.mean((2, 3)))
        return logits


def write_color_images(directory: Path, each: int = 4) -> Path:
    """A folder for each colour with images that have a little more of it than of the others."""
    draw = np.random.default_rng(5)
    for index, color in enumerate(COLORS):
        (directory / color).mkdir(parents=True)
        for number in range(each):
            pixels = draw.integers(60, 180, (20, 24, 3))
            pixels[:, :, index] += 40
            Image.fromarray(pixels.astype(np.uint8)).save(directory / color / f"{number}.png")
    return directory


def besides_few(warnings: Iterable[str]) -> list[str]:
    """Warnings, but for those on how few samples there are."""
    few = r" has \d+ samples? to (calibrate|evaluate) on|samples cannot tell whether"
    return [warning for warning in warnings if not re.search(few, warning)]


class PlainNetwork(nn.Module):
    """Convolution, pooling and a head, with random weights spread so that images get different answers."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        torch.manual_seed(11)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 12, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 16, 3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(64, labels),
        )
        with torch.no_grad():
            for parameter in self.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(0, 2 / parameter[0].numel() ** 0.5)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """`[batch, 3, height, width]` to logits `[batch, labels]`."""
        logits: Tensor = self.layers(pixel_values)
        return logits


class BagOfWords(nn.Module):
    """Scores the masked mean of its words' vectors; the position counts, so that what is cut off shows."""

    def __init__(self, vocabulary: int, labels: int, positions: int = 64) -> None:
        super().__init__()
        torch.manual_seed(12)
        self.words = nn.Embedding(vocabulary, 16)
        self.places = nn.Embedding(positions, 16)
        self.head = nn.Linear(16, labels)
        with torch.no_grad():
            self.head.weight.mul_(12)

    def vectors(self, input_ids: Tensor) -> Tensor:
        """`[batch, tokens]` to `[batch, tokens, 16]`."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        vectors: Tensor = self.words(input_ids) * (1 + self.places(places))
        return vectors

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """`[batch, tokens]` twice to logits `[batch, labels]`."""
        weights = attention_mask.unsqueeze(-1)
        logits: Tensor = self.head((self.vectors(input_ids) * weights).sum(1) / weights.sum(1))
        return logits


class WordVectors(BagOfWords):
    """The words' vectors themselves, by ids alone."""

    def forward(self, input_ids: Tensor) -> Tensor:  # type: ignore[override]
        """`[batch, tokens]` to `[batch, tokens, 16]`."""
        return self.vectors(input_ids)


class PlantedNetwork(nn.Module):
    """Which colour an image has most of, through five convolutions, one of which 8 bits a weight ruin.

    Each channel of `planted` has one weight a thousand times as large as the others, for a channel that is always zero:
    floats do not mind, but the steps of its channel leave the other weights none.
    """

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(4, 4, 1, bias=False) for _ in range(5)]
        self.first, self.second, self.planted, self.fourth, self.fifth = layers
        self.spread = nn.Conv2d(3, 4, 1, bias=False)
        self.head = nn.Linear(4, 3, bias=False)
        rest = torch.diag(torch.tensor([0.0, 1.0, 1.0, 1.0]))
        with torch.no_grad():
            self.spread.weight.copy_(torch.cat([torch.zeros(1, 3), torch.eye(3)])[:, :, None, None])
            for place, layer in enumerate(layers, 1):
                layer.weight.copy_((rest * (1 + place / 100))[:, :, None, None])
            self.planted.weight[:, 0] = 1000.0
            self.head.weight.copy_(_SHARPNESS * torch.cat([torch.zeros(3, 1), torch.eye(3)], dim=1))

    def forward(self, pixel_values: Tensor) -> Tensor:
        """`[batch, 3, height, width]` to logits `[batch, 3]`."""
        values = torch.relu(self.spread(pixel_values))
        for layer in (self.first, self.second, self.planted, self.fourth, self.fifth):
            values = torch.relu(layer(values))
        logits: Tensor = self.head(values.mean((2, 3)))
        return logits
