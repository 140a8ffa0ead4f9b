"""A few nodes as a session of ONNX Runtime that knows tundish's operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tundish_kernels import onnxruntime_library


class GraphCall:
    """Makes `y` of `x` and constants, on one thread; each call does it once."""

    def __init__(
        self, nodes: Sequence[onnx.NodeProto], constants: Mapping[str, Any], given: NDArray[Any], made: int
    ) -> None:
        kind = helper.np_dtype_to_tensor_dtype(given.dtype)
        graph = helper.make_graph(
            nodes,
            "layer",
            [helper.make_tensor_value_info("x", kind, [None] * given.ndim)],
            [helper.make_tensor_value_info("y", made, [None] * given.ndim)],
            [numpy_helper.from_array(np.asarray(array), key) for key, array in constants.items()],
        )
        domains = {"": 17, "tundish": 1, "com.microsoft": 1}
        opsets = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
        model = helper.make_model(graph, ir_version=8, opset_imports=opsets)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        options.register_custom_ops_library(str(onnxruntime_library()))
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["SkipLayerNormFusion"],  # which is slower, so that tundish's engine has it off
        )
        self._given = given

    def __call__(self) -> NDArray[Any]:
        """What the nodes make."""
        return np.asarray(self._session.run(None, {"x": self._given})[0])
