"""Channels of tensors between convolutions, made larger or smaller by the weights of those that make and read them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from tundish_exporters.inner_graphs import names_read
from tundish_exporters.quantize.nodes import attributes_of, bias_of

Channels = NDArray[np.float32]
"""`[channels]`: of each a number."""


class ChannelScaling:
    """Changes the convolutions of a graph; nodes and tensors keep their names."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.makers = {name: node for node in graph.node for name in node.output}
        self.readers = Counter(names_read(graph))

    def can_scale(self, node: onnx.NodeProto) -> bool:
        """Whether this is a convolution whose constants no other node reads."""
        own = (name in self.constants and self.readers[name] == 1 for name in filter(None, node.input[1:]))
        return node.op_type == "Conv" and all(own)

    def weights(self, conv: onnx.NodeProto) -> NDArray[np.float32]:
        """`[outputs, inputs of a group, *kernel]`, as they are now."""
        weights: NDArray[np.float32] = numpy_helper.to_array(self.constants[conv.input[1]])
        return weights

    def scale_outputs(self, conv: onnx.NodeProto, factors: Channels) -> None:
        """Multiplies the channels that a convolution makes."""
        for name in filter(None, (conv.input[1], bias_of(conv))):
            array = numpy_helper.to_array(self.constants[name])
            self._set(name, array * factors.reshape(-1, *[1] * (array.ndim - 1)))

    def scale_inputs(self, conv: onnx.NodeProto, factors: Channels) -> None:
        """Divides the weights that read channels, so that these may be as many times larger as the factors say."""
        array, groups = self.weights(conv), attributes_of(conv).get("group", 1)
        by_group = array.reshape(groups, array.shape[0] // groups, array.shape[1], -1)
        self._set(conv.input[1], (by_group / factors.reshape(groups, 1, -1, 1)).reshape(array.shape))

    def _set(self, name: str, array: NDArray[np.floating]) -> None:
        self.constants[name].CopyFrom(numpy_helper.from_array(array.astype(np.float32, copy=False), name))
