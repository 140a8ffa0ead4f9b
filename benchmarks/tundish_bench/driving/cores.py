"""Which cores the load generator and a server that is started for it get: not the same ones, where there are enough."""

from __future__ import annotations

import os
from collections.abc import Iterator, Set
from contextlib import contextmanager

import psutil

_ENOUGH = 4
"""From so many on, one is the generator's alone; of fewer, a server would miss it more than it is disturbed."""


def generator_cores(server: int | None) -> Set[int] | None:
    """For the load on a server with this process id: those that it does not use, or the last of many.

    None where none can be spared, or the server runs elsewhere.
    """
    if server is None:
        return None
    ours = os.sched_getaffinity(0)
    try:
        theirs = set(psutil.Process(server).cpu_affinity())
    except psutil.Error:
        return None  # it has ended or is another user's, which who watches it says
    if free := ours - theirs:
        return free
    return {max(ours)} if len(ours) >= _ENOUGH else None


@contextmanager
def without_the_generators() -> Iterator[None]:
    """Processes that are started inside get all of this process's cores but the generator's, where there are enough."""
    ours = os.sched_getaffinity(0)
    if len(ours) < _ENOUGH:
        yield
        return
    os.sched_setaffinity(0, ours - {max(ours)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours)
