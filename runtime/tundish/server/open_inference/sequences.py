"""Which step of which sequence a request is, by its parameters."""

from __future__ import annotations

from tundish.errors import InvalidInputError
from tundish.scheduling import Step
from tundish.server.parameters import read_flag, read_key
from tundish_proto import open_inference_pb2 as oip

_LONGEST_ID = 256
"""In characters; the names of sequences stay in memory."""


def read_step(request: oip.ModelInferRequest) -> Step | None:
    """The step; None without a `sequence_id`, or with one of 0 or no characters, by which the protocol means none.

    Raises:
        InvalidInputError: a parameter is of another type than it must be, or the name is too long.
    """
    name = read_key(request.parameters, "sequence_id")
    if not name:
        return None
    if isinstance(name, str) and len(name) > _LONGEST_ID:
        raise InvalidInputError(f"A sequence_id must have at most {_LONGEST_ID} characters, got {len(name)}.")
    start, end = (read_flag(request.parameters, key) for key in ("sequence_start", "sequence_end"))
    return Step(sequence=name, start=start, end=end)
