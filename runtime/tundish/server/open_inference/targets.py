"""What a request names: `NAME` is a model's pipeline, `NAME.engine` its bare engine, as `NAME` is where that is all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from tundish.composed_model import ComposedModel
from tundish.engine_model import EngineModel
from tundish.errors import ModelNotFoundError
from tundish.inputs import LISTS
from tundish.manifest import ENGINE, ClassificationPostprocess, TensorSpec
from tundish.model import Model
from tundish.runtime import Runtime
from tundish.scheduling import EntryName
from tundish.server.admission import Admission
from tundish.server.shared_memory import SharedMemory
from tundish.statistics import Statistics

_ENGINE_SUFFIX = f".{ENGINE}"


@dataclass(frozen=True, slots=True)
class Target:
    """What a request names: one entry of one version of a model."""

    name: str
    """As the request has it."""
    model: Model
    entry: EntryName

    @property
    def engine_model(self) -> EngineModel | None:
        """The model whose bare engine it is; None for a pipeline."""
        return self.model if self.entry == "engine" and isinstance(self.model, EngineModel) else None

    @property
    def version(self) -> str:
        """As the protocol has it."""
        return str(self.model.manifest.version)

    @property
    def statistics(self) -> Statistics:
        """Those of the entry."""
        return self.model.statistics[self.entry]

    @property
    def labels(self) -> Sequence[str]:
        """The names of the elements of an output that scores classes, in their order.

        None if the model has no classes, and none of a pipeline, whose scores are in an order of their own and have
        their labels beside them.
        """
        postprocess = self.model.manifest.postprocess
        if self.entry != "engine" or not isinstance(postprocess, ClassificationPostprocess):
            return ()
        return postprocess.labels

    @property
    def platform(self) -> str:
        """What answers, in the protocol's terms."""
        return f"{self.engine_model.variant.engine}_engine" if self.engine_model else "tundish_pipeline"

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        """The tensors that it takes."""
        if self.engine_model:
            return tuple(map(_advertised, self.engine_model.request_inputs))
        return tuple(
            TensorSpec(name=name, datatype="BYTES", shape=("batch", name if name in LISTS else 1))
            for name in self.model.reads
        )

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        """The tensors that it answers."""
        if self.engine_model:
            return self.engine_model.manifest.answer_outputs
        return self.model.require_task().output_specs


def _advertised(spec: TensorSpec) -> TensorSpec:
    """An input of one value a row has a second dimension here.

    A configuration's `dims` leave the batch out and cannot be empty; perf_analyzer sends nothing to such an input.
    """
    return spec if len(spec.shape) > 1 else spec.model_copy(update={"shape": (*spec.shape, 1)})


def targets_of(model: Model) -> tuple[Target, ...]:
    """The entries of a version of a model, each by one name."""
    pipeline, engine = Target(model.name, model, "pipeline"), Target(f"{model.name}{_ENGINE_SUFFIX}", model, "engine")
    if isinstance(model, ComposedModel):
        return (pipeline,)
    return (Target(model.name, model, "engine"),) if model.task is None else (pipeline, engine)


class Methods:
    """Methods of the protocol's service, by their names on the wire, with what they work on."""

    def __init__(self, runtime: Runtime, admission: Admission, shared_memory: SharedMemory) -> None:
        self._runtime = runtime
        self._admission = admission
        self._shared_memory = shared_memory

    def count_refusal(self, name: str, status: grpc.StatusCode) -> None:
        """See `Runtime.count_refusal`: for a request that cannot be read, by whoever reads it for this front."""
        self._runtime.count_refusal(name, status)

    def _target(self, name: str, version: str) -> Target:
        """What a request names.

        Raises:
            ModelNotFoundError: there is no such model or version.
            ModelNotReadyError: it is there but was not loaded.
        """
        base = name.removesuffix(_ENGINE_SUFFIX)
        model = self._runtime.model(base, version)
        if base == name and model.task is not None:
            return Target(name, model, "pipeline")
        if isinstance(model, ComposedModel):
            engines = ", ".join(f"'{each.name}{_ENGINE_SUFFIX}'" for each in model.components.values())
            raise ModelNotFoundError(f"Model '{base}' is composed of several engines; ask one of {engines}.")
        return Target(name, model, "engine")
