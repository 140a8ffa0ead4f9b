"""Fuses what a transformer repeats, attention above all, into operators that ONNX Runtime alone has."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model

from tundish_exporters.errors import ExportError
from tundish_exporters.quantize.preparing import check_size, name_nodes
from tundish_exporters.quantize.recipe import one_sentence

ATTENTION = ("Attention", "MultiHeadAttention")


def fuse(source: Path, destination: Path) -> None:
    """Writes `source` with its attention fused; numbers of heads are found in its shapes.

    Raises:
        ExportError: ONNX Runtime cannot read the graph, or finds no attention that it can fuse.
    """
    with one_sentence(f"fusing {source.name}"):
        check_size(source)
        # The patterns of BERT are those of most encoders of texts and images.
        options = FusionOptions("bert")
        options.enable_skip_layer_norm = False  # the engine is faster without, see `OnnxEngine`
        options.enable_bias_gelu = False  # a quantised product adds its bias for nothing
        fused = optimize_model(str(source), "bert", opt_level=0, optimization_options=options)
        fused.save_model_to_file(str(destination))  # which declares the operators' domain and sorts them
        model = onnx.load(destination)
        if not any(node.op_type in ATTENTION for node in model.graph.node):
            raise ExportError(f"ONNX Runtime finds no attention in {source.name} that it can fuse.")
        name_nodes(model.graph)
        onnx.save(model, destination)
