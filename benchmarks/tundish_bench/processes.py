"""Server processes under measurement: started on a free port of the loopback, their CPU time read, stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import grpc
import psutil

from tundish_bench.errors import BenchmarkError
from tundish_proto import open_inference_pb2 as oip
from tundish_proto.open_inference_pb2_grpc import GRPCInferenceServiceStub

HOST = "127.0.0.1"

_START_SECONDS = 90.0
_STOP_SECONDS = 40.0
_POLL_SECONDS = 0.1


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def machine_busy_seconds() -> float:
    """The time so far that all cores together have worked for anyone, or were kept from working by the host."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


class ServerProcess:
    """A server of the Open Inference Protocol with its children; running and ready inside the context."""

    def __init__(
        self, name: str, command: Sequence[str], *, port: int, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """`command` must serve gRPC on `port`; `log` takes what it prints; `environment` is added to this process's."""
        self.name = name
        self.url = f"{HOST}:{port}"
        self._command = list(command)
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self._process: psutil.Popen | None = None

    def cpu_seconds(self) -> dict[int, float]:
        """User and system time so far of the process and of all below it, by process id."""
        assert self._process is not None
        try:
            family = [self._process, *self._process.children(recursive=True)]
            times = {process.pid: process.cpu_times() for process in family}
        except psutil.NoSuchProcess:
            raise self._ended("while it was measured") from None
        return {pid: used.user + used.system for pid, used in times.items()}

    def cpu_seconds_since(self, before: Mapping[int, float]) -> float:
        """The CPU time spent since an earlier `cpu_seconds()`.

        Raises:
            BenchmarkError: a process has come or gone in between, so that some time would be missing.
        """
        now = self.cpu_seconds()
        if now.keys() != before.keys():
            raise BenchmarkError(f"{self.name} started or lost a process in a round; its log is {self._log}.")
        return sum(now.values()) - sum(before.values())

    def __enter__(self) -> ServerProcess:
        with self._log.open("wb") as log:
            self._process = psutil.Popen(self._command, stdout=log, stderr=subprocess.STDOUT, env=self._environment)
        try:
            self._wait_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        with grpc.insecure_channel(self.url) as channel:
            stub = GRPCInferenceServiceStub(channel)
            while time.monotonic() < deadline:
                if self._process.poll() is not None:
                    raise self._ended("before it was ready")
                try:
                    if stub.ServerReady(oip.ServerReadyRequest(), timeout=1.0).ready:
                        return
                except grpc.RpcError:
                    pass  # it does not listen yet
                time.sleep(_POLL_SECONDS)
        raise BenchmarkError(f"{self.name} was not ready within {_START_SECONDS:.0f} seconds; its log is {self._log}.")

    def _stop(self) -> None:
        """Ends the process, by force if it must be, and whatever it leaves behind."""
        assert self._process is not None
        children: list[psutil.Process] = []
        try:
            children = self._process.children(recursive=True)
            self._process.terminate()
            self._process.wait(_STOP_SECONDS)
        except psutil.NoSuchProcess:
            pass
        except psutil.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for child in psutil.wait_procs(children, timeout=1.0)[1]:
            child.kill()

    def _ended(self, when: str) -> BenchmarkError:
        return BenchmarkError(f"{self.name} ended {when}; its log is {self._log}.")
