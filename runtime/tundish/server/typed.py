"""The typed front: an image or a text in, the task's own result out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tundish.errors import TundishError, answerable
from tundish.inputs import INPUT_NAMES, LISTS
from tundish.manifest import InputName
from tundish.results import Prediction
from tundish.runtime import Runtime
from tundish.scheduling import DEFAULT_PRIORITY
from tundish.server.admission import Admission
from tundish.server.calls import (
    Context,
    abort,
    answers_of,
    asked_again,
    deadline,
    in_order,
    retry_after_milliseconds,
    shortened,
)
from tundish.server.services import check_wellformed
from tundish.server.waiting import on_loop
from tundish.tasks import ItemPart
from tundish.wire import write_prediction
from tundish_proto.v1 import inference_pb2 as typed


class TypedFront:
    """The methods of `tundish_proto.v1.InferenceService`, by their names on the wire."""

    def __init__(self, runtime: Runtime, admission: Admission) -> None:
        self._runtime = runtime
        self._admission = admission

    async def Predict(self, request: typed.PredictRequest, until: float | None) -> typed.PredictResponse:
        with self._admission:
            return await asked_again(lambda: self._predict(request, until))

    async def PredictStream(
        self, requests: AsyncIterator[typed.PredictStreamRequest], context: Context
    ) -> AsyncIterator[typed.PredictStreamResponse]:
        async def answer(message: typed.PredictStreamRequest) -> typed.PredictStreamResponse:
            try:
                check_wellformed(message)
                response = await on_loop(asked_again(lambda: self._predict(message.request, deadline(context))))
            except Exception as failure:
                error = answerable(failure)
                fault = typed.PredictError(
                    code=error.status.value[0],
                    message=shortened(error),
                    error_class=type(error).__name__,
                    retry_after_milliseconds=retry_after_milliseconds(error),
                )
                request_id = message.request.id if isinstance(message, typed.PredictStreamRequest) else ""
                return typed.PredictStreamResponse(id=request_id, error=fault)
            return typed.PredictStreamResponse(id=response.id, response=response)

        try:
            with self._admission:
                async for response in in_order(requests, answer, self._admission.stopping):
                    yield response
        except TundishError as error:
            await abort(context, error)

    async def _predict(self, request: typed.PredictRequest, until: float | None) -> typed.PredictResponse:
        try:
            model = self._runtime.model(request.model_name, request.model_version)
        except TundishError as error:
            self._runtime.count_refusal(request.model_name, error.status)
            raise
        with model.statistics["pipeline"].request() as answers:
            item = model.item(_inputs_of(request))
            futures = model.submit([item], deadline=until, priority=request.priority or DEFAULT_PRIORITY)
            answers += await answers_of(futures, lambda _: f"'{model.name}'")
        (answer,) = answers
        prediction = Prediction(model.name, model.manifest.version, answer.output, answer.stage_times)
        return write_prediction(prediction, request.id)


def _inputs_of(request: typed.PredictRequest) -> dict[InputName, ItemPart]:
    return {name: _part(request, name) for name in INPUT_NAMES if _has(request, name)}


def _has(request: typed.PredictRequest, name: InputName) -> bool:
    return bool(getattr(request, name)) if name in LISTS else request.HasField(name)


def _part(request: typed.PredictRequest, name: InputName) -> ItemPart:
    value = getattr(request, name)
    if name in LISTS:
        return tuple(text.encode() for text in value)
    return value if isinstance(value, bytes) else str(value).encode()
