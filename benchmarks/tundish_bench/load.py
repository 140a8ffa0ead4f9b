"""Load from a process of its own: callers that each send their next image when the last one is answered.

The process is a second one so that its work is not counted as the benchmark's, and one for all servers so that each
gets the same messages by the same code. It checks the top label of every answer against what it is told to expect.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType

import grpc

from tundish_bench.errors import BenchmarkError
from tundish_proto import open_inference_pb2 as oip
from tundish_proto.open_inference_pb2_grpc import GRPCInferenceServiceStub

_ANSWER_SECONDS = 30.0
"""The longest that any answer may take; a load so ends soon after its time, whatever the server does."""

_LENGTH_BYTES = 4
"""What precedes each element of a raw BYTES tensor: its length, little-endian."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send, to whom, for how long, and the top label to expect of each image."""

    url: str
    callers: int
    seconds: float
    expected: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What a load saw."""

    wall_seconds: float
    client_cpu_seconds: float
    latencies: tuple[float, ...]
    """Seconds from sending each image to its answer."""
    wrong: int
    """Answers whose top label was another than expected."""

    @property
    def answered(self) -> int:
        """How many images were answered."""
        return len(self.latencies)


class LoadGenerator:
    """The load's process, from entering to leaving the context; one load at a time."""

    def __init__(self, model: str, images: Sequence[bytes]) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        # Spawned, not forked: gRPC does not survive a fork of a process that has used it.
        self._process = multiprocessing.get_context("spawn").Process(
            target=_serve_loads, args=(theirs, model, tuple(images)), daemon=True
        )
        self._theirs = theirs

    def run(self, load: Load) -> LoadReport:
        """Blocks until the load is over.

        Raises:
            BenchmarkError: an image was not answered.
        """
        self._pipe.send(load)
        try:
            outcome: LoadReport | str = self._pipe.recv()
        except EOFError:
            raise BenchmarkError("The load's process ended before its load was over.") from None
        if isinstance(outcome, str):
            raise BenchmarkError(outcome)
        return outcome

    def __enter__(self) -> LoadGenerator:
        self._process.start()
        self._theirs.close()  # the child has its own; with this one open, its end would not be noticed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.terminate()  # nothing is lost: a load that still runs is one that was given up
        self._process.join()


def make_request(model: str, image: bytes) -> oip.ModelInferRequest:
    """The request to classify one image file."""
    tensor = oip.ModelInferRequest.InferInputTensor(name="image", datatype="BYTES", shape=[1, 1])
    raw = len(image).to_bytes(_LENGTH_BYTES, "little") + image
    return oip.ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=[raw])


def top_label(response: oip.ModelInferResponse) -> str:
    """The first element of the output `label`."""
    index = next(index for index, output in enumerate(response.outputs) if output.name == "label")
    raw = response.raw_output_contents[index]
    return raw[_LENGTH_BYTES : _LENGTH_BYTES + int.from_bytes(raw[:_LENGTH_BYTES], "little")].decode()


def ask_once(url: str, requests: Sequence[oip.ModelInferRequest]) -> tuple[str, ...]:
    """The top label of each request, asked one after the other.

    Raises:
        BenchmarkError: a request was not answered.
    """
    with grpc.insecure_channel(url) as channel:
        stub = GRPCInferenceServiceStub(channel)
        try:
            return tuple(top_label(stub.ModelInfer(request, timeout=_ANSWER_SECONDS)) for request in requests)
        except grpc.RpcError as error:
            raise BenchmarkError(_unanswered(url, error)) from None


def _unanswered(url: str, error: grpc.RpcError) -> str:
    return f"The server at {url} did not answer an image: {error.code().name}, {error.details()}"


def _serve_loads(pipe: Connection, model: str, images: tuple[bytes, ...]) -> None:
    """The process's life: runs the loads that come by the pipe, until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes; the other one decides
    requests = [make_request(model, image) for image in images]
    while True:
        try:
            load: Load = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(asyncio.run(_run(load, requests)))
        except grpc.RpcError as error:
            pipe.send(_unanswered(load.url, error))


async def _run(load: Load, requests: Sequence[oip.ModelInferRequest]) -> LoadReport:
    latencies: list[float] = []
    wrong = 0
    turns = itertools.cycle(range(len(requests)))

    async with grpc.aio.insecure_channel(load.url) as channel:
        stub = GRPCInferenceServiceStub(channel)
        cpu_before = time.process_time()
        began = time.perf_counter()

        async def call_until_the_end() -> None:
            nonlocal wrong
            while (sent := time.perf_counter()) - began < load.seconds:
                turn = next(turns)
                response = await stub.ModelInfer(requests[turn], timeout=_ANSWER_SECONDS)
                latencies.append(time.perf_counter() - sent)
                wrong += top_label(response) != load.expected[turn]

        await asyncio.gather(*(call_until_the_end() for _ in range(load.callers)))
        return LoadReport(
            wall_seconds=time.perf_counter() - began,
            client_cpu_seconds=time.process_time() - cpu_before,
            latencies=tuple(latencies),
            wrong=wrong,
        )
