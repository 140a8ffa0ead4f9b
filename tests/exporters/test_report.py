"""What a report says: held against counts by other means, and against what was measured of an export."""

from __future__ import annotations

import base64
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from support.images import encoded
from support.networks import (
    COLOR_INPUTS,
    COLOR_POSTPROCESS,
    COLOR_PREPROCESS,
    ColorNetwork,
    write_color_images,
)
from support.report_contents import poor_content, rich_content

from tundish.cli.models import show
from tundish.results import (
    Box,
    DetectedObject,
    Entity,
    FeatureExtraction,
    ImageClassification,
    Label,
    ObjectDetection,
    Result,
    TextRanking,
    TokenClassification,
)
from tundish_exporters import export_module
from tundish_exporters.data import Sample
from tundish_exporters.report import JSON_NAME, PAGE_NAME, write_report
from tundish_exporters.report.activations import activation_histograms
from tundish_exporters.report.comparing import MOST_EXAMPLES, MOST_LABELS, compare
from tundish_exporters.report.content import Comparison, Trial
from tundish_exporters.report.pareto import front_of, points_of
from tundish_exporters.report.samples import thumbnail
from tundish_exporters.report.svg import LogScale, tick_labels, ticks
from tundish_exporters.report.wording import headline, short


def classified(names: Sequence[str]) -> list[ImageClassification]:
    return [ImageClassification((Label(name, 0.9), Label("other", 0.1))) for name in names]


def compared(
    results: Sequence[Result],
    float_results: Sequence[Result],
    truths: Sequence[str] | None = None,
    *,
    samples: Sequence[Sample] | None = None,
    with_samples: bool = True,
) -> Comparison:
    return compare(
        "onnx-int8-cpu",
        results,
        float_results,
        samples=samples or [Sample((f"text {number}",), None) for number in range(len(results))],
        truths=truths,
        reads=("text",),
        function="softmax",
        is_served=True,
        with_samples=with_samples,
    )


# Answers that changed


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from("abc")), min_size=1))
def test_what_changed_is_counted_and_shown(rows: list[tuple[str, str, str]]) -> None:
    ours, floats, truths = zip(*rows, strict=True)
    comparison = compared(classified(ours), classified(floats), truths)
    changed = [(ours, floats, truth) for ours, floats, truth in rows if ours != floats]
    assert comparison.changed == len(changed)
    shown = [(each.answer.split()[0], each.float_answer.split()[0], each.truth) for each in comparison.examples]
    assert shown == changed[:MOST_EXAMPLES]
    assert [(each.is_right, each.float_is_right) for each in comparison.examples] == [
        (ours == truth, floats == truth) for ours, floats, truth in changed[:MOST_EXAMPLES]
    ]
    assert comparison.confusion is not None
    counted = {
        (row, column): comparison.confusion.counts[i][j]
        for i, row in enumerate(comparison.confusion.labels)
        for j, column in enumerate(comparison.confusion.labels)
    }
    assert {pair: count for pair, count in counted.items() if count} == Counter(zip(floats, ours, strict=True))
    assert comparison.confusion.left_out == 0


def test_of_many_labels_the_confused_ones_are_shown() -> None:
    names = [f"label {number:02}" for number in range(30)]
    answers = [*names[:28], names[29], names[28]]
    confusion = compared(classified(answers), classified(names)).confusion
    assert confusion is not None
    assert len(confusion.labels) == MOST_LABELS
    assert {"label 28", "label 29"} <= set(confusion.labels)
    assert sum(map(sum, confusion.counts)) + confusion.left_out == 30
    assert confusion.left_out == 30 - MOST_LABELS


