"""Corrects biases: a convolution's bias gives back what rounding its weights takes from the mean output, or adds to it.

A weight's rounding error meets the same mean input in every answer, so that its products do not cancel out as those of
rounded activations do: layer by layer, they move all answers the same way. Source: Nagel, van Baalen, Blankevoort and
Welling, "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, section 4.2; the mean inputs
are those of the float network on the calibration inputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from tundish_exporters.quantize.constants import add_constant
from tundish_exporters.quantize.nodes import attributes_of, bias_of


@dataclass(frozen=True, slots=True)
class FloatConvolution:
    """What is known of a convolution before it is quantised."""

    node: str
    """Its name."""
    input: str
    """The tensor that it reads."""
    weights: NDArray[np.float32]
    """`[outputs, inputs of a group, *kernel]`."""
    groups: int

    def mean_output(self, weights: NDArray[np.float32], means: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[outputs]`, without the bias, for such mean inputs `[inputs]`: as if no zeros were padded."""
        outputs, inputs = weights.shape[:2]
        taps = weights.reshape(self.groups, outputs // self.groups, inputs, -1).sum(3)
        produced: NDArray[np.float32] = np.einsum("goi,gi->go", taps, means.reshape(self.groups, inputs))
        return produced.reshape(outputs)


def with_biases(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> list[FloatConvolution]:
    """Those of the nodes whose bias can be corrected; each has one of its own afterwards, which may be zero."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    readers = Counter(name for node in graph.node for name in node.input)
    found: list[FloatConvolution] = []
    for node in nodes:
        if node.op_type != "Conv" or node.input[1] not in constants:
            continue
        weights = numpy_helper.to_array(constants[node.input[1]])
        given = bias_of(node)
        if given and given not in constants:
            continue
        if not given or readers[given] > 1:
            bias = numpy_helper.to_array(constants[given]) if given else np.zeros(len(weights), np.float32)
            del node.input[2:]
            node.input.append(add_constant(graph, f"{node.name}/bias", bias))
        found.append(FloatConvolution(node.name, node.input[0], weights, attributes_of(node).get("group", 1)))
    return found


def correct_biases(
    graph: onnx.GraphProto, convolutions: Sequence[FloatConvolution], means: Mapping[str, NDArray[np.float32]]
) -> None:
    """Changes the biases of a graph in Q/DQ form.

    Args:
        graph: where weights come from DequantizeLinear of constants, and biases as well or are constants; convolutions
            that were left in float stay as they are.
        convolutions: as they were in the float network.
        means: of each channel `[inputs]` of the tensors that they read.
    """
    constants = {tensor.name: tensor for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output if node.op_type == "DequantizeLinear"}
    layers = {node.name: node for node in graph.node}
    for convolution in convolutions:
        _, weights, bias = layers[convolution.node].input
        if weights not in makers:
            continue
        rounded = _dequantized(makers[weights], constants)
        lost = convolution.mean_output(convolution.weights - rounded, means[convolution.input])
        if bias in makers:
            bias, scales = makers[bias].input[:2]
            lost = np.rint(lost / numpy_helper.to_array(constants[scales])).astype(np.int32)
        corrected = numpy_helper.to_array(constants[bias]) + lost
        constants[bias].CopyFrom(numpy_helper.from_array(corrected, bias))


def _dequantized(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> NDArray[np.float32]:
    """Weights whose first axis is that of the outputs, and which are zero in step 0, as engines ask for it."""
    steps, scales = (numpy_helper.to_array(constants[name]) for name in node.input[:2])
    dequantized: NDArray[np.float32] = steps * scales.reshape(-1, *[1] * (steps.ndim - 1))
    return dequantized
