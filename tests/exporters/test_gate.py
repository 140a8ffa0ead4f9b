"""The gate: what it measures, where its bound lies, and what becomes of a variant on either side of it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from support.networks import (
    COLOR_INPUTS,
    COLOR_POSTPROCESS,
    COLOR_PREPROCESS,
    COLORS,
    ColorNetwork,
    besides_few,
    write_color_images,
)

import tundish
from tundish.bundle import read_single_bundle
from tundish.manifest import Accuracy, ClassificationPostprocess
from tundish.results import FeatureExtraction, ImageClassification, Label
from tundish_exporters import ExportError, export_module
from tundish_exporters.exporting import Exported
from tundish_exporters.gate import judge, measure


def classified(*names: str, score: float = 0.9) -> list[ImageClassification]:
    return [ImageClassification((Label(name, score), Label("other", 1 - score))) for name in names]


def embedded(*vectors: ArrayLike) -> list[FeatureExtraction]:
    return [FeatureExtraction(np.array(vector, np.float32)) for vector in vectors]


def accuracy(value: float, reference: float, samples: int = 1000) -> Accuracy:
    return Accuracy(metric="accuracy", value=value, reference=reference, samples=samples)


def test_accuracy_is_the_share_of_right_labels_beside_the_float_models() -> None:
    measured = measure(classified("a", "b", "b", "a"), classified("a", "b", "c", "b"), ["a", "b", "c", "b"])
    assert measured == Accuracy(metric="accuracy", value=0.5, reference=1.0, samples=4)


def test_accuracy_may_be_higher_than_the_float_models() -> None:
    measured = measure(classified("a", "b"), classified("a", "a"), ["a", "b"])
    assert (measured.value, measured.reference) == (1.0, 0.5)
    assert judge(measured, 0.0).passed


def test_agreement_is_the_share_of_labels_that_the_float_model_gives_too() -> None:
    measured = measure(classified("a", "b", "b", "d"), classified("a", "b", "c", "d"), None)
    assert measured == Accuracy(metric="agreement", value=0.75, reference=1.0, samples=4)


def test_cosine_is_the_mean_over_the_texts_whatever_the_labels() -> None:
    measured = measure(embedded([1, 0], [0, 4]), embedded([0, 2], [0, 8]), None)
    assert measured == Accuracy(metric="cosine", value=0.5, reference=1.0, samples=2)


def test_cosine_of_token_vectors_is_the_mean_over_the_tokens() -> None:
    measured = measure(embedded([[1, 0], [1, 0], [0, 1], [1, 0]]), embedded([[1, 0], [0, 1], [0, 1], [0, 5]]), None)
    assert measured.value == pytest.approx(0.5)


def test_cosine_of_a_vanished_vector_is_none() -> None:
    assert measure(embedded([0, 0]), embedded([1, 1]), None).value == 0.0


@given(right=st.integers(0, 2000), lost=st.integers(0, 2000), more=st.integers(1, 2000))
def test_a_drop_of_exactly_the_bound_passes_and_one_sample_more_does_not(right: int, lost: int, more: int) -> None:
    samples = right + lost + more
    bound = lost / samples
    reference = (right + lost) / samples
    assert judge(accuracy(right / samples, reference, samples), bound).passed
    if right:
        assert not judge(accuracy((right - 1) / samples, reference, samples), bound).passed


def test_the_verdict_says_the_figures() -> None:
    verdict = judge(accuracy(0.9, 0.905), 0.005)
    assert verdict.passed
    assert verdict.max_drop == 0.005
    assert verdict.reason == (
        "accuracy 0.9000 against 0.9050 on 1000 samples: a drop of 0.50 points, within the bound of 0.50."
    )
    assert "a drop of 1.50 points, over the bound of 0.50" in judge(accuracy(0.89, 0.905), 0.005).reason


def test_vectors_that_are_no_numbers_fail_even_the_widest_bound() -> None:
    measured = measure(embedded([1, 0], [math.nan, 1]), embedded([1, 0], [1, 1]), None)
    assert not judge(measured, 1.0).passed


@pytest.mark.parametrize("labels", [["a", "a"], None], ids=["accuracy", "agreement"])
@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_never_right(labels: list[str] | None, score: float) -> None:
    results = [*classified("a"), *classified("a", score=score)]
    measured = measure(results, classified("a", "a"), labels)
    assert (measured.value, measured.reference) == (0.5, 1.0)


def test_an_accuracy_that_is_no_number_survives_the_manifest() -> None:
    written = json.loads(json.dumps(accuracy(math.nan, 1.0).model_dump(mode="json")))
    assert math.isnan(Accuracy.model_validate(written).value)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images, a folder for each colour."""
    return write_color_images(tmp_path_factory.mktemp("colors") / "images")


