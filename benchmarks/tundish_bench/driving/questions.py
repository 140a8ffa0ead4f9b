"""Questions to models: what is asked, whatever the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tundish.tensors import Tensor, bytes_array

Contents = Mapping[str, Tensor]
"""By the names of inputs, one request's tensors."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request."""

    model: str
    contents: Contents

    @property
    def item(self) -> bytes:
        """The first tensor alone: a file, a text, or its numbers."""
        first = next(iter(self.contents.values()))
        item: bytes = first.flat[0] if first.dtype == np.object_ else first.tobytes()
        return item


def ask_pipeline(model: str, input_name: Literal["image", "text"], item: bytes) -> Question:
    """The question for the label of an image file or a UTF-8 text."""
    return Question(model, {input_name: bytes_array([item]).reshape(1, 1)})


def ask_engine(model: str, inputs: Contents) -> Question:
    """The question to a bare engine, for what it makes of a batch of numbers."""
    return Question(f"{model}.engine", inputs)
