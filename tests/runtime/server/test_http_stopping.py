"""What the HTTP front finishes, refuses and drops: when it stops, when clients go, when there is too much to do."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from support.bundles import LABELS, make_bundle
from support.calls import ANSWER_SECONDS, connect, image_request
from support.commands import run_tundish
from support.http_calls import get, open_socket, post, until_closed
from support.images import encoded
from support.server_process import ServerProcess, wait_until
from support.slow_bundles import full_queue, make_slow_bundle, occupy, slow_image

HEAD_SECONDS = 0.5
"""How long the instance is at work while a test sends requests behind it."""

INFER = "/v2/models/slow/infer"
RAW = {"Inference-Header-Content-Length": "0"}


@pytest.fixture(scope="module")
def slow_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`slow`, which runs one image at a time, and queues 64."""
    root = tmp_path_factory.mktemp("slow")
    make_slow_bundle(root, max_queue_size=1)
    return root


@pytest.fixture
def stopping(slow_repository: Path) -> Iterator[ServerProcess]:
    """Serves `slow` with one instance; the test stops it."""
    with ServerProcess(slow_repository, "--instances", "1") as process:
        yield process
    assert "Traceback" not in process.output


@pytest.fixture(scope="module")
def lasting(slow_repository: Path) -> Iterator[ServerProcess]:
    """Serves `slow` with one instance, whatever its callers do."""
    with ServerProcess(slow_repository, "--instances", "1") as process:
        yield process
        assert process.running, process.output
    assert process.wait() == 0
    assert "Traceback" not in process.output


def request_of(address: str, image: bytes) -> bytes:
    head = f"POST {INFER} HTTP/1.1\r\nHost: {address}\r\nInference-Header-Content-Length: 0\r\n"
    return f"{head}Content-Length: {len(image)}\r\n\r\n".encode() + image


def cancelled_requests(address: str) -> int:
    (model,) = (model for model in get(address, "/v2/models/slow/stats").json["model_stats"] if model["name"] == "slow")
    return int(model["inference_stats"]["fail"]["count"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopping_server_answers_what_it_accepted_and_refuses_the_rest(
    stopping: ServerProcess, number: signal.Signals
) -> None:
    address = stopping.http_url
    with connect(stopping.url) as connection, concurrent.futures.ThreadPoolExecutor() as pool:
        head = occupy(stopping, connection.typed.Predict, 2 * HEAD_SECONDS)
        accepted = [pool.submit(post, address, INFER, encoded(color), RAW) for color in LABELS]
        wait_until(lambda: b'tundish_queue_items{model="slow",version="1"} 3.0' in get(address, "/metrics").body)
        stopping.signal(number)
        wait_until(lambda: get(address, "/v2/health/ready").status == 503)
        refused = post(address, INFER, encoded("red"), RAW)
        assert (refused.status, refused.error) == (
            503,
            "The server is stopping and takes no new work; ask another one.",
        )
        assert get(address, "/v2/health/live").status == 200
        assert not head.done()
        answers = [call.result(ANSWER_SECONDS) for call in accepted]
        assert [answer.json["outputs"][0]["data"][0] for answer in answers] == list(LABELS)
        assert head.result(ANSWER_SECONDS).model_name == "slow"
    assert stopping.wait() == 0
    with pytest.raises(OSError, match=r"refused|reset"):
        get(address, "/v2/health/live")


def test_idle_connections_do_not_hold_a_server_up(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    with ServerProcess(tmp_path) as process, ExitStack() as open_ones:
        silent = [open_ones.enter_context(open_socket(process.http_url)) for _ in range(20)]
        used = open_ones.enter_context(closing(http.client.HTTPConnection(process.http_url)))
        used.request("GET", "/v2/health/live")
        assert used.getresponse().read() == b'{"live":true}'
        assert used.sock is not None  # it was kept alive
        started = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - started < 2
        for connection in (*silent, used.sock):
            assert until_closed(connection) == b""


def test_a_body_that_does_not_come_holds_a_server_up_for_seconds_only(stopping: ServerProcess) -> None:
    with open_socket(stopping.http_url) as connection:
        connection.sendall(request_of(stopping.http_url, bytes(1000))[:-1])
        get(stopping.http_url, "/v2/health/live")
        started = time.monotonic()
        assert stopping.stop() == 0
        assert time.monotonic() - started < 8


def queue_seconds(call: Any) -> float:
    return float(call.result(ANSWER_SECONDS).stage_times.queue_nanoseconds * 1e-9)


def compute_seconds(call: Any) -> float:
    return float(call.result(ANSWER_SECONDS).stage_times.compute_nanoseconds * 1e-9)


def test_the_work_of_clients_that_go_away_is_dropped(lasting: ServerProcess) -> None:
    before = cancelled_requests(lasting.http_url)
    with connect(lasting.url) as connection:
        head = occupy(lasting, connection.typed.Predict, HEAD_SECONDS)
        gone = [open_socket(lasting.http_url) for _ in range(30)]
        for client in gone:
            client.sendall(request_of(lasting.http_url, slow_image(1)))
        wait_until(
            lambda: b'tundish_queue_items{model="slow",version="1"} 30.0' in get(lasting.http_url, "/metrics").body
        )
        behind = connection.typed.Predict.future(image_request("slow", encoded("green")))
        for client in gone:
            # Half of them say so, half are killed.
            if client.fileno() % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        # Any of the thirty would have taken twice as long as the head.
        assert queue_seconds(behind) < 1.5 * compute_seconds(head)
    assert cancelled_requests(lasting.http_url) == before + 30


def test_a_timeout_that_passes_in_the_queue_is_told_at_once(lasting: ServerProcess) -> None:
    image = struct.pack("<I", len(slow_image(1))) + slow_image(1)
    request = {
        "parameters": {"timeout": 50_000},
        "inputs": [
            {"name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(image)}}
        ],
    }
    header = json.dumps(request).encode()
    with connect(lasting.url) as connection:
        head = occupy(lasting, connection.typed.Predict, HEAD_SECONDS)
        late = post(lasting.http_url, INFER, header + image, {"Inference-Header-Content-Length": str(len(header))})
        assert not head.done()
        behind = connection.typed.Predict.future(image_request("slow", encoded("blue")))
        assert (late.status, late.error) == (504, "The deadline passed before the answer was there.")
        assert queue_seconds(behind) < 1.5 * compute_seconds(head)


def test_a_full_queue_refuses_at_once_and_says_when_to_try_again(lasting: ServerProcess) -> None:
    with full_queue(lasting, HEAD_SECONDS):
        refused = post(lasting.http_url, INFER, encoded("red"), RAW)
    assert refused.status == 429
    assert refused.error == "The queue holds 64 of at most 64 items, 1 more do not fit; try again later."
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_an_http_port_in_use_is_exit_code_1(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    with ServerProcess(tmp_path) as other:
        port = other.http_url.rpartition(":")[2]
        ran = run_tundish("serve", tmp_path, "--grpc-port", "0", "--http-port", port)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert (
        f"127.0.0.1:{port} cannot be listened on: Address already in use; choose another with --http-port" in ran.stderr
    )
    assert "Traceback" not in ran.stderr
