"""The engine of a model that keeps a state, and what a manifest may say of one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.bundles import make_bundle
from support.loaded import engine_model
from support.tensor_bundles import make_adder_bundle, make_scaler_bundle

import tundish
from tundish.errors import EngineError, InvalidInputError, TundishError
from tundish.manifest import Manifest, StateTensor, TensorSpec
from tundish.pipeline import Answer, prepare_item
from tundish.scheduling import Step
from tundish.stateful import StatefulEngine

STATE = StateTensor(input="before", output="after", batch_axis=1)


class Summing:
    """`after[:, row] = before[:, row] + value[row] + [1, 2]` and `seen = before`; `single` is of the whole batch."""

    inputs = (
        TensorSpec(name="value", datatype="FP32", shape=("batch", 1)),
        TensorSpec(name="before", datatype="FP32", shape=(2, "batch")),
        TensorSpec(name="single", datatype="INT64", shape=()),
    )
    outputs = ()

    def __init__(self) -> None:
        self.batch_sizes: list[int] = []

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        assert inputs["single"].shape == ()
        values, before = inputs["value"][:, 0], inputs["before"]
        assert before.shape == (2, len(values))
        self.batch_sizes.append(len(values))
        if (values == 13).any():
            raise EngineError("13")
        return {"seen": before.T.copy(), "after": self.left(before + values + np.array([[1], [2]], np.float32))}

    def left(self, after: NDArray[Any]) -> NDArray[Any]:
        return after


def run(engine: Any, *values: float, steps: list[Step]) -> list[Answer[Any] | TundishError]:
    entry = StatefulEngine(engine, [STATE])
    batch = []
    for value, step in zip(values, steps, strict=True):
        inputs = {"value": np.array([[value]], np.float32), "single": np.array([5])}
        prepared = prepare_item(entry, (inputs, step))
        assert not isinstance(prepared, TundishError)
        batch.append(prepared)
    return entry.run(batch)


def step(*state: float) -> Step:
    """A step that begins with this state, or anew."""
    return Step(sequence=1, state={"before": np.array([state], np.float32).T} if state else None)


def left(made: Step) -> NDArray[Any]:
    assert made.state_after
    state: dict[str, NDArray[Any]] = made.state_after
    return state["before"]


def test_each_item_begins_with_its_own_state_and_leaves_its_own() -> None:
    engine = Summing()
    steps = [step(), step(10, 20), step(0.5, 0)]
    answers = run(engine, 100, 200, 300, steps=steps)
    assert engine.batch_sizes == [3]
    assert [answer.output["seen"].tolist() for answer in answers if isinstance(answer, Answer)] == [
        [[0, 0]],
        [[10, 20]],
        [[0.5, 0]],
    ]
    assert [answer.output.keys() for answer in answers if isinstance(answer, Answer)] == [{"seen"}] * 3
    for made, expected in zip(steps, ([101.0, 102.0], [211.0, 222.0], [301.5, 302.0]), strict=True):
        assert left(made).tolist() == [[value] for value in expected]
        assert left(made).base is None  # it does not keep the batch alive


def test_an_item_that_fails_leaves_nothing_and_costs_no_other_its_state() -> None:
    steps = [step(1, 1), step(2, 2), step(np.nan, 3)]
    first, failing, spoilt = run(Summing(), 100, 13, 300, steps=steps)
    assert isinstance(first, Answer)
    assert isinstance(failing, EngineError)
    assert isinstance(spoilt, EngineError)
    assert "NaN for the sequence's state" in str(spoilt)
    assert [made.state_after is not None for made in steps] == [True, False, False]


@pytest.mark.parametrize("shape", [(2,), (2, 2), (1, 1), (2, 1, 1)])
def test_a_state_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    class Other(Summing):
        def left(self, after: NDArray[Any]) -> NDArray[Any]:  # noqa: ARG002
            return np.zeros(shape, np.float32)

    made = step()
    (error,) = run(Other(), 1, steps=[made])
    assert isinstance(error, EngineError)
    assert f"the state 'after' of shape {list(shape)}, not [2, 1]" in str(error)
    assert made.state_after is None


def test_a_model_in_process_keeps_the_state_of_its_sequences(tmp_path: Path) -> None:
    make_adder_bundle(tmp_path)
    with tundish.open(tmp_path, instances=2) as runtime:
        model = engine_model(runtime, "adder")
        sums = []
        for value in (1.0, 2.0, 3.0):
            inputs = {"value": np.array([[value]], np.float32)}
            (future,) = model.submit_tensors(inputs, step=Step(sequence="a", start=value == 1))
            sums.append(future.result(10).output["sum"].item())
        assert sums == [1, 3, 6]
        with pytest.raises(InvalidInputError, match="takes tensors, not images or texts"):
            runtime.predict("adder", text="three")
        with pytest.raises(InvalidInputError, match="takes tensors, not images or texts"):
            model.submit([b"three"])


def test_rows_run_together_only_if_they_agree_on_what_the_engine_takes_one_of(tmp_path: Path) -> None:
    make_scaler_bundle(tmp_path)
    with tundish.open(tmp_path, instances=1) as runtime:
        model = engine_model(runtime, "scaler")
        futures = []
        for factor in (2, 2, 3, 2) * 10:
            inputs = {"value": np.array([[1], [5]], np.float32), "factor": np.full(2, factor, np.float32)}
            futures.append((factor, model.submit_tensors(inputs)))
        for factor, rows in futures:
            assert [row.result(10).output["product"].tolist() for row in rows] == [[[factor]], [[5 * factor]]]
        with pytest.raises(InvalidInputError, match=r"'factor' must be the same for all rows of a request"):
            model.submit_tensors({"value": inputs["value"], "factor": np.array([2, 3], np.float32)})
        with pytest.raises(InvalidInputError, match=r"'factor' must have the shape \[batch=2\], got \[\]"):
            model.submit_tensors({"value": inputs["value"], "factor": np.array(2, np.float32)})


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of the adder's manifest."""
    return make_adder_bundle(tmp_path_factory.mktemp("adder")).manifest.model_dump(mode="json")


