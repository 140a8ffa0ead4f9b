"""The blocking client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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


class Client:
    """A connection to a server. Any number of threads may share it; close it, or use it as a context manager.

    `timeout` is in seconds and becomes the request's deadline: work that cannot be answered in time is not run.
    """

    def __init__(self, url: str = DEFAULT_URL, *, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        self._url = url
        self._timeout = timeout
        self._channel = grpc.insecure_channel(url, CHANNEL_OPTIONS)
        self._typed = InferenceServiceStub(self._channel)
        self._open_inference = GRPCInferenceServiceStub(self._channel)

    def predict(
        self,
        model: str,
        *,
        version: int | None = None,
        timeout: float | None = None,
        priority: int = DEFAULT_PRIORITY,
        **inputs: Unpack[Inputs],
    ) -> Prediction:
        """Answers what the model reads: `image=`, `text=`, …; see `Inputs`.

        Of `priority`, 1 goes first and 3 last.

        Raises TundishError; see `tundish.errors`.
        """
        request = predict_request(model, inputs, version=version, priority=priority)
        with self._translated():
            return read_prediction(self._typed.Predict(request, timeout=self._seconds(timeout)))

    def predict_stream(
        self,
        model: str,
        items: Iterable[Inputs],
        *,
        version: int | None = None,
        timeout: float | None = None,
        priority: int = DEFAULT_PRIORITY,
    ) -> Iterator[Prediction | TundishError]:
        """Answers many items on one stream, in their order; one that the server refuses yields its error.

        The items, such as `{"image": path}`, are drawn in a thread of the connection's, ahead of the answers; one that
        cannot be read here ends the stream after the answers to those before it. `timeout` bounds the whole stream; the
        default is none.
        """
        failures: list[Exception] = []

        def requests() -> Iterator[typed.PredictStreamRequest]:
            try:
                for index, inputs in enumerate(items):
                    request = predict_request(model, inputs, version=version, priority=priority, request_id=str(index))
                    yield typed.PredictStreamRequest(request=request)
            except Exception as error:  # raised here, gRPC would only say that the iterator failed
                failures.append(error)

        with self._translated():
            for response in self._typed.PredictStream(requests(), timeout=timeout):
                yield stream_outcome(response)
        if failures:
            raise failures[0]

    def rank(
        self,
        model: str,
        query: str,
        texts: Sequence[str],
        *,
        version: int | None = None,
        timeout: float | None = None,
        priority: int = DEFAULT_PRIORITY,
    ) -> list[RankedText]:
        """The texts by how well they answer the query, best first, by a model for text-ranking.

        `timeout` bounds them all. Raises TundishError, for the first text that fails; see `tundish.errors`.
        """
        items: list[Inputs] = [{"query": query, "text": text} for text in texts]
        outcomes = self.predict_stream(model, items, version=version, timeout=self._seconds(timeout), priority=priority)
        return ranked(texts, enumerate(outcomes), model)

    def infer(
        self,
        model: str,
        inputs: Mapping[str, NDArray[np.generic]],
        *,
        version: int | None = None,
        timeout: float | None = None,
    ) -> dict[str, NDArray[np.generic]]:
        """Sends tensors to `NAME.engine` (or `NAME`), and returns its output tensors; BYTES are object arrays."""
        with self._translated():
            request = infer_request(model, inputs, version=version)
            return infer_outputs(self._open_inference.ModelInfer(request, timeout=self._seconds(timeout)))

    def close(self) -> None:
        """Ends the connection and what is under way on it."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _seconds(self, timeout: float | None) -> float:
        return self._timeout if timeout is None else timeout

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as failure:
            raise error_of(failure, self._url) from None
