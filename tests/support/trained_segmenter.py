"""A small SegFormer that has learnt for a moment to find coloured squares in noise, and pictures of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from support.segmenter_families import STRETCHED, segformer

_COLORS = ((110, 110, 110), (220, 40, 40), (40, 200, 60), (50, 60, 220), (220, 210, 40))
"""Of the ground, and of the squares by their labels."""
_NOISE = 20
_STEPS = 80
_BATCH = 6


def save_trained_segmenter(directory: Path) -> Path:
    """The model beside its processor; labels are those of `FEW_LABELS`, in the order of the colours."""
    torch.manual_seed(5)
    model, processor = segformer()
    draw = np.random.default_rng(6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    model.train()
    for _ in range(_STEPS):
        pictures = [_picture(draw, STRETCHED["height"], STRETCHED["width"]) for _ in range(_BATCH)]
        inputs = processor([pixels for pixels, _ in pictures], return_tensors="pt")
        labels = torch.from_numpy(np.stack([labels for _, labels in pictures]))
        optimizer.zero_grad()
        model(**inputs, labels=labels).loss.backward()
        optimizer.step()
    model.eval()
    model.save_pretrained(directory)
    processor.save_pretrained(directory)
    return directory


def save_pictures(directory: Path, count: int) -> Path:
    """PNG files of several sizes, none of which the model was trained on."""
    directory.mkdir()
    draw = np.random.default_rng(7)
    for number in range(count):
        pixels, _ = _picture(draw, int(draw.integers(80, 200)), int(draw.integers(80, 200)))
        Image.fromarray(pixels).save(directory / f"{number}.png")
    return directory


def _picture(draw: np.random.Generator, height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels, and the label of each."""
    labels = np.zeros((height, width), np.int64)
    for label in draw.permutation(len(_COLORS) - 1)[:3] + 1:
        side = int(draw.integers(min(height, width) // 4, min(height, width) // 2))
        y, x = int(draw.integers(0, height - side)), int(draw.integers(0, width - side))
        labels[y : y + side, x : x + side] = label
    pixels = np.array(_COLORS)[labels] + draw.normal(0, _NOISE, (height, width, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8), labels
