"""Checks of the arguments that the operators on a GPU have in common."""

from tundish_kernels._arguments import as_integer


def read_string(value: object, name: str) -> str:
    """Refuses what is not a string.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {value!r}")
    return value


def read_between(value: object, name: str, least: int, most: int) -> int:
    """The value as an integer within a range.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is outside.
    """
    number = as_integer(value, name)
    if not least <= number <= most:
        raise ValueError(f"{name} must be between {least} and {most}, got {number}")
    return number


def read_boolean(value: object, name: str) -> bool:
    """Refuses what is not a boolean.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value


def read_stream(stream: int) -> int:
    """The number of a CUstream.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is negative.
    """
    handle = as_integer(stream, "stream")
    if handle < 0:
        raise ValueError(f"stream must be the number of a CUstream, got {handle}")
    return handle
