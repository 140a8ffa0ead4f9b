"""The recipe for transformers: int8 weights per channel, uint8 activations whose range each run finds for itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from tundish_exporters.progress import Progress
from tundish_exporters.quantize.preparing import prepare

RECIPE = "dynamic, weights int8 per channel"


def quantize(source: Path, destination: Path, progress: Progress) -> None:
    """Writes the int8 form of `source`; needs no calibration."""
    progress("quantise", 0, 1)
    with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        prepare(source, prepared)
        quantize_dynamic(
            prepared,
            destination,
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            # Types that shape inference cannot find are those of float activations.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    progress("quantise", 1, 1)
