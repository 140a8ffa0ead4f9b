"""A GPU with our kernels loaded into it, the memory for their tables, and why there is none."""

from pathlib import Path

from tundish_kernels import _native
from tundish_kernels._arguments import as_integer

_FATBIN = Path(_native.__file__).with_name("kernels.fatbin")


def available() -> bool:
    """Whether there is a GPU that these operators run on."""
    return reason() is None


def reason() -> str | None:
    """Why there is none, in one sentence; None if there is one. The first call starts the NVIDIA driver."""
    if not _FATBIN.is_file():
        return "this build has no CUDA kernels, because it was made without a working nvcc 12.8 or newer"
    return _native.cuda_unavailable_reason() or None


class Device:
    """One GPU's primary context, which other CUDA libraries use too, with the kernels loaded into it.

    Make one for each GPU and keep it. It may be used by many threads.

    Args:
        ordinal: The GPU's number, as the driver and CUDA_VISIBLE_DEVICES count them.

    Raises:
        ValueError: There is no GPU of this number.
        RuntimeError: The GPU cannot be used; the message says why.
    """

    def __init__(self, ordinal: int = 0) -> None:
        number = as_integer(ordinal, "ordinal")
        if not 0 <= number < 2**31:
            raise ValueError(f"ordinal must be between 0 and the number of GPUs, got {number}")
        if not _FATBIN.is_file():
            raise RuntimeError(reason())
        self._native = _native.CudaDevice(_FATBIN.read_bytes(), number)

    @property
    def ordinal(self) -> int:
        """The GPU's number."""
        return self._native.ordinal


class Workspace:
    """Memory for the tables of calls that follow each other: as much on the GPU as page-locked on the host.

    All its calls must be on one stream and from one thread at a time. Freeing it waits for the GPU.

    Args:
        device: The GPU; it is kept.
        size: In bytes; see `resize_normalize_workspace_bytes` and its like.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: `size` is negative.
        RuntimeError: There is not so much memory.
    """

    def __init__(self, device: Device, size: int) -> None:
        number = as_integer(size, "size")
        if number < 0:
            raise ValueError(f"size must be 0 or more bytes, got {number}")
        self._native = _native.CudaWorkspace(read_device(device), number)

    @property
    def size(self) -> int:
        """In bytes."""
        return self._native.bytes


def read_device(device: object) -> _native.CudaDevice:
    """The native part of a Device.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(device, Device):
        raise TypeError(f"device must be a Device, got {type(device).__name__}")
    return device._native


def read_workspace(workspace: object) -> _native.CudaWorkspace:
    """The native part of a Workspace.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(workspace, Workspace):
        raise TypeError(f"workspace must be a Workspace, got {type(workspace).__name__}")
    return workspace._native