@pytest.mark.parametrize(
    ("ours", "other", "words"),
    [
        (
            TokenClassification((Entity("PER", 0.9, 0, 3, "Ada"),)),
            TokenClassification(()),
            ("PER: Ada", "nothing"),
        ),
        (
            ObjectDetection(
                (DetectedObject("crack", 0.9, Box(0, 0, 5, 5)), DetectedObject("crack", 0.8, Box(9, 9, 12, 12)))
            ),
            ObjectDetection((DetectedObject("dent", 0.9, Box(0, 0, 5, 5)),)),
            ("2 crack", "1 dent"),
        ),
    ],
    ids=["entities", "objects"],
)
def test_answers_are_said_in_words(ours: Result, other: Result, words: tuple[str, str]) -> None:
    (example,) = compared([ours, ours], [other, ours]).examples
    assert (example.answer, example.float_answer) == words
    assert example.parts[0].text == "text 0"


def test_of_vectors_and_scores_the_least_alike_come_first() -> None:
    vectors = compared(
        [FeatureExtraction(np.array(each, np.float32)) for each in ([1, 0], [1, 1], [0, 1])],
        [FeatureExtraction(np.array([1, 0], np.float32))] * 3,
    )
    assert vectors.gradual
    assert [each.parts[0].text for each in vectors.examples] == ["text 2", "text 1"]
    assert [each.likeness for each in vectors.examples] == pytest.approx([0, math.sqrt(0.5)])
    scores = compared([TextRanking(0.0), TextRanking(3.0)], [TextRanking(1.0), TextRanking(3.0)])
    assert [(each.float_answer, each.answer, each.likeness) for each in scores.examples] == [("1.000", "0.000", 0.5)]


def test_answers_that_are_no_numbers_are_the_least_alike() -> None:
    broken = compared(
        [FeatureExtraction(np.array([math.nan, 0], np.float32))], [FeatureExtraction(np.array([1, 0], np.float32))]
    )
    assert [each.likeness for each in broken.examples] == [0]


def test_samples_stay_out_of_the_report_if_that_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "patients" / "smith.png"
    path.parent.mkdir()
    path.write_bytes(encoded("red"))
    samples = [Sample(("a secret",), None), Sample((path,), None)]
    for with_samples in (True, False):
        comparison = compared(classified("ab"), classified("ba"), samples=samples, with_samples=with_samples)
        content = replace(poor_content(), comparison=comparison)
        write_report(tmp_path, content)
        for name in (JSON_NAME, PAGE_NAME):
            written = (tmp_path / name).read_text()
            assert ("a secret" in written) == with_samples
            assert ("patients/smith.png" in written) == with_samples
            assert str(tmp_path) not in written
            assert "a 0.900" in written


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_pictures_are_small_and_of_the_images_shape(form: str) -> None:
    picture = thumbnail(encoded("green", form, size=(640, 400)))
    assert picture is not None
    head, _, data = picture.partition(",")
    assert head == "data:image/jpeg;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (image.format, image.size) == ("JPEG", (128, 80))
    assert np.asarray(image).mean((0, 1)) == pytest.approx([10, 250, 10], abs=6)
    assert thumbnail(b"no image") is None


# Activations


