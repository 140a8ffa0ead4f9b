"""Predictions as messages of the typed API, and back; what the server writes and the clients read."""

from __future__ import annotations

from tundish.results import Prediction, StageTimes
from tundish.tasks.registry import COMPOSED_TASKS, TASKS
from tundish_proto.v1 import inference_pb2 as typed

_FIELDS = {
    field.message_type.name: field.name
    for field in typed.PredictResponse.DESCRIPTOR.oneofs_by_name["result"].fields
    if field.message_type is not None
}
"""The field of each message, which has the name of its result's class."""
_BY_FIELD = {_FIELDS[task.result_type.__name__]: task for task in (*TASKS.values(), *COMPOSED_TASKS.values())}
"""Tasks with the same result write and read it alike."""


def write_prediction(prediction: Prediction, request_id: str) -> typed.PredictResponse:
    """The message of a prediction."""
    field = _FIELDS[type(prediction.result).__name__]
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
    getattr(response, field).CopyFrom(_BY_FIELD[field].to_message(prediction.result))
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
