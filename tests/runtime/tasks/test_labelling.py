"""From logits to labels, with NumPy's float64 and PyTorch for the oracle."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tundish.errors import EngineError
from tundish.manifest import ClassificationPostprocess
from tundish.results import Label
from tundish.tasks.labelling import Labelling, labels_from_message, labels_to_message, labels_to_tensors

Function = Literal["softmax", "sigmoid", "none"]

FUNCTIONS: dict[Function, Any] = {
    "softmax": lambda logits: torch.softmax(logits, -1),
    "sigmoid": torch.sigmoid,
    "none": lambda logits: logits,
}


def batches_of(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[NDArray[np.float32]]:
    return hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 12)), elements=elements)


def labelling(labels: int, function: Function, top_k: int = 5) -> Labelling:
    names = tuple(f"label {index}" for index in range(labels))
    return Labelling(ClassificationPostprocess(labels=names, function=function, top_k=top_k))


def labels_of(made: Labelling, logits: NDArray[Any]) -> tuple[Label, ...]:
    """Of the only row."""
    (row,) = made.apply(logits)
    assert not isinstance(row, EngineError)
    return row


def index_of(label: Label) -> int:
    return int(label.name.removeprefix("label "))


@pytest.mark.parametrize("function", FUNCTIONS)
@settings(max_examples=150, deadline=None)
@given(logits=batches_of(st.floats(-1e4, 1e4, width=32)), top_k=st.integers(1, 15))
def test_scores_are_those_of_torch_in_float64(function: Function, logits: NDArray[np.float32], top_k: int) -> None:
    exact = FUNCTIONS[function](torch.from_numpy(logits).double()).numpy()
    rows = labelling(logits.shape[1], function, top_k).apply(logits)
    assert len(rows) == len(logits)
    for row, expected in zip(rows, exact, strict=True):
        assert not isinstance(row, EngineError)
        assert len(row) == min(top_k, logits.shape[1])
        for label in row:
            assert label.score == pytest.approx(expected[index_of(label)], rel=1e-5, abs=1e-7)
        # The highest, the highest first.
        scores = [label.score for label in row]
        assert scores == sorted(scores, reverse=True)
        np.testing.assert_allclose(scores, np.sort(expected)[::-1][:top_k], rtol=1e-5, atol=1e-7)
        assert len({label.name for label in row}) == len(row)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_scores_that_the_network_made_stay_as_they_are(function: Function) -> None:
    rule = ClassificationPostprocess(labels=("a", "b", "c"), function=function, in_network=True)
    row = labels_of(Labelling(rule), np.array([[0.125, 0.75, 0.5]], np.float32))
    assert row == (Label("b", 0.75), Label("c", 0.5), Label("a", 0.125))


@pytest.mark.parametrize("function", FUNCTIONS)
@settings(max_examples=100, deadline=None)
@given(
    logits=hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(2, 12)), elements=st.sampled_from([0, 1]))
)
def test_ties_keep_the_order_of_the_labels(function: Function, logits: NDArray[np.float32]) -> None:
    for row, values in zip(labelling(logits.shape[1], function, 20).apply(logits), logits, strict=True):
        assert not isinstance(row, EngineError)
        expected = sorted(range(len(values)), key=lambda index: (-values[index], index))
        assert [index_of(label) for label in row] == expected


@pytest.mark.parametrize(
    ("function", "logits", "scores"),
    [
        ("softmax", [1000, 0, -1000], [1, 0, 0]),
        ("softmax", [3e38, -3e38], [1, 0]),
        ("softmax", [5], [1]),
        ("sigmoid", [1000, 0, -1000], [1, 0.5, 0]),
        ("sigmoid", [3e38, -3e38], [1, 0]),
        ("none", [3e38, 0, -3e38], [np.float32(3e38), 0, -np.float32(3e38)]),
    ],
)
def test_extreme_logits_overflow_nothing(function: Function, logits: list[float], scores: list[float]) -> None:
    # Warnings are errors here, NumPy's of an overflow as well.
    row = labels_of(labelling(len(logits), function), np.array([logits], np.float32))
    assert [label.score for label in row] == scores
    assert [index_of(label) for label in row] == list(range(len(logits)))


@pytest.mark.parametrize(
    ("function", "logits"),
    [
        ("softmax", [0, np.nan, 1]),
        ("softmax", [0, np.inf, 1]),
        ("softmax", [-np.inf, -np.inf, -np.inf]),
        ("sigmoid", [np.nan, 1, 2]),
        ("none", [np.nan, 1, 2]),
        ("none", [0, np.inf, 1]),
    ],
)
def test_a_row_without_finite_scores_fails_alone(function: Function, logits: list[float]) -> None:
    batch = np.array([[3, 2, 1], logits, [1, 2, 3]], np.float32)
    first, bad, last = labelling(3, function, top_k=1).apply(batch)
    assert isinstance(bad, EngineError)
    assert "NaN or an infinity where scores belong" in str(bad)
    for row, best in ((first, 0), (last, 2)):
        assert not isinstance(row, EngineError)
        assert index_of(row[0]) == best


@pytest.mark.parametrize("function", ["softmax", "sigmoid"])
def test_a_label_that_is_ruled_out_scores_zero(function: Function) -> None:
    row = labels_of(labelling(3, function), np.array([[0, -np.inf, 1]], np.float32))
    assert [(index_of(label), label.score == 0) for label in row] == [(2, False), (0, False), (1, True)]


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_logits_of_other_widths_are_scored_in_float32(dtype: type[np.floating[Any]]) -> None:
    logits = np.array([[0.5, -1.25, 2.0]], dtype)
    row = labels_of(labelling(3, "softmax"), logits)
    expected = torch.softmax(torch.tensor([0.5, -1.25, 2.0]).double(), 0)
    assert {index_of(label): label.score for label in row} == pytest.approx(
        dict(enumerate(expected.tolist())), rel=1e-6
    )


@pytest.mark.parametrize(("labels", "top_k", "listed"), [(3, 5, 3), (10, 5, 5), (10, 1, 1)])
def test_the_tensors_have_the_shape_that_is_announced(labels: int, top_k: int, listed: int) -> None:
    made = labelling(labels, "softmax", top_k)
    tensors = labels_to_tensors([labels_of(made, np.zeros((1, labels), np.float32))] * 2)
    assert [(spec.name, spec.datatype, spec.shape) for spec in made.output_specs] == [
        ("label", "BYTES", ("batch", listed)),
        ("score", "FP32", ("batch", listed)),
    ]
    assert tensors["label"].tolist() == [[f"label {index}".encode() for index in range(listed)]] * 2
    assert tensors["score"].tolist() == [pytest.approx([1 / labels] * listed)] * 2
    assert tensors["score"].dtype == np.float32


@given(st.lists(st.tuples(st.text(), st.floats(width=32, allow_nan=False)), max_size=5))
def test_labels_survive_the_wire(pairs: list[tuple[str, float]]) -> None:
    labels = tuple(Label(name, score) for name, score in pairs)
    assert labels_from_message(labels_to_message(labels)) == labels
