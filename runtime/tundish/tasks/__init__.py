"""Tasks: what happens before and after the engine. One file a task, all subclasses of `Task` or of `ComposedTask`.

A task turns one request item into arrays, and the engine's arrays into typed results. It is made from
a model's spec and holds no state of a request, so that all instances of a model share it. That of a composed model
turns an item into values for its components, and what these answer into a typed result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import EngineError
from tundish.manifest import InputName, ModelSpec, TensorSpec
from tundish.results import Result

PreparedT = TypeVar("PreparedT")
ResultT = TypeVar("ResultT", bound=Result)

ItemPart = bytes | tuple[bytes, ...]
"""An image file, a UTF-8 text, or a list of these."""
Item = bytes | tuple[ItemPart, ...]
"""What a request asks about: a part, or several where the model reads several of them."""


def parts_of(item: Item) -> tuple[Any, ...]:
    """The parts of an item, of which one stands for itself."""
    return item if isinstance(item, tuple) else (item,)


class TypedTask(ABC, Generic[ResultT]):
    """A task as those see it who ask and answer: what it reads, and its typed result."""

    name: ClassVar[str]
    """Hugging Face's name of the pipeline."""
    reads: ClassVar[tuple[tuple[InputName, ...], ...]]
    """The parts of an item that models of the task read; one of these."""
    result_type: ClassVar[type[Any]]
    output_specs: tuple[TensorSpec, ...]
    """The tensors that the pipeline answers over the Open Inference Protocol."""

    @staticmethod
    @abstractmethod
    def to_tensors(results: Sequence[ResultT]) -> dict[str, NDArray[np.generic]]:
        """Results as the tensors of `output_specs`; BYTES as object arrays of bytes."""

    @staticmethod
    @abstractmethod
    def to_message(result: ResultT) -> Message:
        """A result as the typed API's message, which has the name of the result's class."""

    @staticmethod
    @abstractmethod
    def from_message(message: Any) -> ResultT:
        """The inverse of `to_message`."""


class Task(TypedTask[ResultT], Generic[PreparedT, ResultT]):
    """Pre-processing, post-processing and typed result of one network."""

    @abstractmethod
    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        """Reads what it needs of a bundle in `directory`; raises BundleError if that is not fit for the task."""

    @abstractmethod
    def prepare(self, item: Any) -> PreparedT:
        """Decodes one `Item` of the parts that the model reads; raises InvalidInputError if it cannot be read."""

    @property
    def has_lengths(self) -> bool:
        """Whether items differ in `length`, so that those alike are to share a batch."""
        return type(self).length is not Task.length

    def length(self, item: PreparedT) -> int:  # noqa: ARG002 - for those that override it
        """How much of a batch's width the item needs, such as its tokens; 0 where all items are alike."""
        return 0

    def shape(self, item: PreparedT) -> tuple[int, ...]:  # noqa: ARG002 - for those that override it
        """What items must agree on to be collated; () where any can be."""
        return ()

    @abstractmethod
    def collate(self, items: Sequence[PreparedT]) -> Arrays:
        """Makes one batch of prepared items of one shape."""

    @abstractmethod
    def finish(self, outputs: Arrays, items: Sequence[PreparedT]) -> list[ResultT | EngineError]:
        """Makes one result for each item of the batch; an error where the engine gave NaN or an infinity for it."""


def not_finite(what: str) -> EngineError:
    """The error of an item that an engine has computed no numbers for; `what` is what they would have been."""
    return EngineError(
        f"The engine gave NaN or an infinity where {what} belong; check the input, or export the model anew."
    )
