"""Samples that are too few for a search, which needs two halves of them: the most promising recipe is judged by all."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from support.commands import call_tundish
from support.networks import COLOR_INPUTS, COLOR_PREPROCESS, COLORS, ColorNetwork, write_color_images
from support.onnx_networks import write_classifier

from tundish.bundle import read_single_bundle
from tundish.manifest import ClassificationPostprocess
from tundish_exporters import DataError, export_module
from tundish_exporters.exporting import Exported


def test_one_sample_and_a_search_end_in_a_bundle_and_a_sentence(tmp_path: Path) -> None:
    source = write_classifier(tmp_path / "model.onnx", len(COLORS), shape=("batch", 3, 16, 16))
    (tmp_path / "labels.txt").write_text("\n".join(COLORS))
    write_color_images(tmp_path / "images", each=1)
    for color in COLORS[1:]:
        (tmp_path / "images" / color / "0.png").unlink()
    outcome = call_tundish(
        "export", source, "--task", "image-classification", "--name", "m", "--repository", tmp_path / "models",
        "--labels", tmp_path / "labels.txt", "--size", "16x16", "--evaluation", tmp_path / "images",
        "--search-minutes", "1",
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    assert (
        "warning: There was no search, which judges by one half of the samples what it chooses by the other: One "
        "sample cannot both choose a variant and judge it; pass more with --evaluation." in outcome.stdout
    )
    variants = read_single_bundle(tmp_path / "models" / "m" / "1").manifest.variants
    assert "onnx-int8-cpu" in [variant.name for variant in variants]
    assert {variant.accuracy.samples for variant in variants if variant.accuracy} == {1}


def rank(root: Path, scores: list[float]) -> Exported:
    """Exports a regression with a search, by so many images whose scores are told."""
    images = sorted(write_color_images(root / "images", each=2).rglob("*.png"))
    with (root / "scores.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["image", "score"])
        table.writerows(zip(images, scores, strict=False))
    return export_module(
        ColorNetwork(heads=torch.tensor([[3.0, 2.0, 1.0]])).eval(),
        COLOR_INPUTS,
        task="image-classification",
        preprocess=COLOR_PREPROCESS,
        postprocess=ClassificationPostprocess(labels=("redness",), function="none"),
        name="m",
        repository=root / "models",
        evaluation=root / "scores.csv",
        search_minutes=1,
    )


def test_a_half_on_which_the_metric_is_no_number_is_too_few(tmp_path: Path) -> None:
    exported = rank(tmp_path, [0.1, 0.2, 0.3])
    assert any(
        warning.startswith("There was no search") and "Spearman on one sample of the gate is nan" in warning
        for warning in exported.warnings
    )
    assert exported.trials == ()
    accuracies = [variant.accuracy for variant in exported.bundle.manifest.variants]
    assert {(each.metric, each.samples) for each in accuracies if each} == {("Spearman", 3)}


def test_where_all_samples_are_too_few_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^The float model's Spearman on one sample of the gate is nan, which nothing"):
        rank(tmp_path, [0.1])
    assert not (tmp_path / "models").exists()
