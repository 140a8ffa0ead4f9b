"""The cores of this process, which its models share, and the thread that watches the clock for them."""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue

from tundish.scheduling.dispatcher import Dispatcher


class Cores:
    """A dispatcher that runs by the real clock. Close it after the schedulers that use it."""

    def __init__(self, count: int) -> None:
        self.clock = time.monotonic
        self._alarms: SimpleQueue[bool] = SimpleQueue()
        self.dispatcher = Dispatcher(count, clock=self.clock, on_alarm=lambda: self._alarms.put(True))
        self._thread = threading.Thread(target=self._watch, name="scheduling-clock", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Returns when the clock's thread has ended."""
        self._alarms.put(False)
        self._thread.join()

    def _watch(self) -> None:
        wait = None
        while True:
            try:
                if not self._alarms.get(timeout=wait):
                    return
            except Empty:
                pass
            wait = self.dispatcher.tick()
