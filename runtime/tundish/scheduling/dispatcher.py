"""Who works next: the models of a process, their instances, and the cores that they share.

A model has a lane here: its queue, and its instances, idle or at work. The rules, beside those of the queue:

1. Budget. An instance at work holds as many cores as it has threads. Together they never hold more than there are.
2. Shares. Free cores go to the model that has had the least of them, counted in core seconds since it last had
   nothing to do: start-time fair queuing (Goyal, Vin and Cheng, 1996). A model that was idle starts level with the
   others.
3. Reserve. If that model's instances need more cores than are free, the free ones are kept for it: many small ones do
   not keep out a large one. A lane whose instances need none waits for nobody.
4. Watch. An instance that is at work longer than its model's limit is given up: its items fail, its cores are free
   again, and its model gets another instance in its place. Whatever it still answers is not heard.
5. End. A closed lane is drained once nothing of it waits or is at work.
6. Pinning. An instance that starts when no core is left free is pinned to the one that it holds, if it computes on its
   own thread alone; one that leaves a core free goes where the kernel has it. The kernel does not keep threads that
   are always ready apart: two would take turns on one core, for milliseconds, beside an idle one.

Nothing here waits or computes. Events come by calls from any thread, work goes out by `Instance.start`, and what is
due by the clock is done when `tick` is called.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from tundish.errors import EngineError, StoppingError, TundishError
from tundish.scheduling.batching import Batching
from tundish.scheduling.item import Item, Work
from tundish.scheduling.queue import ItemQueue

_SMOOTHING = 0.1
"""Weight of the newest batch in the running means of what batches and items take."""


class Instance(Protocol):
    """Who does the work of a lane."""

    def start(self, work: Work, core: int | None) -> None:
        """Hands over work; must return at once and call nothing of the dispatcher.

        `core` is the one that it is to be done on, counted from 0; None for any.
        """
        ...

    def give_up(self) -> None:
        """Says that the instance gets no more work, and that another should take its place."""
        ...


@dataclass(slots=True)
class _Running:
    work: Work
    since: float
    cores: list[int]
    """Which it holds."""
    charged: float
    """Core seconds that the lane has been charged in advance."""


@dataclass(slots=True, eq=False)
class Lane:
    """A model's place among the others; all of it belongs to the dispatcher."""

    name: str
    queue: ItemQueue
    threads: int
    run_limit_seconds: float
    pinnable: bool
    idle: list[Instance] = field(default_factory=list)
    running: dict[Instance, _Running] = field(default_factory=dict)
    core_seconds: float = 0.0
    """What it has had, on a scale on which all lanes with work stand near each other."""
    seconds_per_item: float = 0.0
    """Running mean of one instance's time for an item."""
    seconds_per_batch: float = 0.0
    drained: threading.Event = field(default_factory=threading.Event)


