"""A hand-made bundle whose engine takes as long as the image says: the brighter a plain image, the longer."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from support.bundles import SIZE, make_bundle
from support.calls import ANSWER_SECONDS, connect
from support.images import encoded
from support.server_process import ServerProcess, wait_until
from tundish.bundle import Bundle, describe_file, publish_bundle, staged_bundle
from tundish.model import MAX_ITEMS_PER_REQUEST
from tundish_proto import open_inference_pb2 as oip
from tundish_proto.v1 import inference_pb2 as typed

LONGEST_SECONDS = 2.0
"""What the engine takes for a white image, on an idle core of this machine."""

_DARK = 0.1
"""The colours of `support.images` have a channel below this, so the engine answers them at once."""
_STATE = 32
_WORK_SECONDS = 0.04
"""Processor time that only the engine takes: what comes before it is a tenth of that."""
_SAMPLE_TRIPS = 2_000


def slow_image(seconds: float) -> bytes:
    """A PNG file that the engine works on for about this long; a batch takes as long as its slowest image."""
    gray = round(255 * (_DARK + (1 - _DARK) * seconds / LONGEST_SECONDS))
    stream = io.BytesIO()
    Image.new("RGB", (SIZE, SIZE), (gray, gray, gray)).save(stream, "PNG")
    return stream.getvalue()


def occupy(process: ServerProcess, predict: Any, seconds: float, model: str = "slow") -> Any:
    """Sends a slow image through `predict.future`, and returns the call once the model's one instance is at work on it.

    What earlier callers have left to do is over by then.
    """
    wait_until(lambda: _is_answered(predict, typed.PredictRequest(model_name=model, image=encoded("red"))))
    before = process.cpu_seconds()
    call = predict.future(typed.PredictRequest(model_name=model, image=slow_image(seconds)))
    wait_until(lambda: process.cpu_seconds() >= before + _WORK_SECONDS)
    assert not call.done(), "the work was over before anything could be sent behind it"
    return call


def _is_answered(predict: Any, request: typed.PredictRequest) -> bool:
    """Waits for the answer; false if the queue has no room for the question."""
    try:
        predict(request, timeout=ANSWER_SECONDS)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        return False
    return True


@contextmanager
def full_queue(process: ServerProcess, seconds: float, model: str = "slow") -> Iterator[None]:
    """Leaves no room in the queue of a model with one instance and the shortest queue that there is, for so long.

    On leaving, the server has no work any more.
    """
    crowd = oip.ModelInferRequest(model_name=model)
    tensor = crowd.inputs.add(name="image", datatype="BYTES", shape=[MAX_ITEMS_PER_REQUEST])
    tensor.contents.bytes_contents.extend([encoded("red")] * MAX_ITEMS_PER_REQUEST)
    with connect(process.url) as connection:
        head = occupy(process, connection.typed.Predict, seconds, model)
        waiting = connection.open_inference.ModelInfer.future(crowd)
        # Answered behind the crowd, which came before it on the same connection.
        connection.open_inference.ServerLive(oip.ServerLiveRequest())
        yield
        assert not head.done(), "the instance was free again before the test was done"
        head.result(ANSWER_SECONDS)
        waiting.result(ANSWER_SECONDS)


def write_slow_network(path: Path) -> None:
    """The network of `support.bundles`, which first turns a loop for a time that it reads off the image."""
    sample = _network(_SAMPLE_TRIPS)
    session = onnxruntime.InferenceSession(sample.SerializeToString(), _one_thread(), ["CPUExecutionProvider"])
    white = {"pixel_values": np.ones((1, 3, SIZE, SIZE), np.float32)}
    seconds = min(_cpu_seconds(session, white) for _ in range(3))
    onnx.save(_network(round(_SAMPLE_TRIPS * LONGEST_SECONDS / seconds)), path)


def make_slow_bundle(repository: Path, name: str = "slow", **serving: Any) -> Bundle:
    """Publishes the bundle; it labels as `support.bundles` does, and runs one image at a time unless told otherwise."""
    with tempfile.TemporaryDirectory() as scratch:
        template = make_bundle(Path(scratch), name, **{"max_batch_size": 1, **serving}).manifest
    (variant,) = template.variants
    with staged_bundle(repository, name) as staging:
        write_slow_network(staging / "model.onnx")
        variant = variant.model_copy(update={"files": (describe_file(staging, "model.onnx"),)})
        return publish_bundle(staging, template.model_copy(update={"variants": (variant,)}))


def _cpu_seconds(session: onnxruntime.InferenceSession, inputs: dict[str, NDArray[np.float32]]) -> float:
    """Of one run, which one thread does alone; whatever else the machine is busy with does not count."""
    started = time.thread_time()
    session.run(None, inputs)
    return time.thread_time() - started


def _one_thread() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return options


def _network(white_trips: int) -> onnx.ModelProto:
    """`logits = means * 10 + state * 0` after `white_trips * (brightness - dark) / (1 - dark)` turns of the loop."""
    state = helper.make_tensor_value_info("state_out", TensorProto.FLOAT, [_STATE, _STATE])
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state_in", "weights"], ["product"]),
            helper.make_node("Tanh", ["product"], ["state_out"]),
            helper.make_node("Identity", ["go_in"], ["go_out"]),
        ],
        "turn",
        [
            helper.make_tensor_value_info("turn_number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_in", TensorProto.FLOAT, [_STATE, _STATE]),
        ],
        [helper.make_tensor_value_info("go_out", TensorProto.BOOL, []), state],
    )
    nodes = [
        helper.make_node("ReduceMean", ["pixel_values"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMin", ["means"], ["darkest"], axes=[1], keepdims=0),
        helper.make_node("ReduceMax", ["darkest"], ["brightness"], axes=[0], keepdims=0),
        helper.make_node("Sub", ["brightness", "dark"], ["above_dark"]),
        helper.make_node("Relu", ["above_dark"], ["brighter"]),
        helper.make_node("Mul", ["brighter", "trips_per_brightness"], ["trips_float"]),
        helper.make_node("Cast", ["trips_float"], ["trips"], to=TensorProto.INT64),
        helper.make_node("Loop", ["trips", "", "start"], ["final"], body=body),
        helper.make_node("ReduceSum", ["final"], ["total"], keepdims=0),
        helper.make_node("Mul", ["total", "zero"], ["nothing"]),
        helper.make_node("Mul", ["means", "ten"], ["scaled"]),
        helper.make_node("Add", ["scaled", "nothing"], ["logits"]),
    ]
    # Wide enough that the state does not fade: on the way to zero its numbers become denormal, and slow.
    weights = np.random.default_rng(5).normal(0, 2 * _STATE**-0.5, (_STATE, _STATE))
    constants = {
        "dark": np.array(_DARK),
        "trips_per_brightness": np.array(white_trips / (1 - _DARK)),
        "start": np.ones((_STATE, _STATE)),
        "weights": weights,
        "zero": np.array(0),
        "ten": np.array(10),
    }
    image_shape: list[str | int | None] = ["batch", 3, SIZE, SIZE]
    graph = helper.make_graph(
        nodes,
        "slow",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, image_shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
