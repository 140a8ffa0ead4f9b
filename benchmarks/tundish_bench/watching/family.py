"""A process and all below it: the CPU time that they spend, whoever of them comes or goes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import psutil

from tundish_bench.errors import BenchmarkError

_TICKS = 0.021
"""Seconds: user and system time are each told in hundredths."""
_LOOKS = 3


@dataclass(slots=True)
class _Member:
    """A process as it was last seen; times in seconds."""

    parent: int
    own: float
    reaped: float
    """Of processes below it that have ended and that it has waited for, as Linux adds it up."""
    own_first: float
    """When the family was first looked at; of a process that was started since, nothing."""
    reaped_first: float


class Family:
    """Counts CPU time from its making; for one thread at a time.

    A process that ends gives its time to the parent that waits for it, so that nothing of it is missing, not even of
    one that comes and goes between two looks. Where nobody of the family waits (the parent ended first, or ignores its
    children's end), what it had spent by the last look is counted, and `lost` says so.
    """

    def __init__(self, pid: int, *, without: int | None = None) -> None:
        """All processes from `pid` downward, but the one `without` and those below it.

        Raises:
            BenchmarkError: there is no such process.
        """
        self._without = without
        self._members: dict[psutil.Process, _Member] = {}
        self._alive: list[psutil.Process] = []
        try:
            self._root = psutil.Process(pid)
        except psutil.NoSuchProcess:
            raise BenchmarkError(f"There is no process {pid} to watch.") from None
        self.look()
        for member in self._members.values():
            member.own_first, member.reaped_first = member.own, member.reaped

    @property
    def ended(self) -> bool:
        """Whether the first of them was gone when it was last looked at."""
        return self._root not in self._alive

    @property
    def alive(self) -> tuple[psutil.Process, ...]:
        """Those that there were when it was last looked at."""
        return tuple(self._alive)

    def look(self) -> None:
        """Sees who is there and what they have spent; more often means that less is lost."""
        for _ in range(_LOOKS):
            present = self._present()
            # Parents before children: a child that is read after its parent is not in the parent's time as well.
            self._alive = [process for process in present if self._read(process)]
            if len(self._alive) == len(present):
                return  # none ended meanwhile, with its time in none of both

    def cpu_seconds(self) -> float:
        """Spent by all of them until the last look; at least so much, if `lost` is not 0."""
        lost = self._lost()
        alive = sum(member.own + member.reaped for member in map(self._members.__getitem__, self._alive))
        ended = sum(self._members[process].own + self._members[process].reaped_first for process in lost)
        return alive + ended - sum(member.own_first + member.reaped_first for member in self._members.values())

    @property
    def lost(self) -> int:
        """How many have ended whose time since they were last seen is not known."""
        return len(self._lost())

    def _present(self) -> list[psutil.Process]:
        """Parents before their children; those whose parent has ended stay in the family."""
        known = [process for process in self._members if process.is_running()]
        left_out = _with_children(self._without) if self._without is not None else ()
        return [each for each in dict.fromkeys((*_with_children(self._root.pid), *known)) if each not in left_out]

    def _read(self, process: psutil.Process) -> bool:
        try:
            with process.oneshot():
                times, parent = process.cpu_times(), process.ppid()
        except psutil.Error:
            return False
        member = self._members.setdefault(process, _Member(parent, 0.0, 0.0, 0.0, 0.0))
        member.parent = parent
        member.own = times.user + times.system
        member.reaped = times.children_user + times.children_system
        return True

    def _lost(self) -> list[psutil.Process]:
        """Those that have ended without anyone in the family having got their time."""
        alive = {process.pid: process for process in self._alive}
        parents = {process.pid: member.parent for process, member in self._members.items()}
        heirs: dict[int, list[psutil.Process]] = defaultdict(list)
        for process in self._members:
            if process not in self._alive:
                heirs[_nearest(process.pid, parents, alive)].append(process)
        lost = []
        for pid, ended in heirs.items():
            inherited = 0.0
            if pid in alive:
                heir = self._members[alive[pid]]
                inherited = heir.reaped - heir.reaped_first
            # What each had spent before the family was first looked at is inherited, too.
            if inherited + _TICKS < sum(self._members[process].own for process in ended) or pid not in alive:
                lost.extend(ended)
        return lost


def _with_children(pid: int) -> tuple[psutil.Process, ...]:
    """Of a process that has ended, none."""
    try:
        process = psutil.Process(pid)
        return process, *process.children(recursive=True)
    except psutil.NoSuchProcess:
        return ()


def _nearest(pid: int, parents: dict[int, int], alive: dict[int, psutil.Process]) -> int:
    """The nearest process above that is alive, or the last one known of."""
    while pid not in alive and pid in parents:
        pid = parents[pid]
    return pid
