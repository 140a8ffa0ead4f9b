"""Rounds the weights of convolutions one after the other, each so that it makes good for those before it.

Rounded to the nearest, each weight of a filter errs by itself, and what filters read is alike: nine neighbours of a
place have nearly one value, and their errors add up. So weights are rounded in turn, and those to come take over what
the ones before have lost, as far as what they read goes together on the calibration inputs. Source: Frantar, Ashkboos,
Hoefler and Alistarh, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2023,
section 3; the figures: docs/decisions/2026-11-28-nearer-integers.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from tundish_exporters.inner_graphs import names_read
from tundish_exporters.quantize.biases import FloatConvolution
from tundish_exporters.quantize.integers import pads_of
from tundish_exporters.quantize.nodes import attributes_of

_PLACES = 32
"""Of each input, at which what a filter reads is looked at; of four times as many, as much comes."""
_MOST_READ = 1152
"""Weights of a filter: with more, rounding takes minutes, and errors even out."""
_DAMPING = 0.01
"""Of the mean moment: what the calibration inputs do not show may be there."""

Moments = NDArray[np.floating]
"""`[groups, weights of a filter, weights of a filter]`: sums of products of what two weights read."""


class FilterReads:
    """What filters read, which is collected input by input."""

    def __init__(self, graph: onnx.GraphProto, convolutions: Sequence[FloatConvolution]) -> None:
        """Of these convolutions of a float graph."""
        nodes = {node.name: node for node in graph.node}
        self._convolutions = [
            each
            for each in convolutions
            if prod(each.weights.shape[1:]) <= _MOST_READ and pads_of(nodes[each.node], each.weights.shape[2:])
        ]
        self._nodes = nodes
        self.moments: dict[str, Moments] = {}
        """Of each convolution, by its name."""
        self._draw = np.random.default_rng(0)

    def add(self, values: Mapping[str, NDArray[np.float32]]) -> None:
        """Looks at the tensors of one input, by name."""
        for each in self._convolutions:
            read = self._patches(each, values[each.input])
            moments = np.matmul(read.transpose(0, 2, 1), read)
            if each.node in self.moments:
                self.moments[each.node] += moments
            else:
                self.moments[each.node] = moments

    def _patches(self, convolution: FloatConvolution, value: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[groups, places, weights of a filter]`: what filters read at some places of `[1, channels, *sides]`."""
        node, kernel = self._nodes[convolution.node], convolution.weights.shape[2:]
        settings, sides = attributes_of(node), len(kernel)
        strides, dilations = (settings.get(name, [1] * sides) for name in ("strides", "dilations"))
        pads = pads_of(node, kernel) or ()
        around = [(0, 0), *zip(pads[:sides], pads[sides:], strict=True)]
        padded = np.pad(value[0], around) if any(pads) else value[0]
        lengths = [
            (length - (taps - 1) * dilation - 1) // stride + 1
            for length, taps, dilation, stride in zip(padded.shape[1:], kernel, dilations, strides, strict=True)
        ]
        count = prod(lengths)
        places = np.arange(count) if count <= _PLACES else self._draw.integers(count, size=_PLACES)
        corners, taps = np.unravel_index(places, lengths), np.indices(kernel).reshape(sides, -1)
        where = [
            corner[:, None] * stride + tap * dilation
            for corner, stride, tap, dilation in zip(corners, strides, taps, dilations, strict=True)
        ]
        read = padded[(slice(None), *where)]  # [channels, places, taps]
        by_group = read.reshape(convolution.groups, -1, *read.shape[1:])
        return by_group.transpose(0, 2, 1, 3).reshape(convolution.groups, len(places), -1)

    def round_weights(self, graph: onnx.GraphProto) -> None:
        """Changes the weights of a graph in Q/DQ form, but for those that several nodes read."""
        constants = {tensor.name: tensor for tensor in graph.initializer}
        makers = {name: node for node in graph.node for name in node.output if node.op_type == "DequantizeLinear"}
        layers = {node.name: node for node in graph.node}
        readers = Counter(names_read(graph))
        for each in self._convolutions:
            maker = makers.get(layers[each.node].input[1])
            if maker is None or readers[maker.input[0]] > 1 or readers[maker.output[0]] > 1:
                continue
            steps, scales = (numpy_helper.to_array(constants[name]) for name in maker.input[:2])
            rounded = round_in_turn(each, scales, int(np.abs(steps).max(initial=0)), self.moments[each.node])
            constants[maker.input[0]].CopyFrom(numpy_helper.from_array(rounded.astype(steps.dtype), maker.input[0]))


def round_in_turn(
    convolution: FloatConvolution, scales: NDArray[np.float32], most: int, moments: Moments
) -> NDArray[np.float64]:
    """The steps of a convolution's weights, in the weights' shape, from minus `most` to `most`.

    `scales` has one for each output, or one for all.
    """
    groups, length = moments.shape[:2]
    left = convolution.weights.reshape(groups, -1, length).astype(np.float64)
    of_outputs = np.broadcast_to(scales.astype(np.float64).ravel(), len(convolution.weights)).reshape(groups, -1)
    factors = _error_factors(moments)
    steps = np.empty_like(left)
    for index in range(length):
        steps[:, :, index] = np.clip(np.rint(left[:, :, index] / of_outputs), -most, most)
        error = (left[:, :, index] - steps[:, :, index] * of_outputs) / factors[:, index, index, None]
        left[:, :, index:] -= error[:, :, None] * factors[:, None, index, index:]
    return steps.reshape(convolution.weights.shape)


def _error_factors(moments: Moments) -> Moments:
    """`[groups, weights, weights]`, upper triangles: row by row, how an error of a weight is made good by later ones.

    The Cholesky factor of the inverse of the moments, which are damped.
    """
    moments = moments.astype(np.float64)
    diagonal = np.einsum("gii->gi", moments)
    damping = _DAMPING * diagonal.mean(1) + np.finfo(np.float32).tiny
    damped = moments + damping[:, None, None] * np.eye(moments.shape[1])
    factors: Moments = np.linalg.cholesky(np.linalg.inv(damped)).transpose(0, 2, 1)
    return factors
