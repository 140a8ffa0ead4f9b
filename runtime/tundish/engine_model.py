"""A model that is one network: its task, its engines on their instances, and the two entries that take requests."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tundish.bundle import Bundle
from tundish.datatypes import NUMPY_DTYPES, datatype_of
from tundish.engines import Arrays, Engine, computes_on_caller, load_engine
from tundish.errors import InvalidInputError
from tundish.manifest import TENSORS, Manifest, TensorSpec
from tundish.model import MAX_ITEMS_PER_REQUEST, Model, check_names, check_priority
from tundish.pipeline import Answer, BareEngine, Entry, Pipeline
from tundish.placement.placement import Placement
from tundish.results import Result
from tundish.scheduling import DEFAULT_PRIORITY, Batching, Cores, Scheduler, Step
from tundish.scheduling.instance import Entries
from tundish.stateful import StatefulEngine
from tundish.statistics import Statistics
from tundish.tasks import Item, Task
from tundish.tasks.registry import load_task


class EngineModel(Model):
    """See `Model`."""

    manifest: Manifest

    def __init__(
        self,
        bundle: Bundle,
        cores: Cores,
        *,
        placement: Placement,
        run_limit_seconds: float,
        sequence_idle_seconds: float,
    ) -> None:
        """Loads the placement's variant, which must be servable, for each instance.

        The instances share `cores` with those of other models; one that takes longer than `run_limit_seconds` for a
        batch is replaced. A sequence of a stateful model ends when no request has come for it in
        `sequence_idle_seconds`, or with the model.

        Raises:
            BundleError: the bundle does not fit its task.
            EngineError: the engine does not take the variant.
        """
        manifest = bundle.manifest
        self.manifest = manifest
        self.request_inputs = manifest.request_inputs
        """The tensors of a request to the bare engine."""
        self._single = [spec.name for spec in manifest.inputs if not spec.shape]
        """The inputs of which the engine takes one value, whatever the batch."""
        self.placement = placement
        self.variant = next(variant for variant in manifest.servable if variant.name == placement.variant)
        spec = manifest.of_variant(self.variant)
        self._task: Task[Any, Any] | None = None if manifest.task == TENSORS else load_task(spec, bundle.directory)
        self.reads = () if manifest.preprocess is None else manifest.preprocess.reads
        serving = manifest.serving
        self.batching = Batching(
            max_batch_size=placement.max_batch_size,
            preferred_batch_sizes=serving.preferred_batch_sizes,
            max_queue_delay_microseconds=serving.max_queue_delay_microseconds,
            max_queue_size=max(serving.max_queue_size, MAX_ITEMS_PER_REQUEST),
            by_length=self._task is not None and self._task.has_lengths and placement.max_batch_size > 1,
            max_batch_tokens=serving.max_batch_tokens,
            sequence_idle_seconds=sequence_idle_seconds,
        )
        self.statistics = {"pipeline": Statistics(), "engine": Statistics()}

        def make_entries(count: int) -> list[Entries]:
            engine = load_engine(bundle, self.variant, threads=placement.threads)
            return [self._entries(engine), *(self._entries(engine.another()) for _ in range(1, count))]

        self._scheduler = Scheduler(
            f"{manifest.model}-{manifest.version}",
            self.batching,
            make_entries,
            cores,
            on_batch=lambda entry, times: self.statistics[entry].add_batch(times),
            instances=placement.instances,
            threads=placement.threads,
            pinnable=computes_on_caller(self.variant.engine, placement.threads),
            run_limit_seconds=run_limit_seconds,
        )

    @property
    def task(self) -> Task[Any, Any] | None:
        """See `Model.task`."""
        return self._task

    def require_task(self) -> Task[Any, Any]:
        """See `Model.require_task`."""
        if self._task is None:
            super().require_task()
        assert self._task is not None  # by the lines above
        return self._task

    @property
    def placed(self) -> str:
        """See `Model.placed`."""
        return str(self.placement)

    @property
    def stateful(self) -> bool:
        """See `Model.stateful`."""
        return bool(self.manifest.state)

    @property
    def waiting(self) -> int:
        """See `Model.waiting`; for an instance."""
        return self._scheduler.waiting

    @property
    def live_instances(self) -> int:
        """How many instances take batches: fewer than the placement's while one that hung is replaced."""
        return self._scheduler.instances

    def check_room(self, *, deadline: float | None, priority: int) -> None:
        """See `Model.check_room`."""
        self._scheduler.check_room(deadline=deadline, priority=priority)

    def submit_accepted(
        self, items: Sequence[Any], *, deadline: float | None, priority: int
    ) -> list[Future[Answer[Result]]]:
        """Queues what a model that is composed of this one asks, for requests that it has accepted.

        Any number of items, of what the task prepares; none is refused for the others that wait.

        Raises:
            TundishError: see `Scheduler.submit`.
        """
        return self._scheduler.submit("pipeline", items, deadline=deadline, priority=priority, accepted=True)

    def submit_tensors(
        self,
        inputs: Arrays,
        *,
        deadline: float | None = None,
        priority: int = DEFAULT_PRIORITY,
        step: Step | None = None,
    ) -> list[Future[Answer[Arrays]]]:
        """Queues the rows of a batch for the bare engine, a future each; see `Scheduler.submit`.

        A model that keeps a state takes one row, which is a `step` of a sequence; for others, `step` means nothing.

        Raises:
            InvalidInputError: a tensor is missing, unknown, or of another datatype or shape than the engine takes,
                there is no such priority, or a step is missing.
        """
        check_priority(priority)
        rows = self._check_tensors(inputs)
        payloads: list[Any] = [{name: array[row : row + 1] for name, array in inputs.items()} for row in range(rows)]
        if not self.stateful:
            step = None
        elif step is None:
            raise InvalidInputError(
                f"'{self.name}' keeps a state for each sequence: a request needs the parameter sequence_id."
            )
        else:
            payloads = [(payloads[0], step)]
        return self._scheduler.submit(
            "engine", payloads, shape_key=self._shape_key(inputs), deadline=deadline, priority=priority, step=step
        )

    def close(self) -> None:
        """See `Model.close`."""
        self._scheduler.close()

    def _queue(self, items: Sequence[Item], deadline: float | None, priority: int) -> list[Future[Answer[Result]]]:
        return self._scheduler.submit("pipeline", items, deadline=deadline, priority=priority)

    def _entries(self, engine: Engine) -> Entries:
        """Those of an instance."""
        state = self.manifest.state
        bare: Entry[Arrays] = StatefulEngine(engine, state) if state else BareEngine(engine)
        return {"engine": bare} if self._task is None else {"pipeline": Pipeline(self._task, engine), "engine": bare}

    def _check_tensors(self, inputs: Arrays) -> int:
        """Holds the tensors against the engine's inputs; returns the number of rows."""
        specs = self.request_inputs
        check_names(f"{self.name}.engine", [spec.name for spec in specs], list(inputs))
        sizes: dict[str, int] = {}
        for spec in specs:
            _check_tensor(spec, inputs[spec.name], sizes)
        rows = len(inputs[specs[0].name])
        self.check_count(rows)
        for name in self._single:
            if (inputs[name] != inputs[name][0]).any():
                raise InvalidInputError(
                    f"Input '{name}' must be the same for all rows of a request, got {inputs[name].tolist()}."
                )
        return rows

    def _shape_key(self, inputs: Arrays) -> Hashable:
        """What rows must agree on to run together: their shapes, and what the engine takes one value of."""
        shapes = tuple(inputs[spec.name].shape[1:] for spec in self.request_inputs)
        return shapes, tuple(inputs[name][0].item() for name in self._single)


def _check_tensor(spec: TensorSpec, array: NDArray[np.generic], sizes: dict[str, int]) -> None:
    """`sizes` collects what each named dimension turned out to be: all tensors must agree on it."""
    if array.dtype != NUMPY_DTYPES[spec.datatype]:
        raise InvalidInputError(f"Input '{spec.name}' must be {spec.datatype}, got {datatype_of(array.dtype)}.")
    agreed = dict(sizes)
    fits = len(array.shape) == len(spec.shape) and all(
        size == (sizes.setdefault(dim, size) if isinstance(dim, str) else dim) and size > 0
        for size, dim in zip(array.shape, spec.shape, strict=True)
    )
    if not fits:
        raise InvalidInputError(
            f"Input '{spec.name}' must have the shape {_describe(spec, agreed)}, got {list(array.shape)}."
        )


def _describe(spec: TensorSpec, agreed: Mapping[str, int]) -> str:
    dims = (f"{dim}={agreed[dim]}" if isinstance(dim, str) and dim in agreed else str(dim) for dim in spec.shape)
    return f"[{', '.join(dims)}]"
