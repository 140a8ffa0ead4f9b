"""Inference: tensors in, tensors out, one request a call or many on a stream."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tundish.datatypes import datatype_of
from tundish.engine_model import EngineModel
from tundish.engines import Arrays
from tundish.errors import InvalidInputError, TundishError, answerable
from tundish.inputs import LISTS
from tundish.manifest import InputName
from tundish.model import check_names
from tundish.pipeline import Answer
from tundish.scheduling import DEFAULT_PRIORITY, PRIORITIES, Step
from tundish.server.calls import Context, abort, answers_of, asked_again, deadline, earlier, in_order, shortened
from tundish.server.open_inference.requests import InferRequest
from tundish.server.open_inference.sequences import read_step
from tundish.server.open_inference.targets import Methods, Target
from tundish.server.parameters import read_count, read_flag
from tundish.server.services import Malformed, check_wellformed
from tundish.server.tensors import read_inputs, write_outputs
from tundish.server.waiting import on_loop
from tundish.tasks import ItemPart
from tundish.tensors import Tensor
from tundish_proto import open_inference_pb2 as oip

_FINAL_RESPONSE = "triton_enable_empty_final_response"


class InferenceMethods(Methods):
    """Inference."""

    async def ModelInfer(self, request: InferRequest, until: float | None) -> oip.ModelInferResponse:
        with self._admission:
            return await asked_again(lambda: self._infer(request, until))

    async def ModelStreamInfer(
        self, requests: AsyncIterator[InferRequest], context: Context
    ) -> AsyncIterator[oip.ModelStreamInferResponse]:
        async def answer(request: InferRequest) -> oip.ModelStreamInferResponse | TundishError:
            try:
                check_wellformed(request)
                marked = read_flag(request.message.parameters, _FINAL_RESPONSE)
                response = await on_loop(asked_again(lambda: self._infer(request, deadline(context))))
            except Exception as failure:
                error = answerable(failure)
                return error if strict else _in_band(request, error)
            if marked:
                response.parameters["triton_final_response"].bool_param = True
            return oip.ModelStreamInferResponse(infer_response=response)

        metadata = dict(context.invocation_metadata() or ())
        strict = metadata.get("triton_grpc_error") == "true"
        try:
            with self._admission:
                async for response in in_order(requests, answer, self._admission.stopping):
                    if isinstance(response, TundishError):
                        raise response
                    yield response
        except TundishError as error:
            await abort(context, error)

    async def _infer(self, asked: InferRequest, until: float | None) -> oip.ModelInferResponse:
        request = asked.message
        try:
            target = self._target(request.model_name, request.model_version)
        except TundishError as error:
            self.count_refusal(request.model_name, error.status)
            raise
        with target.statistics.request() as answers:
            timeout = read_count(request.parameters, "timeout")
            until = earlier(until, timeout)
            priority = min(read_count(request.parameters, "priority") or DEFAULT_PRIORITY, PRIORITIES)
            target.model.check_room(deadline=until, priority=priority)
            requested = _requested_outputs(request, target)
            inputs = read_inputs(request, asked.raw_contents, self._shared_memory)
            if (engine := target.engine_model) is not None:
                item = "row {}"
                futures = _submit_rows(engine, inputs, until, priority, read_step(request))
            else:
                reads = target.model.require_reads()
                item = f"{reads[0]}[{{}}]"
                futures = _submit_items(target, reads, inputs, until, priority)
            answers += await answers_of(futures, item.format, timeout)
            response = oip.ModelInferResponse(model_name=target.name, model_version=target.version, id=request.id)
            write_outputs(response, _outputs(target, answers), requested, target.labels, self._shared_memory)
        return response


def _submit_items(
    target: Target, reads: Sequence[InputName], inputs: Arrays, until: float | None, priority: int
) -> list[Future[Answer[Any]]]:
    check_names(target.name, reads, list(inputs))
    columns = [_column(name, inputs[name]) for name in reads]
    if len(columns) == 1:
        return target.model.submit(columns[0], deadline=until, priority=priority)
    counts = [len(column) for column in columns]
    if len(set(counts)) > 1:
        shown = ", ".join(f"{count} of '{name}'" for count, name in zip(counts, reads, strict=True))
        raise InvalidInputError(f"The inputs of '{target.name}' must have as many elements each, got {shown}.")
    return target.model.submit(list(zip(*columns, strict=True)), deadline=until, priority=priority)


def _column(name: str, items: NDArray[np.generic]) -> list[ItemPart]:
    if items.dtype != np.object_:
        raise InvalidInputError(f"Input '{name}' must be BYTES, got {datatype_of(items.dtype)}.")
    if name in LISTS:
        if items.ndim != 2:
            raise InvalidInputError(f"Input '{name}' must have the shape [batch, {name}], got {list(items.shape)}.")
        return [tuple(row) for row in items.tolist()]
    if items.shape not in ((items.size,), (items.size, 1)):
        raise InvalidInputError(f"Input '{name}' must have the shape [batch, 1] or [batch], got {list(items.shape)}.")
    column: list[ItemPart] = items.ravel().tolist()
    return column


def _submit_rows(
    model: EngineModel, inputs: dict[str, Tensor], until: float | None, priority: int, step: Step | None
) -> list[Future[Answer[Any]]]:
    for spec in model.request_inputs:
        array = inputs.get(spec.name)
        if len(spec.shape) == 1 and array is not None and array.shape == (array.size, 1):
            inputs[spec.name] = array.ravel()
    return model.submit_tensors(inputs, deadline=until, priority=priority, step=step)


def _outputs(target: Target, answers: Sequence[Answer[Any]]) -> Arrays:
    """The answers to the items of a request as one batch."""
    rows = [answer.output for answer in answers]
    if target.engine_model is None:
        return target.model.require_task().to_tensors(rows)
    return rows[0] if len(rows) == 1 else {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _requested_outputs(
    request: oip.ModelInferRequest, target: Target
) -> Sequence[oip.ModelInferRequest.InferRequestedOutputTensor]:
    """What to answer, in the order asked for; all outputs if none is asked for."""
    known = [spec.name for spec in target.outputs]
    if not request.outputs:
        return _all_of(*known)
    asked = Counter(output.name for output in request.outputs)
    for output in request.outputs:
        if asked[output.name] > 1:
            raise InvalidInputError(f"Output '{output.name}' stands {asked[output.name]} times in the request.")
        if output.name not in known:
            raise InvalidInputError(f"'{target.name}' has the outputs {known}, not '{output.name}'.")
    return request.outputs


@functools.lru_cache
def _all_of(*names: str) -> Sequence[oip.ModelInferRequest.InferRequestedOutputTensor]:
    """What a request asks for that names no outputs; the same messages each time, as nothing writes to them."""
    return [oip.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in names]


def _in_band(request: InferRequest | Malformed, error: TundishError) -> oip.ModelStreamInferResponse:
    """An error that the stream survives; the id tells the client which request it answers."""
    response = oip.ModelStreamInferResponse(error_message=shortened(error))
    if not isinstance(request, Malformed):
        response.infer_response.model_name = request.message.model_name
        response.infer_response.id = request.message.id
    return response
