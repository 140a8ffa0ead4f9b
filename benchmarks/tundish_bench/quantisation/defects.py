"""Photographs of solar cells, whole or defective, and two networks that tell them apart."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from tundish.manifest import ClassificationPostprocess, ImagePreprocess, StretchResize
from tundish_exporters.demo import mobilenet_v2
from tundish_exporters.demo.assets import MOBILENET, Asset, default_cache, fetch
from tundish_exporters.progress import Progress, tracked

CELLS = Asset(
    package="elpv-dataset",
    version="1.0.0.post1",
    sha256="85e31c1126ee9b48e62d3a0232c58f58b2d189b0814a45c13642fa0415af4a4c",
    members=("elpv_dataset/data/*",),
)
"""2,624 photographs of solar cells with the share of people who call each defective (CC-BY-NC-SA)."""

LABELS = ("whole", "defective")
POSTPROCESS = ClassificationPostprocess(labels=LABELS, function="softmax")
_HELD_OUT = 500
_CALIBRATION = 100
_BATCH = 16
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Cell:
    """A photograph that people agree on."""

    path: Path
    label: str


@dataclass(frozen=True, slots=True)
class DefectModel:
    """A network, how it reads images, and data for it."""

    network: nn.Module
    preprocess: ImagePreprocess
    calibration: Path
    evaluation: Path


def preprocess(edge: int) -> ImagePreprocess:
    """Squares of so many pixels, as ImageNet's networks see them."""
    return ImagePreprocess(
        resize=StretchResize(height=edge, width=edge), crop=None, rescale=1 / 255, mean=_MEAN, std=_STD
    )


def mobilenet_with_head(directory: Path, seed: int, progress: Progress) -> DefectModel:
    """MobileNetV2 as it was trained on ImageNet, with a logistic head on its features."""
    from sklearn.linear_model import LogisticRegression

    weights = fetch(MOBILENET, default_cache())
    network = mobilenet_v2.load(next(weights.rglob("*.pth")))
    network.classifier = nn.Sequential()
    training, held_out = _split(seed)
    batches = [training[start : start + _BATCH] for start in range(0, len(training), _BATCH)]
    with torch.inference_mode():
        features = [network(_pixels(batch, 224)) for batch in tracked(batches, "features of cells", progress)]
    head = LogisticRegression(max_iter=2000, C=0.1)
    head.fit(torch.cat(features).numpy(), [LABELS.index(cell.label) for cell in training])
    network.classifier = nn.Sequential(_two_logits(head))
    return _written(network, 224, directory, training, held_out)


def resnet_trained_a_little(directory: Path, seed: int, progress: Progress, *, steps: int = 60) -> DefectModel:
    """A network of ResNet-50's shape from random weights, at half of its usual edge."""
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(seed)
    network = _Logits(ResNetForImageClassification(ResNetConfig(num_labels=len(LABELS))))
    training, held_out = _split(seed)
    draw = random.Random(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    network.train()
    for _ in tracked(range(steps), "train the ResNet", progress):
        batch = draw.sample(training, _BATCH)
        wanted = torch.tensor([LABELS.index(cell.label) for cell in batch])
        nn.functional.cross_entropy(network(_pixels(batch, 128)), wanted).backward()
        optimizer.step()
        optimizer.zero_grad()
    return _written(network, 128, directory, training, held_out)


class _Logits(nn.Module):
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(pixel_values).logits
        return logits


def _two_logits(head: Any) -> nn.Linear:
    """A logistic regression as a layer: minus and plus half of its log odds."""
    weights = torch.from_numpy(head.coef_[0]).float()
    layer = nn.Linear(len(weights), 2)
    with torch.no_grad():
        layer.weight.copy_(torch.stack([-weights, weights]) / 2)
        layer.bias.copy_(torch.tensor([-1.0, 1.0]) * float(head.intercept_[0]) / 2)
    return layer


def _split(seed: int) -> tuple[list[Cell], list[Cell]]:
    """Training cells and those held out, in random order."""
    root = fetch(CELLS, default_cache()) / "elpv_dataset" / "data"
    rows = [line.split() for line in (root / "labels.csv").read_text().splitlines() if line]
    cells = [Cell(root / path, LABELS[int(float(share))]) for path, share, *_ in rows if float(share) in (0.0, 1.0)]
    random.Random(seed).shuffle(cells)
    return cells[_HELD_OUT:], cells[:_HELD_OUT]


def _pixels(cells: Sequence[Cell], edge: int) -> torch.Tensor:
    images = []
    for cell in cells:
        with Image.open(cell.path) as image:
            resized = image.convert("RGB").resize((edge, edge), Image.Resampling.BILINEAR)
        images.append((np.asarray(resized, np.float32) / 255 - _MEAN) / _STD)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()


def _written(
    network: nn.Module, edge: int, directory: Path, training: Sequence[Cell], held_out: Sequence[Cell]
) -> DefectModel:
    """Folders of links for each label."""
    for name, cells in (("calibration", training[:_CALIBRATION]), ("evaluation", held_out)):
        for cell in cells:
            folder = directory / name / cell.label
            folder.mkdir(parents=True, exist_ok=True)
            (folder / cell.path.name).symlink_to(cell.path.absolute())
    return DefectModel(network.eval(), preprocess(edge), directory / "calibration", directory / "evaluation")
