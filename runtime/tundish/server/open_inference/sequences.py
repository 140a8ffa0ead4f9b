"""Which step of which sequence a request is, by its parameters."""

from __future__ import annotations

from tundish.errors import InvalidInputError
from tundish.scheduling import Step
from tundish_proto import open_inference_pb2 as oip

_LONGEST_ID = 256
"""In characters; the names of sequences stay in memory."""


def read_step(request: oip.ModelInferRequest) -> Step | None:
    """The step; None without a `sequence_id`, or with one of 0 or no characters, by which the protocol means none.

    Raises:
        InvalidInputError: a parameter is of another type than it must be, or the name is too long.
    """
    name = _parameter(request, "sequence_id", ("int64_param", "uint64_param", "string_param"), 0)
    if not name:
        return None
    if isinstance(name, str) and len(name) > _LONGEST_ID:
        raise InvalidInputError(f"A sequence_id must have at most {_LONGEST_ID} characters, got {len(name)}.")
    start, end = (_parameter(request, key, ("bool_param",), False) for key in ("sequence_start", "sequence_end"))
    return Step(sequence=name, start=bool(start), end=bool(end))


def _parameter(
    request: oip.ModelInferRequest, key: str, kinds: tuple[str, ...], default: int | str | bool
) -> int | str | bool:
    if key not in request.parameters:
        return default
    parameter = request.parameters[key]
    kind = parameter.WhichOneof("parameter_choice")
    if kind not in kinds:
        raise InvalidInputError(f"The parameter '{key}' must be a {' or '.join(kinds)}, got {kind}.")
    value: int | str | bool = getattr(parameter, kind)
    return value
