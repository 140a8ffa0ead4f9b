"""A dispatcher without threads: a clock that a test sets, and instances that note what they are given."""

from __future__ import annotations

from typing import Any

from tundish.errors import EngineError
from tundish.scheduling.batching import Batching
from tundish.scheduling.dispatcher import Dispatcher, Lane
from tundish.scheduling.item import EntryName, Item, Step, Work
from tundish.scheduling.queue import DEFAULT_PRIORITY


class FakeInstance:
    """Does nothing; the test finishes its work."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.work: Work | None = None
        self.core: int | None = None
        self.given_up = False

    def __repr__(self) -> str:
        return self.name

    def start(self, work: Work, core: int | None) -> None:
        """See `Instance.start`."""
        assert self.work is None, "an instance was given work while it had some"
        assert not self.given_up
        self.work = work
        self.core = core

    def give_up(self) -> None:
        """See `Instance.give_up`."""
        self.given_up = True


class Stage:
    """A dispatcher on which time passes when the test says so."""

    def __init__(self, cores: int) -> None:
        self.now = 0.0
        self.alarms = 0
        self.dispatcher = Dispatcher(cores, clock=lambda: self.now, on_alarm=self._count)
        self.instances: dict[Lane, list[FakeInstance]] = {}

    def lane(
        self,
        name: str = "model",
        *,
        instances: int = 1,
        threads: int = 1,
        run_limit_seconds: float = 1e9,
        pinnable: bool = False,
        **batching: Any,
    ) -> Lane:
        """A model with so many instances; batches are of up to four unless `batching` says otherwise."""
        settings = Batching(**{"max_batch_size": 4, **batching})
        lane = self.dispatcher.add_lane(
            name, settings, threads=threads, run_limit_seconds=run_limit_seconds, pinnable=pinnable
        )
        self.instances[lane] = []
        for _ in range(instances):
            self.add_instance(lane)
        return lane

    def add_instance(self, lane: Lane) -> FakeInstance:
        """One more instance."""
        instance = FakeInstance(f"{lane.name}-{len(self.instances[lane])}")
        self.instances[lane].append(instance)
        self.dispatcher.add_instance(lane, instance)
        return instance

    def submit(
        self,
        lane: Lane,
        *payloads: object,
        entry: EntryName = "pipeline",
        shape: object = None,
        deadline: float | None = None,
        priority: int = DEFAULT_PRIORITY,
        step: Step | None = None,
        accepted: bool = False,
    ) -> list[Item]:
        """One request with an item for each payload; only one if it is a step."""
        items = [
            Item(entry=entry, payload=payload, shape_key=shape, deadline=deadline, priority=priority, step=step)
            for payload in payloads
        ]
        self.dispatcher.submit(lane, items, accepted=accepted)
        return items

    def running(self, lane: Lane) -> list[list[Any]]:
        """The payloads that each busy instance has."""
        busy = [instance.work for instance in self.instances[lane] if instance.work and not instance.given_up]
        return [[item.payload for item in work.items] for work in busy]

    def finish(self, lane: Lane, index: int = 0, *, after: float = 0.0, failing: bool = False) -> Work:
        """Lets the instance finish, after so many seconds: prepared items get their payload as length.

        The state of a sequence is the tuple of the payloads that it has seen; items that are `failing` leave none.
        """
        self.now += after
        instance = self.instances[lane][index]
        work = instance.work
        assert work is not None, "the instance has nothing to finish"
        instance.work = None
        prepared = work.items if work.kind == "prepare" else []
        for item in prepared:
            item.prepared, item.length = item.payload, int(item.payload)
        for item in work.items:
            if item.step and work.kind == "run" and not failing:
                item.step.state_after = (*(item.step.state or ()), item.payload)
        if self.dispatcher.finish(lane, instance, prepared) and work.kind == "run":
            for item in work.items:
                item.answer(EngineError("failing") if failing else item.payload)
        return work

    def _count(self) -> None:
        self.alarms += 1
