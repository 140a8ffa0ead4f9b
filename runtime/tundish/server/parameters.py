"""Reads the parameters of requests and tensors: one that is there is of the type it must be, or the request is refused.

Read as a default instead, a `timeout` of the wrong type would be none, and nobody would be told.
"""

from __future__ import annotations

from collections.abc import Mapping

from tundish.errors import InvalidInputError
from tundish_proto import open_inference_pb2 as oip

Parameters = Mapping[str, oip.InferParameter]

_FLAG = {"bool_param": "a truth value"}
_INTEGER = {"int64_param": "an integer", "uint64_param": "an integer"}
_TEXT = {"string_param": "a text"}


def read_flag(parameters: Parameters, name: str) -> bool:
    """The parameter; false if it is not there.

    Raises:
        InvalidInputError: it is no truth value.
    """
    return bool(_read(parameters, name, _FLAG, default=False))


def read_count(parameters: Parameters, name: str) -> int:
    """The parameter; 0 if it is not there.

    Raises:
        InvalidInputError: it is no integer, or negative.
    """
    value = int(_read(parameters, name, _INTEGER, default=0))
    if value < 0:
        raise InvalidInputError(f"The parameter '{name}' must not be negative, got {value}.")
    return value


def read_text(parameters: Parameters, name: str) -> str:
    """The parameter; no characters if it is not there.

    Raises:
        InvalidInputError: it is no text.
    """
    return str(_read(parameters, name, _TEXT, default=""))


def read_key(parameters: Parameters, name: str) -> int | str:
    """The parameter, which clients may have as a number or as a text; 0 if it is not there.

    Raises:
        InvalidInputError: it is neither.
    """
    return _read(parameters, name, _INTEGER | _TEXT, default=0)


def _read(parameters: Parameters, name: str, kinds: Mapping[str, str], *, default: int | str) -> int | str:
    if name not in parameters:
        return default
    kind = parameters[name].WhichOneof("parameter_choice")
    value: int | str | None = getattr(parameters[name], kind) if kind else None
    if kind not in kinds or value is None:
        wanted = " or ".join(dict.fromkeys(kinds.values()))
        raise InvalidInputError(f"The parameter '{name}' must be {wanted}, got {value!r}.")
    return value
