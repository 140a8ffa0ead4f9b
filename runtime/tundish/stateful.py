"""The bare engine of a model that keeps a state: requests of different sequences run together, each from its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tundish.datatypes import NUMPY_DTYPES
from tundish.engines import Arrays, Engine
from tundish.errors import EngineError, TundishError
from tundish.manifest import StateTensor, TensorSpec
from tundish.pipeline import Answer, Prepared, isolating, rows_of, stacked
from tundish.results import StageTimes
from tundish.scheduling import Step


class StatefulEngine:
    """The engine with the states of its items' sequences; see `Entry`.

    An item is its tensors, of one row, and its step, which has the state to begin with and gets the state that is left.
    """

    def __init__(self, engine: Engine, states: Sequence[StateTensor]) -> None:
        self._engine = engine
        specs = {spec.name: spec for spec in engine.inputs}
        self._states = [(state, _zeros(specs[state.input], state.batch_axis)) for state in states]

    def prepare(self, payload: tuple[Arrays, Step]) -> Prepared:
        """See `Entry.prepare`; there is nothing to do."""
        return Prepared(payload, 0)

    def run(self, batch: Sequence[Prepared]) -> list[Answer[Arrays] | TundishError]:
        """See `Entry.run`; the step of an item that fails gets no state."""
        return isolating(self._answer, batch)

    def _answer(self, batch: Sequence[Prepared]) -> list[Answer[Arrays] | TundishError]:
        steps: list[Step] = [prepared.value[1] for prepared in batch]
        started = time.monotonic_ns()
        inputs = stacked(self._engine, [prepared.value[0] for prepared in batch])
        for state, zeros in self._states:
            before = [zeros if step.state is None else cast(Arrays, step.state)[state.input] for step in steps]
            inputs[state.input] = np.concatenate(before, axis=state.batch_axis)
        preprocessed = time.monotonic_ns()
        outputs = self._engine.run(inputs)
        computed = time.monotonic_ns()
        left = {state.input: _split(outputs.pop(state.output), state, zeros, steps) for state, zeros in self._states}
        answers: list[Answer[Arrays] | TundishError] = []
        times = StageTimes(
            queue_nanoseconds=0,
            preprocess_nanoseconds=preprocessed - started,
            compute_nanoseconds=computed - preprocessed,
            postprocess_nanoseconds=0,
            batch_size=len(steps),
        )
        for index, row in enumerate(rows_of(outputs, len(steps))):
            after = {name: states[index] for name, states in left.items()}
            if any(np.isnan(state).any() for state in after.values()):
                # Kept, it would spoil every later answer of the sequence.
                answers.append(EngineError("The engine gave NaN for the sequence's state, which stays as it was."))
            else:
                steps[index].state_after = after
                answers.append(Answer(row, times))
        return answers


def _split(
    array: NDArray[np.generic], state: StateTensor, zeros: NDArray[np.generic], steps: Sequence[Step]
) -> list[NDArray[np.generic]]:
    """The state of each step; copies, so that one does not keep the whole batch alive."""
    expected = list(zeros.shape)
    expected[state.batch_axis] = len(steps)
    if list(array.shape) != expected:
        raise EngineError(
            f"The engine gave the state '{state.output}' of shape {list(array.shape)}, not {expected}; "
            "export the model again."
        )
    return [row.copy() for row in np.split(array, len(steps), axis=state.batch_axis)]


def _zeros(spec: TensorSpec, batch_axis: int) -> NDArray[np.generic]:
    """What a sequence begins with."""
    shape = [1 if axis == batch_axis else dim for axis, dim in enumerate(spec.shape)]
    return np.zeros(cast(list[int], shape), NUMPY_DTYPES[spec.datatype])
