"""The load's process: as many requests under way as are due."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tundish_bench.driving.asking import Asking
from tundish_bench.driving.endpoint import Endpoint
from tundish_bench.driving.generator import Generator, Order
from tundish_bench.driving.load import Open
from tundish_bench.driving.wire import HttpRequest

UNDER_WAY = 100


class Together(BaseHTTPRequestHandler):
    """Answers when so many have asked."""

    protocol_version = "HTTP/1.1"
    barrier = threading.Barrier(UNDER_WAY, timeout=20)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.barrier.wait()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Nothing."""


class Server(ThreadingHTTPServer):
    request_queue_size = UNDER_WAY
    daemon_threads = True


def test_an_open_loop_by_http_has_a_connection_for_each_request_under_way() -> None:
    with Server(("127.0.0.1", 0), Together) as server:
        threading.Thread(target=server.serve_forever).start()
        request = HttpRequest("/v2/models/m/infer", b"{}", {"Content-Type": "application/json"})
        endpoint = Endpoint("http", "127.0.0.1", server.server_address[1])
        with Generator() as generator:
            finished = generator.run(
                Order(
                    asking=Asking(endpoint=endpoint, requests=[request], timeout_seconds=20),
                    load=Open(float(UNDER_WAY), is_poisson=False),
                    block_seconds=1.0,
                    ends_itself=True,
                )
            )
        server.shutdown()
    assert len(finished.records) == UNDER_WAY
    assert finished.records.answered.all(), finished.records.commonest_error
