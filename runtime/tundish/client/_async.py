"""The asyncio client."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Unpack

import grpc
import numpy as np
from numpy.typing import NDArray

from tundish.client._messages import (
    CHANNEL_OPTIONS,
    DEFAULT_TIMEOUT_SECONDS,
    DEFAULT_URL,
    error_of,
    infer_outputs,
    infer_request,
    predict_request,
    ranked,
    stream_outcome,
)
from tundish.errors import TundishError
from tundish.inputs import Inputs
from tundish.results import Prediction, RankedText
from tundish.scheduling import DEFAULT_PRIORITY
from tundish.wire import read_prediction
from tundish_proto.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tundish_proto.v1 import inference_pb2 as typed
from tundish_proto.v1.inference_pb2_grpc import InferenceServiceStub


class AsyncClient:
    """A connection to a server, for one event loop; close it, or use it as an asynchronous context manager.

    See `Client`, whose methods these are.
    """

    def __init__(self, url: str = DEFAULT_URL, *, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        self._url = url
        self._timeout = timeout
        self._channel = grpc.aio.insecure_channel(url, CHANNEL_OPTIONS)
        self._typed = InferenceServiceStub(self._channel)
        self._open_inference = GRPCInferenceServiceStub(self._channel)

    async def predict(
        self,
        model: str,
        *,
        version: int | None = None,
        timeout: float | None = None,  # it becomes the request's deadline
        priority: int = DEFAULT_PRIORITY,
        **inputs: Unpack[Inputs],
    ) -> Prediction:
        """See `Client.predict`."""
        request = predict_request(model, inputs, version=version, priority=priority)
        with self._translated():
            return read_prediction(await self._typed.Predict(request, timeout=self._seconds(timeout)))

    async def predict_stream(
        self,
        model: str,
        items: AsyncIterable[Inputs],
        *,
        version: int | None = None,
        timeout: float | None = None,
        priority: int = DEFAULT_PRIORITY,
    ) -> AsyncIterator[Prediction | TundishError]:
        """See `Client.predict_stream`; the inputs come asynchronously, as frames of a camera do."""
        failures: list[Exception] = []

        async def requests() -> AsyncIterator[typed.PredictStreamRequest]:
            index = 0
            try:
                async for inputs in items:
                    request = predict_request(model, inputs, version=version, priority=priority, request_id=str(index))
                    yield typed.PredictStreamRequest(request=request)
                    index += 1
            except Exception as error:
                failures.append(error)

        with self._translated():
            async for response in self._typed.PredictStream(requests(), timeout=timeout):
                yield stream_outcome(response)
        if failures:
            raise failures[0]

    async def rank(
        self,
        model: str,
        query: str,
        texts: Sequence[str],
        *,
        version: int | None = None,
        timeout: float | None = None,  # it becomes the request's deadline
        priority: int = DEFAULT_PRIORITY,
    ) -> list[RankedText]:
        """See `Client.rank`."""

        async def items() -> AsyncIterator[Inputs]:
            for text in texts:
                yield {"query": query, "text": text}

        outcomes = self.predict_stream(
            model, items(), version=version, timeout=self._seconds(timeout), priority=priority
        )
        return ranked(texts, enumerate([outcome async for outcome in outcomes]), model)

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, NDArray[np.generic]],
        *,
        version: int | None = None,
        timeout: float | None = None,
    ) -> dict[str, NDArray[np.generic]]:
        """See `Client.infer`."""
        with self._translated():
            request = infer_request(model, inputs, version=version)
            return infer_outputs(await self._open_inference.ModelInfer(request, timeout=self._seconds(timeout)))

    async def close(self) -> None:
        """Ends the connection and what is under way on it."""
        await self._channel.close(None)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _seconds(self, timeout: float | None) -> float:
        return self._timeout if timeout is None else timeout

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as failure:
            raise error_of(failure, self._url) from None
