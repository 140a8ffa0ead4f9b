"""A GPU's memory, copies within it and events, through the driver's own functions: no library of a GPU is needed."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tundish_bench.errors import BenchmarkError
from tundish_kernels.cuda import Device

STREAM = 0
"""The stream of everything here: the legacy default one."""

_NAME_BYTES = 256


class Gpu:
    """The first GPU, whose primary context is current in this thread from then on.

    Raises:
        BenchmarkError: the driver refuses.
    """

    def __init__(self) -> None:
        self.device = Device()
        self._library = ctypes.CDLL("libcuda.so.1")
        handle, context = ctypes.c_int(), ctypes.c_void_p()
        self.call("cuDeviceGet", ctypes.byref(handle), self.device.ordinal)
        name = ctypes.create_string_buffer(_NAME_BYTES)
        self.call("cuDeviceGetName", name, _NAME_BYTES, handle)
        self.name = name.value.decode()
        """As its maker writes it: 'NVIDIA H100 80GB HBM3'."""
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), handle)
        self.call("cuCtxPushCurrent_v2", context)

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function of the driver.

        Raises:
            BenchmarkError: it returned an error.
        """
        result = getattr(self._library, name)(*arguments)
        if result != 0:
            raise BenchmarkError(f"The NVIDIA driver refuses {name}: CUDA error {result}.")

    def empty(self, size: int) -> GpuArray:
        """Memory of so many bytes, with anything in it."""
        return GpuArray(self, np.empty(size, np.uint8), filled=False)

    def array(self, content: NDArray[Any]) -> GpuArray:
        """A copy of a C-contiguous array."""
        return GpuArray(self, content, filled=True)

    def copy(self, destination: GpuArray, source: GpuArray) -> None:
        """Puts a copy of all of the source on the stream."""
        size = ctypes.c_size_t(source.content.nbytes)
        self.call("cuMemcpyDtoDAsync_v2", destination.pointer, source.pointer, size, ctypes.c_void_p(STREAM))

    def event(self) -> Event:
        """An event that the stream reaches after all that was put on it so far."""
        return Event(self)


class GpuArray:
    """A C-contiguous array in the GPU's memory, as large as `content`, which is what it was made of."""

    def __init__(self, gpu: Gpu, content: NDArray[Any], *, filled: bool) -> None:
        self._gpu = gpu
        self.content = np.ascontiguousarray(content)
        self.pointer = ctypes.c_uint64()
        size = ctypes.c_size_t(self.content.nbytes)
        gpu.call("cuMemAlloc_v2", ctypes.byref(self.pointer), size)
        if filled:
            gpu.call("cuMemcpyHtoD_v2", self.pointer, self.content.ctypes.data_as(ctypes.c_void_p), size)

    def __del__(self) -> None:
        self._gpu.call("cuMemFree_v2", self.pointer)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.content.shape,
            "typestr": self.content.dtype.str,
            "data": (self.pointer.value, False),
            "strides": None,
            "version": 3,
        }

    def get(self) -> NDArray[Any]:
        """What is in it, once all work is done."""
        content = np.empty_like(self.content)
        size = ctypes.c_size_t(content.nbytes)
        self._gpu.call("cuCtxSynchronize")
        self._gpu.call("cuMemcpyDtoH_v2", content.ctypes.data_as(ctypes.c_void_p), self.pointer, size)
        return content


class View:
    """Part of a GpuArray: its interface with another offset in bytes, another shape and other strides."""

    def __init__(self, array: GpuArray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self._array = array
        interface = array.__cuda_array_interface__
        address = (interface["data"][0] + offset, False)
        self.__cuda_array_interface__ = {**interface, "data": address, "shape": shape, "strides": strides}


class Event:
    """A point of time on the stream."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._handle = ctypes.c_void_p()
        gpu.call("cuEventCreate", ctypes.byref(self._handle), 0)
        gpu.call("cuEventRecord", self._handle, ctypes.c_void_p(STREAM))

    def __del__(self) -> None:
        self._gpu.call("cuEventDestroy_v2", self._handle)

    def seconds_since(self, earlier: Event) -> float:
        """Waits until the stream has reached this event; by the GPU's own clock, to half a microsecond."""
        milliseconds = ctypes.c_float()
        self._gpu.call("cuEventSynchronize", self._handle)
        self._gpu.call("cuEventElapsedTime", ctypes.byref(milliseconds), earlier._handle, self._handle)
        return milliseconds.value / 1e3