def export(repository: Path, *, outlier: bool, network: torch.nn.Module | None = None, **options: Any) -> Exported:
    return export_module(
        network or ColorNetwork(outlier=outlier),
        COLOR_INPUTS,
        **{"task": "image-classification", "preprocess": COLOR_PREPROCESS, "postprocess": COLOR_POSTPROCESS, **options},
        name="colors",
        repository=repository,
    )


def assert_tells_colors_apart(repository: Path, images: Path) -> None:
    with tundish.open(repository, instances=1) as runtime:
        for path in images.rglob("*.png"):
            result = runtime.predict("colors", image=path).result
            assert isinstance(result, ImageClassification)
            assert result.labels[0].name == path.parent.name


def test_a_variant_that_passes_is_served_beside_the_float_one(tmp_path: Path, images: Path) -> None:
    exported = export(tmp_path, outlier=False, evaluation=images)
    floating, quantised = exported.bundle.manifest.variants
    assert (floating.name, quantised.name) == ("onnx-fp32-cpu", "onnx-int8-cpu")
    assert floating.accuracy == quantised.accuracy == Accuracy(metric="accuracy", value=1, reference=1, samples=12)
    assert floating.gate.passed
    assert quantised.gate.passed
    assert all(exported.bundle.path(file).is_file() for variant in (floating, quantised) for file in variant.files)
    assert quantised.files[0].sha256 != floating.files[0].sha256
    assert besides_few(exported.warnings) == []
    assert_tells_colors_apart(tmp_path, images)


@pytest.mark.parametrize("labelled", [False, True], ids=["calibration", "evaluation"])
def test_a_variant_that_fails_keeps_its_figures_and_not_its_files(labelled: bool, tmp_path: Path, images: Path) -> None:
    exported = export(
        tmp_path, outlier=True, calibration=None if labelled else images, evaluation=images if labelled else None
    )
    bundle = read_single_bundle(exported.bundle.directory)
    floating, quantised = bundle.manifest.variants
    assert bundle.manifest.servable == (floating,)
    assert quantised.files == ()
    assert not quantised.gate.passed
    assert quantised.accuracy is not None
    assert quantised.accuracy.metric == ("accuracy" if labelled else "agreement")
    assert quantised.accuracy.value == pytest.approx(1 / 3)
    assert quantised.accuracy.reference == 1
    assert quantised.latency.median_milliseconds > 0
    assert "a drop of 66.67 points, over the bound of 0.50" in quantised.gate.reason
    assert sorted(path.name for path in bundle.directory.iterdir()) == [
        "bundle.json", "onnx-fp32-cpu.onnx", "report.json",
    ]  # fmt: skip
    assert besides_few(exported.warnings) == [
        f"onnx-int8-cpu does not pass the gate and will not be served: {quantised.gate.reason}",
    ]
    assert_tells_colors_apart(tmp_path, images)


def test_the_bound_decides(tmp_path: Path, images: Path) -> None:
    exported = export(tmp_path, outlier=True, evaluation=images, max_drop=0.67)
    assert [variant.gate.passed for variant in exported.bundle.manifest.variants] == [True, True]


def test_int8_that_was_asked_for_and_passes_stands_alone(tmp_path: Path, images: Path) -> None:
    exported = export(tmp_path, outlier=False, evaluation=images, precision="int8")
    (variant,) = exported.bundle.manifest.variants
    assert variant.precision == "int8"
    assert sorted(path.name for path in exported.bundle.directory.iterdir()) == [
        "bundle.json", "onnx-int8-cpu.onnx", "report.json",
    ]  # fmt: skip
    assert_tells_colors_apart(tmp_path, images)


