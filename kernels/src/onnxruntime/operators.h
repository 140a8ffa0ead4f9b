// The operators of the domain `tundish`, version 1.
#pragma once

#include "interface.h"

namespace tundish::onnxruntime {

// QLinearDepthwiseConv: ONNX's QLinearConv where each channel has a filter of its own, with channels last.
//
// Inputs: x [batch, rows, columns, channels] uint8; and of constants, as QLinearConv has them: x_scale,
// x_zero_point, w [channels, 1, rows, columns] int8, w_scale [channels] or one, w_zero_point of 0, y_scale,
// y_zero_point, B [channels] int32. Output: y [batch, rows, columns, channels] uint8. Attributes, as Conv has
// them: strides, dilations, pads.
extern const CustomOperator kQLinearDepthwiseConv;

// QLinearDenseConv: ONNX's QLinearConv whose filters read all channels, with channels last. As
// QLinearDepthwiseConv, but that x is [batch, rows, columns, reads] and w [channels, reads, rows, columns].
extern const CustomOperator kQLinearDenseConv;

// QLinearStemConv: ONNX's QuantizeLinear, of the three channels of an image that come first, and its
// QLinearConv of what that gives, whose channels are last.
//
// Inputs: image [batch, 3, rows, columns] float32; and of constants: image_scale and image_zero_point, [3] or
// one, and those of QLinearDepthwiseConv, but that w is [channels, 3, rows, columns]. Output: y [batch, rows,
// columns, channels] uint8. Attributes, as Conv has them: strides, pads.
extern const CustomOperator kQLinearStemConv;

// QuantizedLinear: a product by int8 weights whose other side is rounded row by row, see
// tundish/quantized_linear.h.
//
// Inputs: x [.., inputs] float32; and of constants: w [inputs, outputs] int8, w_scale [outputs], B [outputs]
// and factors [inputs] float32. Output: y [.., outputs] float32. Attribute: gelu, [1] where that follows and
// [0] elsewhere.
extern const CustomOperator kQuantizedLinear;

// QuantizedLinearNorm: LayerNormalization of the sum of QuantizedLinear and another input.
//
// Inputs: those of QuantizedLinear; other [.., outputs] float32; and of constants: gamma and beta [outputs]
// and epsilon, float32. Output and attribute are QuantizedLinear's.
extern const CustomOperator kQuantizedLinearNorm;

// SelfAttention: see tundish/self_attention.h.
//
// Inputs: projections [batch, tokens, 3 hidden] float32; scale, a constant; and mask [batch, tokens] int32, 0
// for tokens that none attends to, which may be left out. Output: [batch, tokens, hidden] float32. Attribute:
// heads, [number].
extern const CustomOperator kSelfAttention;

}  // namespace tundish::onnxruntime
