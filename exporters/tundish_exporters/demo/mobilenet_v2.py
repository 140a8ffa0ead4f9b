"""MobileNetV2 as a PyTorch module, with the parameter names of torchvision's weights.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, table 2.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Of the paper's table: expansion factor t, output channels c, repetitions n, stride s of the first."""

_FIRST_CHANNELS = 32
_LAST_CHANNELS = 1280


def _conv(inputs: int, outputs: int, *, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU6."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(),
    )


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; with a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        expand = [_conv(inputs, hidden)] if expansion > 1 else []
        self.conv = nn.Sequential(
            *expand,
            _conv(hidden, hidden, kernel=3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self._has_shortcut = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        """`[batch, inputs, height, width]` to `[batch, outputs, height / stride, width / stride]`."""
        result: Tensor = self.conv(features)
        return features + result if self._has_shortcut else result


class MobileNetV2(nn.Module):
    """The network at width 1.0."""

    def __init__(self, labels: int = 1000) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_conv(3, _FIRST_CHANNELS, kernel=3, stride=2)]
        channels = _FIRST_CHANNELS
        for expansion, outputs, repetitions, first_stride in _STAGES:
            for index in range(repetitions):
                stride = first_stride if index == 0 else 1
                blocks.append(InvertedResidual(channels, outputs, stride=stride, expansion=expansion))
                channels = outputs
        blocks.append(_conv(channels, _LAST_CHANNELS))
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(_LAST_CHANNELS, labels))

    def forward(self, pixel_values: Tensor) -> Tensor:
        """`[batch, 3, height, width] float32` to logits `[batch, labels]`."""
        features: Tensor = self.features(pixel_values)
        logits: Tensor = self.classifier(features.mean((2, 3)))
        return logits


def load(weights: Path) -> MobileNetV2:
    """The network with ImageNet weights, in evaluation mode; raises RuntimeError if the names do not match."""
    network = MobileNetV2()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), strict=True)
    return network.eval()
