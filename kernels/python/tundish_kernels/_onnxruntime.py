"""The operators of networks, which ONNX Runtime computes with."""

from pathlib import Path

from tundish_kernels import _native


def onnxruntime_library() -> Path:
    """The library of operators in the domain `tundish`, for `SessionOptions.register_custom_ops_library`.

    It needs ONNX Runtime 1.17 or newer, in any program that takes such libraries. Its operators run on the CPU, on the
    threads of the session; `TUNDISH_KERNELS_ISA` names their instruction set as it does for those of this package.

    All operators are of version 1. Convolutions take uint8 in steps of one scale, and have channels last in what they
    give, `y [batch, rows, columns, channels] uint8`. Constants are those of ONNX's `QLinearConv`: `x_scale`,
    `x_zero_point`, `w` int8, `w_scale` (one, or one for each channel of `y`), `w_zero_point` of 0, `y_scale`,
    `y_zero_point` and `B [channels] int32`. A session cannot be made of filters whose sums 32 bits may not hold.

    - `QLinearDepthwiseConv(x, …)` is `QLinearConv` where each channel has a filter of its own, bit for bit:
      `x [batch, rows, columns, channels]`, `w [channels, 1, rows, columns]`; `strides`, `dilations` and `pads` are
      given, as `Conv` has them.
    - `QLinearDenseConv(x, …)` is that whose filters read all channels, likewise: `x [batch, rows, columns, reads]`,
      `w [channels, reads, rows, columns]`.
    - `QLinearStemConv(image, image_scale, image_zero_point, …)` is `QuantizeLinear` of the channels of an image and
      `QLinearConv`, bit for bit: `image [batch, 3, rows, columns] float32`, `image_scale` and `image_zero_point` for
      each channel or one for all, `w [channels, 3, rows, columns]`; `strides` and `pads` are given. NaN is the lowest
      pixel.

    Layers of transformers take and give float32; the formulas stand in the headers of their names. A row, which is a
    token of a text, has the same result whatever else is in its batch; NaN or an infinity in it makes all of it NaN.

    - `QuantizedLinear(x, w, w_scale, B, factors)` rounds each row of `x` times `factors` to bytes by its own range and
      multiplies it: `x [.., inputs]`, and of constants `w [inputs, outputs] int8`, `w_scale` and `B [outputs]`,
      `factors [inputs]`. `gelu` is `[1]` where that function follows, and `[0]` elsewhere.
    - `QuantizedLinearNorm(x, w, w_scale, B, factors, other, gamma, beta, epsilon)` is the `LayerNormalization` of the
      sum of that and `other [.., outputs]`.
    - `SelfAttention(projections, scale, mask)` is attention: `projections [batch, tokens, 3 hidden]`, queries, keys and
      values with the heads of each in turn; `scale`, a constant, of their products; `mask [batch, tokens] int32`, 0 for
      tokens that none attends to, which may be left out. `heads` is `[number]`.
    """
    return Path(_native.__file__).with_name("libtundish_onnxruntime.so")
