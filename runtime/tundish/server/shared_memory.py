"""Regions of shared memory that clients on this machine register, for inputs and outputs that need not travel.

A region is read and written through its file descriptor, not mapped: a client that shortens its memory would otherwise
kill the server with a bus error. What is read is a copy, so that a client that writes on meanwhile changes nothing.
"""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path

from tundish.errors import InvalidInputError, UnsupportedError

_DIRECTORY = Path("/dev/shm")  # noqa: S108 - not for temporary files
"""Where Linux shows what shm_open makes."""

MAX_REGIONS = 1024
"""Each holds a file descriptor."""

_MOST_BYTES = 2**31 - 1
"""Of a tensor: as many as a message of gRPC has. The system reads no more at once, either."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a shared memory object, as it was registered."""

    name: str
    key: str
    offset: int
    size: int
    descriptor: int


class SharedMemory:
    """The regions of a server. Any number of threads may use it."""

    def __init__(self, *, enabled: bool) -> None:
        self.enabled = enabled
        self._lock = threading.RLock()
        """Held while a descriptor is used, whose number may be another file's once it is closed."""
        self._regions: dict[str, Region] = {}

    def register(self, name: str, key: str, offset: int, size: int) -> None:
        """Opens the object of that key, and keeps it until the region is unregistered.

        Raises:
            UnsupportedError: shared memory is not allowed here.
            InvalidInputError: the name is taken, or there is no such object, or it is too small, or there are too many.
        """
        if not self.enabled:
            raise UnsupportedError(
                "This server takes no shared memory; start it with --shared-memory if you trust its clients."
            )
        with self._lock:
            if not name or name in self._regions:
                raise InvalidInputError(f"A region needs a name that is not in use, got '{name}'.")
            if len(self._regions) == MAX_REGIONS:
                raise InvalidInputError(f"{MAX_REGIONS} regions are registered, which is the limit; unregister one.")
            descriptor = _open(key)
            available = os.fstat(descriptor).st_size
            if not size or offset + size > available:
                os.close(descriptor)
                raise InvalidInputError(
                    f"Region '{name}' of {size} bytes from byte {offset} on does not fit '{key}', which has "
                    f"{available}."
                )
            self._regions[name] = Region(name, key, offset, size, descriptor)

    def unregister(self, name: str) -> None:
        """Lets go of a region if there is one of that name; of all if the name is empty."""
        with self._lock:
            for region in self.regions(name) if not name or name in self._regions else []:
                del self._regions[region.name]
                os.close(region.descriptor)

    def regions(self, name: str) -> list[Region]:
        """The region of that name, or all if it is empty.

        Raises:
            InvalidInputError: there is no such region.
        """
        with self._lock:
            return [self._find(name)] if name else list(self._regions.values())

    def read(self, name: str, offset: int, size: int) -> bytes:
        """A copy of a part of a region.

        Raises:
            InvalidInputError: there is no such region or part.
        """
        with self._lock:
            region = self._part(name, offset, size)
            data = os.pread(region.descriptor, size, region.offset + offset)
        if len(data) != size:
            raise InvalidInputError(f"Region '{name}' has become smaller than it was registered.")
        return data

    def write(self, name: str, offset: int, size: int, data: bytes) -> None:
        """Writes to a part of a region.

        Raises:
            InvalidInputError: there is no such region or part, or the data do not fit it.
        """
        with self._lock:
            region = self._part(name, offset, size)
            if len(data) > size:
                raise InvalidInputError(f"An output of {len(data)} bytes does not fit {size} bytes of region '{name}'.")
            if os.fstat(region.descriptor).st_size < region.offset + offset + len(data):
                raise InvalidInputError(f"Region '{name}' has become smaller than it was registered.")
            os.pwrite(region.descriptor, data, region.offset + offset)

    def _find(self, name: str) -> Region:
        region = self._regions.get(name)
        if region is None:
            raise InvalidInputError(f"There is no region '{name}'; register it first.")
        return region

    def _part(self, name: str, offset: int, size: int) -> Region:
        region = self._find(name)
        if size > _MOST_BYTES:
            raise InvalidInputError(f"{size} bytes of region '{name}' are more than a tensor may have: {_MOST_BYTES}.")
        if offset < 0 or size < 0 or offset + size > region.size:
            raise InvalidInputError(
                f"{size} bytes from byte {offset} on are not inside region '{name}' of {region.size} bytes."
            )
        return region


def _open(key: str) -> int:
    """The object's descriptor. A key is a file's name, which must not lead anywhere else."""
    name = key.removeprefix("/")
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise InvalidInputError(f"'{key}' is not the key of a shared memory object.")
    try:
        # Not blocking: whatever lies there under that name must not hold the server up.
        descriptor = os.open(_DIRECTORY / name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InvalidInputError(f"The shared memory object '{key}' cannot be opened: {error.strerror}.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidInputError(f"'{key}' is not a shared memory object.")
    return descriptor
