"""The OpenVINO engine, on the CPU, for ONNX files.

What OpenVINO does in silence and this engine does not: it takes bf16 where the processor has it, reports its import to
Google Analytics, takes an input that a request leaves out from the request before, converts inputs of another
datatype, wraps 64-bit integers to 32 bits, and lets a request that fails spoil the next one.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tundish.datatypes import NUMPY_DTYPES, datatype_of
from tundish.engines import Arrays
from tundish.errors import EngineError
from tundish.manifest import Datatype, Precision, TensorSpec


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """While OpenVINO is imported, hides the package that it reports by, unasked; it has a substitute that does nothing.

    Who has imported that package before has decided otherwise.
    """
    name = "openvino_telemetry"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # Python's way to say that it cannot be imported
    try:
        yield
    finally:
        del sys.modules[name]


with _without_telemetry():
    import openvino
    from openvino.frontend import FrontEndManager

_DATATYPES: dict[str, Datatype] = {
    "boolean": "BOOL",
    "u8": "UINT8",
    "u16": "UINT16",
    "u32": "UINT32",
    "i8": "INT8",
    "i16": "INT16",
    "i32": "INT32",
    "i64": "INT64",
    "f16": "FP16",
    "f32": "FP32",
}
"""Not u64 and f64, which are computed in 32 bits."""

_HINTS: dict[Precision, openvino.Type] = {
    "fp32": openvino.Type.f32,
    "fp16": openvino.Type.f32,  # weights in fp16 are made fp32 once, as the file is loaded
    "bf16": openvino.Type.bf16,
    "int8": openvino.Type.f32,  # of what the file does not quantise
    "int4": openvino.Type.f32,
}

_INT32 = np.iinfo(np.int32)


# Its binding looks NumPy up when it first needs it, under a lock that two threads deadlock over with Python's own: so
# that it is needed here, where one thread imports.
openvino.Type.f32.to_dtype()


class OpenVinoEngine:
    """A compiled model with one request, on threads of its own."""

    def __init__(self, path: Path, *, precision: Precision, threads: int) -> None:
        self._path = path
        self._options = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            # Engines know nothing of each other: pinned, two of them would share a core and leave the next one idle.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            # By its own reader alone; OpenVINO would try those of six other formats on a file that it does not know.
            reader = FrontEndManager().load_by_framework("onnx")
            graph = reader.load(str(path))
            names = [name for place in (*graph.get_inputs(), *graph.get_outputs()) for name in place.get_names()]
            self._model = reader.convert(graph)  # which leaves the graph empty
        except Exception as error:  # OpenVINO's errors have no common base but Exception
            raise self._not_taken(error) from error
        compiled = self._compile()
        got = compiled.get_property("INFERENCE_PRECISION_HINT")
        if got != _HINTS[precision]:
            raise EngineError(f"OpenVINO computes {path} in {got.get_type_name()}, not {precision}, on this processor.")
        self.inputs = tuple(_spec(port, names) for port in compiled.inputs)
        self.outputs = tuple(_spec(port, names) for port in compiled.outputs)

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """See `Engine.run`."""
        self._check(inputs)
        try:
            # Not `infer`: with one thread, 2026.4 loses the error of shapes that do not fit, and answers with what the
            # request before has left.
            self._request.start_async(dict(inputs), share_inputs=True)
            self._request.wait()
        except Exception as error:
            # Layers before the one that failed keep the failed shapes: the next request would fail by them, too.
            self._compile()
            raise EngineError(f"The engine failed: {_last_line(error)}") from error
        # Copies, since the request writes to its own again.
        arrays = [np.array(tensor.data) for tensor in self._request.output_tensors]
        return {spec.name: array for spec, array in zip(self.outputs, arrays, strict=True)}

    def another(self) -> OpenVinoEngine:
        """See `Engine.another`: compiled anew, since the requests of one compiled model wait for each other."""
        engine = copy.copy(self)
        engine._compile()
        return engine

    def _compile(self) -> openvino.CompiledModel:
        """Takes a new request, of the model compiled anew; the weights stay where they are in memory.

        Raises:
            EngineError: OpenVINO does not take the model.
        """
        try:
            compiled = openvino.Core().compile_model(self._model, "CPU", self._options)
            self._request = compiled.create_infer_request()
        except Exception as error:
            raise self._not_taken(error) from error
        return compiled

    def _not_taken(self, error: Exception) -> EngineError:
        return EngineError(f"OpenVINO does not take {self._path}: {_last_line(error)}")

    def _check(self, inputs: Arrays) -> None:
        if inputs.keys() != {spec.name for spec in self.inputs}:
            names = [spec.name for spec in self.inputs]
            raise EngineError(f"The engine failed: it takes the inputs {names}, got {list(inputs)}.")
        for spec in self.inputs:
            array = inputs[spec.name]
            if array.dtype != NUMPY_DTYPES[spec.datatype]:
                raise EngineError(
                    f"The engine failed: input '{spec.name}' must be {spec.datatype}, got {datatype_of(array.dtype)}."
                )
            if spec.datatype == "INT64" and array.size and not _INT32.min <= array.min() <= array.max() <= _INT32.max:
                raise EngineError(
                    f"The engine failed: OpenVINO reads input '{spec.name}' as 32-bit integers, got values from "
                    f"{array.min()} to {array.max()}."
                )


def computes_in(precision: Precision) -> bool:
    """Whether this processor computes in this precision; OpenVINO would take another in silence."""
    return precision != "bf16" or "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def load(path: Path, *, precision: Precision, threads: int) -> OpenVinoEngine:
    """Loads an ONNX file; raises EngineError if OpenVINO does not take it, or not in this precision."""
    return OpenVinoEngine(path, precision=precision, threads=threads)


def _spec(port: openvino.ConstOutput, graph_names: Sequence[str]) -> TensorSpec:
    """What of a port's names is the graph's: where an operation fell away, the port has the names of both its ends."""
    name = next((name for name in graph_names if name in port.names), port.any_name)
    kind = port.get_element_type().get_type_name()
    if kind not in _DATATYPES:
        raise EngineError(f"Tensor '{name}' has the type {kind}, which tundish does not serve by OpenVINO.")
    # OpenVINO forgets the names of dimensions.
    shape = (f"dim{index}" if dim.is_dynamic else dim.get_length() for index, dim in enumerate(port.partial_shape))
    return TensorSpec(name=name, datatype=_DATATYPES[kind], shape=tuple(shape))


def _last_line(error: Exception) -> str:
    """The lines before say where in OpenVINO's own source it failed."""
    return str(error).strip().rsplit("\n", maxsplit=1)[-1]
