"""What every recipe does to a graph first: infer its shapes, and fold what can be folded."""

from __future__ import annotations

from pathlib import Path

from onnxruntime.quantization.shape_inference import quant_pre_process

from tundish_exporters.errors import ExportError


def prepare(source: Path, destination: Path) -> None:
    """Writes `source` with batch normalisation folded into convolutions and with all shapes that can be known.

    Raises:
        ExportError: ONNX Runtime cannot read the graph.
    """
    try:
        # Symbolic inference fails on transformers' shape arithmetic, and the quantizers do without it.
        quant_pre_process(str(source), str(destination), skip_symbolic_shape=True)
    except Exception as error:  # ONNX Runtime's errors have no common base but Exception
        raise ExportError(f"{source.name} cannot be prepared for quantisation: {error}") from error
