"""Native operators of images, tokens and results: `op` returns a new array, `op_into` writes into the caller's."""

from tundish_kernels._native import available_isas, isa
from tundish_kernels._pack import Packed, pack, pack_into
from tundish_kernels._resize_normalize import Filter, Window, resize_normalize, resize_normalize_into
from tundish_kernels._tokenizer_json import wordpiece_from_json
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
    "Filter",
    "Packed",
    "Tokens",
    "Window",
    "WordPiece",
    "available_isas",
    "isa",
    "pack",
    "pack_into",
    "resize_normalize",
    "resize_normalize_into",
    "wordpiece",
    "wordpiece_capacity",
    "wordpiece_from_json",
    "wordpiece_into",
]
