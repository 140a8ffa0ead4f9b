"""What every operator reads its arguments with, so that a wrong one is named with its value."""

import operator
from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")


def as_list(values: Iterable[Item], name: str) -> list[Item]:
    """The values as a list; TypeError if they cannot be walked through."""
    try:
        return list(values)
    except TypeError:
        raise TypeError(f"{name} must be a sequence, got {type(values).__name__}") from None


def as_integer(value: object, name: str) -> int:
    """The value as an integer of at most 64 bits; TypeError or ValueError if it is none."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # the check itself
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if number.bit_length() > 63:
        raise ValueError(f"{name} must fit in 64 bits, got {number}")
    return number


def as_number(value: object, name: str) -> float:
    """The value as a float; TypeError or ValueError if it is none."""
    try:
        return float(value)  # type: ignore[arg-type]  # the check itself
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    except OverflowError:
        raise ValueError(f"{name} must be finite, got an integer above every float") from None
