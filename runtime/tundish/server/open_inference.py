"""The Open Inference Protocol front: `NAME` is a model's pipeline, `NAME.engine` its bare engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tundish import __version__
from tundish.datatypes import datatype_of
from tundish.errors import InvalidInputError, ModelNotFoundError, ModelNotReadyError, TundishError, answerable
from tundish.manifest import TensorSpec
from tundish.model import MAX_ITEMS_PER_REQUEST, Model, check_names
from tundish.runtime import Runtime
from tundish.scheduling import DEFAULT_PRIORITY, PRIORITIES
from tundish.server.admission import Admission
from tundish.server.calls import Context, abort, answers_of, deadline, in_order, shortened, unary
from tundish.server.services import check_wellformed
from tundish.server.tensors import read_inputs, write_outputs
from tundish_proto import model_config_pb2 as config
from tundish_proto import open_inference_pb2 as oip

EXTENSIONS = ("model_configuration",)
"""Only what works."""

_ENGINE_SUFFIX = ".engine"
_FINAL_RESPONSE = "triton_enable_empty_final_response"

_DATATYPES: dict[str, Any] = {
    "BYTES": config.TYPE_STRING,
    **{name.removeprefix("TYPE_"): value for name, value in config.DataType.items()},
}
"""The configuration's data type of each datatype; BYTES alone has another name there."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a request names: one entry of one version of a model."""

    name: str
    """As the request has it."""
    model: Model
    bare: bool
    """The engine, not the pipeline."""

    @property
    def platform(self) -> str:
        """What answers, in the protocol's terms."""
        return f"{self.model.variant.engine}_engine" if self.bare else "tundish_pipeline"

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        """The tensors that it takes."""
        if self.bare:
            return self.model.manifest.inputs
        return (TensorSpec(name=self.model.task.input_name, datatype="BYTES", shape=("batch", 1)),)

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        """The tensors that it answers."""
        return self.model.manifest.outputs if self.bare else self.model.task.output_specs


class OpenInferenceFront:
    """The methods of `inference.GRPCInferenceService`, by their names on the wire."""

    def __init__(self, runtime: Runtime, admission: Admission) -> None:
        self._runtime = runtime
        self._admission = admission

    @unary
    async def ServerLive(self, request: oip.ServerLiveRequest, context: Context) -> oip.ServerLiveResponse:
        return oip.ServerLiveResponse(live=True)

    @unary
    async def ServerReady(self, request: oip.ServerReadyRequest, context: Context) -> oip.ServerReadyResponse:
        return oip.ServerReadyResponse(ready=self._runtime.ready and not self._admission.stopping.is_set())

    @unary
    async def ModelReady(self, request: oip.ModelReadyRequest, context: Context) -> oip.ModelReadyResponse:
        try:
            self._target(request.name, request.version)
        except (ModelNotFoundError, ModelNotReadyError):
            return oip.ModelReadyResponse(ready=False)
        return oip.ModelReadyResponse(ready=True)

    @unary
    async def ServerMetadata(
        self,
        request: oip.ServerMetadataRequest,
        context: Context,
    ) -> oip.ServerMetadataResponse:
        return oip.ServerMetadataResponse(name="tundish", version=__version__, extensions=EXTENSIONS)

    @unary
    async def ModelMetadata(self, request: oip.ModelMetadataRequest, context: Context) -> oip.ModelMetadataResponse:
        target = self._target(request.name, request.version)
        return oip.ModelMetadataResponse(
            name=target.name,
            versions=map(str, self._runtime.versions(target.model.name)),
            platform=target.platform,
            inputs=map(_metadata, target.inputs),
            outputs=map(_metadata, target.outputs),
        )

    @unary
    async def ModelConfig(self, request: oip.ModelConfigRequest, context: Context) -> oip.ModelConfigResponse:
        target = self._target(request.name, request.version)
        batching = target.model.batching
        return oip.ModelConfigResponse(
            config=config.ModelConfig(
                name=target.name,
                platform=target.platform,
                backend="tundish",
                max_batch_size=MAX_ITEMS_PER_REQUEST,
                input=[
                    config.ModelInput(name=spec.name, data_type=_DATATYPES[spec.datatype], dims=spec.wire_shape[1:])
                    for spec in target.inputs
                ],
                output=[
                    config.ModelOutput(name=spec.name, data_type=_DATATYPES[spec.datatype], dims=spec.wire_shape[1:])
                    for spec in target.outputs
                ],
                instance_group=[
                    config.ModelInstanceGroup(
                        name=target.name, count=target.model.instances, kind=config.ModelInstanceGroup.KIND_CPU
                    )
                ],
                dynamic_batching=config.ModelDynamicBatching(
                    preferred_batch_size=[batching.max_batch_size],
                    max_queue_delay_microseconds=batching.max_queue_delay_microseconds,
                ),
            )
        )

    @unary
    async def ModelInfer(self, request: oip.ModelInferRequest, context: Context) -> oip.ModelInferResponse:
        with self._admission.admit():
            return await self._infer(request, context)

    async def ModelStreamInfer(
        self, requests: AsyncIterator[oip.ModelInferRequest], context: Context
    ) -> AsyncIterator[oip.ModelStreamInferResponse]:
        async def answer(request: oip.ModelInferRequest) -> oip.ModelStreamInferResponse | TundishError:
            try:
                check_wellformed(request)
                response = await self._infer(request, context)
            except Exception as failure:
                error = answerable(failure)
                return error if strict else _in_band(request, error)
            if _FINAL_RESPONSE in request.parameters and request.parameters[_FINAL_RESPONSE].bool_param:
                response.parameters["triton_final_response"].bool_param = True
            return oip.ModelStreamInferResponse(infer_response=response)

        metadata = dict(context.invocation_metadata() or ())
        strict = metadata.get("triton_grpc_error") == "true"
        try:
            with self._admission.admit():
                async for response in in_order(requests, answer, self._admission.stopping):
                    if isinstance(response, TundishError):
                        raise response
                    yield response
        except TundishError as error:
            await abort(context, error)

    def _target(self, name: str, version: str) -> Target:
        base = name.removesuffix(_ENGINE_SUFFIX)
        return Target(name, self._runtime.model(base, version), bare=base != name)

    async def _infer(self, request: oip.ModelInferRequest, context: Context) -> oip.ModelInferResponse:
        target = self._target(request.model_name, request.model_version)
        names = _requested_outputs(request, target)
        inputs = read_inputs(request)
        until = deadline(context, _integer_parameter(request, "timeout"))
        priority = min(_integer_parameter(request, "priority") or DEFAULT_PRIORITY, PRIORITIES)
        if target.bare:
            outputs = await _infer_tensors(target.model, inputs, until, priority)
        else:
            outputs = await _infer_items(target, inputs, until, priority)
        response = oip.ModelInferResponse(
            model_name=target.name, model_version=str(target.model.manifest.version), id=request.id
        )
        write_outputs(response, outputs, names)
        return response


