"""The operators of networks, which ONNX Runtime computes with."""

from pathlib import Path

from tundish_kernels import _native


def onnxruntime_library() -> Path:
    """The library of operators in the domain `tundish`, for `SessionOptions.register_custom_ops_library`.

    It needs ONNX Runtime 1.17 or newer, in any program that takes such libraries. Its operators run on the CPU, on the
    threads of the session; `TUNDISH_KERNELS_ISA` names their instruction set as it does for those of this package.

    All operators are of version 1, take uint8 in steps of one scale, and have channels last in what they give,
    `y [batch, rows, columns, channels] uint8`. Constants are those of ONNX's `QLinearConv`: `x_scale`, `x_zero_point`,
    `w` int8, `w_scale` (one, or one for each channel of `y`), `w_zero_point` of 0, `y_scale`, `y_zero_point` and
    `B [channels] int32`. A session cannot be made of filters whose sums 32 bits may not hold.

    - `QLinearDepthwiseConv(x, …)` is `QLinearConv` where each channel has a filter of its own, bit for bit:
      `x [batch, rows, columns, channels]`, `w [channels, 1, rows, columns]`; `strides`, `dilations` and `pads` are
      given, as `Conv` has them.
    - `QLinearDenseConv(x, …)` is that whose filters read all channels, likewise: `x [batch, rows, columns, reads]`,
      `w [channels, reads, rows, columns]`.
    - `QLinearStemConv(image, image_scale, image_zero_point, …)` is `QuantizeLinear` of the channels of an image and
      `QLinearConv`, bit for bit: `image [batch, 3, rows, columns] float32`, `image_scale` and `image_zero_point` for
      each channel or one for all, `w [channels, 3, rows, columns]`; `strides` and `pads` are given. NaN is the lowest
      pixel.
    """
    return Path(_native.__file__).with_name("libtundish_onnxruntime.so")