def state(**changes: Any) -> list[dict[str, Any]]:
    return [{"input": "before", "output": "after", "batch_axis": 0, **changes}]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"state": state(input="unknown")}, "state 'unknown' to 'after' must be an input and an output, once each"),
        ({"state": state(output="before")}, "must be an input and an output"),
        ({"state": state() * 2}, "once each"),
        ({"state": state(batch_axis=1)}, r"must be fixed but for its batch axis 1, got \['batch', 1\]"),
        ({"state": state(batch_axis=2)}, "must be fixed but for its batch axis 2"),
        ({"state": state(batch_axis=-1)}, "greater than or equal to 0"),
        ({"inputs": [{"name": "before", "datatype": "FP32", "shape": ["batch", 1]}]}, "an input and an output beside"),
        (
            {
                "inputs": [
                    {"name": "value", "datatype": "FP32", "shape": ["batch", 1]},
                    {"name": "before", "datatype": "FP16", "shape": ["batch", 1]},
                ]
            },
            "of the datatype of 'after', got FP16 and FP32",
        ),
        (
            {"postprocess": {"kind": "pooling", "pooling": "mean", "normalize": True}},
            "'tensors' has neither preprocess",
        ),
        ({"task": "feature-extraction"}, "'feature-extraction' has preprocess and postprocess"),
        ({"task": "anything"}, "task"),
    ],
)
def test_a_state_that_does_not_fit_the_tensors_is_refused(
    content: dict[str, Any], changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Manifest.model_validate(content | changes)


def test_a_model_with_a_task_keeps_no_state(tmp_path: Path) -> None:
    made = make_bundle(tmp_path).manifest.model_dump(mode="json")
    with pytest.raises(ValueError, match="a model with state must have the task 'tensors', got 'image-classification'"):
        Manifest.model_validate(made | {"state": [{"input": "pixel_values", "output": "logits"}]})