class Dispatcher:
    """Gives out the work of all models of a process."""

    def __init__(
        self,
        cores: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_alarm: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_alarm` is called when `tick` must be called earlier than it last said; it must return at once."""
        self.cores = cores
        self._clock = clock
        self._on_alarm = on_alarm
        self._alarm: float | None = None
        """When `tick` must be called."""
        self._lock = threading.Lock()
        self._lanes: set[Lane] = set()
        self._busy: dict[Lane, None] = {}
        """Those in which something waits, is at work, or is kept for a sequence; idle models cost an event nothing."""
        self._free = list(range(cores))
        """What was held last is taken first, as instances are, so that an instance comes back to its core."""
        self._served = 0.0
        """`core_seconds` of the lane that got cores last."""

    def add_lane(
        self, name: str, batching: Batching, *, threads: int, run_limit_seconds: float, pinnable: bool = False
    ) -> Lane:
        """A lane without instances yet; each of its instances computes on `threads` cores, or on all there are.

        Instances that leave the computing to other lanes have none, and may have no limit. Those that compute on their
        own thread alone are `pinnable`.
        """
        lane = Lane(name, ItemQueue(batching), min(threads, self.cores), run_limit_seconds, pinnable)
        with self._lock:
            self._lanes.add(lane)
        return lane

    def add_instance(self, lane: Lane, instance: Instance) -> None:
        """Gives the lane one more instance, which is idle."""
        with self._event():
            lane.idle.append(instance)

    def submit(self, lane: Lane, items: Sequence[Item], *, accepted: bool = False) -> None:
        """Queues the items of a request, all or none.

        Items that are `accepted` belong to a request that is under way already: for them there is always room.

        Raises:
            QueueFullError: there is no room for them, or there are too many sequences.
            InvalidInputError: an item's sequence is not there.
            StoppingError: the lane is closed.
            TundishError: the lane is removed; that which it was removed with.
        """
        with self._event() as now:
            if not lane.queue and not lane.running:
                lane.core_seconds = max(lane.core_seconds, self._served)
            self._busy[lane] = None
            lane.queue.let_go(now)
            if not accepted:
                self._check_room(lane, len(items), now, items[0].deadline, items[0].priority)
            lane.queue.put(items, now)

    def check_room(self, lane: Lane, *, deadline: float | None, priority: int) -> None:
        """Raises what even one item would be refused with now, so that nothing has to be done for it.

        Where it needs a look at what waits to know, this raises nothing: `submit` does.
        """
        with self._lock:
            now = self._clock()
            if not lane.queue.may_hold_dead(now):
                self._check_room(lane, 1, now, deadline, priority)

    def finish(self, lane: Lane, instance: Instance, prepared: Sequence[Item] = ()) -> bool:
        """The instance has done its work, and is idle; `prepared` is what it has prepared of it.

        Returns whether its answers count: not if it was given up meanwhile. Then it gets no more work.
        """
        with self._event() as now:
            if instance not in lane.running:
                return False
            work = self._stop(lane, instance, now)
            lane.idle.append(instance)
            lane.queue.put_back(prepared)
            done = [item for item in work.items if item.step is not None and item not in prepared]
            lane.queue.end_turns(done, now, ran=True)
            return True

    def tick(self) -> float | None:
        """Does what is due by the clock. Returns the seconds until it must be called again; None if it need not."""
        given_up: list[tuple[Lane, Instance, Work]] = []
        with self._event(ticking=True) as now:
            for lane in self._busy:
                lane.queue.sequences.expire(now)
                for instance, running in list(lane.running.items()):
                    if now >= running.since + lane.run_limit_seconds:
                        work = self._stop(lane, instance, now)
                        lane.queue.end_turns(work.items, now, ran=False)
                        given_up.append((lane, instance, work))
        for lane, instance, work in given_up:
            instance.give_up()
            error = EngineError(
                f"'{lane.name}' gave no answer within {lane.run_limit_seconds:g} seconds; its instance was replaced."
            )
            for item in work.items:
                item.answer(error)
        return None if self._alarm is None else max(0.0, self._alarm - self._clock())

    def close(self, lane: Lane) -> None:
        """Refuses new items of the lane from now on; its event `drained` is set once the accepted ones are done."""
        with self._event():
            lane.queue.closed = StoppingError("The model is stopping and takes no new work; ask another server.")
            self._busy[lane] = None

    def remove(self, lane: Lane, error: TundishError) -> None:
        """Takes the lane away, unless it is gone; what waits in it, and what still comes, is refused with the error."""
        with self._event() as now:
            if lane not in self._lanes:
                return
            lane.queue.closed = error
            abandoned = lane.queue.empty()
            for instance in list(lane.running):
                self._stop(lane, instance, now)
            self._lanes.remove(lane)
            self._busy.pop(lane, None)
            lane.drained.set()
        for item in abandoned:
            item.answer(error)

    @contextmanager
    def _event(self, *, ticking: bool = False) -> Iterator[float]:
        """Around a change: starts what can start after it, and answers, outside the lock, what will not be run."""
        refused: list[tuple[Item, TundishError]] = []
        try:
            with self._lock:
                now = self._clock()
                try:
                    yield now
                finally:
                    self._dispatch(now)
                    event = self._next_event(now)
                    if ticking:
                        self._alarm = event
                    elif event is not None and (self._alarm is None or event < self._alarm):
                        self._alarm = event
                        self._on_alarm()
                    refused = self._settle()
        finally:
            for item, error in refused:
                item.answer(error)

    def _dispatch(self, now: float) -> None:
        """Starts work until no lane has any that can start; what is dead by now is let go of before."""
        for each in self._busy:
            each.queue.let_go(now)
        while (lane := self._neediest(now)) and lane.threads <= len(self._free):
            if work := lane.queue.take(now, self._at_once(lane)):
                self._start(lane, work, now)

    def _settle(self) -> list[tuple[Item, TundishError]]:
        """Says which lanes have come to an end, and forgets those without work; returns what will not be run."""
        refused: list[tuple[Item, TundishError]] = []
        for lane in list(self._busy):
            refused += lane.queue.pop_refused()
            if lane.queue or lane.running:
                continue
            if lane.queue.closed:
                lane.drained.set()
            if not lane.queue.sequences:
                del self._busy[lane]
        return refused

    def _check_room(self, lane: Lane, count: int, now: float, deadline: float | None, priority: int) -> None:
        lane.queue.check_room(
            count,
            now,
            deadline=deadline,
            priority=priority,
            seconds_per_item=lane.seconds_per_item / self._at_once(lane),
            seconds_ahead=lane.seconds_per_batch,
        )

    def _next_event(self, now: float) -> float | None:
        """When something is due by the clock alone."""
        times = []
        for lane in self._busy:
            if lane.running and math.isfinite(lane.run_limit_seconds):
                longest = next(iter(lane.running.values()))  # since they stand in the order of their starts
                times.append(longest.since + lane.run_limit_seconds)
            # What is ready waits for a core or an instance, not for the clock.
            if lane.idle and (seconds := lane.queue.seconds_until_ready(now)):
                times.append(now + seconds)
            if (expiry := lane.queue.sequences.next_expiry) is not None:
                times.append(expiry)
        return min(times, default=None)

    def _neediest(self, now: float) -> Lane | None:
        """Of the lanes that have something to do and someone to do it."""
        ready = (lane for lane in self._busy if lane.idle and lane.queue.seconds_until_ready(now) == 0)
        return min(ready, key=lambda lane: (lane.threads > 0, lane.core_seconds), default=None)

    def _at_once(self, lane: Lane) -> int:
        """How many of its instances can work at a time, if no other lane does."""
        instances = len(lane.idle) + len(lane.running)
        return max(1, min(instances, self.cores // lane.threads) if lane.threads else instances)

    def _start(self, lane: Lane, work: Work, now: float) -> None:
        instance = lane.idle.pop()
        charged = lane.threads * lane.seconds_per_batch
        cores = [self._free.pop() for _ in range(lane.threads)]
        lane.running[instance] = _Running(work, now, cores, charged)
        if lane.threads:  # others say nothing of who has had how much
            self._served = lane.core_seconds
        lane.core_seconds += charged
        instance.start(work, cores[0] if lane.pinnable and not self._free else None)

    def _stop(self, lane: Lane, instance: Instance, now: float) -> Work:
        """The instance holds no cores any more; what it took is charged to its lane. Returns what it was at."""
        running = lane.running.pop(instance)
        self._free += running.cores
        seconds = now - running.since
        lane.core_seconds += lane.threads * seconds - running.charged
        if running.work.kind == "run":
            lane.seconds_per_batch = _smoothed(lane.seconds_per_batch, seconds)
            lane.seconds_per_item = _smoothed(lane.seconds_per_item, seconds / len(running.work.items))
        return running.work


def _smoothed(mean: float, newest: float) -> float:
    """The running mean with one more value; the first is the mean."""
    return mean + _SMOOTHING * (newest - mean) if mean else newest
