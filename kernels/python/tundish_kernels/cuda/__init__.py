"""The operators on an NVIDIA GPU: arrays in its memory in and out, on the caller's stream.

Results equal those of the CPU forms bit for bit. There are only the forms that write into the caller's arrays:
who works on a GPU has a library that allocates there. An array is any object with `__cuda_array_interface__`,
such as CuPy's and PyTorch's. A stream is the number of a CUstream (`torch.cuda.Stream.cuda_stream`,
`cupy.cuda.Stream.ptr`); 0 is the legacy default stream. The stream that an array's interface may name is not
waited for.

A call returns before its work is done. Its arrays must stay until then; libraries that free memory in the order
of a stream, as those two do on their current stream, see to that by themselves.
"""

from tundish_kernels.cuda._crop_resize_normalize import (
    crop_resize_normalize_into,
    crop_resize_normalize_workspace_bytes,
)
from tundish_kernels.cuda._device import Device, Workspace, available, reason
from tundish_kernels.cuda._non_max_suppression import (
    non_max_suppression_into,
    non_max_suppression_workspace_bytes,
)
from tundish_kernels.cuda._pack import pack_into
from tundish_kernels.cuda._pool_normalize import pool_normalize_into
from tundish_kernels.cuda._resize_normalize import resize_normalize_into, resize_normalize_workspace_bytes
from tundish_kernels.cuda._run_length_encode import run_length_encode_into, run_length_encode_workspace_bytes
from tundish_kernels.cuda._softmax_top_k import softmax_top_k_into
from tundish_kernels.cuda._upsample_argmax import upsample_argmax_into
from tundish_kernels.cuda._wordpiece import TokenBatch, WordPiece, wordpiece_into, wordpiece_workspace_bytes

__all__ = [
    "Device",
    "TokenBatch",
    "WordPiece",
    "Workspace",
    "available",
    "crop_resize_normalize_into",
    "crop_resize_normalize_workspace_bytes",
    "non_max_suppression_into",
    "non_max_suppression_workspace_bytes",
    "pack_into",
    "pool_normalize_into",
    "reason",
    "resize_normalize_into",
    "resize_normalize_workspace_bytes",
    "run_length_encode_into",
    "run_length_encode_workspace_bytes",
    "softmax_top_k_into",
    "upsample_argmax_into",
    "wordpiece_into",
    "wordpiece_workspace_bytes",
]
