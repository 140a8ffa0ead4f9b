"""The operators of networks, which ONNX Runtime computes with."""

from pathlib import Path

from tundish_kernels import _native


def onnxruntime_library() -> Path:
    """The library of operators in the domain `tundish`, for `SessionOptions.register_custom_ops_library`.

    It needs ONNX Runtime 1.17 or newer, in any program that takes such libraries. Its operators run on the CPU, on the
    threads of the session; `TUNDISH_KERNELS_ISA` names their instruction set as it does for those of this package.

    `tundish.QLinearDepthwiseConv`, version 1, is ONNX's `QLinearConv` where each channel has a filter of its own, with
    channels last, bit for bit. `x [batch, rows, columns, channels] uint8`, and constants as `QLinearConv` has them,
    `x_scale`, `x_zero_point`, `w [channels, 1, rows, columns] int8`, `w_scale` (one, or one for each channel),
    `w_zero_point` of 0, `y_scale`, `y_zero_point` and `B [channels] int32`, give `y [batch, rows, columns, channels]
    uint8`. Its attributes are `strides`, `dilations` and `pads`, all of them given, in the form that `Conv` has them
    in. A session cannot be made of filters whose sums 32 bits may not hold.
    """
    return Path(_native.__file__).with_name("libtundish_onnxruntime.so")
