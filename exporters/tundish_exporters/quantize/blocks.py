"""Recipes that keep weights in blocks of few bits, each with a scale of its own; activations stay in float."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tundish.engines import Arrays
from tundish.manifest import EngineName, Precision
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.preparing import prepare
from tundish_exporters.quantize.recipe import describe_keeping, name_keeping, one_sentence

Bits = Literal[4, 8]

_DOMAIN = "com.microsoft"
_MULTIPLIES_IN_INT8 = 4
"""ONNX Runtime's accuracy level: activations may be rounded to int8, block by block, where that is faster."""


@dataclass(frozen=True, kw_only=True)
class BlockRecipe:
    """Weights of matrix products; needs no calibration. ONNX Runtime multiplies them as they are."""

    bits: Bits
    block: int = 32
    """Weights that share a scale, a power of two from 16; the smaller, the more exact and the larger the file."""
    kept: frozenset[str] = frozenset()

    engines: ClassVar[tuple[EngineName, ...]] = ("onnx",)
    """OpenVINO takes it, too, and is no faster by it."""

    @property
    def precision(self) -> Precision:
        """See `Recipe.precision`."""
        return "int4" if self.bits == 4 else "int8"

    @property
    def name(self) -> str:
        """See `Recipe.name`."""
        return name_keeping(f"weights-int{self.bits}-block{self.block}", self.kept)

    @property
    def description(self) -> str:
        """See `Recipe.description`."""
        return describe_keeping(f"weights alone, int{self.bits} in blocks of {self.block}", self.kept)

    def keeping(self, layers: frozenset[str]) -> BlockRecipe:
        """See `Recipe.keeping`."""
        return replace(self, kept=self.kept | layers)

    def prepare(self, source: Path, destination: Path) -> None:
        """See `Recipe.prepare`."""
        prepare(source, destination)

    def write(self, prepared: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:  # noqa: ARG002  # weights alone
        """See `Recipe.write`."""
        progress("quantise", 0, 1)
        with one_sentence("quantisation of weights"):
            model = onnx.load(prepared)
            self._quantize(model.graph)
            if not any(opset.domain == _DOMAIN for opset in model.opset_import):
                model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
            onnx.save(model, destination)
        progress("quantise", 1, 1)

    def _quantize(self, graph: onnx.GraphProto) -> None:
        weights = {tensor.name: tensor for tensor in graph.initializer}
        done: dict[str, list[str]] = {}
        for node in graph.node:
            if node.op_type != "MatMul" or node.name in self.kept or not _is_matrix(node.input[1], weights):
                continue
            name = node.input[1]
            rows, columns = weights[name].dims
            if name not in done:
                packed, scales = quantize_blocks(numpy_helper.to_array(weights[name]), self.bits, self.block)
                done[name] = [f"{name}_int{self.bits}", f"{name}_scales"]
                graph.initializer.append(numpy_helper.from_array(packed, done[name][0]))
                graph.initializer.append(numpy_helper.from_array(scales, done[name][1]))
            product = helper.make_node(
                "MatMulNBits",
                [node.input[0], *done[name]],
                list(node.output),
                name=node.name,
                domain=_DOMAIN,
                K=rows,
                N=columns,
                bits=self.bits,
                block_size=self.block,
                accuracy_level=_MULTIPLIES_IN_INT8,
            )
            node.CopyFrom(product)
        read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
        for name in done:
            if name not in read:
                graph.initializer.remove(weights[name])


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


def _is_matrix(name: str, weights: Mapping[str, onnx.TensorProto]) -> bool:
    weight = weights.get(name)
    return weight is not None and len(weight.dims) == 2 and weight.data_type == onnx.TensorProto.FLOAT
