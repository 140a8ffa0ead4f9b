"""What is measured beside a load: the server's processes, the GPUs, and the server's own account of its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean

import psutil

from tundish_bench.driving.endpoint import Endpoint
from tundish_bench.driving.server import STAGES, Totals, stage_totals
from tundish_bench.errors import BenchmarkError
from tundish_bench.reports import Figure
from tundish_bench.watching import Watch, Watched, is_this_machine

_CALLED = dict(zip(STAGES, ("queue", "preprocess", "compute", "postprocess"), strict=True))
"""What the stages of Triton's statistics are."""


class ServerMeter:
    """CPU and memory of the server, and the GPUs, where it runs on this machine."""

    def __init__(self, host: str, pid: int | None) -> None:
        """`pid` is of the server's process; None if it is not to be seen from here."""
        self._is_here = pid is not None or is_this_machine(host)
        self._pid = pid
        self._watch = Watch(self._pid)
        self._watched: list[Watched] = []

    @contextmanager
    def repeat(self) -> Iterator[None]:
        """See `Meter.repeat`; raises BenchmarkError if the server has ended meanwhile."""
        if self._pid is not None and not psutil.pid_exists(self._pid):
            raise BenchmarkError(f"The server's process {self._pid} ended while it was loaded; see its log.")
        with self._watch:
            yield
        self._watched.append(self._watch.watched)

    def figures(self, answered: Sequence[int]) -> Iterator[Figure]:
        """CPU and energy of a request, and how much memory was held."""
        cpu = [each.cpu_seconds for each in self._watched]
        if None not in cpu:
            spent = tuple(1e3 * (seconds or 0.0) / max(1, count) for seconds, count in zip(cpu, answered, strict=True))
            yield Figure(name="server CPU", unit="ms", better="less", repeats=spent)
        held = tuple(each.memory.peak_megabytes for each in self._watched if each.memory is not None)
        if held:
            yield Figure(name="server memory", unit="MB", better="less", repeats=held)
        for index in range(min((len(each.gpus) for each in self._watched), default=0) if self._is_here else 0):
            yield from self._gpu_figures(index, answered)

    def notes(self) -> tuple[str, ...]:
        """What the figures lack."""
        if not self._is_here:
            return (
                "The server runs on another machine, so that its CPU, memory and GPUs are not known; the machine that "
                "this report names is the one that asked.",
            )
        if self._pid is None:
            return (
                "The server's process is not to be seen, so that its CPU and memory are not known; give its --pid.",
            )
        return tuple(dict.fromkeys(note for each in self._watched for note in each.notes))

    def _gpu_figures(self, index: int, answered: Sequence[int]) -> Iterator[Figure]:
        gpus = [each.gpus[index] for each in self._watched]
        name = "GPU" if len(self._watched[0].gpus) == 1 else f"GPU {gpus[0].index}"
        use = [gpu.utilization_percent for gpu in gpus if gpu.utilization_percent is not None]
        memory = [gpu.memory_megabytes for gpu in gpus if gpu.memory_megabytes is not None]
        joules = [
            gpu.joules / max(1, count) for gpu, count in zip(gpus, answered, strict=True) if gpu.joules is not None
        ]
        if use:
            yield Figure(name=f"{name} use", unit="%", repeats=tuple(use))
        if memory:
            yield Figure(name=f"{name} memory", unit="MB", better="less", repeats=tuple(memory))
        if joules:
            yield Figure(name=f"{name} energy", unit="J", better="less", repeats=tuple(joules))


class StageMeter:
    """Where the server says that the time of a request goes, if it has Triton's statistics."""

    def __init__(self, endpoint: Endpoint, model: str) -> None:
        self._endpoint, self._model = endpoint, model
        self._repeats: list[tuple[Totals | None, Totals | None]] = []

    @contextmanager
    def repeat(self) -> Iterator[None]:
        """See `Meter.repeat`."""
        before = stage_totals(self._endpoint, self._model)
        yield
        self._repeats.append((before, stage_totals(self._endpoint, self._model)))

    def figures(self, answered: Sequence[int]) -> Iterator[Figure]:  # noqa: ARG002  # it counts itself
        """The mean of each stage."""
        for stage, name in _CALLED.items():
            means = [_mean(before, after, stage) for before, after in self._repeats]
            known = tuple(mean for mean in means if mean is not None)
            if len(known) == len(means) and fmean(known) > 0:
                yield Figure(name=name, unit="ms", repeats=known)

    def notes(self) -> tuple[str, ...]:
        """Nothing."""
        return ()


def _mean(before: Totals | None, after: Totals | None, stage: str) -> float | None:
    """Of a request between the two, in milliseconds."""
    if before is None or after is None:
        return None
    requests = after[stage][0] - before[stage][0]
    return (after[stage][1] - before[stage][1]) / requests / 1e6 if requests > 0 else None
