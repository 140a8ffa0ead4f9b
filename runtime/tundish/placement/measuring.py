"""Measures a placement in this process, as it will run: the model itself, on its scheduler, in a closed loop."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from tundish.bundle import Bundle
from tundish.model import Model
from tundish.placement.figures import Measurement
from tundish.placement.placement import Placement
from tundish.scheduling import RUN_LIMIT_SECONDS, SEQUENCE_IDLE_SECONDS, Cores


def measure(bundle: Bundle, items: Sequence[bytes], cores: Cores, placement: Placement, seconds: float) -> Measurement:
    """Loads the placement, warms it up, measures for about `seconds`, and unloads it.

    There are twice as many callers as its instances take items at a time, so that the next batch always waits; each
    sends the next of the items as soon as it has its answer. It runs longer where a batch of each instance takes
    longer, which is also what warms it up.

    Raises:
        BundleError: the bundle does not fit its task.
        EngineError: the engine does not take the variant, or fails.
        InvalidInputError: the model cannot read an item.
    """
    model = Model(
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
        cpu_started = time.process_time()
        spent, latencies = loop.run(seconds=seconds, count=at_once)
        return Measurement(spent, time.process_time() - cpu_started, latencies)
    finally:
        loop.cancel()
        model.close()


class _ClosedLoop:
    """Callers that each wait for an answer and ask again; all of them on the thread that calls `run`."""

    def __init__(self, model: Model, items: Sequence[bytes], callers: int) -> None:
        self._model = model
        self._items = itertools.cycle(items)
        self._answers: SimpleQueue[tuple[float, Future[Any]]] = SimpleQueue()
        self._asked: dict[Future[Any], float] = {}
        for _ in range(callers):
            self._ask()

    def run(self, *, seconds: float, count: int) -> tuple[float, list[float]]:
        """Until both the time is over and so many answers have come; the time to the last, and their latencies."""
        started = last = time.perf_counter()
        latencies: list[float] = []
        while last < started + seconds or len(latencies) < count:
            last, future = self._answers.get()
            future.result()
            latencies.append(last - self._asked.pop(future))
            self._ask()
        return last - started, latencies

    def cancel(self) -> None:
        """Lets go of what has not begun."""
        for future in self._asked:
            future.cancel()

    def _ask(self) -> None:
        asked = time.perf_counter()
        (future,) = self._model.submit([next(self._items)])
        self._asked[future] = asked
        future.add_done_callback(self._answered)

    def _answered(self, future: Future[Any]) -> None:
        self._answers.put((time.perf_counter(), future))
