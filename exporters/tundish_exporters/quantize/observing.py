"""What a graph computes inside, on the calibration inputs: one input at a time, so that memory is that of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tundish.engines import Arrays
from tundish.engines.onnx import ROUNDS_KEPT_LAYERS
from tundish.placement.machine import usable_cores
from tundish_exporters.errors import ExportError
from tundish_exporters.progress import Progress, tracked

_MOST_INPUTS = 128
"""Ranges hardly move after so many, and a pass over them takes seconds."""


def calibration_inputs(calibration: Sequence[Arrays]) -> Sequence[Arrays]:
    """Those that activations are observed on, spread evenly; raises ExportError if there are none."""
    if not calibration:
        raise ExportError("This quantisation needs calibration data; pass --calibration.")
    count = min(len(calibration), _MOST_INPUTS)
    return [calibration[index * len(calibration) // count] for index in range(count)]


def observed(
    model: onnx.ModelProto,
    tensors: Sequence[str],
    inputs: Sequence[Arrays],
    label: str,
    progress: Progress,
    *,
    fused: bool = False,
) -> Iterator[list[NDArray[np.float32]]]:
    """For each of the inputs, the values of these float tensors, in their order.

    `fused` is faster where they are few: what lies between them is computed as an engine does.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    outputs = {output.name for output in watched.graph.output}
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in tensors if name not in outputs
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    if not fused:  # such nodes would have no tensors between them
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=[ROUNDS_KEPT_LAYERS],
    )
    for arrays in tracked(inputs, label, progress):
        yield session.run(list(tensors), dict(arrays)) if tensors else []
