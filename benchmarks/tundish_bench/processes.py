"""Server processes under measurement: started on a free port of the loopback, their CPU and memory read, stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
_POLL_SECONDS = 0.02
_PROBE_SECONDS = 1.0


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


def grpc_ready(url: str) -> bool:
    """Whether a server of the Open Inference Protocol at `url` says that it is ready."""
    host, port = url.rsplit(":", maxsplit=1)
    try:
        socket.create_connection((host, int(port)), _PROBE_SECONDS).close()
    except OSError:
        return False  # it does not listen yet; a channel would take a second before it tries again
    with grpc.insecure_channel(url) as channel:
        try:
            ready: bool = (
                GRPCInferenceServiceStub(channel).ServerReady(oip.ServerReadyRequest(), timeout=_PROBE_SECONDS).ready
            )
        except grpc.RpcError:
            return False
        return ready


def http_ready(path: str, url: str) -> bool:
    """Whether an HTTP server at `url` answers a GET of `path` with 200."""
    try:
        with urllib.request.urlopen(f"http://{url}{path}", timeout=_PROBE_SECONDS) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


class ServerProcess:
    """A server with its children; running and ready inside the context."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        log: Path,
        environment: Mapping[str, str] | None = None,
        ready: Callable[[str], bool] = grpc_ready,
    ) -> None:
        """`command` must listen on `port`, and `ready` say of its URL whether it answers there.

        `log` takes what it prints; `environment` is added to this process's.
        """
        self.name = name
        self.seconds_to_ready = 0.0
        """From starting the process until it was ready; known once it is."""
        self._ready = ready
        self.url = f"{HOST}:{port}"
        self._command = list(command)
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self._process: psutil.Popen | None = None

    @property
    def pid(self) -> int:
        """Of the process, which may have others below it."""
        assert self._process is not None
        return int(self._process.pid)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The process and all below it stand still inside the context, and take no time from others."""
        assert self._process is not None
        family = [self._process, *self._process.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield
        finally:
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

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
        started = time.monotonic()
        while time.monotonic() - started < _START_SECONDS:
            if self._process.poll() is not None:
                raise BenchmarkError(f"{self.name} ended before it was ready; its log is {self._log}.")
            if self._ready(self.url):
                self.seconds_to_ready = time.monotonic() - started
                return
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


def tundish_server(
    repository: Path, *, log: Path, name: str = "tundish", instances: int | None = None, http_port: int = 0
) -> ServerProcess:
    """`tundish serve` on a repository; with `instances` a model, else as it places them by itself.

    Its HTTP port is one that the system chooses unless it is given.
    """
    port = free_port()
    command = [sys.executable, "-m", "tundish", "serve", str(repository), "--host", HOST]
    command += ["--grpc-port", str(port), "--http-port", str(http_port)]
    if instances is not None:
        command += ["--instances", str(instances)]
    return ServerProcess(name, command, port=port, log=log)
