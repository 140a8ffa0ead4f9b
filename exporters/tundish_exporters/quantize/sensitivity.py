"""Which layers quantisation hurts, in one pass over a few inputs instead of one evaluation for each layer.

One graph holds the float network and, beside each of its layers, the same layer as the quantised network computes it.
Both read the same float tensors, so that what a layer shows is its own error, without that of the layers before it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tundish.engines import Arrays, Engine, load_file
from tundish.placement.machine import usable_cores
from tundish_exporters.progress import Progress, tracked
from tundish_exporters.quantize.heads import is_fitted

_LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_ROUNDING = frozenset(
    {"QuantizeLinear", "DynamicQuantizeLinear", "DequantizeLinear", "MatMulNBits", "DynamicQuantizeMatMul"}
)
"""Operators of which a quantised layer has one at least."""
_MARK = "quantised/"
"""Before the names of what stands beside the float network."""


@dataclass(frozen=True, slots=True)
class LayerError:
    """What quantisation does to one layer, reading what the float network reads."""

    node: str
    """By its name in the float graph."""
    operator: str
    error: float
    """The root of the mean square of the error over that of the output; 0.01 is an error of a hundredth."""


def layer_errors(floating: Path, quantised: Path, inputs: Sequence[Arrays], progress: Progress) -> list[LayerError]:
    """The layers that are quantised, the worst first.

    Args:
        floating: the graph that was quantised, its nodes named.
        quantised: what became of it; tensors between layers keep their names.
        inputs: of the network.
        progress: told of each input.
    """
    model = onnx.load(floating)
    layers = _add_quantised_layers(model, onnx.load(quantised))
    if not layers:
        return []
    with tempfile.TemporaryDirectory(dir=quantised.parent) as scratch:
        path = Path(scratch) / "both.onnx"
        onnx.save(model, path)
        engine = load_file("onnx", path, precision="int8", threads=usable_cores())
        sums = _sum(engine, [node.name for node in layers], tracked(inputs, "measure layers", progress))
    measured = [LayerError(node.name, node.op_type, _relative(*sums[node.name])) for node in layers]
    return sorted(measured, key=lambda layer: layer.error, reverse=True)


def _relative(error: float, signal: float) -> float:
    """A layer that gives nothing but zeros has no error to be found in it."""
    return sqrt(error / signal) if signal > 0 else 0.0


def _sum(engine: Engine, names: Sequence[str], inputs: Iterable[Arrays]) -> dict[str, tuple[float, float]]:
    """The sums of the squares of each layer's errors and outputs."""
    sums = {name: np.zeros(2) for name in names}
    for arrays in inputs:
        outputs = engine.run(arrays)
        for name in names:
            sums[name] += [float(outputs[f"{_MARK}{name}/{part}"]) for part in ("error", "signal")]
    return {name: (float(error), float(signal)) for name, (error, signal) in sums.items()}


def _add_quantised_layers(model: onnx.ModelProto, quantised: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Puts the quantised layers beside the float ones, and makes the outputs what they differ by; the float layers."""
    graph = model.graph
    other = _Quantised(quantised.graph, _tensors(graph))
    layers, added = [], []
    for node in graph.node:
        if node.op_type not in _LAYERS:
            continue
        chain = other.layer(node)
        if any(is_fitted(part) for part in chain):
            continue  # it differs by more than rounding, and is not to stand for a layer that hurts
        if any(part.op_type in _ROUNDING for part in chain):
            layers.append(node)
            added += [*other.beside(node, chain), *_difference(node)]
    needed = {name for node in added for name in node.input}
    graph.node.extend(added)
    graph.initializer.extend(
        _renamed(tensor, f"{_MARK}{tensor.name}")
        for tensor in quantised.graph.initializer
        if f"{_MARK}{tensor.name}" in needed
    )
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(f"{_MARK}{node.name}/{part}", TensorProto.FLOAT, [])
        for node in layers
        for part in ("error", "signal")
    )
    _join_opsets(model, quantised)
    return layers


def _tensors(graph: onnx.GraphProto) -> set[str]:
    """What the float network computes or is given, by name; its weights may be others in the quantised one."""
    return {tensor.name for tensor in graph.input} | {name for node in graph.node for name in node.output}


class _Quantised:
    """The quantised network's layers, as nodes that lead from tensors of the float network to a layer's output."""

    def __init__(self, graph: onnx.GraphProto, shared: set[str]) -> None:
        self._shared = shared
        self._makers = {name: node for node in graph.node for name in node.output}
        self._by_name = {node.name: node for node in graph.node}

    def layer(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """The nodes that stand for this one, in the order in which they run; none if nothing does."""
        # A rectifier behind a layer may have become part of its rounding, and the layer then gives the rectifier's
        # output under that name; but it has kept its own.
        last = self._makers.get(node.output[0]) or self._by_name.get(node.name)
        if last is None:
            return []
        chain: dict[int, onnx.NodeProto] = {}
        self._collect(last, chain)
        return list(chain.values())

    def _collect(self, node: onnx.NodeProto, chain: dict[int, onnx.NodeProto]) -> None:
        for name in node.input:
            maker = self._makers.get(name)
            if maker is not None and name not in self._shared and id(maker) not in chain:
                self._collect(maker, chain)
        chain[id(node)] = node

    def beside(self, layer: onnx.NodeProto, chain: Sequence[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
        """Copies of these nodes with names of their own for all but what the float network shares."""
        made = {name for node in chain for name in node.output}
        for node in chain:
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            copied.name = f"{_MARK}{layer.name}/{node.name or node.output[0]}"
            del copied.input[:], copied.output[:]
            copied.input.extend(self._own(layer, name, made) for name in node.input)
            copied.output.extend(_own_output(layer, name) for name in node.output)
            if node is chain[-1]:
                copied.output[0] = f"{_MARK}{layer.name}/output"
            yield copied

    def _own(self, layer: onnx.NodeProto, name: str, made: set[str]) -> str:
        if name in made:
            return _own_output(layer, name)
        return name if name in self._shared or not name else f"{_MARK}{name}"


def _own_output(layer: onnx.NodeProto, name: str) -> str:
    return f"{_MARK}{layer.name}/{name}" if name else name


def _difference(layer: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Nodes that sum the squares of the error and of the output over the whole tensor."""
    mark = f"{_MARK}{layer.name}"
    return [
        helper.make_node("Sub", [layer.output[0], f"{mark}/output"], [f"{mark}/difference"], name=f"{mark}/sub"),
        helper.make_node(
            "ReduceSumSquare", [f"{mark}/difference"], [f"{mark}/error"], name=f"{mark}/errors", keepdims=0
        ),
        helper.make_node("ReduceSumSquare", [layer.output[0]], [f"{mark}/signal"], name=f"{mark}/signals", keepdims=0),
    ]


def _renamed(tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    copied = onnx.TensorProto()
    copied.CopyFrom(tensor)
    copied.name = name
    return copied


def _join_opsets(model: onnx.ModelProto, quantised: onnx.ModelProto) -> None:
    """Both sets of nodes are read by the newer version of each operator set; the quantizers raise the version."""
    versions = {opset.domain: opset.version for opset in model.opset_import}
    for opset in quantised.opset_import:
        versions[opset.domain] = max(opset.version, versions.get(opset.domain, 0))
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in versions.items())
    model.ir_version = max(model.ir_version, quantised.ir_version)
