"""A repository of segmenters beside their sources, made once for the tests that ask them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from support.awkward_images import blurred_noise
from support.engines import hidden_openvino
from support.once import made_once
from support.segmenter_families import SEGMENTERS, save_segmenter
from tundish_exporters import export_huggingface

THRESHOLD = 0.6
"""Of the segments that have scores."""
_SIZES = ((64, 96), (50, 100), (120, 90), (70, 70))


def segmenter_folder(factory: pytest.TempPathFactory) -> Path:
    """`sources/FAMILY` and, in the repository `models`, the model FAMILY, for each of `SEGMENTERS`."""
    return made_once(factory, "segmenters", _make)


def _make(root: Path) -> None:
    (root / "images").mkdir()
    for width, height in _SIZES:
        blurred_noise(width, height).save(root / "images" / f"{width}.png")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tiny networks spend more time on waking threads than on computing
    try:
        for name, made in SEGMENTERS.items():
            source = save_segmenter(root / "sources" / name, made())
            asks_with_queries = (source / "config.json").read_text().count("num_queries") > 0
            with hidden_openvino():
                export_huggingface(
                    source,
                    task="image-segmentation",
                    name=name,
                    repository=root / "models",
                    precision="fp32",
                    calibration=root / "images",
                    threshold=THRESHOLD if asks_with_queries else None,
                )
    finally:
        torch.set_num_threads(threads)
