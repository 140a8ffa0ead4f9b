"""The ONNX Runtime engine, on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import EngineError, reason_of
from tundish.manifest import Datatype, Precision, TensorSpec
from tundish_kernels import onnxruntime_library

_DATATYPES: dict[str, Datatype] = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
}

ROUNDS_KEPT_LAYERS = "WeightBiasQuantization"
"""The optimizer that rounds the weights of a layer in float that stands between quantised ones: those that an int8
variant keeps in float, since it could not do without. Other files may want it, for biases that were left in float."""
_SLOWER = "SkipLayerNormFusion"
"""The optimizer that makes one operator of a sum and the normalisation of layers behind it, which then takes four times
as long as the two, since the latter alone has vector instructions (from ONNX Runtime 1.30 on)."""


class OnnxEngine:
    """An ONNX Runtime session that owns its threads, but for the one that calls it."""

    def __init__(self, path: Path, *, threads: int, precision: Precision = "fp32") -> None:
        self._path = path
        self._threads = threads
        self._precision = precision
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads take the cores that pre-processing and other models need; it doubled latency on two cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        # Errors come back as exceptions; the log beside them would say it twice.
        options.log_severity_level = 4
        try:
            options.register_custom_ops_library(str(onnxruntime_library()))
            self._session = onnxruntime.InferenceSession(
                path,
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=[_SLOWER, *([ROUNDS_KEPT_LAYERS] if precision == "int8" else [])],
            )
        except Exception as error:  # ONNX Runtime's errors have no common base but Exception
            said = " ".join(str(error).split())  # whole: a signature in C++ stands before the reason
            raise EngineError(f"ONNX Runtime does not take {path}: {said}") from error
        self.inputs = tuple(map(_spec, self._session.get_inputs()))
        self.outputs = tuple(map(_spec, self._session.get_outputs()))
        self._output_names = [output.name for output in self.outputs]

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """See `Engine.run`."""
        try:
            outputs = self._session.run(self._output_names, dict(inputs))
        except Exception as error:
            raise EngineError(f"The engine failed: {reason_of(error)}") from error
        return dict(zip(self._output_names, outputs, strict=True))

    def another(self) -> OnnxEngine:
        """See `Engine.another`."""
        # A session takes calls from any number of threads. Those without threads of its own compute on their callers',
        # and meet nowhere; the others would wait for each other.
        if self._threads == 1:
            return self
        return OnnxEngine(self._path, threads=self._threads, precision=self._precision)


def computes_in(precision: Precision) -> bool:
    """Whether the engine computes in this precision, whatever the file says."""
    return precision != "bf16"


def load(path: Path, *, precision: Precision, threads: int) -> OnnxEngine:
    """Loads an ONNX file; raises EngineError if ONNX Runtime does not take it."""
    return OnnxEngine(path, threads=threads, precision=precision)


def _spec(node: onnxruntime.NodeArg) -> TensorSpec:
    if node.type not in _DATATYPES:
        raise EngineError(f"Tensor '{node.name}' has the type {node.type}, which tundish does not serve.")
    # A dimension without a name is dynamic too; it needs one to be written down.
    shape = (dim if dim is not None else f"dim{index}" for index, dim in enumerate(node.shape))
    return TensorSpec(name=node.name, datatype=_DATATYPES[node.type], shape=tuple(shape))
