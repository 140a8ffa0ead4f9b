"""Calibration by a network's own inputs: arrays by its inputs' names, which calibrate and judge nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tundish.manifest import ClassificationPostprocess, ImagePreprocess, StretchResize, TensorSpec
from tundish_exporters import DataError
from tundish_exporters.data import load_network_inputs
from tundish_exporters.export_data import CALIBRATION_SAMPLES, ExportData, load_export_data

SPECS = (
    TensorSpec(name="pixel_values", datatype="FP32", shape=("batch", 3, 8, 8)),
    TensorSpec(name="mask", datatype="INT64", shape=("batch", "tokens")),
)


class Reader:
    """As much of a source as says how it reads."""

    task = "image-classification"
    preprocess = ImagePreprocess(
        resize=StretchResize(height=8, width=8), crop=None, rescale=1 / 255, mean=(0, 0, 0), std=(1, 1, 1)
    )
    postprocess = ClassificationPostprocess(labels=("a", "b"), function="softmax")


def arrays(count: int) -> dict[str, Any]:
    return {
        "pixel_values": np.random.default_rng(1).normal(size=(count, 3, 8, 8)).astype(np.float32),
        "mask": np.arange(count * 5).reshape(count, 5),
    }


def write(path: Path, **content: Any) -> Path:
    np.savez(path, **content)
    return path


def write_images(folder: Path) -> Path:
    for number in range(20):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)).save(path)
    return folder


def load(calibration: Path, evaluation: Path | None) -> ExportData:
    reader: Any = Reader()
    return load_export_data(reader, calibration=calibration, evaluation=evaluation, slice_column=None)


def test_a_network_is_calibrated_by_them_and_all_else_is_of_the_evaluation_data(tmp_path: Path) -> None:
    content = arrays(100)
    data = load(write(tmp_path / "a.npz", **content), write_images(tmp_path / "images"))
    batches = data.calibration([], SPECS)
    assert len(batches) == CALIBRATION_SAMPLES
    rows = [int(batch["mask"][0, 0]) // 5 for batch in batches]
    assert len(set(rows)) == CALIBRATION_SAMPLES
    assert rows != sorted(rows), "in a random order"
    for row, batch in zip(rows, batches, strict=True):
        np.testing.assert_array_equal(batch["pixel_values"], content["pixel_values"][row : row + 1])
    assert len(data.inputs) == 20
    assert data.gate is not None
    assert len(data.gate.samples) == 20
    assert data.warnings == ()


def test_few_and_like_ones_are_said(tmp_path: Path) -> None:
    few = {name: np.repeat(array, 4, axis=0) for name, array in arrays(1).items()}
    first, second = load(write(tmp_path / "a.npz", **few), write_images(tmp_path / "images")).warnings
    assert "has 4 samples to calibrate on" in first
    assert "Only 1 of the 4 samples" in second


def test_alone_they_judge_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.npz has no image; .* pass --evaluation as well\."):
        load(write(tmp_path / "a.npz", **arrays(20)), None)
    with pytest.raises(DataError, match=r"must have a column 'image' in every row, got \['pixel_values', 'mask'\]"):
        load(tmp_path / "a.npz", tmp_path / "a.npz")


def test_without_them_the_items_calibrate(tmp_path: Path) -> None:
    prepared = [{"pixel_values": np.zeros((1, 3, 8, 8), np.float32)}]
    assert load(write_images(tmp_path / "images"), None).calibration(prepared, SPECS) is prepared


@pytest.mark.parametrize(
    "changes",
    [
        {"mask": None},
        {"other": np.zeros((20, 1))},
        {"pixel_values": np.zeros((20, 3, 8, 9), np.float32)},
        {"pixel_values": np.zeros((20, 3, 8), np.float32)},
        {"pixel_values": np.zeros((20, 3, 8, 8))},
    ],
)
def test_inputs_of_another_network_are_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    content = {name: array for name, array in (arrays(20) | changes).items() if array is not None}
    data = load(write(tmp_path / "a.npz", **content), write_images(tmp_path / "images"))
    takes = r"pixel_values float32 \[batch, 3, 8, 8\], mask int64 \[batch, tokens\]\."
    with pytest.raises(DataError, match=rf"A sample of .*a\.npz is .*, and the network takes {takes}"):
        data.calibration([], SPECS)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mask": np.zeros((19, 5), np.int64)}, "as many samples in each array"),
        ({"pixel_values": np.full((20, 3), np.nan)}, "has NaN or an infinity in 'pixel_values'"),
        ({"pixel_values": np.zeros((0, 3)), "mask": np.zeros((0, 3))}, "holds no samples"),
    ],
)
def test_what_calibrates_nothing_is_refused(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        load_network_inputs(write(tmp_path / "a.npz", **(arrays(20) | changes)), limit=64)
