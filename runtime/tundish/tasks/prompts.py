"""Prompts of promptable segmentation: points and boxes in pixels of the image, as JSON."""

from __future__ import annotations

import json
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tundish.errors import InvalidInputError

MAX_POINTS = 64
MAX_PROMPTS = 256
"""Of an image."""
MAX_PROMPT_BYTES = 8192

_BACKGROUND, _FOREGROUND, _UPPER_LEFT, _LOWER_RIGHT = 0, 1, 2, 3
NOT_A_POINT = -1
"""The kinds of points that a network embeds, as Segment Anything numbers them; the last stands where no box does."""

_EXAMPLE = '{"points": [[200, 300]]} or {"box": [10, 20, 200, 300]}'

_Coordinate = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class Prompt(BaseModel):
    """What is to be segmented: the thing at some points, in a box, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    points: Annotated[tuple[tuple[_Coordinate, _Coordinate], ...], Field(max_length=MAX_POINTS)] = ()
    """x and y each."""
    labels: tuple[Annotated[int, Field(ge=_BACKGROUND, le=_FOREGROUND)], ...] | None = None
    """Of each point, 1 if it is on the thing and 0 if it is not; None for on it, all of them."""
    box: tuple[_Coordinate, _Coordinate, _Coordinate, _Coordinate] | None = None
    """Left, top, right and bottom."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.points and self.box is None:
            raise ValueError("a prompt has points, a box or both")
        if self.labels is not None and len(self.labels) != len(self.points):
            raise ValueError(f"{len(self.points)} points have as many labels, got {len(self.labels)}")
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError(f"a box is left, top, right, bottom, got {list(self.box)}")
        return self

    @property
    def embedded(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The points `[n, 2]` that a network embeds, those of the box last, and what each is `[n]`."""
        points = list(self.points)
        kinds = list(self.labels if self.labels is not None else [_FOREGROUND] * len(points))
        if self.box is None:
            points.append((0.0, 0.0))
            kinds.append(NOT_A_POINT)
        else:
            points += [self.box[:2], self.box[2:]]
            kinds += [_UPPER_LEFT, _LOWER_RIGHT]
        return np.array(points, np.float32), np.array(kinds, np.int64)


def read_prompt(data: bytes) -> Prompt:
    """The prompt of a text such as `{"points": [[200, 300]]}` or `{"box": [10, 20, 200, 300]}`.

    Raises:
        InvalidInputError: it is none.
    """
    if len(data) > MAX_PROMPT_BYTES:
        raise InvalidInputError(f"A prompt has at most {MAX_PROMPT_BYTES} bytes, got {len(data)}.")
    try:
        return Prompt.model_validate(json.loads(data))
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f" at {place}" for place in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidInputError(f"The prompt {_shown(data)} is not valid{where}: {reason}.") from None
    except (ValueError, RecursionError):
        raise InvalidInputError(f"The prompt {_shown(data)} is not JSON such as {_EXAMPLE}.") from None


def _shown(data: bytes) -> str:
    return repr(data[:60].decode(errors="replace"))