def write_graphs(directory: Path) -> tuple[Path, Path]:
    """`doubled = 2 x`, `shown = relu(doubled)`; and the same with `doubled` from -128 to 127, `shown` from 0 to 2.55.

    Neither a constant nor a tensor that the float graph does not have is an activation of it.
    """
    two = numpy_helper.from_array(np.array(2, np.float32), "two")
    makers = [
        helper.make_node("Mul", ["x", "two"], ["doubled"]),
        helper.make_node("Relu", ["doubled"], ["shown"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in ("x", "shown")]
    paths = directory / "float.onnx", directory / "int8.onnx"
    constants: dict[str, NDArray[Any]] = {
        "scale": np.array(0.01, np.float32),
        "zero": np.array(0, np.uint8),
        "wide": np.array(1, np.float32),
        "middle": np.array(128, np.uint8),
    }
    rounding = [
        helper.make_node("QuantizeLinear", ["doubled", "wide", "middle"], ["doubled_q"]),
        helper.make_node("QuantizeLinear", ["shown", "scale", "zero"], ["shown_q"]),
        helper.make_node("QuantizeLinear", ["two", "scale", "zero"], ["two_q"]),
        helper.make_node("QuantizeLinear", ["fused", "scale", "zero"], ["fused_q"]),
    ]
    values = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    for path, nodes, weights in ((paths[0], makers, [two]), (paths[1], [*makers, *rounding], [two, *values])):
        graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return paths


def test_histograms_of_activations_count_what_numpy_counts(tmp_path: Path) -> None:
    floating, quantised = write_graphs(tmp_path)
    inputs = [{"x": np.random.default_rng(seed).standard_normal((50, 4)).astype(np.float32)} for seed in range(3)]
    shown, doubled = activation_histograms(floating, quantised, inputs)
    assert (shown.tensor, shown.operator) == ("shown", "Relu")
    assert (doubled.tensor, doubled.operator) == ("doubled", "Mul")
    values = np.maximum(np.concatenate([each["x"] for each in inputs]).ravel() * 2, 0)
    assert (shown.low, shown.high) == pytest.approx((0, 2.55))
    assert (shown.least, shown.greatest) == pytest.approx((values.min(), values.max()))
    assert shown.clipped == pytest.approx((values > 2.555).mean())
    expected, _ = np.histogram(np.clip(values, shown.edges[0], shown.edges[-1]), shown.edges)
    assert sum(shown.counts) == values.size
    assert np.abs(np.array(shown.counts) - expected).sum() <= 2  # values that lie on an edge
    assert (doubled.low, doubled.high, doubled.clipped) == (-128, 127, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["float.onnx", "int8.onnx"]


# Figures and plots


def trial(milliseconds: float | None, drop: float | None, outcome: str = "passed") -> Trial:
    return Trial(
        name="way", engine="onnx", precision="int8", recipe="as it was", outcome=outcome,  # type: ignore[arg-type]
        reason="It was so.", milliseconds=milliseconds, drop=drop,
    )  # fmt: skip


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(-3, 3)), min_size=1, max_size=12))
def test_the_front_holds_what_nothing_surpasses(measured: list[tuple[int, int]]) -> None:
    points = points_of([trial(milliseconds, drop / 100) for milliseconds, drop in measured])
    front = {(round(each.milliseconds), round(each.loss)) for each in front_of(points)}
    assert front == {
        (time, loss)
        for time, loss in measured
        if not any((t <= time and v <= loss) and (t, v) != (time, loss) for t, v in measured)
    }


def test_what_was_not_measured_has_no_place_in_the_plot() -> None:
    trials = [trial(None, None), trial(1.0, None), trial(2.0, 0.01), trial(3.0, math.nan)]
    assert [point.number for point in points_of(trials)] == [3]


@given(st.floats(0.001, 1e5), st.floats(1.05, 1000))
def test_ticks_lie_in_their_scale_and_apart(low: float, ratio: float) -> None:
    scale = LogScale(low, low * ratio, 0, 700)
    for values in (scale.ticks(44), ticks(low, low * ratio, 6)):
        assert len(values) >= 2
        assert values == sorted(values)
        assert all(low * (1 - 1e-6) <= value <= low * ratio * (1 + 1e-6) for value in values)
    labels = tick_labels(ticks(low, low * ratio, 6))
    assert len(set(labels)) == len(labels)


