"""A real `tundish serve` process for tests."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

START_SECONDS = 60.0
STOP_SECONDS = 40.0

_READY = re.compile(r"Serving gRPC on (\S+) and HTTP on (\S+?)\. ")


class ServerProcess:
    """`tundish serve` on ports of the system's choice, from entering to leaving the context."""

    def __init__(self, repository: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "tundish", "serve", str(repository)]
        command += ["--grpc-port", "0", "--http-port", "0", *arguments]
        environment = {**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self._lines: list[str] = []
        self._url: str | None = None
        self._http_url: str | None = None
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        assert self._url is not None, self.output
        return self._url

    @property
    def http_url(self) -> str:
        """Host and port, as NVIDIA's client takes it."""
        assert self._http_url is not None, self.output
        return self._http_url

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        return "".join(self._lines)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self) -> None:
        assert self._ready.wait(START_SECONDS), self.output
        assert self._url is not None, f"the server ended before it was ready: {self.output}"

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """The exit code, once the process has ended."""
        code = self._process.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        return code

    def stop(self) -> int:
        self.signal()
        return self.wait()

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> ServerProcess:
        try:
            self.wait_ready()
        except AssertionError:
            self._process.kill()  # nobody leaves what was not entered
            self._process.wait()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.running:
            self.signal()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                raise

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.append(line)
                if match := _READY.search(line):
                    self._url, self._http_url = match[1], match[2]
                    self._ready.set()
        self._ready.set()


def wait_until(condition: object, seconds: float = 10.0) -> None:
    """Polls a callable until it is true; fails the test if that takes too long."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


@contextmanager
def handling_of_hangups(handling: signal.Handlers) -> Iterator[None]:
    """How processes that are started inside take SIGHUP; tests may themselves run under `nohup`."""
    before = signal.signal(signal.SIGHUP, handling)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
