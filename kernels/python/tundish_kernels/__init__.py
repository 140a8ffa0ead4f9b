"""Native operators of images, tokens and results: `op` returns a new array, `op_into` writes into the caller's."""

from tundish_kernels._crop_resize_normalize import crop_resize_normalize, crop_resize_normalize_into
from tundish_kernels._decode_jpeg import decode_jpeg, decode_jpeg_into, jpeg_scans, jpeg_size, jpeg_step
from tundish_kernels._image_arguments import Filter, ImageOutput, PixelFormat, Quantization
from tundish_kernels._native import available_isas, isa
from tundish_kernels._non_max_suppression import (
    BoxFormat,
    Detections,
    non_max_suppression,
    non_max_suppression_into,
)
from tundish_kernels._onnxruntime import onnxruntime_library
from tundish_kernels._pack import Packed, pack, pack_into
from tundish_kernels._pool_normalize import Pooling, pool_normalize, pool_normalize_into
from tundish_kernels._resize_normalize import resize_normalize, resize_normalize_into
from tundish_kernels._run_length_encode import (
    RunLengths,
    run_length_decode,
    run_length_decode_into,
    run_length_encode,
    run_length_encode_into,
)
from tundish_kernels._softmax_top_k import ScoreFunction, softmax_top_k, softmax_top_k_into
from tundish_kernels._tokenizer_json import wordpiece_from_json
from tundish_kernels._upsample_argmax import upsample_argmax, upsample_argmax_into
from tundish_kernels._window import Region, Window
from tundish_kernels._wordpiece import (
    AddedToken,
    Tokens,
    WordPiece,
    wordpiece,
    wordpiece_capacity,
    wordpiece_into,
)

__all__ = [
    "AddedToken",
    "BoxFormat",
    "Detections",
    "Filter",
    "ImageOutput",
    "Packed",
    "PixelFormat",
    "Pooling",
    "Quantization",
    "Region",
    "RunLengths",
    "ScoreFunction",
    "Tokens",
    "Window",
    "WordPiece",
    "available_isas",
    "crop_resize_normalize",
    "crop_resize_normalize_into",
    "decode_jpeg",
    "decode_jpeg_into",
    "isa",
    "jpeg_scans",
    "jpeg_size",
    "jpeg_step",
    "non_max_suppression",
    "non_max_suppression_into",
    "onnxruntime_library",
    "pack",
    "pack_into",
    "pool_normalize",
    "pool_normalize_into",
    "resize_normalize",
    "resize_normalize_into",
    "run_length_decode",
    "run_length_decode_into",
    "run_length_encode",
    "run_length_encode_into",
    "softmax_top_k",
    "softmax_top_k_into",
    "upsample_argmax",
    "upsample_argmax_into",
    "wordpiece",
    "wordpiece_capacity",
    "wordpiece_from_json",
    "wordpiece_into",
]
