"""Predictions as messages of the typed API, and back; what the server writes and the clients read."""

from __future__ import annotations

from tundish.results import Prediction, StageTimes
from tundish.tasks.registry import TASKS
from tundish_proto.v1 import inference_pb2 as typed

_BY_RESULT = {task.result_type: task for task in TASKS.values()}


def _field(task_name: str) -> str:
    return task_name.replace("-", "_")


_BY_FIELD = {_field(name): task for name, task in TASKS.items()}


def write_prediction(prediction: Prediction, request_id: str) -> typed.PredictResponse:
    """The message of a prediction."""
    task = _BY_RESULT[type(prediction.result)]
    times = prediction.stage_times
    response = typed.PredictResponse(
        model_name=prediction.model,
        model_version=str(prediction.version),
        id=request_id,
        stage_times=typed.StageTimes(
            queue_nanoseconds=times.queue_nanoseconds,
            preprocess_nanoseconds=times.preprocess_nanoseconds,
            compute_nanoseconds=times.compute_nanoseconds,
            postprocess_nanoseconds=times.postprocess_nanoseconds,
            batch_size=times.batch_size,
        ),
    )
    getattr(response, _field(task.name)).CopyFrom(task.to_message(prediction.result))
    return response


def read_prediction(message: typed.PredictResponse) -> Prediction:
    """The prediction of a message; raises ValueError if it carries no result that this version knows."""
    field = message.WhichOneof("result")
    if field is None:
        raise ValueError(
            f"The response of '{message.model_name}' has no result that this client knows; update tundish."
        )
    times = message.stage_times
    return Prediction(
        model=message.model_name,
        version=int(message.model_version),
        result=_BY_FIELD[field].from_message(getattr(message, field)),
        stage_times=StageTimes(
            queue_nanoseconds=times.queue_nanoseconds,
            preprocess_nanoseconds=times.preprocess_nanoseconds,
            compute_nanoseconds=times.compute_nanoseconds,
            postprocess_nanoseconds=times.postprocess_nanoseconds,
            batch_size=times.batch_size,
        ),
    )
