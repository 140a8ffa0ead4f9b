"""Native operators of images, tokens and results: `op` returns a new array, `op_into` writes into the caller's."""

from tundish_kernels._native import available_isas, isa
from tundish_kernels._pool_normalize import Pooling, pool_normalize, pool_normalize_into
from tundish_kernels._resize_normalize import Filter, Window, resize_normalize, resize_normalize_into
from tundish_kernels._softmax_top_k import ScoreFunction, softmax_top_k, softmax_top_k_into

__all__ = [
    "Filter",
    "Pooling",
    "ScoreFunction",
    "Window",
    "available_isas",
    "isa",
    "pool_normalize",
    "pool_normalize_into",
    "resize_normalize",
    "resize_normalize_into",
    "softmax_top_k",
    "softmax_top_k_into",
]
