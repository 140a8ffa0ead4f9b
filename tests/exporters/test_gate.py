"""The gate: what it measures, where its bound lies, and what becomes of a variant on either side of it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from support.measuring import figures, measure
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
from tundish_exporters.gate import judge, units_to_tell
from tundish_exporters.metrics import ACCURACY
from tundish_exporters.statistics import mcnemar


def classified(*names: str, score: float = 0.9) -> list[ImageClassification]:
    return [ImageClassification((Label(name, score), Label("other", 1 - score))) for name in names]


def embedded(*vectors: ArrayLike) -> list[FeatureExtraction]:
    return [FeatureExtraction(np.array(vector, np.float32)) for vector in vectors]


def accuracy(value: float, reference: float, samples: int = 1000) -> Accuracy:
    return Accuracy(metric="accuracy", value=value, reference=reference, samples=samples)


def test_accuracy_is_the_share_of_right_labels_beside_the_float_models() -> None:
    measured = measure(classified("a", "b", "b", "a"), classified("a", "b", "c", "b"), ["a", "b", "c", "b"], ACCURACY)
    assert figures(measured) == ("accuracy", 0.5, 1.0, 4)
    assert (measured.lost, measured.gained, measured.agreement) == (2, 0, 0.5)


def test_accuracy_may_be_higher_than_the_float_models() -> None:
    measured = measure(classified("a", "b"), classified("a", "a"), ["a", "b"], ACCURACY)
    assert (measured.value, measured.reference) == (1.0, 0.5)
    assert judge(measured, 0.0).passed


def test_agreement_is_the_share_of_labels_that_the_float_model_gives_too() -> None:
    measured = measure(classified("a", "b", "b", "d"), classified("a", "b", "c", "d"))
    assert figures(measured) == ("agreement", 0.75, 1.0, 4)
    assert measured.agreement is None, "it is the metric itself"


def test_cosine_is_the_mean_over_the_texts_whatever_the_labels() -> None:
    measured = measure(embedded([1, 0], [0, 4]), embedded([0, 2], [0, 8]))
    assert figures(measured) == ("cosine", 0.5, 1.0, 2)


def test_cosine_of_token_vectors_is_the_mean_over_the_tokens() -> None:
    measured = measure(embedded([[1, 0], [1, 0], [0, 1], [1, 0]]), embedded([[1, 0], [0, 1], [0, 1], [0, 5]]))
    assert measured.value == pytest.approx(0.5)


def test_cosine_of_a_vanished_vector_is_none() -> None:
    assert measure(embedded([0, 0]), embedded([1, 1])).value == 0.0


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
        "accuracy 0.9000 against 0.9050 on 1,000 samples: a drop of 0.50 points, within the bound of 0.50."
    )
    assert "a drop of 1.50 points, over the bound of 0.50" in judge(accuracy(0.89, 0.905), 0.005).reason


# How sure it is


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 3), min_size=1, max_size=60))
def test_a_loss_is_a_drop_above_0_and_its_interval_holds_it(rows: list[tuple[str, str, str]]) -> None:
    ours, floats, truths = ([row[side] for row in rows] for side in range(3))
    measured = measure(classified(*ours), classified(*floats), truths, ACCURACY)
    drop = measured.reference - measured.value
    lost = sum(theirs == right != mine for mine, theirs, right in rows)
    gained = sum(mine == right != theirs for mine, theirs, right in rows)
    assert (measured.lost, measured.gained) == (lost, gained)
    assert drop == pytest.approx((lost - gained) / len(rows))
    assert measured.interval is not None
    assert measured.interval.low <= drop + 1e-12
    assert drop - 1e-12 <= measured.interval.high
    assert measured.p_value == pytest.approx(mcnemar(lost, gained))

    swapped = measure(classified(*floats), classified(*ours), truths, ACCURACY)
    assert swapped.interval is not None
    assert (swapped.interval.low, swapped.interval.high) == pytest.approx(
        (-measured.interval.high, -measured.interval.low), abs=1e-9
    )
    assert swapped.p_value == measured.p_value


def test_agreement_can_only_be_lost() -> None:
    measured = measure(classified(*"aab" * 10), classified(*"aaa" * 10))
    assert (measured.lost, measured.gained, measured.p_value) == (10, 0, None)
    interval = measured.interval
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.1729, 0.5281), abs=1e-4)  # Clopper and Pearson, 10 of 30
    same = measure(classified(*"ab" * 10), classified(*"ab" * 10)).interval
    assert same is not None
    assert (same.low, same.high) == pytest.approx((0, 1 - 0.025 ** (1 / 20)))


def test_vectors_have_a_bootstrap_of_their_cosine_and_neighbours_that_agree() -> None:
    generator = np.random.default_rng(3)
    vectors = generator.normal(size=(200, 16))
    measured = measure(embedded(*(vectors + generator.normal(0, 0.2, vectors.shape))), embedded(*vectors))
    drop = measured.reference - measured.value
    assert measured.interval is not None
    assert 0 < measured.interval.low < drop < measured.interval.high < 1.3 * drop
    assert measured.agreement is not None
    assert 0.5 < measured.agreement < 1
    assert (measured.lost, measured.p_value) == (None, None)
    assert measure(embedded([[1, 0]]), embedded([[1, 0]])).agreement is None, "tokens' vectors have no neighbours"


def test_the_float_model_loses_nothing_for_sure() -> None:
    results = classified("a", "b")
    measured = measure(results, results, ["a", "a"], ACCURACY)
    assert figures(measured) == ("accuracy", 0.5, 0.5, 2)
    assert (measured.interval, measured.p_value, measured.agreement) == (None, None, None)


def labelled(lost: int, gained: int, samples: int, *, right: int = 0, confidence: float = 0.95) -> Accuracy:
    """Of samples of which the float model has `lost + right` right."""
    rows = ["yy"] * right + ["ny"] * lost + ["yn"] * gained + ["nn"] * (samples - right - lost - gained)
    ours, floats = zip(*rows, strict=True)
    return measure(classified(*ours), classified(*floats), ["y"] * samples, ACCURACY, confidence=confidence)


def test_the_verdict_says_how_sure_the_drop_is() -> None:
    verdict = judge(labelled(12, 10, 1000, right=744), 0.005)
    assert verdict.passed
    assert verdict.confidence is None
    assert verdict.reason == (
        "accuracy 0.7540 against 0.7560 on 1,000 samples: a drop of 0.20 points, 95 % interval -0.78 to 1.21, within "
        "the bound of 0.50. Agreement with the float model: 0.9780."
    )


def test_confidence_asks_for_the_whole_interval_and_says_how_many_samples_it_takes() -> None:
    accuracy = labelled(12, 10, 1000, right=744)
    verdict = judge(accuracy, 0.005, confidence=0.95)
    assert not verdict.passed
    assert verdict.confidence == 0.95
    count = units_to_tell(accuracy, 0.005)
    assert count is not None
    assert (
        f"which is not wholly within the bound of 0.50; that of about {count:,} samples would be. Agreement"
        in verdict.reason
    )
    times = count / 1000
    assert not judge(labelled(*(round(times * each) for each in (11.4, 9.5, 950))), 0.005, confidence=0.95).passed
    enough = labelled(*(round(times * each) for each in (12, 10, 1000)))
    assert judge(enough, 0.005, confidence=0.95).passed
    assert "wholly within the bound of 0.50." in judge(enough, 0.005, confidence=0.95).reason


def test_no_number_of_samples_makes_a_drop_of_the_bound_sure() -> None:
    accuracy = labelled(5, 0, 1000)
    assert judge(accuracy, 0.005).passed
    verdict = judge(accuracy, 0.005, confidence=0.95)
    assert not verdict.passed
    assert "no number of samples would be, as the drop is the bound" in verdict.reason
    assert "over the bound of 0.40." in judge(accuracy, 0.004, confidence=0.95).reason
    assert units_to_tell(accuracy, 0.004) is None


def test_without_an_interval_no_confidence_is_had() -> None:
    verdict = judge(accuracy(0.9, 0.9), 0.005, confidence=0.9)
    assert not verdict.passed
    assert verdict.reason.endswith("without an interval that would show 90 % confidence.")


@pytest.mark.parametrize("bound", [0.001, 0.01])
def test_samples_that_all_agree_are_as_many_as_they_are(bound: float) -> None:
    """Of n samples without any difference, the bound of 95 % is 3.7 / n."""
    names = ["a"] * 100
    agreement = measure(classified(*names), classified(*names[:]))
    by_vectors = measure(embedded(*[[1, 0]] * 100), embedded(*[[1, 0]] * 100))
    for measured in (agreement, by_vectors):
        assert not judge(measured, bound, confidence=0.95).passed
        assert units_to_tell(measured, bound) == pytest.approx(3.7 / bound, rel=0.05)


def test_vectors_that_are_no_numbers_fail_even_the_widest_bound() -> None:
    measured = measure(embedded([1, 0], [math.nan, 1]), embedded([1, 0], [1, 1]))
    assert not judge(measured, 1.0).passed


@pytest.mark.parametrize("labels", [["a", "a"], None], ids=["accuracy", "agreement"])
@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_never_right(labels: list[str] | None, score: float) -> None:
    results = [*classified("a"), *classified("a", score=score)]
    measured = measure(results, classified("a", "a"), labels, ACCURACY)
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
    assert figures(floating) == figures(quantised) == ("accuracy", 1, 1, 12)
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
    said = "on 12 samples: " if labelled else "on 12 samples without labels: "
    assert f"{said}a drop of 66.67 points, 95 % interval " in quantised.gate.reason
    assert ", over the bound of 0.50." in quantised.gate.reason
    assert sorted(path.name for path in bundle.directory.iterdir()) == [
        "bundle.json", "onnx-fp32-cpu.onnx", "report.html", "report.json",
    ]  # fmt: skip
    assert besides_few(exported.warnings) == [
        f"onnx-int8-cpu does not pass the gate and will not be served: {quantised.gate.reason}",
    ]
    assert_tells_colors_apart(tmp_path, images)


def test_the_bound_decides(tmp_path: Path, images: Path) -> None:
    exported = export(tmp_path, outlier=True, evaluation=images, max_drop=0.67)
    assert [variant.gate.passed for variant in exported.bundle.manifest.variants] == [True, True]


def test_confidence_that_so_few_samples_cannot_give_leaves_fp32_alone(tmp_path: Path, images: Path) -> None:
    exported = export(tmp_path, outlier=False, evaluation=images, confidence=0.95)
    floating, quantised = exported.bundle.manifest.variants
    assert figures(quantised) == figures(floating) == ("accuracy", 1, 1, 12)
    assert exported.bundle.manifest.servable == (floating,)
    assert floating.gate.confidence is None, "it is the float model itself"
    assert quantised.gate.confidence == 0.95
    assert "that of about 770 samples would be." in quantised.gate.reason


def test_a_function_of_the_makers_own_decides(tmp_path: Path, images: Path) -> None:
    """One for which any colour is as good as another, which passes what accuracy would not."""
    given: list[tuple[str, str]] = []

    def any_color(answers: list[dict[str, Any]], truths: list[str]) -> float:
        names = [answer["labels"][0]["name"] for answer in answers]
        given.extend(zip(names, truths, strict=True))
        return sum(name in COLORS and truth in COLORS for name, truth in zip(names, truths, strict=True)) / len(truths)

    exported = export(tmp_path, outlier=True, evaluation=images, metric=any_color)
    floating, quantised = exported.bundle.manifest.variants
    assert figures(floating) == figures(quantised) == ("any_color", 1, 1, 12)
    assert {truth for _, truth in given} == set(COLORS)
    assert quantised.gate.passed
    assert quantised.accuracy is not None
    assert quantised.accuracy.agreement == pytest.approx(1 / 3)
    with pytest.raises(ExportError, match="The metric 'any_color' needs labelled data; pass --evaluation"):
        export(tmp_path, outlier=True, calibration=images, metric=any_color)
    with pytest.raises(ExportError, match=r"confidence is a share between 0 and 1, such as 0\.95; got 95"):
        export(tmp_path, outlier=True, evaluation=images, confidence=95)


def test_int8_that_was_asked_for_and_passes_stands_alone(tmp_path: Path, images: Path) -> None:
    exported = export(tmp_path, outlier=False, evaluation=images, precision="int8")
    (variant,) = exported.bundle.manifest.variants
    assert variant.precision == "int8"
    (file,) = variant.files
    assert file.path.startswith("static-u8s8-mean")
    assert sorted(path.name for path in exported.bundle.directory.iterdir()) == [
        "bundle.json", "report.html", "report.json", file.path,
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
    assert figures(variant) == ("accuracy", 1, 1, 12)
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
    assert figures(floating) == ("accuracy", 1, 1, 12)
    report = json.loads(exported.bundle.path("report.json").read_text())
    assert report["parity"]["samples"] == 2


def test_labels_of_the_wrong_colour_cost_the_float_model_its_accuracy_too(tmp_path: Path, images: Path) -> None:
    table = tmp_path / "shifted.csv"
    rows = [f"{images / color / '0.png'},{COLORS[(index + 1) % 3]}" for index, color in enumerate(COLORS)]
    table.write_text("\n".join(["image,label", *rows]))
    exported = export(tmp_path / "models", outlier=False, evaluation=table)
    assert figures(exported.bundle.manifest.variants[0]) == ("accuracy", 0, 0, 3)


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
