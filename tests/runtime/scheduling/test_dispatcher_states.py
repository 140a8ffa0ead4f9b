"""The dispatcher with hypothesis as its adversary: whatever happens in whatever order, no item is lost or run twice."""

from __future__ import annotations

from concurrent.futures import CancelledError

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.dispatching import FakeInstance, Stage

from tundish.errors import DeadlineExceededError, EngineError, InvalidInputError, QueueFullError, StoppingError
from tundish.scheduling.dispatcher import Lane
from tundish.scheduling.item import Item, Step

RUN_LIMIT = 30.0
MAX_SEQUENCES = 2


class DispatcherMachine(RuleBasedStateMachine):
    """Submits, cancels, finishes, fails to finish and closes, while time passes."""

    @initialize(cores=st.integers(1, 4), data=st.data())
    def start(self, cores: int, data: st.DataObject) -> None:
        self.cores = cores
        self.stage = Stage(cores)
        self.lanes: list[Lane] = []
        for index in range(data.draw(st.integers(1, 3), label="lanes")):
            most = data.draw(st.integers(1, 4), label="max_batch_size")
            threads = data.draw(st.integers(0, 2), label="threads")
            self.lanes.append(
                self.stage.lane(
                    f"model-{index}",
                    instances=data.draw(st.integers(1, 3), label="instances"),
                    threads=threads,
                    pinnable=threads == 1 and data.draw(st.booleans(), label="pinnable"),
                    run_limit_seconds=RUN_LIMIT,
                    max_batch_size=most,
                    max_queue_size=data.draw(st.integers(4, 12), label="max_queue_size"),
                    max_queue_delay_microseconds=data.draw(st.sampled_from([0, 0, 2_000_000]), label="delay"),
                    preferred_batch_sizes=data.draw(st.sampled_from([(), (2,), (most,)]), label="preferred"),
                    by_length=data.draw(st.booleans(), label="by_length"),
                    max_sequences=MAX_SEQUENCES,
                    sequence_idle_seconds=1e9,
                )
            )
        self.items: dict[Lane, list[Item]] = {lane: [] for lane in self.lanes}
        self.steps = 0
        self.submitted: dict[int, int] = {}
        self.began: dict[int, int] = {}
        """The step in which an item came, and in which it was first seen running."""
        self.closed: set[Lane] = set()
        self.hung: list[tuple[Lane, FakeInstance]] = []
        self.failed: set[int] = set()
        self.cancelled: set[int] = set()
        self.states: dict[tuple[Lane, int | str], tuple[int, ...]] = {}
        """What each sequence has seen, as this test reckons."""

    @rule(
        data=st.data(),
        count=st.integers(1, 4),
        seconds=st.none() | st.floats(-1, 20),
        priority=st.integers(1, 3),
        entry=st.sampled_from(["pipeline", "pipeline", "engine"]),
        accepted=st.sampled_from([False, False, True]),
    )
    def submit(
        self, data: st.DataObject, count: int, seconds: float | None, priority: int, entry: str, accepted: bool
    ) -> None:
        lane = data.draw(st.sampled_from(self.lanes))
        self.steps += 1
        lengths = data.draw(st.lists(st.integers(1, 50), min_size=count, max_size=count))
        deadline = None if seconds is None else self.stage.now + seconds
        refused = self._is_refused_beforehand(lane, deadline, priority)
        try:
            items = self.stage.submit(
                lane,
                *lengths,
                entry=entry,  # type: ignore[arg-type]
                deadline=deadline,
                priority=priority,
                accepted=accepted,
            )
            self.items[lane] += items
            self.submitted |= {id(item): self.steps for item in items}
        except StoppingError:
            assert lane in self.closed
        except QueueFullError:
            assert not accepted
            assert len(lane.queue) + count > lane.queue.batching.max_queue_size or deadline is not None
        else:
            assert lane not in self.closed
            assert accepted or not refused

    @rule(
        data=st.data(),
        name=st.integers(1, 3),
        start=st.booleans(),
        end=st.booleans(),
        length=st.integers(1, 50),
        seconds=st.none() | st.floats(-1, 20),
        priority=st.integers(1, 3),
        entry=st.sampled_from(["pipeline", "engine"]),
    )
    def submit_step(
        self,
        data: st.DataObject,
        name: int,
        start: bool,
        end: bool,
        length: int,
        seconds: float | None,
        priority: int,
        entry: str,
    ) -> None:
        lane = data.draw(st.sampled_from(self.lanes))
        self.steps += 1
        full = len(lane.queue.sequences) == MAX_SEQUENCES or len(lane.queue) >= lane.queue.batching.max_queue_size
        try:
            items = self.stage.submit(
                lane,
                length,
                entry=entry,  # type: ignore[arg-type]
                deadline=None if seconds is None else self.stage.now + seconds,
                priority=priority,
                step=Step(sequence=name, start=start, end=end and data.draw(st.booleans())),
            )
            self.items[lane] += items
            self.submitted |= {id(item): self.steps for item in items}
        except StoppingError:
            assert lane in self.closed
        except InvalidInputError:
            assert not start
            assert (lane, name) not in self.states
        except QueueFullError:
            assert full or seconds is not None

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        waiting = [item for items in self.items.values() for item in items if not item.future.done()]
        if waiting:
            item = data.draw(st.sampled_from(waiting))
            self.cancelled.add(id(item))
            assert item.future.cancel() == (not self._is_run(item))

    @rule(data=st.data(), seconds=st.floats(0, 3), failing=st.sampled_from([False, False, True]))
    def finish(self, data: st.DataObject, seconds: float, failing: bool) -> None:
        busy = [
            (lane, index)
            for lane in self.lanes
            for index, instance in enumerate(self.stage.instances[lane])
            if instance.work and not instance.given_up
        ]
        if busy:
            lane, index = data.draw(st.sampled_from(busy))
            if self.stage.now + seconds - lane.running[self.stage.instances[lane][index]].since < RUN_LIMIT:
                self._finish(lane, index, after=seconds, failing=failing)

    @rule(seconds=st.floats(0, 10))
    def pass_time(self, seconds: float) -> None:
        self.stage.now += seconds
        self.stage.dispatcher.tick()
        for lane in self.lanes:
            for instance in list(self.stage.instances[lane]):
                if instance.given_up and (lane, instance) not in self.hung:
                    self.hung.append((lane, instance))
                    self.stage.add_instance(lane)

    @precondition(lambda self: self.hung)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        lane, instance = data.draw(st.sampled_from(self.hung))
        assert not self.stage.dispatcher.finish(lane, instance)

    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from(self.lanes))
        self.stage.dispatcher.close(lane)
        self.closed.add(lane)

    @invariant()
    def cores_are_not_overdrawn(self) -> None:
        if hasattr(self, "lanes"):
            assert sum(lane.threads * len(lane.running) for lane in self.lanes) <= self.cores

    @invariant()
    def a_core_is_held_by_one_instance_alone(self) -> None:
        held = [
            (running.cores, instance.core, lane)
            for lane in getattr(self, "lanes", [])
            for instance, running in lane.running.items()
            if isinstance(instance, FakeInstance)
        ]
        cores = [core for cores, _, _ in held for core in cores]
        assert len(set(cores)) == len(cores)
        assert all(core in range(self.cores) for core in cores)
        for cores, pinned, lane in held:
            assert len(cores) == lane.threads
            assert pinned is None or (lane.pinnable and cores == [pinned])

    @invariant()
    def what_runs_may_run(self) -> None:
        for lane, items in getattr(self, "items", {}).items():
            running = {id(item) for work in self._works(lane) for item in work}
            for item in items:
                if id(item) in running:
                    assert not item.future.done()
                    self.began.setdefault(id(item), self.steps)
            for work in self._works(lane):
                assert len(work) <= lane.queue.batching.max_batch_size
                assert all(item.mixes_with(work[0]) for item in work)

    @invariant()
    def a_queue_knows_when_it_may_hold_what_is_dead(self) -> None:
        for lane, items in getattr(self, "items", {}).items():
            if not lane.queue.may_hold_dead(self.stage.now):
                live = [item for item in items if not (item.future.done() or _has_expired(item, self.stage.now))]
                assert len(lane.queue) <= len(live)

    @invariant()
    def a_sequence_runs_one_item_at_a_time(self) -> None:
        for lane in getattr(self, "lanes", []):
            names = [item.step.sequence for work in self._works(lane) for item in work if item.step]
            assert len(set(names)) == len(names)
            assert len(lane.queue.sequences) <= MAX_SEQUENCES

    @invariant()
    def nobody_is_overtaken_where_all_items_are_alike(self) -> None:
        for lane, items in getattr(self, "items", {}).items():
            if lane.queue.batching.by_length:
                continue
            # But for those that wait for their turn in a sequence.
            waiting = [item for item in items if not (item.future.done() or item.future.running() or item.step)]
            for item in items:
                for other in waiting:
                    there = id(item) in self.began and self.submitted[id(other)] <= self.began[id(item)]
                    assert not there or other.order > item.order

    @invariant()
    def no_instance_idles_beside_work_that_it_could_do(self) -> None:
        free = (
            self.cores - sum(lane.threads * len(lane.running) for lane in self.lanes) if hasattr(self, "lanes") else 0
        )
        able = [lane for lane in getattr(self, "lanes", []) if lane.idle]
        ready = [lane for lane in able if lane.queue.seconds_until_ready(self.stage.now) == 0]
        assert not ready or free < max(lane.threads for lane in ready)
        assert all(lane.threads for lane in ready), "one that needs no core waits for none"

    def teardown(self) -> None:
        if not hasattr(self, "lanes"):
            return
        for lane in self.lanes:
            self.stage.dispatcher.close(lane)
        while busy := [
            (lane, index)
            for lane in self.lanes
            for index, instance in enumerate(self.stage.instances[lane])
            if instance.work and not instance.given_up
        ]:
            self._finish(*busy[0])
        for lane in self.lanes:
            assert lane.drained.is_set()
            for item in self.items[lane]:
                assert item.future.done()
                self._check_outcome(item)

    def _finish(self, lane: Lane, index: int, *, after: float = 0.0, failing: bool = False) -> None:
        """Finishes, and holds the state that each step began with against what the sequence has seen."""
        work = self.stage.finish(lane, index, after=after, failing=failing)
        if work.kind == "prepare":
            return
        for item in work.items:
            if failing:
                self.failed.add(id(item))
            if item.step is None:
                continue
            key = lane, item.step.sequence
            before = None if item.step.start else self.states[key]
            assert item.step.state == before
            if failing or id(item) in self.cancelled:
                continue
            self.states[key] = (*(before or ()), item.payload)
            if item.step.end:
                del self.states[key]

    def _check_outcome(self, item: Item) -> None:
        try:
            assert item.future.result(0) == item.payload
        except CancelledError:
            assert id(item) not in self.began
        except DeadlineExceededError:
            assert id(item) not in self.began
            assert item.deadline is not None
            assert self.stage.now >= item.deadline
        except InvalidInputError:
            assert item.step
            assert not item.step.start
            assert id(item) not in self.began
        except EngineError:
            assert self.hung or id(item) in self.failed

    def _is_refused_beforehand(self, lane: Lane, deadline: float | None, priority: int) -> bool:
        try:
            self.stage.dispatcher.check_room(lane, deadline=deadline, priority=priority)
        except StoppingError:
            assert lane in self.closed
        except QueueFullError:
            return True
        return False

    def _works(self, lane: Lane) -> list[list[Item]]:
        busy = (instance for instance in self.stage.instances[lane] if instance.work and not instance.given_up)
        return [instance.work.items for instance in busy if instance.work and instance.work.kind == "run"]

    def _is_run(self, item: Item) -> bool:
        return any(item in work for lane in self.lanes for work in self._works(lane))


def _has_expired(item: Item, now: float) -> bool:
    return item.deadline is not None and now >= item.deadline and not item.future.running()


TestDispatcher = DispatcherMachine.TestCase
TestDispatcher.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
