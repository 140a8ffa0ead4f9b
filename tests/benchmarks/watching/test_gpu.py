"""GPUs' figures, by a library whose readings are known."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType, SimpleNamespace

import pytest

from tundish_bench.watching import GpuWatch, GpuWatched, Watch
from tundish_bench.watching import gpu as watching


class RefusalError(Exception):
    """As the library's own error."""


def refused(_: object) -> None:
    raise RefusalError("Not Supported")


RESERVED = 503_316_480
"""Bytes that the driver keeps of an H100 for itself."""


def memory_of(used: Sequence[int]) -> Callable[..., SimpleNamespace]:
    """As the library says it: the second version alone tells what is reserved from what is used."""
    turns = iter(used)

    def read(_: object, version: int | None = None) -> SimpleNamespace:
        if version is None:
            return SimpleNamespace(used=next(turns) + RESERVED)
        return SimpleNamespace(version=version, reserved=RESERVED, used=next(turns))

    return read


def readings(values: Sequence[object]) -> Callable[[object], object]:
    turns = iter(values)
    return lambda _: next(turns)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """One GPU that tells all; three samples."""
    module = ModuleType("pynvml")
    functions = {
        "NVMLError": RefusalError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda _: "NVIDIA H100",
        "nvmlDeviceGetUtilizationRates": readings([SimpleNamespace(gpu=each) for each in (99, 40, 60)]),
        "nvmlMemory_v2": 0x02000028,
        "nvmlDeviceGetMemoryInfo": memory_of([1_000_000_000, 3_000_000_000, 2_000_000_000]),
        "nvmlDeviceGetTotalEnergyConsumption": readings([7_000_000, 7_040_000, 7_100_500]),
        "nvmlDeviceGetPowerUsage": readings([100_000, 300_000, 200_000]),
    }
    for name, function in functions.items():
        setattr(module, name, function)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return module


def watched() -> tuple[GpuWatched, ...]:
    watch = GpuWatch()
    watch.start()
    watch.sample()
    watch.sample()
    assert watch.reason is None
    return watch.watched


@pytest.mark.usefixtures("library")
def test_utilization_memory_and_energy_are_those_of_the_samples() -> None:
    assert watched() == (
        GpuWatched(
            index=0,
            name="NVIDIA H100",
            utilization_percent=50.0,  # the first reading is of the time before
            memory_megabytes=3000.0,
            joules=100.5,
            joules_by="counter",
        ),
    )


def test_without_a_counter_energy_is_power_over_time(library: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "nvmlDeviceGetTotalEnergyConsumption", refused)
    times: Iterator[float] = iter([50.0, 50.5, 52.5])
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: next(times)))
    (gpu,) = watched()
    assert gpu.joules == pytest.approx(0.5 * 200 + 2.0 * 250)
    assert gpu.joules_by == "power"


def test_what_a_gpu_does_not_tell_is_none_and_asked_for_once(
    library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(handle: object, **_: object) -> None:
        asked.append(handle)
        raise RefusalError("Not Supported")

    for name in ("UtilizationRates", "MemoryInfo", "TotalEnergyConsumption", "PowerUsage", "Name"):
        monkeypatch.setattr(library, f"nvmlDeviceGet{name}", refuse)
    (gpu,) = watched()
    assert gpu == GpuWatched(
        index=0, name="", utilization_percent=None, memory_megabytes=None, joules=None, joules_by=None
    )
    assert len(asked) == 5


def test_no_library_is_a_reason_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    watch = Watch(None)
    with watch:
        pass
    assert watch.watched.gpus == ()
    assert watch.reason_without_gpu == (
        "No GPU is watched: nvidia-ml-py is not installed; pip install 'tundish[bench]'."
    )


def test_no_driver_and_no_gpu_are_reasons(library: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "nvmlDeviceGetCount", lambda: 0)
    assert GpuWatch().reason == "No GPU is watched: the NVIDIA driver knows of none."

    def no_driver() -> None:
        raise RefusalError("NVML Shared Library Not Found")

    monkeypatch.setattr(library, "nvmlInit", no_driver)
    watch = GpuWatch()
    watch.start()
    watch.sample()
    assert watch.watched == ()
    assert watch.reason == "No GPU is watched: NVML Shared Library Not Found."
