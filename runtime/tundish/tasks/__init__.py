"""Tasks: what happens before and after the engine. One file a task, all behind `Task`.

A task turns the bytes of one request item into arrays, and the engine's arrays into typed results. It is made from
a bundle's manifest and holds no state of a request, so that all instances of a model share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from tundish.bundle import Bundle
from tundish.engines import Arrays
from tundish.manifest import TensorSpec
from tundish.results import Result

PreparedT = TypeVar("PreparedT")
ResultT = TypeVar("ResultT", bound=Result)

InputKind = Literal["image", "text"]


class Task(Protocol[PreparedT, ResultT]):
    """Pre-processing, post-processing and typed result of one task."""

    name: ClassVar[str]
    """Hugging Face's name of the pipeline."""
    input_name: ClassVar[InputKind]
    """Name of the pipeline's one input tensor, of datatype BYTES."""
    result_type: ClassVar[type[Any]]
    message_type: ClassVar[type[Message]]
    """The typed API's message of a result; its field in `PredictResponse` is the task's name with underscores."""
    output_specs: tuple[TensorSpec, ...]
    """The tensors that the pipeline answers over the Open Inference Protocol."""

    def __init__(self, bundle: Bundle) -> None:
        """Reads what it needs of the bundle; raises BundleError if that is not fit for the task."""
        ...

    def prepare(self, data: bytes) -> PreparedT:
        """Decodes one item; raises InvalidInputError if it cannot be read."""
        ...

    def collate(self, items: Sequence[PreparedT]) -> Arrays:
        """Makes one batch of prepared items."""
        ...

    def finish(self, outputs: Arrays, items: Sequence[PreparedT]) -> list[ResultT]:
        """Makes one result for each item of the batch."""
        ...

    @staticmethod
    def to_tensors(results: Sequence[ResultT]) -> dict[str, NDArray[np.generic]]:
        """Results as the tensors of `output_specs`; BYTES as object arrays of bytes."""
        ...

    @staticmethod
    def to_message(result: ResultT) -> Message:
        """A result as its `message_type`."""
        ...

    @staticmethod
    def from_message(message: Any) -> ResultT:
        """A result from its `message_type`; the inverse of `to_message`."""
        ...
