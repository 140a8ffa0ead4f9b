"""What several tests of the benchmarks ask."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import delayed_server

from tundish_bench.driving.endpoint import Endpoint, WireName
from tundish_bench.processes import free_port


@pytest.fixture(scope="session")
def endpoints() -> Iterator[dict[WireName, Endpoint]]:
    """Of a server whose delays are known, by gRPC and by HTTP."""
    ports: dict[WireName, int] = {"grpc": free_port(), "http": free_port()}
    command = [sys.executable, str(Path(delayed_server.__file__)), str(ports["grpc"]), str(ports["http"])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield {wire: Endpoint(wire, "127.0.0.1", port) for wire, port in ports.items()}
        process.terminate()
