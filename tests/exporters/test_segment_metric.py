"""The mean overlap of labels' pixels with masks of indices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import jaccard_score

from tundish.masks import Mask
from tundish.results import ImageSegmentation, Segment
from tundish_exporters import DataError
from tundish_exporters.metrics.segments import mean_iou

LABELS = ("steel", "rust", "crack")
SIZE = (20, 30)


def segmented(indices: NDArray[np.integer]) -> ImageSegmentation:
    return ImageSegmentation(
        tuple(
            Segment(label, None, Mask.of(np.ascontiguousarray(indices == index)))
            for index, label in enumerate(LABELS)
            if (indices == index).any()
        )
    )


def save(path: Path, indices: NDArray[np.integer], mode: str = "L") -> Path:
    image = Image.fromarray(indices.astype(np.uint8))
    if mode == "P":
        image.putpalette([value for color in range(256) for value in (color, 255 - color, 0)])
    image.save(path)
    return path


@pytest.mark.parametrize("mode", ["L", "P"])
def test_it_is_scikit_learns_mean_jaccard_score_over_the_pixels_of_all_images(mode: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    truths = generator.integers(0, 3, (4, *SIZE))
    answers = np.where(generator.random(truths.shape) < 0.3, generator.integers(0, 3, truths.shape), truths)
    truths[generator.random(truths.shape) < 0.2] = 255
    paths = [save(tmp_path / f"{number}.png", truth, mode) for number, truth in enumerate(truths)]
    metric = mean_iou(LABELS)
    rows = metric.rows([segmented(answer) for answer in answers], paths)
    for chosen in (np.arange(4), np.array([0, 0, 2, 3])):
        known = truths[chosen] != 255
        expected = jaccard_score(truths[chosen][known], answers[chosen][known], average="macro")
        assert metric.value(rows[chosen]) == pytest.approx(expected)


def test_a_label_that_nobody_has_does_not_count_and_classes_of_one_name_are_one(tmp_path: Path) -> None:
    truth = save(tmp_path / "mask.png", np.repeat([[0, 2, 3]], 3, axis=0))
    pixels = np.zeros((3, 3), bool)
    pixels[:, 0] = True
    result = ImageSegmentation((Segment("N/A", 0.9, Mask.of(pixels)), Segment("rust", 0.9, Mask.of(~pixels))))
    metric = mean_iou(("N/A", "steel", "N/A", "rust"))
    assert metric.value(metric.rows([result], [truth])) == pytest.approx((3 / 6 + 3 / 6) / 2)


@pytest.mark.parametrize(
    ("pixels", "fault"),
    [
        (np.zeros((20, 29)), "has 29 x 20 pixels, and its image 30 x 20"),
        (np.full(SIZE, 3), r"has a pixel of the index 3, and the model's labels have 0 to 2; give 255"),
        (np.zeros((*SIZE, 3)), "has colours"),
    ],
)
def test_a_mask_that_cannot_be_is_named(pixels: NDArray[np.integer], fault: str, tmp_path: Path) -> None:
    path = save(tmp_path / "mask.png", pixels)
    with pytest.raises(DataError, match=rf"The mask {path} {fault}"):
        mean_iou(LABELS).rows([segmented(np.zeros(SIZE, int))], [path])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="cannot be read"):
        mean_iou(LABELS).rows([segmented(np.zeros(SIZE, int))], [tmp_path / "broken.png"])
