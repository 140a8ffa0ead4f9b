"""Which process is found for a port: real processes that listen."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import psutil
import pytest

from tundish_bench.processes import free_port
from tundish_bench.watching import find_server

LISTEN = """
import socket
server = socket.socket()
server.bind(({host!r}, 0))
server.listen()
print(server.getsockname()[1], flush=True)
"""

BEHIND_A_PARENT = """
import subprocess, sys
subprocess.Popen([sys.executable, "-IS", "-c", "input()"], stdin=subprocess.PIPE)  # a worker beside the front
subprocess.run([sys.executable, "-IS", "-c", {code!r}])
"""


@pytest.mark.parametrize(
    ("listens", "host", "found"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("127.0.0.1", "192.0.2.1", False),  # no machine has it
        ("127.0.0.1", "no-such-host.invalid", False),
    ],
)
def test_the_listening_process_is_found(listens: str, host: str, found: bool) -> None:
    with started(LISTEN.format(host=listens) + "input()") as process:
        assert find_server(host, port_of(process)) == (process.pid if found else None)
        process.kill()


def test_a_front_beside_its_workers_is_found_by_their_parent() -> None:
    listener = LISTEN.format(host="127.0.0.1") + "import time; time.sleep(60)"
    with started(BEHIND_A_PARENT.format(code=listener)) as process:
        assert find_server("127.0.0.1", port_of(process)) == process.pid
        for child in psutil.Process(process.pid).children():
            child.kill()
        process.kill()


@pytest.mark.parametrize("sees_a_fork", [True, False])
def test_what_was_so_for_a_moment_is_looked_past(sees_a_fork: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork of the server has its sockets until it becomes what the server starts; a reader may miss a socket."""
    gone = subprocess.Popen([sys.executable, "-IS", "-c", ""])
    gone.wait()
    looks = 0

    def connections(kind: str) -> list[Any]:
        nonlocal looks
        looks += 1
        found = psutil_connections(kind)
        return found if looks == 3 else [each._replace(pid=gone.pid) for each in found if sees_a_fork]

    psutil_connections = psutil.net_connections
    monkeypatch.setattr(psutil, "net_connections", connections)
    with started(LISTEN.format(host="127.0.0.1") + "input()") as process:
        assert find_server("127.0.0.1", port_of(process)) == process.pid
        process.kill()


def test_a_containers_proxy_is_no_server() -> None:
    code = LISTEN.format(host="127.0.0.1").replace("print", "open('/proc/self/comm', 'w').write('docker-proxy'); print")
    with started(code + "input()") as process:
        assert find_server("127.0.0.1", port_of(process)) is None
        process.kill()


def test_a_port_that_nobody_listens_on_or_a_caller_uses_has_no_server() -> None:
    assert find_server("127.0.0.1", free_port()) is None
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as caller:
        assert find_server("127.0.0.1", caller.getsockname()[1]) is None


def started(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-IS", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())
