"""Matrix products by weights in blocks of few bits, each block with a scale of its own: ONNX Runtime's MatMulNBits."""

from __future__ import annotations

from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tundish_exporters.quantize.constants import add_constant
from tundish_exporters.quantize.nodes import bias_of, is_plain, is_turned

Bits = Literal[4, 8]

_DOMAIN = "com.microsoft"
_MULTIPLIES_IN_INT8 = 4
"""ONNX Runtime's accuracy level: activations may be rounded to int8, block by block, where that is faster."""


class BlockProducts:
    """Of one model: replaces products one by one, and keeps weights that several of them share once."""

    def __init__(self, model: onnx.ModelProto, bits: Bits, block: int) -> None:
        """`block` is how many weights share a scale, a power of two from 16."""
        self._model = model
        self._bits: Bits = bits
        self._block = block
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._done: dict[tuple[str, bool], list[str]] = {}

    def size(self, node: onnx.NodeProto) -> int:
        """How many weights the product has that `replace` would put into blocks; 0 if it can replace no such node.

        That is a MatMul by a matrix of float32, or a Gemm that does nothing but multiply by one and add a vector.
        """
        if node.op_type not in ("MatMul", "Gemm"):
            return 0
        weight = self._weights.get(node.input[1])
        if weight is None or len(weight.dims) != 2 or weight.data_type != onnx.TensorProto.FLOAT:
            return 0
        if not is_plain(node) or not self._adds_a_vector(node):
            return 0
        return weight.dims[0] * weight.dims[1]

    def replace(self, node: onnx.NodeProto) -> None:
        """Puts the weights of a product into blocks, if `size` says that it has any."""
        if not self.size(node):
            return
        transposed = is_turned(node)
        rows, columns = self._weights[node.input[1]].dims[:: -1 if transposed else 1]
        weights = self._blocks(node.input[1], transposed=transposed)
        bias = ["", "", bias_of(node)] if bias_of(node) else []
        product = helper.make_node(
            "MatMulNBits",
            [node.input[0], *weights, *bias],
            list(node.output),
            name=node.name,
            doc_string=node.doc_string,
            domain=_DOMAIN,
            K=rows,
            N=columns,
            bits=self._bits,
            block_size=self._block,
            accuracy_level=_MULTIPLIES_IN_INT8,
        )
        node.CopyFrom(product)

    def finish(self) -> None:
        """Removes weights that nothing reads any more; to be called once."""
        if not self._done:
            return
        graph = self._model.graph
        read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
        for name in {name for name, _ in self._done} - read:
            graph.initializer.remove(self._weights[name])
        if not any(opset.domain == _DOMAIN for opset in self._model.opset_import):
            self._model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))

    def _adds_a_vector(self, node: onnx.NodeProto) -> bool:
        """Or nothing."""
        bias = self._weights.get(bias_of(node))
        return not bias_of(node) or (bias is not None and len(bias.dims) == 1)

    def _blocks(self, name: str, *, transposed: bool) -> list[str]:
        """The names of the blocks and of their scales."""
        if (name, transposed) not in self._done:
            matrix = numpy_helper.to_array(self._weights[name])
            packed, scales = quantize_blocks(matrix.T if transposed else matrix, self._bits, self._block)
            names = [f"{name}_int{self._bits}", f"{name}_scales"]
            if any(name == other for other, _ in self._done):
                names = [f"{each}_transposed" for each in names]
            self._done[name, transposed] = names
            add_constant(self._model.graph, names[0], packed)
            add_constant(self._model.graph, names[1], scales)
        return self._done[name, transposed]


def quantize_blocks(
    matrix: NDArray[np.float32], bits: Bits, block: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Weights and scales in the form of ONNX Runtime's MatMulNBits.

    Args:
        matrix: `[rows, columns]`, which activations `[…, rows]` are multiplied by.
        bits: of a weight; it is stored with half of its range added, so that zero is exact.
        block: consecutive rows of a column that share a scale; the last block of a column is filled up with zeros.

    Returns:
        `[columns, blocks, block * bits / 8] uint8`, the first of two weights in the lower half of a byte, and
        `[columns, blocks] float32`.
    """
    rows, columns = matrix.shape
    count = -(-rows // block)
    padded = np.zeros((count * block, columns), np.float32)
    padded[:rows] = matrix
    blocks = np.ascontiguousarray(padded.T).reshape(columns, count, block)
    zero = 1 << (bits - 1)
    # The largest, with its sign, is the one value that has no opposite: so that it is exact.
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)
    scales = (largest / -zero).astype(np.float32)
    steps = np.divide(blocks, scales, out=np.zeros_like(blocks), where=scales != 0)
    values = np.clip(np.rint(steps) + zero, 0, 2 * zero - 1).astype(np.uint8)
    packed = values if bits == 8 else values[..., 0::2] | (values[..., 1::2] << 4)
    return packed, scales[..., 0]