@pytest.mark.parametrize("before", [False, True], ids=["new repository", "second version"])
def test_int8_that_was_asked_for_and_fails_leaves_the_repository_as_it_was(
    before: bool, tmp_path: Path, images: Path
) -> None:
    repository = tmp_path / "deep" / "models"
    if before:
        export(repository, outlier=False, evaluation=images, precision="fp32")
    contents = {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob("*")}
    with pytest.raises(ExportError, match=r"int8 does not pass the gate: accuracy 0\.3333 .* Nothing was written\.$"):
        export(repository, outlier=True, evaluation=images, precision="int8")
    assert {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob("*")} == contents


def test_fp32_alone_is_measured_too(tmp_path: Path, images: Path) -> None:
    exported = export(tmp_path, outlier=True, evaluation=images, precision="fp32")
    (variant,) = exported.bundle.manifest.variants
    assert variant.precision == "fp32"
    assert variant.accuracy == Accuracy(metric="accuracy", value=1, reference=1, samples=12)
    assert besides_few(exported.warnings) == []


def test_without_data_only_the_float_model_is_served_and_a_warning_says_so(tmp_path: Path, images: Path) -> None:
    exported = export(tmp_path, outlier=False)
    (variant,) = exported.bundle.manifest.variants
    assert variant.precision == "fp32"
    assert variant.accuracy is None
    (warning,) = exported.warnings
    assert "No data was given, so int8 was not tried" in warning
    assert_tells_colors_apart(tmp_path, images)


def test_calibration_and_evaluation_data_are_kept_apart(tmp_path: Path, images: Path) -> None:
    red = write_color_images(tmp_path / "calibration", each=2) / "red"
    exported = export(tmp_path / "models", outlier=False, calibration=red, evaluation=images)
    floating, _ = exported.bundle.manifest.variants
    assert floating.accuracy == Accuracy(metric="accuracy", value=1, reference=1, samples=12)
    report = json.loads(exported.bundle.path("report.json").read_text())
    assert report["parity"]["samples"] == 2


def test_labels_of_the_wrong_colour_cost_the_float_model_its_accuracy_too(tmp_path: Path, images: Path) -> None:
    table = tmp_path / "shifted.csv"
    rows = [f"{images / color / '0.png'},{COLORS[(index + 1) % 3]}" for index, color in enumerate(COLORS)]
    table.write_text("\n".join(["image,label", *rows]))
    exported = export(tmp_path / "models", outlier=False, evaluation=table)
    assert exported.bundle.manifest.variants[0].accuracy == Accuracy(metric="accuracy", value=0, reference=0, samples=3)


@pytest.mark.parametrize("function", ["sigmoid", "none"])
def test_scores_that_collapse_do_not_pass_where_there_is_one_label(function: Any, tmp_path: Path, images: Path) -> None:
    exported = export(
        tmp_path,
        outlier=True,
        network=ColorNetwork(outlier=True, heads=torch.tensor([[40.0, -20.0, -20.0]])),
        postprocess=ClassificationPostprocess(labels=("red",), function=function),
        calibration=images,
    )
    _, quantised = exported.bundle.manifest.variants
    assert not quantised.gate.passed


def test_labels_below_the_first_count_where_many_hold_at_once(tmp_path: Path, images: Path) -> None:
    heads = torch.tensor([[0.0, 0.0, 0.0], [30.0, -15.0, -15.0]])
    network = ColorNetwork(outlier=True, heads=heads)
    network.head.bias = torch.nn.Parameter(torch.tensor([20.0, 0.0]))  # the first label always holds, and most
    exported = export(
        tmp_path,
        outlier=True,
        network=network,
        postprocess=ClassificationPostprocess(labels=("visible", "red"), function="sigmoid"),
        calibration=images,
    )
    _, quantised = exported.bundle.manifest.variants
    assert not quantised.gate.passed
