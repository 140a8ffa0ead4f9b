"""What NVIDIA's GPUs do while a load runs, by the driver's management library."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from types import ModuleType
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuWatched:
    """One GPU in an interval, by all that use it; None is what this GPU does not tell."""

    index: int
    """As nvidia-smi counts them; CUDA_VISIBLE_DEVICES changes nothing here."""
    name: str
    utilization_percent: float | None
    """The share of time in which any kernel ran, as the driver averages it over its own periods of up to a second."""
    memory_megabytes: float | None
    """The most of the samples, as nvidia-smi counts it: without what the driver reserves for itself."""
    joules: float | None
    joules_by: Literal["counter", "power"] | None
    """The GPU's own counter, or where it has none its power, integrated over the samples."""


class GpuWatch:
    """All GPUs of this machine; `start`, then `sample` every now and then, then `watched`; for one thread at a time.

    Where there is no library, driver or GPU, nothing is watched and nothing fails.
    """

    def __init__(self) -> None:
        self._gpus: list[_Gpu] = []

    @cached_property
    def reason(self) -> str | None:
        """Why no GPU is watched, as a sentence; None if some are."""
        try:
            return None if self._handles else "No GPU is watched: the NVIDIA driver knows of none."
        except ImportError:
            return "No GPU is watched: nvidia-ml-py is not installed; pip install 'tundish[bench]'."
        except Exception as error:  # of a type that only the library has
            return f"No GPU is watched: {error}."

    def start(self) -> None:
        """Begins an interval anew."""
        self._gpus = [] if self.reason else [_Gpu(self._library, *named) for named in enumerate(self._handles)]
        self.sample()

    def sample(self) -> None:
        """Reads all GPUs; five milliseconds for an H100, all of it time of this thread's core."""
        for gpu in self._gpus:
            gpu.sample()

    @property
    def watched(self) -> tuple[GpuWatched, ...]:
        """From `start` to the last `sample`."""
        return tuple(gpu.watched for gpu in self._gpus)

    @cached_property
    def _library(self) -> ModuleType:
        """Opened and never closed: opening it may take seconds."""
        library = importlib.import_module("pynvml")
        library.nvmlInit()
        return library

    @cached_property
    def _handles(self) -> list[Any]:
        return [self._library.nvmlDeviceGetHandleByIndex(index) for index in range(self._library.nvmlDeviceGetCount())]


@dataclass(slots=True)
class _Gpu:
    """One GPU's readings since it was made; those that it refuses once are not asked for again."""

    library: ModuleType
    index: int
    handle: Any
    refused: set[str] = field(default_factory=set)
    utilization: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    counter: list[float] = field(default_factory=list)
    power: list[tuple[float, float]] = field(default_factory=list)
    """The time in seconds and the watts."""

    def sample(self) -> None:
        """Reads it once more."""
        if (rates := self._read("nvmlDeviceGetUtilizationRates")) is not None:
            self.utilization.append(float(rates.gpu))
        # The first version of this function's answer adds the driver's own half a gigabyte to what is used.
        if (memory := self._read("nvmlDeviceGetMemoryInfo", version=self.library.nvmlMemory_v2)) is not None:
            self.memory.append(memory.used / 1e6)
        if (millijoules := self._read("nvmlDeviceGetTotalEnergyConsumption")) is not None:
            self.counter.append(millijoules / 1e3)
        elif (milliwatts := self._read("nvmlDeviceGetPowerUsage")) is not None:
            self.power.append((time.monotonic(), milliwatts / 1e3))

    def _read(self, name: str, **options: int) -> Any | None:
        if name in self.refused:
            return None
        try:
            return getattr(self.library, name)(self.handle, **options)
        except self.library.NVMLError:
            self.refused.add(name)
            return None

    @property
    def watched(self) -> GpuWatched:
        """From the first sample to the last."""
        name = self._read("nvmlDeviceGetName") or ""
        return GpuWatched(
            index=self.index,
            name=name.decode() if isinstance(name, bytes) else str(name),
            # The first sample is of the time before.
            utilization_percent=fmean(self.utilization[1:]) if len(self.utilization) > 1 else None,
            memory_megabytes=max(self.memory, default=None),
            joules=self._joules,
            joules_by="counter" if self.counter else "power" if self.power else None,
        )

    @property
    def _joules(self) -> float | None:
        if self.counter:
            return self.counter[-1] - self.counter[0]
        if not self.power:
            return None
        pairs = zip(self.power, self.power[1:], strict=False)
        return sum((later - sooner) * (first + second) / 2 for (sooner, first), (later, second) in pairs)
