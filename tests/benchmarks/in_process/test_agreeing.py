"""Whether answers agree: likenesses by hand, and engines that are right, rounded or broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.images import encoded
from support.variants import Kind, make_variants

from tundish.bundle import Bundle
from tundish.manifest import Accuracy
from tundish_bench.errors import BenchmarkError
from tundish_bench.in_process.agreeing import Referee, Verdict, likeness
from tundish_bench.in_process.contestant import Contestant
from tundish_bench.in_process.inputs import Inputs, inputs_of


def test_likeness_is_by_the_relative_error_of_the_least_like_output() -> None:
    wanted = [
        {"a": np.array([[3.0, 4.0]]), "b": np.array([[1.0]])},
        {"a": np.array([[0.0, 0.0]]), "b": np.array([[1.0]])},
    ]
    # Of a: an error of (1, 0, 0, 2) of a length of 5. Of b: none.
    actual = [
        {"a": np.array([[4.0, 4.0]]), "b": np.array([[1.0]])},
        {"a": np.array([[0.0, 2.0]]), "b": np.array([[1.0]])},
    ]
    assert likeness(actual, wanted) == pytest.approx(1 - 5 / 25)
    assert likeness(wanted, wanted) == 1


@pytest.mark.parametrize(
    ("outputs", "wanted", "expected"),
    [
        ([1.0, np.nan], [1.0, 2.0], -np.inf),
        ([2.0, 2.0], [2.0, 2.0], 1.0),
        ([0.0, 0.1], [0.0, 0.0], 0.0),
        ([1, 2, 3, 5], [1, 2, 3, 4], 0.75),
        ([1.0, 2.0, 3.0], [1.0, 2.0], None),
    ],
)
def test_outputs_that_are_no_numbers_or_zeros_or_no_floats(
    outputs: list[float], wanted: list[float], expected: float | None
) -> None:
    assert likeness([{"a": np.array(outputs)}], [{"a": np.array(wanted)}]) == expected


def verdict(bundle: Bundle, variant: str, inputs: Inputs) -> Verdict:
    by_name = {each.name: Contestant(bundle, each, threads=1) for each in bundle.manifest.variants}
    return Referee(bundle.manifest, by_name["onnx-fp32-cpu"], inputs).judge(by_name[variant])


@pytest.mark.parametrize(
    ("kind", "agreement", "fault"),
    [
        ("same", 1.0, None),
        ("rounded", 0.5, None),  # made images are grey, as far as three colours can tell
        ("negated", 0.0, "gives other outputs than the reference: their likeness is -"),
        ("NaN", 0.0, "cannot answer an input: The engine gave NaN"),
    ],
)
def test_on_made_inputs_outputs_must_be_like_the_references(
    tmp_path: Path, kind: Kind, agreement: float, fault: str | None
) -> None:
    bundle = make_variants(tmp_path, {"onnx-int8-cpu": kind})
    found = verdict(bundle, "onnx-int8-cpu", inputs_of(bundle, None))
    assert found.agreement == pytest.approx(agreement, abs=0.3)
    assert (found.fault or "").startswith(fault or "")
    assert (found.fault is None) == (fault is None)


@pytest.mark.parametrize(
    ("recorded", "fault"),
    [
        (Accuracy(metric="agreement", value=0.67, reference=1.0, samples=300), None),
        (Accuracy(metric="agreement", value=1.0, reference=1.0, samples=300), True),
        (Accuracy(metric="accuracy", value=0.5, reference=0.5, samples=300, agreement=0.67), None),
        (Accuracy(metric="accuracy", value=0.5, reference=0.5, samples=300, agreement=0.99), True),
        (Accuracy(metric="agreement", value=1.0, reference=1.0, samples=2), None),  # two say little
        (None, True),  # it would be equal to its source
    ],
)
def test_on_real_inputs_answers_must_agree_as_often_as_the_bundle_says(
    tmp_path: Path, recorded: Accuracy | None, fault: bool | None
) -> None:
    """An engine that takes green for red: two of three answers are right."""
    bundle = make_variants(tmp_path, {"onnx-int8-cpu": "green is red"}, accuracy=recorded)
    images = [encoded(color) for color in ("red", "green", "blue")] * 10
    found = verdict(bundle, "onnx-int8-cpu", Inputs(images, are_real=True))
    assert found.agreement == pytest.approx(2 / 3)
    assert (found.fault is not None) == bool(fault)
    if fault:
        assert found.fault
        assert found.fault.startswith("agrees with the reference by 66.7 % on 30 inputs, where the bundle makes expect")


def test_a_reference_without_an_answer_is_said(tmp_path: Path) -> None:
    bundle = make_variants(tmp_path, {"onnx-fp32-cpu": "NaN"})
    with pytest.raises(BenchmarkError, match="The reference onnx-fp32-cpu cannot answer an input: The engine gave NaN"):
        verdict(bundle, "onnx-fp32-cpu", inputs_of(bundle, None))