async def _infer_items(
    target: Target, inputs: Mapping[str, NDArray[np.generic]], until: float | None, priority: int
) -> Mapping[str, NDArray[np.generic]]:
    model, name = target.model, target.model.task.input_name
    check_names(target.name, [name], list(inputs))
    items = inputs[name]
    if items.dtype != np.object_:
        raise InvalidInputError(f"Input '{name}' must be BYTES, got {datatype_of(items.dtype)}.")
    if items.shape not in ((items.size,), (items.size, 1)):
        raise InvalidInputError(f"Input '{name}' must have the shape [batch, 1] or [batch], got {list(items.shape)}.")
    futures = model.submit(items.ravel().tolist(), deadline=until, priority=priority)
    answers = await answers_of(futures, lambda index: f"{name}[{index}]", until)
    return model.task.to_tensors([answer.output for answer in answers])


async def _infer_tensors(
    model: Model, inputs: Mapping[str, NDArray[np.generic]], until: float | None, priority: int
) -> Mapping[str, NDArray[np.generic]]:
    futures = model.submit_tensors(inputs, deadline=until, priority=priority)
    answers = await answers_of(futures, lambda index: f"row {index}", until)
    rows = [answer.output for answer in answers]
    return rows[0] if len(rows) == 1 else {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _requested_outputs(request: oip.ModelInferRequest, target: Target) -> list[str]:
    """The names to answer, in the order asked for; all of them if none is asked for."""
    known = [spec.name for spec in target.outputs]
    for output in request.outputs:
        if output.name not in known:
            raise InvalidInputError(f"'{target.name}' has the outputs {known}, not '{output.name}'.")
        for parameter in ("classification", "shared_memory_region"):
            if parameter in output.parameters:
                raise InvalidInputError(
                    f"Output '{output.name}' asks for '{parameter}', which this server does not do."
                )
    return [output.name for output in request.outputs] or known


def _integer_parameter(request: oip.ModelInferRequest, name: str) -> int:
    """The request's parameter; 0, which is the default of those that there are, if it has none.

    Raises:
        InvalidInputError: it is negative.
    """
    if name not in request.parameters:
        return 0
    parameter = request.parameters[name]
    value = parameter.int64_param or parameter.uint64_param
    if value < 0:
        raise InvalidInputError(f"The parameter '{name}' must not be negative, got {value}.")
    return value


def _metadata(spec: TensorSpec) -> oip.ModelMetadataResponse.TensorMetadata:
    return oip.ModelMetadataResponse.TensorMetadata(name=spec.name, datatype=spec.datatype, shape=spec.wire_shape)


def _in_band(request: oip.ModelInferRequest, error: TundishError) -> oip.ModelStreamInferResponse:
    """An error that the stream survives; the id tells the client which request it answers."""
    if not isinstance(request, oip.ModelInferRequest):
        return oip.ModelStreamInferResponse(error_message=shortened(error))
    return oip.ModelStreamInferResponse(
        error_message=shortened(error),
        infer_response=oip.ModelInferResponse(model_name=request.model_name, id=request.id),
    )
