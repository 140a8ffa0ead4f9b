"""Exports a network that reads images by PyTorch alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tundish.manifest import ImagePreprocess
from tundish_exporters.sources.huggingface.network_writing import Axes, write_network

PIXELS = "pixel_values"
"""The input that transformers' networks read images by."""


def write_image_network(
    model: Any, rule: ImagePreprocess, path: Path, *, outputs: Axes, example: tuple[int, int]
) -> None:
    """Writes the network from `pixel_values`; height and width are dynamic unless the rule has one size.

    It has no mask of padding: images of a batch are of one size.

    Args:
        model: of transformers.
        rule: how images become its input.
        path: of the ONNX file.
        outputs: the names of those to keep, with their dimensions that are not fixed.
        example: height and width of what it is traced with, if it takes images of any size.

    Raises:
        ExportError: PyTorch cannot export it.
    """
    size = rule.size if rule.has_one_size else example
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    write_network(model, path, examples={PIXELS: images}, inputs={PIXELS: image_axes(rule)}, outputs=outputs)


def image_axes(rule: ImagePreprocess) -> dict[int, str]:
    """What of the shape of `PIXELS` is not fixed."""
    return {0: "batch"} | ({} if rule.has_one_size else {2: "height", 3: "width"})
