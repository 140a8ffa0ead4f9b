"""What a request names: `NAME` is a model's pipeline, `NAME.engine` its bare engine, as `NAME` is where that is all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tundish.manifest import ClassificationPostprocess, TensorSpec
from tundish.model import Model
from tundish.runtime import Runtime
from tundish.scheduling import EntryName
from tundish.server.admission import Admission
from tundish.server.shared_memory import SharedMemory
from tundish.statistics import Statistics

_ENGINE_SUFFIX = ".engine"


@dataclass(frozen=True, slots=True)
class Target:
    """What a request names: one entry of one version of a model."""

    name: str
    """As the request has it."""
    model: Model
    entry: EntryName

    @property
    def bare(self) -> bool:
        """Whether it is the engine, not the pipeline."""
        return self.entry == "engine"

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
        """The names of the elements of an output that scores classes; none if the model has no classes."""
        postprocess = self.model.manifest.postprocess
        return postprocess.labels if isinstance(postprocess, ClassificationPostprocess) else ()

    @property
    def platform(self) -> str:
        """What answers, in the protocol's terms."""
        return f"{self.model.variant.engine}_engine" if self.bare else "tundish_pipeline"

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        """The tensors that it takes."""
        if self.bare:
            return tuple(map(_advertised, self.model.request_inputs))
        return tuple(TensorSpec(name=name, datatype="BYTES", shape=("batch", 1)) for name in self.model.reads)

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        """The tensors that it answers."""
        return self.model.manifest.answer_outputs if self.bare else self.model.require_task().output_specs


def _advertised(spec: TensorSpec) -> TensorSpec:
    """An input of one value a row has a second dimension here.

    A configuration's `dims` leave the batch out and cannot be empty; perf_analyzer sends nothing to such an input.
    """
    return spec if len(spec.shape) > 1 else spec.model_copy(update={"shape": (*spec.shape, 1)})


def targets_of(model: Model) -> tuple[Target, ...]:
    """The entries of a version of a model, each by one name."""
    if model.task is None:
        return (Target(model.name, model, "engine"),)
    return Target(model.name, model, "pipeline"), Target(f"{model.name}{_ENGINE_SUFFIX}", model, "engine")


class Methods:
    """Methods of the protocol's service, by their names on the wire, with what they work on."""

    def __init__(self, runtime: Runtime, admission: Admission, shared_memory: SharedMemory) -> None:
        self._runtime = runtime
        self._admission = admission
        self._shared_memory = shared_memory

    def _target(self, name: str, version: str) -> Target:
        """What a request names.

        Raises:
            ModelNotFoundError: there is no such model or version.
            ModelNotReadyError: it is there but was not loaded.
        """
        base = name.removesuffix(_ENGINE_SUFFIX)
        model = self._runtime.model(base, version)
        return Target(name, model, "pipeline" if base == name and model.task is not None else "engine")
