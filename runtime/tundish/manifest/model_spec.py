"""What a task needs to know of a model: its tensors, and what happens before and after the network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tundish.manifest.postprocess import Postprocess
from tundish.manifest.preprocess import Preprocess
from tundish.manifest.terms import TENSORS, Datatype, Part, TaskName
from tundish.manifest.variants import Variant


class TensorSpec(Part):
    """Name, datatype and shape of a tensor; a dimension that a request chooses has a name."""

    name: str
    datatype: Datatype
    shape: tuple[int | str, ...]

    @property
    def wire_shape(self) -> tuple[int, ...]:
        """The shape as the Open Inference Protocol writes it, -1 for a named dimension."""
        return tuple(-1 if isinstance(dim, str) else dim for dim in self.shape)


class StateTensor(Part):
    """A pair of tensors by which a model remembers: what one request leaves, the next one of its sequence begins with.

    A sequence begins with zeros.
    """

    input: str
    output: str
    batch_axis: Annotated[int, Field(ge=0)] = 0
    """The dimension along which the states of several sequences become a batch; all others are fixed."""


class ModelSpec(Part):
    """What a task needs to know of a model: its tensors, and what happens before and after the network."""

    task: TaskName | Literal["tensors"]
    inputs: Annotated[tuple[TensorSpec, ...], Field(min_length=1)]
    outputs: Annotated[tuple[TensorSpec, ...], Field(min_length=1)]
    state: tuple[StateTensor, ...] = ()
    """None for a model that answers every request as if it were the first."""
    preprocess: Preprocess | None = None
    """None for `tensors`, as `postprocess`."""
    postprocess: Postprocess | None = None

    @property
    def request_inputs(self) -> tuple[TensorSpec, ...]:
        """What a request to the engine brings: all inputs but the state's.

        An input that has no dimensions, and so no batch, comes as one value for each row, which must agree.
        """
        states = {state.input for state in self.state}
        brought = [spec for spec in self.inputs if spec.name not in states]
        batch = next((spec.shape[0] for spec in brought if spec.shape), "batch")
        return tuple(spec if spec.shape else spec.model_copy(update={"shape": (batch,)}) for spec in brought)

    @property
    def answer_outputs(self) -> tuple[TensorSpec, ...]:
        """What the engine answers a request with: all outputs but the state's."""
        states = {state.output for state in self.state}
        return tuple(spec for spec in self.outputs if spec.name not in states)

    @property
    def takes_items(self) -> bool:
        """Whether requests can ask it about images or texts, and not with tensors, or only another model."""
        return self.preprocess is not None and bool(self.preprocess.reads)

    @property
    def takes_batches(self) -> bool:
        """Whether the network takes any number of items at a time, and not one alone."""
        return all(isinstance(spec.shape[0], str) for spec in self.inputs if spec.shape)

    def of_variant(self, variant: Variant) -> ModelSpec:
        """What the variant's task needs to know."""
        return self if variant.preprocess is None else self.model_copy(update={"preprocess": variant.preprocess})

    @model_validator(mode="after")
    def _says_what_its_task_needs(self) -> ModelSpec:
        given = [part is not None for part in (self.preprocess, self.postprocess)]
        if given != [self.task != TENSORS] * 2:
            needs = "neither preprocess nor postprocess" if self.task == TENSORS else "preprocess and postprocess"
            raise ValueError(f"the task '{self.task}' has {needs}")
        return self

    @model_validator(mode="after")
    def _has_its_state(self) -> ModelSpec:
        if self.state and self.task != TENSORS:
            raise ValueError(f"a model with state must have the task '{TENSORS}', got '{self.task}'")
        inputs = {spec.name: spec for spec in self.inputs}
        outputs = {spec.name: spec for spec in self.outputs}
        for state in self.state:
            before, after = inputs.pop(state.input, None), outputs.pop(state.output, None)
            if before is None or after is None:
                raise ValueError(f"state '{state.input}' to '{state.output}' must be an input and an output, once each")
            fixed = [dim for axis, dim in enumerate(before.shape) if axis != state.batch_axis]
            if state.batch_axis >= len(before.shape) or any(isinstance(dim, str) for dim in fixed):
                raise ValueError(
                    f"state '{state.input}' must be fixed but for its batch axis {state.batch_axis}, "
                    f"got {list(before.shape)}"
                )
            if before.datatype != after.datatype or before.datatype == "BYTES":
                raise ValueError(
                    f"state '{state.input}' must be numbers of the datatype of '{state.output}', "
                    f"got {before.datatype} and {after.datatype}"
                )
        if not inputs or not outputs:
            raise ValueError("a model must have an input and an output beside its state")
        return self
