"""A model that is composed of others, its components, which are models of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from tundish.bundle import ComposedBundle
from tundish.engine_model import EngineModel
from tundish.manifest import Composition
from tundish.model import MAX_ITEMS_PER_REQUEST, Model
from tundish.pipeline import Answer
from tundish.results import Result
from tundish.scheduling import Batching, Coordinator, Cores
from tundish.scheduling.item import Item as Queued
from tundish.statistics import Statistics
from tundish.steps import Ask, Execution, Memory, Plan
from tundish.tasks import Item
from tundish.tasks.composed import ComposedTask
from tundish.tasks.registry import load_composed_task


class ComposedModel(Model):
    """See `Model`."""

    manifest: Composition

    def __init__(self, bundle: ComposedBundle, components: Mapping[str, EngineModel], cores: Cores) -> None:
        """Takes the components over, and closes them when it is closed.

        Raises:
            BundleError: the bundle does not fit its task.
        """
        manifest = bundle.manifest
        self.manifest = manifest
        self.components = components
        self.reads = manifest.reads
        self.statistics = {"pipeline": Statistics()}
        self._task = load_composed_task(bundle)
        self.batching = Batching(max_batch_size=1, max_queue_size=max(manifest.max_queue_size, MAX_ITEMS_PER_REQUEST))
        self._coordinator = Coordinator(
            f"{manifest.model}-{manifest.version}",
            self.batching,
            cores,
            places=_places(components.values()),
            begin=self._begin,
        )
        self._plan = Plan(
            task=self._task,
            steps=manifest.steps,
            ask={name: _asking(component) for name, component in components.items()},
            memories={step.name: Memory(step.remembered) for step in manifest.steps},
            post=self._coordinator.post,
            clock=cores.clock,
        )

    @property
    def task(self) -> ComposedTask[Any]:
        """See `Model.task`."""
        return self._task

    @property
    def placed(self) -> str:
        """See `Model.placed`."""
        return f"{len(self.components)} components, {self._coordinator.places} items at a time"

    @property
    def waiting(self) -> int:
        """See `Model.waiting`; for a place, see `Coordinator`."""
        return self._coordinator.waiting

    @property
    def live_instances(self) -> int:
        """See `Model.live_instances`."""
        return self._coordinator.places

    def check_room(self, *, deadline: float | None, priority: int) -> None:
        """See `Model.check_room`."""
        self._coordinator.check_room(deadline=deadline, priority=priority)

    def close(self) -> None:
        """See `Model.close`."""
        self._coordinator.close()
        for component in self.components.values():
            component.close()

    def _queue(self, items: Sequence[Item], deadline: float | None, priority: int) -> list[Future[Answer[Result]]]:
        return self._coordinator.submit(items, deadline=deadline, priority=priority)

    def _begin(self, item: Queued, end: Callable[[Any], None]) -> None:
        Execution(self._plan, item, end).begin()


def _places(components: Iterable[EngineModel]) -> int:
    """As many items as keep the component with the largest batches busy, and as many again on their way to it."""
    return 2 * max(each.placement.instances * each.placement.max_batch_size for each in components)


def _asking(component: EngineModel) -> Ask:
    return lambda items, deadline, priority: component.submit_accepted(items, deadline=deadline, priority=priority)
