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

}  // namespace tundish::onnxruntime
