"""Shared memory of this machine, and of GPUs."""

from __future__ import annotations

from tundish.errors import InvalidInputError, UnsupportedError
from tundish.server.open_inference.targets import Methods
from tundish_proto import open_inference_pb2 as oip


class SharedMemoryMethods(Methods):
    """Status, registration and its end. There is no shared memory of GPUs yet, so that there is none to let go of."""

    async def SystemSharedMemoryStatus(
        self, request: oip.SystemSharedMemoryStatusRequest, until: float | None
    ) -> oip.SystemSharedMemoryStatusResponse:
        return oip.SystemSharedMemoryStatusResponse(
            regions={
                region.name: oip.SystemSharedMemoryStatusResponse.RegionStatus(
                    name=region.name, key=region.key, offset=region.offset, byte_size=region.size
                )
                for region in self._shared_memory.regions(request.name)
            }
        )

    async def SystemSharedMemoryRegister(
        self, request: oip.SystemSharedMemoryRegisterRequest, until: float | None
    ) -> oip.SystemSharedMemoryRegisterResponse:
        self._shared_memory.register(request.name, request.key, request.offset, request.byte_size)
        return oip.SystemSharedMemoryRegisterResponse()

    async def SystemSharedMemoryUnregister(
        self, request: oip.SystemSharedMemoryUnregisterRequest, until: float | None
    ) -> oip.SystemSharedMemoryUnregisterResponse:
        self._shared_memory.unregister(request.name)
        return oip.SystemSharedMemoryUnregisterResponse()

    async def CudaSharedMemoryStatus(
        self, request: oip.CudaSharedMemoryStatusRequest, until: float | None
    ) -> oip.CudaSharedMemoryStatusResponse:
        if request.name:
            raise InvalidInputError(f"There is no region '{request.name}' of a GPU's memory.")
        return oip.CudaSharedMemoryStatusResponse()

    async def CudaSharedMemoryRegister(
        self, request: oip.CudaSharedMemoryRegisterRequest, until: float | None
    ) -> oip.CudaSharedMemoryRegisterResponse:
        raise UnsupportedError("This server does not take a GPU's shared memory; use system shared memory.")

    async def CudaSharedMemoryUnregister(
        self, request: oip.CudaSharedMemoryUnregisterRequest, until: float | None
    ) -> oip.CudaSharedMemoryUnregisterResponse:
        return oip.CudaSharedMemoryUnregisterResponse()
