"""Native image operators: each has one name in C++, Python and its test, and a form that writes into an array."""

from tundish_kernels._native import available_isas, isa
from tundish_kernels._resize_normalize import Filter, Window, resize_normalize, resize_normalize_into

__all__ = [
    "Filter",
    "Window",
    "available_isas",
    "isa",
    "resize_normalize",
    "resize_normalize_into",
]
