"""The cores of this process, which its models share, and the thread that watches the clock for them."""

from __future__ import annotations

import logging
import os
import threading
import time
from queue import Empty, SimpleQueue

from tundish.scheduling.dispatcher import Dispatcher

_LONGEST_WAIT_SECONDS = 3600.0
"""Python's own limit is three hundred years, and fails what waits for longer, as whoever wants no limit may say."""

_LOG = logging.getLogger(__name__)


class Cores:
    """A dispatcher that runs by the real clock. Close it after the schedulers that use it."""

    def __init__(self, count: int) -> None:
        """Threads are pinned to cores only if these are all that the process may use."""
        self.clock = time.monotonic
        usable = sorted(os.sched_getaffinity(0))
        self._processors = usable if len(usable) == count else []
        """By core, the kernel's number; none if threads are not pinned."""
        self._alarms: SimpleQueue[bool] = SimpleQueue()
        self.dispatcher = Dispatcher(count, clock=self.clock, on_alarm=lambda: self._alarms.put(True))
        self._thread = threading.Thread(target=self._watch, name="scheduling-clock", daemon=True)
        self._thread.start()

    def pin(self, core: int | None) -> None:
        """Has the calling thread compute on this core alone, or, with None, on any that the process may use."""
        if not self._processors:
            return
        processors = self._processors if core is None else [self._processors[core]]
        try:
            os.sched_setaffinity(0, processors)
        except OSError as error:
            # The process was confined to other cores meanwhile; the kernel has moved its threads there.
            self._processors = []
            _LOG.warning("Threads are no longer pinned to cores: %s.", error.strerror)

    def close(self) -> None:
        """Returns when the clock's thread has ended."""
        self._alarms.put(False)
        self._thread.join()

    def _watch(self) -> None:
        wait = None
        while True:
            try:
                if not self._alarms.get(timeout=None if wait is None else min(wait, _LONGEST_WAIT_SECONDS)):
                    return
            except Empty:
                pass
            wait = self.dispatcher.tick()
