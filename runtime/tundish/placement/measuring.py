"""Measures a placement in this process, as it will run: the model itself, on its scheduler, in a closed loop."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from tundish.bundle import Bundle
from tundish.engine_model import EngineModel
from tundish.placement.figures import Measurement
from tundish.placement.placement import Placement
from tundish.scheduling import RUN_LIMIT_SECONDS, SEQUENCE_IDLE_SECONDS, Cores
from tundish.tasks import Item, Task


def measure(bundle: Bundle, items: Sequence[Item], cores: Cores, placement: Placement, seconds: float) -> Measurement:
    """Loads the placement, warms it up, measures for about `seconds`, and unloads it.

    There are twice as many callers as its instances take items at a time, so that the next batch always waits; each
    sends the next of the items as soon as it has its answer. It runs longer where a batch of each instance takes
    longer, which is also what warms it up.

    Raises:
        BundleError: the bundle does not fit its task.
        EngineError: the engine does not take the variant, or fails.
        InvalidInputError: the model cannot read an item.
    """
    model = EngineModel(
        bundle,
        cores,
        placement=placement,
        run_limit_seconds=RUN_LIMIT_SECONDS,
        sequence_idle_seconds=SEQUENCE_IDLE_SECONDS,
    )
    at_once = placement.instances * placement.max_batch_size
    loop = _ClosedLoop(model, items, callers=min(2 * at_once, model.batching.max_queue_size))
    try:
        loop.run(seconds=0, count=at_once)
        return loop.run(seconds=seconds, count=at_once)
    finally:
        loop.cancel()
        model.close()


@dataclass(frozen=True, slots=True)
class _Question:
    asked: float
    share: float
    """Of the work that an item of mean length is."""


class _ClosedLoop:
    """Callers that each wait for an answer and ask again; all of them on the thread that calls `run`."""

    def __init__(self, model: EngineModel, items: Sequence[Item], callers: int) -> None:
        self._model = model
        self._items = itertools.cycle(zip(items, shares_of_work(model.require_task(), items), strict=True))
        self._answers: SimpleQueue[tuple[float, Future[Any]]] = SimpleQueue()
        self._asked: dict[Future[Any], _Question] = {}
        for _ in range(callers):
            self._ask()

    def run(self, *, seconds: float, count: int) -> Measurement:
        """Until both the time is over and so many answers have come."""
        cpu_started, started = time.process_time(), time.perf_counter()
        last, items = started, 0.0
        latencies: list[float] = []
        while last < started + seconds or len(latencies) < count:
            last, future = self._answers.get()
            future.result()
            question = self._asked.pop(future)
            latencies.append(last - question.asked)
            items += question.share
            self._ask()
        return Measurement(last - started, time.process_time() - cpu_started, latencies, items)

    def cancel(self) -> None:
        """Lets go of what has not begun."""
        for future in self._asked:
            future.cancel()

    def _ask(self) -> None:
        item, share = next(self._items)
        asked = time.perf_counter()
        (future,) = self._model.submit([item])
        self._asked[future] = _Question(asked, share)
        future.add_done_callback(self._answered)

    def _answered(self, future: Future[Any]) -> None:
        self._answers.put((time.perf_counter(), future))


def shares_of_work(task: Task[Any, Any], items: Sequence[Item]) -> list[float]:
    """What each item is of the work that one of mean length is: by its length, or all alike."""
    lengths = [task.length(task.prepare(item)) for item in items]
    mean = sum(lengths) / len(lengths)
    return [length / mean if mean else 1.0 for length in lengths]