def test_the_headline_says_what_it_gains_and_costs() -> None:
    served = replace(
        trial(2.0, 0.002, "served"), speedup=2.345, metric="accuracy", value=0.93, reference=0.932, samples=1000,
        interval=(-0.004, 0.008),
    )  # fmt: skip
    assert headline("cells", [served]) == (
        "cells is served in 8-bit integers (int8) by ONNX Runtime: 2.35 times as fast as the float model, with 0.20 "
        "points less accuracy than the float model on 1,000 samples (95\N{NO-BREAK SPACE}% interval of the loss: "
        "\N{MINUS SIGN}0.40 to +0.80 points)."
    )
    for drop, said in {0.0: "with the accuracy of the", -0.002: "with 0.20 points more accuracy than the"}.items():
        assert f", {said} float model on" in headline("cells", [replace(served, drop=drop)])
    floating = replace(served, precision="fp32")
    broken, slow = trial(1.0, 0.5, "failed"), trial(3.0, 0.0, "passed")
    assert headline("cells", [floating, broken, slow]).endswith("nothing that is faster was accurate enough.")
    assert headline("cells", [floating, slow]).endswith("nothing that was tried is faster.")
    assert headline("cells", [floating]).endswith("nothing else was tried.")


def test_a_long_name_loses_its_middle() -> None:
    assert short("/model/layer.1/conv", 9) == "/mod…conv"
    assert short("conv", 9) == "conv"


# Files


@pytest.mark.parametrize("content", [rich_content(), poor_content()], ids=["rich", "poor"])
def test_the_same_content_gives_the_same_bytes_and_its_figures_as_json(content: Any, tmp_path: Path) -> None:
    written = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        names = write_report(tmp_path / name, content)
        written.append([(tmp_path / name / each).read_bytes() for each in names])
    assert written[0] == written[1]
    figures = json.loads(written[0][0])
    assert figures == json.loads(json.dumps(asdict(content)))


def test_figures_that_are_no_numbers_are_strings_in_the_json(tmp_path: Path) -> None:
    content = replace(poor_content(), trials=(trial(1.0, math.nan), trial(math.inf, -math.inf)))
    write_report(tmp_path, content)
    first, second = json.loads((tmp_path / JSON_NAME).read_text())["trials"]
    assert (first["drop"], second["milliseconds"], second["drop"]) == ("NaN", "Infinity", "-Infinity")
    assert "not a number" in (tmp_path / PAGE_NAME).read_text()


def test_an_export_reports_what_it_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = write_color_images(tmp_path / "images")
    bundle = export_module(
        ColorNetwork(outlier=True),
        COLOR_INPUTS,
        task="image-classification",
        preprocess=COLOR_PREPROCESS,
        postprocess=COLOR_POSTPROCESS,
        name="colors",
        repository=tmp_path / "models",
        evaluation=images,
        samples_in_report=False,
    ).bundle
    assert {JSON_NAME, PAGE_NAME} <= {file.path for file in bundle.manifest.assets}
    figures = json.loads(bundle.path(JSON_NAME).read_text())
    variants = bundle.manifest.variants
    for each, variant in zip(figures["trials"], variants, strict=True):
        assert (each["name"], each["reason"]) == (variant.name, variant.gate.reason)
        assert variant.accuracy is not None
        assert each["milliseconds"] == variant.latency.median_milliseconds
        assert each["drop"] == pytest.approx(variant.accuracy.reference - variant.accuracy.value)
        assert each["outcome"] == ("served" if variant.precision == "fp32" else "failed")
    assert [stage["variant"] for stage in figures["stages"]] == ["onnx-fp32-cpu"]
    assert all(figures["stages"][0][stage] > 0 for stage in ("preprocess", "engine", "postprocess"))
    comparison = figures["comparison"]
    assert (comparison["variant"], comparison["is_served"]) == ("onnx-int8-cpu", False)
    assert (comparison["samples"], comparison["changed"]) == (12, 8)
    assert all(each["parts"] == [] for each in comparison["examples"])
    assert {each["operator"] for each in figures["activations"]} == {"Relu"}
    assert "data:image" not in bundle.path(PAGE_NAME).read_text()
    show(tmp_path / "models", "colors", None, as_json=False)
    assert f"report: {bundle.path(PAGE_NAME)}" in capsys.readouterr().out
