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
