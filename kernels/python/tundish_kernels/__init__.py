"""Native operators of images, tokens and results: `op` returns a new array, `op_into` writes into the caller's."""

from tundish_kernels._decode_jpeg import decode_jpeg, decode_jpeg_into, jpeg_size
from tundish_kernels._native import available_isas, isa
from tundish_kernels._resize_normalize import Filter, Window, resize_normalize, resize_normalize_into

__all__ = [
    "Filter",
    "Window",
    "available_isas",
    "decode_jpeg",
    "decode_jpeg_into",
    "isa",
    "jpeg_size",
    "resize_normalize",
    "resize_normalize_into",
]
