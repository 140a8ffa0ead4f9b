"""Arrays in a GPU's memory for tests, through the driver's own functions; no library of a GPU is needed."""

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _call(name: str, *arguments: Any) -> None:
    result = getattr(ctypes.CDLL("libcuda.so.1"), name)(*arguments)
    assert result == 0, f"{name} returned {result}"


class _Context:
    """The primary context of a GPU, current within a `with` block."""

    def __init__(self, ordinal: int) -> None:
        device = ctypes.c_int()
        self._context = ctypes.c_void_p()
        _call("cuInit", 0)
        _call("cuDeviceGet", ctypes.byref(device), ordinal)
        _call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), device)

    def __enter__(self) -> None:
        _call("cuCtxPushCurrent_v2", self._context)

    def __exit__(self, *_: object) -> None:
        _call("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))


class Interface:
    """An object that has no more than `__cuda_array_interface__`."""

    def __init__(self, interface: Mapping[str, Any], owner: object = None) -> None:
        self.__cuda_array_interface__ = dict(interface)
        self.owner = owner


class DeviceArray:
    """A copy of a C-contiguous array in a GPU's memory."""

    def __init__(self, content: NDArray[Any], ordinal: int = 0) -> None:
        self._context = _Context(ordinal)
        self._content = np.ascontiguousarray(content)
        self._pointer = ctypes.c_uint64()
        size = self._content.nbytes
        with self._context:
            # The driver refuses to allocate nothing.
            _call("cuMemAlloc_v2", ctypes.byref(self._pointer), ctypes.c_size_t(max(1, size)))
            _call(
                "cuMemcpyHtoD_v2", self._pointer, self._content.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(size)
            )

    def __del__(self) -> None:
        with self._context:
            _call("cuMemFree_v2", self._pointer)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self._content.shape,
            "typestr": self._content.dtype.str,
            "data": (self._pointer.value, False),
            "strides": None,
            "version": 3,
        }

    def changed(self, **entries: object) -> Interface:
        """This memory with other entries in its interface."""
        return Interface({**self.__cuda_array_interface__, **entries}, self)

    def view(self, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Interface:
        """Part of this memory, `offset` bytes from its beginning."""
        return self.changed(data=(self._pointer.value + offset, False), shape=shape, strides=strides)

    def get(self) -> NDArray[Any]:
        """The content, once all work is done."""
        content = np.empty_like(self._content)
        with self._context:
            _call("cuCtxSynchronize")
            _call(
                "cuMemcpyDtoH_v2",
                content.ctypes.data_as(ctypes.c_void_p),
                self._pointer,
                ctypes.c_size_t(content.nbytes),
            )
        return content


def strided_copy(content: NDArray[Any]) -> Interface:
    """A copy of an array with its strides, and of no byte that it does not span."""
    begin, end = np.lib.array_utils.byte_bounds(content)
    memory = DeviceArray(np.frombuffer(ctypes.string_at(begin, end - begin), np.uint8))
    offset = content.ctypes.data - begin
    address = memory.__cuda_array_interface__["data"][0] + offset
    return memory.changed(
        data=(address, False), shape=content.shape, strides=content.strides, typestr=content.dtype.str
    )
