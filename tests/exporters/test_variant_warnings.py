"""What an export says of variants whose data show little: a float model that guesses, and too few samples."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tundish.manifest import Accuracy, BundleFile, Gate, Interval, Latency, Precision, Variant
from tundish_exporters.data import Sample
from tundish_exporters.export_data import ExportData, GateData
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.metrics import ACCURACY, SPEARMAN
from tundish_exporters.variant_warnings import variant_warnings

OPTIONS = cast("ExportOptions", SimpleNamespace(precision="auto"))
FILE = BundleFile(path="model.onnx", bytes=1, sha256="0" * 64)


def variant(precision: Precision, reference: float, *, samples: int = 100, high: float | None = None) -> Variant:
    """One that loses nothing on its samples."""
    interval = None if high is None else Interval(low=-high, high=high, confidence=0.95)
    return Variant(
        name=f"onnx-{precision}-cpu",
        engine="onnx",
        precision=precision,
        device="cpu",
        recipe="",
        files=(FILE,),
        accuracy=Accuracy(
            metric="accuracy", value=reference, reference=reference, samples=samples, interval=interval,
            lost=1, gained=1, p_value=1.0,
        ),
        latency=Latency(median_milliseconds=1, p90_milliseconds=1, batch_size=1, runs=1),
        gate=Gate(passed=True, max_drop=0.005, reason=""),
    )  # fmt: skip


def data_of(labels: list[str], metric: Any = ACCURACY) -> ExportData:
    samples = [Sample((str(number),)) for number in range(len(labels))]
    return cast("ExportData", SimpleNamespace(gate=GateData(samples, list(labels), metric)))


def warnings(reference: float, labels: list[str], metric: Any = ACCURACY) -> list[str]:
    floating = variant("fp32", reference)
    return variant_warnings([floating], floating, data_of(labels, metric), OPTIONS)


LABELS = ["cat"] * 30 + ["dog"] * 70


@pytest.mark.parametrize("figure", [0.01, 0.3, 0.7])
def test_a_float_model_that_is_right_no_more_often_than_a_guess(figure: float) -> None:
    (warning,) = warnings(figure, LABELS)
    assert warning == (
        f"The float model is right on {100 * figure:g} % of the labelled samples, no more than 'dog' for each would be "
        "(70 %), so the gate proves little: do the labels of the evaluation data mean what the model's do?"
    )


def test_a_float_model_that_is_never_right() -> None:
    (warning,) = warnings(0.0, LABELS)
    assert warning.startswith("The float model is right on none of the labelled samples, so the gate proves nothing: ")


@pytest.mark.parametrize(
    ("figure", "labels", "metric"),
    [(0.71, LABELS, ACCURACY), (0.9, ["cat"] * 100, ACCURACY), (0.3, LABELS, SPEARMAN)],
    ids=["better than a guess", "one label", "no share of right answers"],
)
def test_what_is_no_guess(figure: float, labels: list[str], metric: Any) -> None:
    assert warnings(figure, labels, metric) == []


@pytest.mark.parametrize(("given", "more"), [(400, "pass more"), (800, "a search takes half of what is given for ")])
def test_how_many_samples_would_tell_counts_those_that_a_search_takes(given: int, more: str) -> None:
    floating, served = variant("fp32", 0.9, samples=400), variant("int8", 0.9, samples=400, high=0.009)
    other = variant("bf16", 0.9, samples=400, high=0.02)
    data = data_of(["cat", "dog"] * (given // 2))
    (warning,) = variant_warnings([floating, other, served], served, data, OPTIONS)
    assert warning.startswith("The gate's 400 samples cannot tell whether onnx-int8-cpu loses more than 0.50 points: ")
    needed = int(warning.partition("About ")[2].partition(" ")[0].replace(",", ""))
    assert needed > 400
    assert f"samples would; {more}" in warning
    assert ("itself, so pass about " in warning) == (given == 800)
    if given == 800:
        assert f"pass about {2 * needed:,} with --evaluation" in warning


def test_a_drop_without_an_interval_is_told() -> None:
    floating, served = variant("fp32", 0.9), variant("int8", 0.9)
    (warning,) = variant_warnings([floating, served], served, data_of(["cat", "dog"] * 50), OPTIONS)
    assert warning.startswith(
        "How sure the drop of onnx-int8-cpu is was not found: the metric 'accuracy' takes too long"
    )


@pytest.mark.parametrize("given", [100, 200])
def test_who_demands_confidence_is_told_what_a_search_takes(given: int) -> None:
    floating, refused = variant("fp32", 0.9), variant("int8", 0.9, high=0.02)
    gate = Gate(passed=False, max_drop=0.005, confidence=0.95, reason="That of about 1,500 samples would be.")
    refused = refused.model_copy(update={"gate": gate})
    (warning,) = variant_warnings([floating, refused], floating, data_of(["cat", "dog"] * (given // 2)), OPTIONS)
    assert warning.endswith("for itself." if given == 200 else "would be.")


def test_nothing_is_doubted_of_what_is_not_served() -> None:
    floating, other = variant("fp32", 0.9), variant("bf16", 0.9, high=0.02)
    assert variant_warnings([floating, other], floating, data_of(["cat", "dog"] * 50), OPTIONS) == []
