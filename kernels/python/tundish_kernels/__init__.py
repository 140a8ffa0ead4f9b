"""Native operators of images, tokens and results: `op` returns a new array, `op_into` writes into the caller's."""

from tundish_kernels._crop_resize_normalize import crop_resize_normalize, crop_resize_normalize_into
from tundish_kernels._image_arguments import Filter, ImageOutput, PixelFormat, Quantization
from tundish_kernels._native import available_isas, isa
from tundish_kernels._pool_normalize import Pooling, pool_normalize, pool_normalize_into
from tundish_kernels._resize_normalize import resize_normalize, resize_normalize_into
from tundish_kernels._softmax_top_k import ScoreFunction, softmax_top_k, softmax_top_k_into
from tundish_kernels._window import Region, Window

__all__ = [
    "Filter",
    "ImageOutput",
    "PixelFormat",
    "Pooling",
    "Quantization",
    "Region",
    "ScoreFunction",
    "Window",
    "available_isas",
    "crop_resize_normalize",
    "crop_resize_normalize_into",
    "isa",
    "pool_normalize",
    "pool_normalize_into",
    "resize_normalize",
    "resize_normalize_into",
    "softmax_top_k",
    "softmax_top_k_into",
]
