"""The repository's index, and how a model is loaded and unloaded."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tundish.errors import InvalidInputError
from tundish.server.open_inference.targets import Methods
from tundish.server.waiting import all_done
from tundish_proto import open_inference_pb2 as oip

_CHANGES = ThreadPoolExecutor(1, thread_name_prefix="repository")
"""Changes are made one at a time."""


class RepositoryMethods(Methods):
    """Index, loading and unloading. There is one repository; its name is not looked at."""

    async def RepositoryIndex(
        self, request: oip.RepositoryIndexRequest, until: float | None
    ) -> oip.RepositoryIndexResponse:
        return oip.RepositoryIndexResponse(
            models=[
                oip.RepositoryIndexResponse.ModelIndex(
                    name=version.model, version=str(version.number), state=version.state, reason=version.reason
                )
                for version in self._runtime.table.versions()
                if version.loaded or not request.ready
            ]
        )

    async def RepositoryModelLoad(
        self, request: oip.RepositoryModelLoadRequest, until: float | None
    ) -> oip.RepositoryModelLoadResponse:
        if request.parameters:
            raise InvalidInputError(
                f"A model is loaded as its bundle says; the parameters {sorted(request.parameters)} are not taken."
            )
        with self._admission:
            await _change(self._runtime.table.load, request.model_name)
        return oip.RepositoryModelLoadResponse()

    async def RepositoryModelUnload(
        self, request: oip.RepositoryModelUnloadRequest, until: float | None
    ) -> oip.RepositoryModelUnloadResponse:
        # Of its parameters there is `unload_dependents`, and no model depends on another.
        with self._admission:
            await _change(self._runtime.table.unload, request.model_name)
        return oip.RepositoryModelUnloadResponse()


async def _change(change: Callable[[str], None], name: str) -> None:
    changing = _CHANGES.submit(change, name)
    await all_done((changing,))
    changing.result()
