"""What is before the first and behind the last step of a composed model; the steps themselves stand in its manifest."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tundish.errors import BundleError
from tundish.manifest import Composition, ModelSpec
from tundish.results import TextDetection, TextRegion
from tundish.tasks import Item, ResultT, TypedTask
from tundish.tasks.shared_image import ImageRegion, SharedImage

StepForm = tuple[str, tuple[str, ...], str | None]
"""The task of a step's component, what it takes, and what it goes through."""


class ComposedTask(TypedTask[ResultT]):
    """A task that several networks do together."""

    @abstractmethod
    def __init__(self, composition: Composition, components: Mapping[str, ModelSpec]) -> None:
        """Raises BundleError if the composition or a component is not fit for the task."""

    @abstractmethod
    def read(self, item: Item) -> dict[str, Any]:
        """The values that steps may take, by the parts of the item; costs next to nothing.

        Raises:
            InvalidInputError: the item cannot be read.
        """

    def item(self, step: str, values: Sequence[Any]) -> Any:  # noqa: ARG002  # for those that tell steps apart
        """What a step's component is asked about, by the values of its inputs; costs next to nothing."""
        return item_of(values)

    @abstractmethod
    def join(self, values: Mapping[str, Any]) -> ResultT:
        """The result, by all values; costs next to nothing."""


def check_steps(
    composition: Composition, components: Mapping[str, ModelSpec], wanted: Mapping[str, StepForm], task: str
) -> None:
    """Raises BundleError unless the steps are those that a task needs, by their names."""
    made = {step.name: (components[step.component].task, step.inputs, step.for_each) for step in composition.steps}
    if made != wanted:
        said = "; ".join(f"'{name}' by {done} of {' and '.join(taken)}" for name, (done, taken, _) in wanted.items())
        raise BundleError(f"'{composition.model}' must have the steps {said} to do {task}.")


def item_of(values: Sequence[Any]) -> Any:
    """What a component is asked about: its one value, the region of an image that is there, or several values."""
    if len(values) == 1:
        return values[0]
    if len(values) == 2 and isinstance(values[0], SharedImage) and isinstance(values[1], TextRegion):
        return ImageRegion(values[0], np.array(values[1].corners, np.float32))
    return tuple(values)


def elements_of(value: Any) -> Sequence[Any]:
    """What a step goes through: a list, or what was found in an image."""
    match value:
        case TextDetection(regions=found):
            return found
        case _:
            elements: Sequence[Any] = value
            return elements
