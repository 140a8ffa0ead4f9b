"""What a server's processes spend and hold while a load runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import psutil

from tundish_bench.watching.family import Family


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Physical memory of a server's processes together."""

    kind: Literal["PSS", "RSS"]
    """PSS shares out what processes have in common, where Linux lets it be read; RSS counts that for each of them."""
    mean_megabytes: float
    peak_megabytes: float
    """Of the samples: what came and went between two of them was not seen."""


class ServerWatch:
    """A process and all below it, from its making to the last `sample`; for one thread at a time."""

    def __init__(self, pid: int) -> None:
        """Raises BenchmarkError if there is no such process."""
        self._pid = pid
        self._family = Family(pid)
        self._resident: list[int] = []
        self._proportional: list[int] = []
        self._proportional_is_known = True

    def sample(self) -> None:
        """Reads all of it once more: some milliseconds, more where the server holds gigabytes."""
        self._family.look()
        resident = [_resident_bytes(process) for process in self._family.alive]
        self._resident.append(sum(resident))
        try:
            if self._proportional_is_known:
                self._proportional.append(sum(_proportional_bytes(process) for process in self._family.alive))
        except psutil.AccessDenied:
            self._proportional_is_known = False

    @property
    def cpu_seconds(self) -> float:
        """User and system time since the making, in steps of 0.01 s a process."""
        return self._family.cpu_seconds()

    @property
    def resident_megabytes(self) -> float:
        """RSS at the last sample."""
        return self._resident[-1] / 1e6

    @property
    def memory(self) -> Memory:
        """Of the samples so far, at least one."""
        samples = self._proportional if self._proportional_is_known else self._resident
        return Memory(
            kind="PSS" if self._proportional_is_known else "RSS",
            mean_megabytes=sum(samples) / len(samples) / 1e6,
            peak_megabytes=max(samples) / 1e6,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What its figures lack, in sentences."""
        if self._family.ended:
            return (
                f"The server's process {self._pid} ended while it was watched; its CPU time is at least what is given.",
            )
        if lost := self._family.lost:
            what = "A process" if lost == 1 else f"{lost} processes"
            return (f"{what} of the server ended without the CPU time being known; it is at least what is given.",)
        return ()


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _proportional_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:  # one that has ended and is not waited for holds nothing, either
        return 0
