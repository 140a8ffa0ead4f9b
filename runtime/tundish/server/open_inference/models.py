"""What the server is, and what its models are."""

from __future__ import annotations

from typing import Any

from tundish import __version__
from tundish.errors import ModelNotFoundError, ModelNotReadyError, StoppingError
from tundish.manifest import TensorSpec
from tundish.model import Model
from tundish.scheduling import DEFAULT_PRIORITY, PRIORITIES
from tundish.server.open_inference.targets import Methods
from tundish_proto import model_config_pb2 as config
from tundish_proto import open_inference_pb2 as oip

_EXTENSIONS = (
    "classification",
    "binary_tensor_data",
    "model_configuration",
    "model_repository",
    "model_repository(unload_dependents)",
    "schedule_policy",
    "sequence",
    "parameters",
    "statistics",
    "logging",
)
"""Only what works."""

_DATATYPES: dict[str, Any] = {
    "BYTES": config.TYPE_STRING,
    **{name.removeprefix("TYPE_"): value for name, value in config.DataType.items()},
}
"""The configuration's data type of each datatype; BYTES alone has another name there."""


class ModelMethods(Methods):
    """Life, readiness, metadata and configuration."""

    async def ServerLive(self, request: oip.ServerLiveRequest, until: float | None) -> oip.ServerLiveResponse:
        return oip.ServerLiveResponse(live=True)

    async def ServerReady(self, request: oip.ServerReadyRequest, until: float | None) -> oip.ServerReadyResponse:
        try:
            self.check_ready()
        except (StoppingError, ModelNotReadyError):
            return oip.ServerReadyResponse(ready=False)
        return oip.ServerReadyResponse(ready=True)

    def check_ready(self) -> None:
        """Returns if the server is ready: it takes requests, and each model has a version that answers.

        Raises:
            StoppingError: it is stopping.
            ModelNotReadyError: see `ModelTable.check_ready`.
        """
        if self._admission.stopping.is_set():
            raise StoppingError("The server is stopping; ask another one.")
        self._runtime.table.check_ready()

    async def ModelReady(self, request: oip.ModelReadyRequest, until: float | None) -> oip.ModelReadyResponse:
        try:
            self._target(request.name, request.version)
        except (ModelNotFoundError, ModelNotReadyError):
            return oip.ModelReadyResponse(ready=False)
        return oip.ModelReadyResponse(ready=True)

    async def ServerMetadata(
        self,
        request: oip.ServerMetadataRequest,
        until: float | None,
    ) -> oip.ServerMetadataResponse:
        return oip.ServerMetadataResponse(
            name="tundish",
            version=__version__,
            extensions=(*_EXTENSIONS, *(("system_shared_memory",) if self._shared_memory.enabled else ())),
        )

    async def ModelMetadata(self, request: oip.ModelMetadataRequest, until: float | None) -> oip.ModelMetadataResponse:
        target = self._target(request.name, request.version)
        whole = target.model.name.partition(".")[0]  # components are of its versions
        return oip.ModelMetadataResponse(
            name=target.name,
            versions=[
                str(version.number)
                for version in self._runtime.table.versions()
                if version.loaded and version.model == whole
            ],
            platform=target.platform,
            inputs=map(_metadata, target.inputs),
            outputs=map(_metadata, target.outputs),
        )

    async def ModelConfig(self, request: oip.ModelConfigRequest, until: float | None) -> oip.ModelConfigResponse:
        target = self._target(request.name, request.version)
        return oip.ModelConfigResponse(
            config=config.ModelConfig(
                name=target.name,
                platform=target.platform,
                backend="tundish",
                max_batch_size=target.model.max_items,
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
                        name=target.name,
                        count=target.model.live_instances,
                        kind=config.ModelInstanceGroup.KIND_CPU,
                    )
                ],
                **_scheduling_choice(target.model),
            )
        )


def _scheduling_choice(model: Model) -> dict[str, Any]:
    batching = model.batching
    if model.stateful:
        idle = round(batching.sequence_idle_seconds * 1e6)
        return {"sequence_batching": config.ModelSequenceBatching(max_sequence_idle_microseconds=idle)}
    dynamic = config.ModelDynamicBatching(
        preferred_batch_size=batching.preferred_batch_sizes or [batching.max_batch_size],
        max_queue_delay_microseconds=batching.max_queue_delay_microseconds,
        priority_levels=PRIORITIES,
        default_priority_level=DEFAULT_PRIORITY,
    )
    return {"dynamic_batching": dynamic}


def _metadata(spec: TensorSpec) -> oip.ModelMetadataResponse.TensorMetadata:
    return oip.ModelMetadataResponse.TensorMetadata(name=spec.name, datatype=spec.datatype, shape=spec.wire_shape)
